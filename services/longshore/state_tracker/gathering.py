"""Work that gathers while the same kind of work is under way, and then goes in one batch: group commit without a timer.

One worker per key, alive only while there is something to do. The first item goes at once; what comes meanwhile goes together.
"""

from collections import deque
from collections.abc import Awaitable, Callable, Hashable
from typing import Generic, TypeVar

from longshore.rpc import loops

K = TypeVar("K", bound=Hashable)
T = TypeVar("T")


class Gatherer(Generic[K, T]):
    """Hands what was put for a key to `flush`, in order, in batches of at most `limit` by `weigh`, one batch at a time.

    `flush` handles what it expects: an exception out of it ends the component. What it cannot do now it retries itself, and more
    gathers meanwhile; whoever puts is responsible for a bound (here: one item per session).
    """

    def __init__(
        self,
        name: str,
        flush: Callable[[K, list[T]], Awaitable[None]],
        *,
        supervisor: loops.Supervisor,
        limit: int,
        weigh: Callable[[T], int] = lambda _: 1,
    ) -> None:
        self._name = name
        self._flush = flush
        self._supervisor = supervisor
        self._limit = limit
        self._weigh = weigh
        self._waiting: dict[K, deque[T]] = {}

    def put(self, key: K, item: T) -> None:
        """Queue an item."""
        queue = self._waiting.get(key)
        if queue is not None:
            queue.append(item)
            return
        self._waiting[key] = deque((item,))
        self._supervisor.spawn(f"{self._name}:{key}", self._work(key))

    def waiting(self) -> int:
        """How many items are queued and not yet under way."""
        return sum(len(queue) for queue in self._waiting.values())

    async def _work(self, key: K) -> None:
        queue = self._waiting[key]
        while queue:
            await self._flush(key, self._batch(queue))
        del self._waiting[key]

    def _batch(self, queue: deque[T]) -> list[T]:
        batch = [queue.popleft()]
        weight = self._weigh(batch[0])
        while queue and weight + self._weigh(queue[0]) <= self._limit:
            weight += self._weigh(queue[0])
            batch.append(queue.popleft())
        return batch
