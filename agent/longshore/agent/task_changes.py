"""Lets others wait for what happens to a task, without the engine knowing them."""

import asyncio
import contextlib
from collections.abc import Iterator


class Changes:
    """Who waits for which task."""

    def __init__(self) -> None:
        self._waiting: dict[str, set[asyncio.Event]] = {}

    def tell(self, task_id: str) -> None:
        """Something of the task has changed."""
        for event in self._waiting.get(task_id, ()):
            event.set()

    @contextlib.contextmanager
    def of(self, task_id: str) -> Iterator[asyncio.Event]:
        """An event that is set at each change, for the time of the block. Clear it, look, then wait."""
        event = asyncio.Event()
        mine = self._waiting.setdefault(task_id, set())
        mine.add(event)
        try:
            yield event
        finally:
            mine.discard(event)
            if not mine:
                self._waiting.pop(task_id, None)
