"""The agent of a drill: a process that is started again whenever it ends, as an init system does, and that can be killed."""

import asyncio
import sys
from collections.abc import Mapping
from pathlib import Path
from typing import NoReturn

from longshore.drill import child, journal, programs

_PAUSE_S = 0.5
"""Before it is started again."""
_SAID_LINES = 5


class OwnAgent:
    """Keeps one agent running."""

    def __init__(self, settings: Mapping[str, str], logs: Path, notes: journal.Journal) -> None:
        self._environment = {**programs.ENVIRONMENT, **settings}
        self._output = logs / "agent-output.log"
        self._notes = notes
        self._process: child.Child | None = None
        self._told = False
        self._may_run = asyncio.Event()
        self._may_run.set()

    async def keep_running(self) -> NoReturn:
        """Start it, again and again; its ends are noted, with whether we were the reason. Cancelled: ask it to leave."""
        while True:
            await self._may_run.wait()
            self._told = False
            before = self._output.stat().st_size if self._output.exists() else 0
            self._process = await child.started(
                [sys.executable, "-m", "longshore.agent"], log=self._output, environ=self._environment
            )
            self._notes.write("agent began", pid=self._process.pid)
            try:
                code = await self._process.wait()
            finally:
                if self._process.running:
                    await self._process.stop()
            self._notes.write("agent ended", code=code, told=self._told, said=self._said(before))
            await asyncio.sleep(_PAUSE_S)

    async def kill(self) -> None:
        """End it as a crash would; it stays away until `release`."""
        self._may_run.clear()
        self._told = True
        if self._process is not None:
            await self._process.kill()

    async def leave(self) -> None:
        """Ask it to leave, and start no other."""
        self._may_run.clear()
        self._told = True
        if self._process is not None:
            await self._process.stop()

    def release(self) -> None:
        """Let it be started again."""
        self._may_run.set()

    def _said(self, since: int) -> str:
        with self._output.open("rb") as output:
            output.seek(since)
            return "\n".join(output.read().decode(errors="replace").strip().splitlines()[-_SAID_LINES:])
