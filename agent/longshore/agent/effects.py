"""Calls to the outside world that the agent has under way."""

import contextlib
from collections.abc import Coroutine
from typing import Any

from longshore.rpc import loops


class Effects:
    """Starts calls as supervised tasks. One that dies of what it did not expect ends the agent."""

    def __init__(self, supervisor: loops.Supervisor) -> None:
        self._supervisor = supervisor

    def spawn(self, name: str, work: Coroutine[Any, Any, None]) -> None:
        """Start a call. While the agent is ending nothing new is started: its next start goes on from what it finds."""
        with contextlib.suppress(loops.SupervisorClosingError):
            self._supervisor.spawn(name, work)
