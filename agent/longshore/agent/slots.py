"""How many creates and starts are under way at the engine, starts first.

An engine asked for sixty containers at once is slower than one asked for a few at a time. A start goes before any create that
waits, so that what was begun gets finished: the first containers of a burst run while the last ones are still waiting.
"""

import asyncio
from collections import deque
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager


class Slots:
    """A semaphore with two queues."""

    def __init__(self, limit: int) -> None:
        self._free = limit
        self._first: deque[asyncio.Future[None]] = deque()
        self._second: deque[asyncio.Future[None]] = deque()

    @asynccontextmanager
    async def held(self, *, first: bool) -> AsyncIterator[None]:
        """Hold a slot; `first` goes before those that are not."""
        await self._acquire(self._first if first else self._second)
        try:
            yield
        finally:
            self._release()

    async def _acquire(self, queue: deque[asyncio.Future[None]]) -> None:
        if self._free:
            self._free -= 1
            return
        turn: asyncio.Future[None] = asyncio.get_running_loop().create_future()
        queue.append(turn)
        try:
            await turn
        except asyncio.CancelledError:
            if turn.done() and not turn.cancelled():
                self._release()  # it was our turn already: pass it on
            else:
                queue.remove(turn)
            raise

    def _release(self) -> None:
        for queue in (self._first, self._second):
            while queue:
                turn = queue.popleft()
                if not turn.done():
                    turn.set_result(None)
                    return
        self._free += 1
