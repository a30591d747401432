"""A process of the drill's: killed, frozen and ended by its own handle, and gone when the drill is gone, even by kill -9."""

import asyncio
import signal
from collections.abc import Mapping, Sequence
from pathlib import Path

from longshore.drill import programs

STOP_TIMEOUT_S = 30.0
"""A control plane, or an engine with containers, ends within a few seconds."""


class Child:
    """One process."""

    def __init__(self, process: asyncio.subprocess.Process) -> None:
        self._process = process

    @property
    def pid(self) -> int:
        """Its process id."""
        return self._process.pid

    @property
    def running(self) -> bool:
        """Whether it is there; frozen counts."""
        return self._process.returncode is None

    async def wait(self) -> int:
        """Wait for its end; its exit status, negative for a signal."""
        return await self._process.wait()

    async def kill(self) -> None:
        """End it as a crash would."""
        if self.running:
            self._process.kill()
        await self.wait()

    async def stop(self, how: signal.Signals = signal.SIGTERM) -> int:
        """Ask it to end, and wait; killed where it takes too long."""
        if self.running:
            self._process.send_signal(how)
            self._process.send_signal(signal.SIGCONT)
        try:
            async with asyncio.timeout(STOP_TIMEOUT_S):
                return await self.wait()
        except TimeoutError:
            await self.kill()
            return await self.wait()

    def tell(self, number: signal.Signals) -> None:
        """Send it a signal."""
        if self.running:
            self._process.send_signal(number)

    def freeze(self) -> None:
        """Stop it in its tracks: its connections stay open, and nothing answers."""
        if self.running:
            self._process.send_signal(signal.SIGSTOP)

    def thaw(self) -> None:
        """Let it go on."""
        if self.running:
            self._process.send_signal(signal.SIGCONT)


async def started(
    command: Sequence[str],
    *,
    log: Path,
    environ: Mapping[str, str] = programs.ENVIRONMENT,
    user: str = "",
    death: str = "TERM",
) -> Child:
    """Start a program; what it prints is added to `log`. `user`: whom it is to become; `death`: the signal that it gets when the drill dies."""
    identity = ("--reuid", user, "--regid", user, "--init-groups") if user else ()
    with log.open("ab") as output:
        process = await asyncio.create_subprocess_exec(
            *(programs.found("setpriv"), "--pdeathsig", death, *identity, "--", *command),
            stdin=asyncio.subprocess.DEVNULL,
            stdout=output,
            stderr=output,
            env=dict(environ),
            cwd="/",
            start_new_session=True,
        )
    return Child(process)
