"""`longshore drill agent`, short: every fault at least once, nothing found, and nothing left behind."""

import copy
import json
import os
import signal
import subprocess
import sys
from pathlib import Path
from typing import Any

import pytest

from longshore.drill import disk, on_host, programs, remains
from longshore.drill.agent import checks, history, plan
from tests.engines.missing import missing

SEED = 1
START_BOUND_S = 60.0


def command(*flags: str) -> list[str]:
    return [sys.executable, "-m", "longshore.cli", "drill", "agent", *flags]


@pytest.fixture(scope="module", autouse=True)
def _able() -> None:
    if os.geteuid() != 0 or programs.absent(programs.BY_AGENT):
        missing(f"a drill needs root and {', '.join(programs.BY_AGENT)}")


def records_in(folder: Path) -> list[dict[str, Any]]:
    return [json.loads(line) for line in (folder / "journal.jsonl").read_text().splitlines()]


def assert_nothing_left(records: list[dict[str, Any]]) -> None:
    """Of that drill: another one may be held on this machine at the same time."""
    world = next(record for record in records if record["what"] == "world")
    assert not Path(world["home"]).exists()
    assert not Path("/sys/class/net", world["bridge"]).exists()
    assert disk.mounts(Path(world["home"])) == []
    assert on_host.found(Path(world["home"])) == {}


@pytest.mark.slow
@pytest.mark.timeout(300)
def test_a_short_drill_finds_nothing_and_its_journal_can_be_found_fault_with(tmp_path: Path) -> None:
    flags = (f"--seed={SEED}", "--minutes=0.5", "--tasks=10", "--pause=3", "--output=json", f"--record={tmp_path}")
    done = subprocess.run(command(*flags), capture_output=True, text=True, timeout=280, check=False)
    assert done.returncode == 0, done.stdout + done.stderr
    outcome = json.loads(done.stdout)
    assert outcome["faults"].keys() == {fault.value for fault in plan.Fault}
    assert sum(outcome["tasks"].values()) > 10
    assert outcome["recovery"]
    records = records_in(tmp_path)
    assert_nothing_left(records)
    assert checks.judge(history.of(records)) == []
    for tampered, rule in (
        (doubled_start(records), "nothing is run twice"),
        (lost_event(records), "the log has no gap"),
        (wrong_code(records), "exit codes are those of the processes"),
    ):
        assert rule in {finding.rule for finding in checks.judge(history.of(tampered))}


def doubled_start(records: list[dict[str, Any]]) -> list[dict[str, Any]]:
    changed = copy.deepcopy(records)
    next(record for record in changed if record["what"] == "story")["lines"].insert(0, "start 0")
    return changed


def lost_event(records: list[dict[str, Any]]) -> list[dict[str, Any]]:
    numbers = [number for number, record in enumerate(records) if record["what"] == "event"]
    middle = numbers[len(numbers) // 2]
    return records[:middle] + records[middle + 1 :]


def wrong_code(records: list[dict[str, Any]]) -> list[dict[str, Any]]:
    """A task that ended by itself is told to have ended with a code that no process had."""
    changed = copy.deepcopy(records)
    for record in changed:
        for container in record.get("task", {}).get("containers", ()) if record["what"] == "event" else ():
            if container["code"] is not None:
                container["code"] = 77
    return changed


@pytest.mark.slow
@pytest.mark.timeout(120)
def test_ctrl_c_ends_a_drill_and_leaves_nothing(tmp_path: Path) -> None:
    flags = ("--minutes=5", "--tasks=4", "--faults=agent-kill", f"--record={tmp_path}")
    drill = subprocess.Popen(command(*flags), stderr=subprocess.PIPE, stdout=subprocess.PIPE, text=True)
    try:
        assert drill.stderr is not None
        for line in drill.stderr:
            if line.startswith("0:"):
                break
        drill.send_signal(signal.SIGINT)
        _, said = drill.communicate(timeout=START_BOUND_S)
    finally:
        drill.kill()
    assert drill.returncode == 130, said
    assert "nothing was judged" in said
    assert_nothing_left(records_in(tmp_path))


@pytest.mark.slow
@pytest.mark.timeout(120)
async def test_what_a_killed_drill_leaves_is_put_back_by_the_next(tmp_path: Path) -> None:
    flags = ("--minutes=5", "--tasks=4", "--faults=agent-kill", f"--record={tmp_path}")
    killed = begun_and_killed(command(*flags))
    home = Path(next(record["home"] for record in records_in(tmp_path) if record["what"] == "world"))
    assert killed
    assert disk.mounts(home)
    assert home in await remains.remove()
    assert_nothing_left(records_in(tmp_path))


def begun_and_killed(words: list[str]) -> bool:
    """Hold a drill until its agent has joined, and kill it."""
    with subprocess.Popen(words, stderr=subprocess.PIPE, text=True) as drill:
        assert drill.stderr is not None
        joined = any(line.startswith("The agent has joined") for line in drill.stderr)
        drill.kill()
    return joined


def test_a_drill_that_lives_is_left_alone(tmp_path: Path) -> None:
    home = tmp_path / f"{remains.PREFIX}other"
    home.mkdir()
    with remains.held(home), pytest.raises(BlockingIOError):
        remains.held(home)
