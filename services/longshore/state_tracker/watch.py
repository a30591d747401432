"""WatchEvents: a cluster's log as a stream that can be resumed."""

import asyncio
import contextlib
from collections.abc import AsyncGenerator, AsyncIterator

from longshore.events import cursor
from longshore.rpc import errors
from longshore.state_tracker import feeds, metrics, rings, scope, watch_filters
from longshore.storage import errors as storage_errors
from longshore.storage import log
from longshore.storage.database import Database
from longshore.v1 import event_pb2, state_tracker_service_pb2

# Batches that are gone through without pause: the event loop belongs to others too.
BATCHES_AT_ONCE = 100
# Events of one page of the log.
PAGE = 500
# Pages in a row for a watcher that the ring has overtaken. Whoever is slower than the cluster changes resumes later.
MAX_PAGES = 200
# Events that pass no filter move the cursor on this often, so that it is not pruned under a patient watcher.
CURSOR_EVERY = 1_000

Request = state_tracker_service_pb2.WatchEventsRequest
Response = state_tracker_service_pb2.WatchEventsResponse


class Watches:
    """Serves watchers."""

    def __init__(
        self,
        database: Database,
        *,
        scopes: scope.Scopes,
        following: feeds.Feeds,
        ringing: rings.Rings,
        measured: metrics.Metrics,
        draining: asyncio.Event,
    ) -> None:
        self._database = database
        self._scopes = scopes
        self._feeds = following
        self._rings = ringing
        self._metrics = measured
        self._draining = draining

    async def watch(self, request: Request) -> AsyncGenerator[bytes, None]:
        """Serialised responses, the first at once. Ends by raising OutOfRange or Unavailable, never quietly."""
        cluster = await self._scopes.existing(request.cluster)
        wanted = self._filter(request, cluster)
        start = cursor.decode(request.cursor, cluster) if request.cursor else None
        async with self._following(cluster) as ring:
            position = await self._start(ring, start)
            async with contextlib.aclosing(_Watcher(self, ring, wanted, position).stream()) as stream:
                async for response in stream:
                    yield response

    async def page(self, cluster: str, position: int) -> list[event_pb2.Event]:
        """Events of the log after a position."""
        try:
            return await self._database.read(lambda _: log.read_after(cluster, position, PAGE))
        except storage_errors.CursorPruned as error:
            raise pruned(cluster, error) from error

    @property
    def draining(self) -> asyncio.Event:
        """Set when the server is about to stop."""
        return self._draining

    def fell_behind(self) -> None:
        """Count a watcher that the ring has overtaken."""
        self._metrics.watchers_behind += 1

    @contextlib.asynccontextmanager
    async def _following(self, cluster: str) -> AsyncIterator[rings.Ring]:
        position = await self._feeds.join(cluster)
        try:
            ring = self._rings.open(cluster, position)
            self._metrics.watchers += 1
            try:
                yield ring
            finally:
                self._metrics.watchers -= 1
                self._rings.close(cluster)
        finally:
            self._feeds.leave(cluster)

    async def _start(self, ring: rings.Ring, start: int | None) -> int:
        """The position to start from: what is committed now, or the cursor's, if its events are still there."""
        try:
            head = await self._database.read(lambda _: log.sequence_of(ring.cluster))
            if start is None:
                return head
            if start > head:
                raise errors.InvalidParameterException(
                    f"cursor is not valid: it is at event {start}, the log of cluster {ring.cluster} ends at {head}."
                )
            if start < head:
                await self._database.read(lambda _: log.read_after(ring.cluster, start, 1))
        except storage_errors.CursorPruned as error:
            raise pruned(ring.cluster, error) from error
        return start

    def _filter(self, request: Request, cluster: str) -> watch_filters.Filter:
        return watch_filters.Filter(
            tasks=frozenset(self._scopes.task(text, cluster) for text in request.tasks),
            instances=frozenset(self._scopes.instance(text, cluster) for text in request.container_instances),
            family=request.family,
            started_by=request.started_by,
            group=request.group,
        )


class _Watcher:
    """One stream: where it is, and what it wants."""

    def __init__(self, watches: Watches, ring: rings.Ring, wanted: watch_filters.Filter, position: int) -> None:
        self._watches = watches
        self._ring = ring
        self._filter = wanted
        self._position = position
        # Position of the last cursor that the watcher was told.
        self._told = position
        self._pages = 0
        self._generation = ring.generation

    async def stream(self) -> AsyncGenerator[bytes, None]:
        """Responses until the server drains or the watcher is too slow."""
        yield self._response([])
        while True:
            batches = self._ring.after(self._position, BATCHES_AT_ONCE)
            if batches is None:
                for response in await self._from_log():
                    yield response
            elif batches:
                self._pages = 0
                for batch in batches:
                    answer = self._from_batch(batch)
                    if answer is not None:
                        yield answer
                await asyncio.sleep(0)
            else:
                await self._ring.changed()
            if self._watches.draining.is_set():
                raise errors.Unavailable("This state-tracker is shutting down; resume from the last cursor.")
            if self._ring.generation != self._generation:
                raise errors.Unavailable("The log was interrupted; resume from the last cursor.")

    def _from_batch(self, batch: rings.Batch) -> bytes | None:
        """The response of a batch; None where nothing of it is wanted."""
        whole = batch.previous >= self._position
        self._position, before = batch.sequence, self._position
        if self._filter.everything and whole:
            self._told = self._position
            return batch.serialised()
        return self._answer([event for event in batch.events if event.sequence > before])

    async def _from_log(self) -> list[bytes]:
        self._pages += 1
        if self._pages == 1:
            self._watches.fell_behind()
        if self._pages > MAX_PAGES:
            raise errors.Unavailable(
                "The watcher is slower than the cluster changes; resume from the last cursor, perhaps with filters."
            )
        events = await self._watches.page(self._ring.cluster, self._position)
        if not events:
            raise errors.Unavailable("The log and its tail disagree; resume from the last cursor.")
        self._position = events[-1].sequence
        response = self._answer(events)
        return [response] if response is not None else []

    def _answer(self, events: list[event_pb2.Event]) -> bytes | None:
        wanted = [event for event in events if self._filter.wants(event)]
        if not wanted and self._position - self._told < CURSOR_EVERY:
            return None
        return self._response(wanted)

    def _response(self, events: list[event_pb2.Event]) -> bytes:
        self._told = self._position
        return Response(cursor=cursor.encode(self._ring.cluster, self._position), events=events).SerializeToString()


def pruned(cluster: str, error: storage_errors.CursorPruned) -> errors.ServiceError:
    """What a watcher is told whose events are gone."""
    return errors.OutOfRange(
        f"The events after the cursor were pruned; the oldest cursor of cluster {cluster} is "
        f"{cursor.encode(cluster, error.oldest)}. Describe what is there now, and watch on from it.",
        oldest_cursor=cursor.encode(cluster, error.oldest),
    )
