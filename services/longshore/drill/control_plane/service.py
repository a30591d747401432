"""A process that is started again whenever it ends, as an init system does, and that can be killed and frozen."""

import asyncio
import contextlib
import os
import signal
from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import NoReturn

from longshore.drill import child, journal, programs

_PAUSE_S = 0.3
"""Before it is started again."""
_SAID_LINES = 5


class Service:
    """Keeps one program running. `ending` asks it to end; `family`: it is frozen with all processes that it has started."""

    def __init__(
        self,
        name: str,
        command: Sequence[str],
        *,
        logs: Path,
        notes: journal.Journal,
        environ: Mapping[str, str] | None = None,
        user: str = "",
        ending: signal.Signals = signal.SIGTERM,
        family: bool = False,
    ) -> None:
        self.name = name
        self._command = command
        self._log = logs / f"{name}.out"
        self._notes = notes
        self._environ = {**programs.ENVIRONMENT, **(environ or {})}
        self._user = user
        self._ending = ending
        self._family = family
        self._process: child.Child | None = None
        self._told = False
        self._may_run = asyncio.Event()
        self._may_run.set()

    @property
    def pid(self) -> int:
        """Its process id. Raises Failed while there is none."""
        if self._process is None or not self._process.running:
            raise programs.Failed(f"{self.name} does not run")
        return self._process.pid

    async def keep_running(self) -> NoReturn:
        """Start it, again and again; its ends are noted, with whether we were the reason. Cancelled: ask it to end."""
        while True:
            await self._may_run.wait()
            self._told = False
            before = self._log.stat().st_size if self._log.exists() else 0
            process = await child.started(
                self._command, log=self._log, environ=self._environ, user=self._user, death="KILL"
            )
            self._process = process
            self._notes.write("began", service=self.name, pid=process.pid)
            try:
                code = await process.wait()
            finally:
                if process.running:
                    await process.stop(self._ending)
            self._notes.write("ended", service=self.name, code=code, told=self._told, said=self._said(before))
            await asyncio.sleep(_PAUSE_S)

    async def kill(self, number: signal.Signals = signal.SIGKILL) -> None:
        """End it, as a crash would unless another signal is named; it stays away until `release`."""
        self._may_run.clear()
        self._told = True
        if self._process is not None:
            self._process.tell(number)
            self._process.thaw()
            await self._process.wait()

    async def leave(self) -> None:
        """Ask it to end, and start it no more."""
        self._may_run.clear()
        self._told = True
        if self._process is not None:
            await self._process.stop(self._ending)

    def release(self) -> None:
        """Let it be started again."""
        self._may_run.set()

    def freeze(self) -> None:
        """Stop it in its tracks."""
        self._tell_all(signal.SIGSTOP)

    def thaw(self) -> None:
        """Let it go on."""
        self._tell_all(signal.SIGCONT)

    def children(self) -> list[int]:
        """The processes that it has started itself."""
        try:
            pid = self.pid
            return [int(one) for one in Path(f"/proc/{pid}/task/{pid}/children").read_text().split()]
        except (OSError, programs.Failed):
            return []

    def _tell_all(self, number: signal.Signals) -> None:
        if self._process is None:
            return
        self._process.tell(number)
        for pid in self.children() if self._family else ():
            with contextlib.suppress(ProcessLookupError):
                os.kill(pid, number)

    def _said(self, since: int) -> str:
        with self._log.open("rb") as output:
            output.seek(since)
            return "\n".join(output.read().decode(errors="replace").strip().splitlines()[-_SAID_LINES:])
