"""The newest events of each watched cluster, in memory: what the log says is taken in once and serialised once, for all watchers."""

import asyncio
from collections import deque
from dataclasses import dataclass, field

from longshore.events import cursor
from longshore.v1 import event_pb2, record_pb2, state_tracker_service_pb2

# Batches and events that a ring holds. A watcher that is further behind pages the log until it is not.
MAX_BATCHES = 2_000
MAX_EVENTS = 20_000


@dataclass(slots=True)
class Batch:
    """The events of one publication: they follow `previous` and end with `sequence`."""

    previous: int
    sequence: int
    events: tuple[event_pb2.Event, ...]
    cluster: str
    _serialised: bytes | None = field(default=None, repr=False)

    def serialised(self) -> bytes:
        """The response of a watcher that wants everything; made at the first call, shared by all."""
        if self._serialised is None:
            self._serialised = state_tracker_service_pb2.WatchEventsResponse(
                cursor=cursor.encode(self.cluster, self.sequence), events=self.events
            ).SerializeToString()
        return self._serialised


class Ring:
    """One cluster's newest batches, without a gap between them."""

    def __init__(self, cluster: str, position: int) -> None:
        self.cluster = cluster
        # Sequence of the last event taken in.
        self.position = position
        # Grows when the log went on elsewhere: what a watcher has seen no longer connects to what comes.
        self.generation = 0
        self._batches: deque[Batch] = deque()
        self._events = 0
        self._arrived = asyncio.Event()

    @property
    def oldest(self) -> int:
        """The lowest position from which the ring can be read on."""
        return self._batches[0].previous if self._batches else self.position

    def take(self, publication: record_pb2.Publication) -> None:
        """Take the next events in, and wake who waits."""
        batch = Batch(publication.previous_sequence, publication.sequence, tuple(publication.events), self.cluster)
        self._batches.append(batch)
        self._events += len(batch.events)
        self.position = batch.sequence
        while len(self._batches) > MAX_BATCHES or (self._events > MAX_EVENTS and len(self._batches) > 1):
            self._events -= len(self._batches.popleft().events)
        self.wake()

    def restart(self, position: int) -> None:
        """Forget everything: the log goes on elsewhere."""
        self._batches.clear()
        self._events = 0
        self.position = position
        self.generation += 1
        self.wake()

    def after(self, position: int, limit: int) -> list[Batch] | None:
        """Up to `limit` batches with events after a position; None where the ring no longer reaches back so far."""
        if position < self.oldest:
            return None
        found = []
        for batch in reversed(self._batches):
            if batch.sequence <= position:
                break
            found.append(batch)
        found.reverse()
        return found[:limit]

    async def changed(self) -> None:
        """Return when something has come since the call."""
        await self._arrived.wait()

    def wake(self) -> None:
        """Let everybody who waits look again."""
        self._arrived.set()
        self._arrived = asyncio.Event()


class Rings:
    """The rings of the watched clusters."""

    def __init__(self) -> None:
        self._rings: dict[str, Ring] = {}
        self._watchers: dict[str, int] = {}

    def open(self, cluster: str, position: int) -> Ring:
        """The ring of a cluster that is followed from `position` on; for one more watcher."""
        ring = self._rings.setdefault(cluster, Ring(cluster, position))
        self._watchers[cluster] = self._watchers.get(cluster, 0) + 1
        return ring

    def close(self, cluster: str) -> None:
        """One watcher less; the ring goes with the last."""
        self._watchers[cluster] -= 1
        if not self._watchers[cluster]:
            del self._watchers[cluster], self._rings[cluster]

    def apply(self, publication: record_pb2.Publication) -> None:
        """Take a publication in, where its cluster is watched."""
        ring = self._rings.get(publication.cluster)
        if ring is not None and publication.sequence > ring.position:
            ring.take(publication)

    def wake_all(self) -> None:
        """Let every watcher look again: the server is about to stop."""
        for ring in self._rings.values():
            ring.wake()

    def reset(self, cluster: str, position: int) -> None:
        """The log of a cluster goes on from another position."""
        ring = self._rings.get(cluster)
        if ring is not None:
            ring.restart(position)
