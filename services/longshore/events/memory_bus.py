"""The bus of a single process: publishing puts the payload into each subscriber's queue."""

import contextlib
from collections.abc import AsyncIterator

from longshore.events import inbox


class MemoryBus:
    """A bus within one event loop."""

    def __init__(self) -> None:
        self._inboxes: dict[str, set[inbox.Inbox]] = {}

    async def publish(self, cluster: str, payload: bytes) -> None:
        """Queue the payload for every subscriber of the cluster."""
        for subscriber in self._inboxes.get(cluster, ()):
            subscriber.offer(payload)

    @contextlib.asynccontextmanager
    async def subscribe(self, cluster: str) -> AsyncIterator[inbox.Inbox]:
        """Hear what is published from now on, until the context is left."""
        subscriber = inbox.Inbox()
        subscribers = self._inboxes.setdefault(cluster, set())
        subscribers.add(subscriber)
        try:
            yield subscriber
        finally:
            subscribers.discard(subscriber)
            if not subscribers:
                self._inboxes.pop(cluster, None)

    async def reachable(self) -> bool:
        """It is this process."""
        return True

    async def close(self) -> None:
        """Nothing to give back."""
