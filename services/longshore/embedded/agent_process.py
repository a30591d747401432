"""The agent beside the control plane: a process of its own, started again when it dies, gone when `up` is gone.

It must not outlive `up`, not even after kill -9: the next `up` starts an agent with the same identity, and two would fight over it. Its
containers go on in any case, and the next agent adopts them.
"""

import asyncio
import os
import signal
import sys
from collections.abc import Callable, Mapping
from pathlib import Path
from typing import NoReturn

import structlog

from longshore.rpc import backoff

_log = structlog.get_logger(__name__)

MODULE = "longshore.agent"

STOP_TIMEOUT_S = 10.0
"""An agent asked to leave saves its state within a second or two."""

FIRST_PAUSE_S = 0.5
LONGEST_PAUSE_S = 10.0
"""The usual cause is an engine that is being started: it is found again within seconds."""

LASTING_S = 60.0
"""An agent that ran for so long has worked: the next pause is a short one again."""

TERMINAL = 5
"""Exit code of an agent that cannot work here until a person has changed something (ECS's own meaning of it); it has printed what."""

CHANGED_PAUSE_S = 5.0
"""How often it is looked whether that person has."""

TOLD_LINES = 8
"""Last lines of what an agent printed, which say why it has ended."""


NOT_INHERITED = frozenset({"AWS_ACCESS_KEY_ID"})
"""Whoever drives this very stack with AWS's tools has a key of ours in it, or any word: not credentials of the engine's for awslogs."""


class AgentProcess:
    """Keeps one agent process running."""

    def __init__(self, environment: Mapping[str, str], output: Path) -> None:
        """An agent with these variables beside our own; what its present run prints goes to `output`."""
        inherited = {name: value for name, value in os.environ.items() if name not in NOT_INHERITED}
        self._environment = inherited | dict(environment)
        self._output = output

    async def keep_running(self, ended: Callable[[str], None]) -> NoReturn:
        """Start the agent, and again whenever it ends, with growing pauses; tell `ended` each time what it said."""
        loop = asyncio.get_running_loop()
        pauses = backoff.Backoff(first=FIRST_PAUSE_S, cap=LONGEST_PAUSE_S)
        while True:
            began = loop.time()
            code = await self._once()
            _log.warning("agent_exited", exit_code=code, said=self._said())
            ended(self._said() or _how(code))
            if loop.time() - began > LASTING_S:
                pauses.reset()
            await (asyncio.sleep(CHANGED_PAUSE_S) if code == TERMINAL else pauses.sleep())

    async def _once(self) -> int:
        """Run one agent to its end; terminate it when cancelled."""
        with self._output.open("wb") as output:
            process = await asyncio.create_subprocess_exec(
                *(sys.executable, "-m", "longshore.embedded.tied", str(os.getpid()), MODULE),
                stdin=asyncio.subprocess.DEVNULL,
                stdout=output,
                stderr=output,
                env=self._environment,
                # Ctrl-C goes to us; we tell the agent in our own order.
                start_new_session=True,
            )
        try:
            return await process.wait()
        except asyncio.CancelledError:
            await _terminate(process)
            raise

    def _said(self) -> str:
        lines = self._output.read_text(errors="replace").strip().splitlines()
        return "\n".join(lines[-TOLD_LINES:]).removeprefix("longshore agent: ")


def _how(code: int) -> str:
    """How a process ended that has said nothing."""
    if code < 0:
        return f"it was ended by {signal.Signals(-code).name}"
    return f"exit status {code}, without a word"


async def _terminate(process: asyncio.subprocess.Process) -> None:
    if process.returncode is not None:
        return
    process.terminate()
    try:
        async with asyncio.timeout(STOP_TIMEOUT_S):
            await process.wait()
    except TimeoutError:
        process.kill()
        await process.wait()
