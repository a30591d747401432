"""The agent's process beside the control plane, played by a script in the agent's place."""

import asyncio
import contextlib
import os
import signal
import subprocess
import sys
import textwrap
from collections.abc import AsyncIterator
from pathlib import Path
from typing import NoReturn

import pytest

from longshore.embedded import agent_process
from tests.engines import waiting

BOUND_S = 20.0


class Ends:
    """Hears of ends, and says when there were so many."""

    def __init__(self) -> None:
        self.heard: list[str] = []
        self._news = asyncio.Event()

    def __call__(self, message: str) -> None:
        self.heard.append(message)
        self._news.set()

    async def until(self, count: int) -> None:
        async with asyncio.timeout(BOUND_S):
            while len(self.heard) < count:
                self._news.clear()
                await self._news.wait()


@pytest.fixture
def played(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> "Play":
    return Play(tmp_path, monkeypatch)


class Play:
    """Puts a script in the agent's place."""

    def __init__(self, folder: Path, monkeypatch: pytest.MonkeyPatch) -> None:
        self.folder = folder
        self.output = folder / "output.log"
        self.ends = Ends()
        self._monkeypatch = monkeypatch

    @contextlib.asynccontextmanager
    async def running(self, script: str, **environ: str) -> AsyncIterator[asyncio.Task[NoReturn]]:
        """The script, kept running."""
        module = self.folder / "played.py"
        module.write_text(textwrap.dedent(script))
        self._monkeypatch.setattr(agent_process, "MODULE", "played")
        kept = agent_process.AgentProcess({"PYTHONPATH": str(self.folder)} | environ, self.output)
        task = asyncio.create_task(kept.keep_running(self.ends))
        try:
            yield task
        finally:
            task.cancel()
            await asyncio.gather(task, return_exceptions=True)


async def test_an_agent_that_dies_is_started_again_and_its_last_words_are_told(played: Play) -> None:
    async with played.running("import sys; print('longshore agent: no engine', file=sys.stderr); sys.exit(1)"):
        await played.ends.until(2)
    assert played.ends.heard[:2] == ["no engine"] * 2


async def test_an_agent_that_needs_a_person_is_tried_again_now_and_then(
    played: Play, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(agent_process, "CHANGED_PAUSE_S", 0.05)
    monkeypatch.setattr(agent_process, "FIRST_PAUSE_S", 1_000.0)
    monkeypatch.setattr(agent_process, "LONGEST_PAUSE_S", 1_000.0)
    async with played.running("import sys; print('refused'); sys.exit(5)"):
        await played.ends.until(2)
    assert played.ends.heard[:2] == ["refused"] * 2


async def test_an_agent_that_dies_without_a_word_is_told_by_its_status(played: Play) -> None:
    async with played.running("import sys; sys.exit(3)"):
        await played.ends.until(1)
    assert played.ends.heard[0] == "exit status 3, without a word"


async def test_an_agent_that_was_killed_is_told_to_have_been(played: Play) -> None:
    async with played.running("import os, signal; os.kill(os.getpid(), signal.SIGKILL)"):
        await played.ends.until(1)
    assert played.ends.heard[0] == "it was ended by SIGKILL"


async def test_an_access_key_of_this_stack_is_not_taken_for_credentials_of_awss(
    played: Play, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("AWS_ACCESS_KEY_ID", "AKLSYIYBULOAYCHT4YSQ")
    async with played.running("import os; print(os.environ.get('AWS_ACCESS_KEY_ID', 'none'))"):
        await played.ends.until(1)
    assert played.ends.heard[0] == "none"


ANNOUNCE = """
    import os, pathlib, signal, threading
    pathlib.Path(os.environ["HERE"]).write_text(str(os.getpid()))
    {}
    threading.Event().wait()
"""


def alive(pid: int) -> bool:
    try:
        return "Z" not in Path(f"/proc/{pid}/stat").read_text().rpartition(")")[2].split()[0]
    except OSError:
        return False


def written(path: Path) -> int:
    """The pid in a file, as soon as it is there."""
    waiting.until(lambda: path.exists() and bool(path.read_text()), within_s=BOUND_S, what=f"{path} is written")
    return int(path.read_text())


async def test_who_stops_keeping_it_terminates_it(played: Play) -> None:
    here = played.folder / "pid"
    async with played.running(ANNOUNCE.format(""), HERE=str(here)):
        pid = await asyncio.to_thread(written, here)
        assert alive(pid)
    assert not alive(pid)
    assert played.ends.heard == []


async def test_one_that_does_not_listen_is_killed(played: Play, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(agent_process, "STOP_TIMEOUT_S", 0.3)
    here = played.folder / "pid"
    async with played.running(ANNOUNCE.format("signal.signal(signal.SIGTERM, signal.SIG_IGN)"), HERE=str(here)):
        pid = await asyncio.to_thread(written, here)
    assert not alive(pid)


def test_it_ends_with_its_parent_also_by_kill_minus_nine(tmp_path: Path) -> None:
    here = tmp_path / "pid"
    (tmp_path / "played.py").write_text(textwrap.dedent(ANNOUNCE.format("")))
    parent = """
        import os, subprocess, sys
        subprocess.run([sys.executable, "-m", "longshore.embedded.tied", str(os.getpid()), "played"])
    """
    environ = os.environ | {"PYTHONPATH": str(tmp_path), "HERE": str(here)}
    with subprocess.Popen([sys.executable, "-c", textwrap.dedent(parent)], env=environ) as process:
        pid = written(here)
        process.send_signal(signal.SIGKILL)
    waiting.until(lambda: not alive(pid), within_s=BOUND_S, what="it is gone")
