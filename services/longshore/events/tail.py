"""A cluster's log as a stream without gaps, as fast as the bus and as sure as the database."""

import asyncio
import contextlib
from collections.abc import AsyncIterator
from typing import Self

import structlog
from google.protobuf import message

from longshore.events import bus as buses
from longshore.events import heads, sequencer
from longshore.rpc import backoff
from longshore.storage import errors, log, steps
from longshore.storage.database import Database
from longshore.v1 import event_pb2, record_pb2

# Events of one read of the log. A page is one publication to the consumer.
PAGE = 500
# How long a publication that overtook another waits for it. The two commits were milliseconds apart; a read of the log takes as long.
PATIENCE = 0.02
# How long `catch_up` waits for the consumer.
CATCH_UP_TIMEOUT = 5.0
# Pauses while the database is away. A restarted one is found soon, one that is down is not hammered.
FIRST_PAUSE = 0.05
LONGEST_PAUSE = 1.0

# A timer may fire this much early; what comes earlier was no timer.
_TIMER_SLACK = 0.001

_log = structlog.get_logger(__name__)


class LogTail:
    """Publications of one cluster from a position in its log on, each event once and in order.

    One consumer iterates (`async for publication in tail`); to ask for the next publication says that the last one was applied.
    Publications made from the log carry no assignments. While the database is away the stream pauses. It ends with CursorPruned
    when the position was pruned, NoLog when there is no such cluster, LogRewound when the database was restored from an older copy.
    Close it by `aclose()` or `async with`.
    """

    def __init__(self, database: Database, bus: buses.Bus, cluster: str, start: int) -> None:
        """`start` is the sequence of the last event that the consumer already knows."""
        self._database = database
        self._bus = bus
        self._cluster = cluster
        self._sequencer = sequencer.Sequencer(cluster, start)
        self._applied = start
        self._heads = heads.of(database)
        self._resources = contextlib.AsyncExitStack()
        self._subscription: buses.Subscription | None = None
        self._read_on = True  # what was committed before the subscription
        self._gap_since: float | None = None
        self._pauses = backoff.Backoff(first=FIRST_PAUSE, cap=LONGEST_PAUSE)
        self._waiting: list[tuple[int, asyncio.Future[None]]] = []

    @property
    def position(self) -> int:
        """Sequence of the last event that was handed to the consumer."""
        return self._sequencer.position

    def __aiter__(self) -> AsyncIterator[record_pb2.Publication]:
        """The one stream there is; it goes on where it was left."""
        return self

    async def __anext__(self) -> record_pb2.Publication:
        """The next publication, however long that takes. Cancelling loses nothing."""
        self._confirm_applied()
        if self._subscription is None:
            self._subscription = await self._subscribe()
        while True:
            publication = self._sequencer.pop()
            if publication is None and self._must_read():
                publication = await self._read()
            if publication is not None:
                self._gap_since = None  # a gap behind it is another one
                return publication
            if not self._must_read():
                await self._listen(self._subscription)

    async def catch_up(self) -> int:
        """Return when the consumer has applied all that is committed now; gives the position reached.

        For another task than the consumer's, which would wait for itself. Raises Unavailable when the database is away or the
        consumer does not get there in time.
        """
        head = await self._database.read(lambda _: log.sequence_of(self._cluster))
        if self._applied >= head:
            return self._applied
        applied: asyncio.Future[None] = asyncio.get_running_loop().create_future()
        waiting = (head, applied)
        self._waiting.append(waiting)
        self._sequencer.hear_of(head)
        self._read_on = True
        if self._subscription is not None:
            self._subscription.interrupt()
        try:
            async with asyncio.timeout(CATCH_UP_TIMEOUT):
                await applied
        except TimeoutError:
            raise errors.Unavailable(
                f"event {head} of cluster {self._cluster} was not applied within {CATCH_UP_TIMEOUT:g} s"
            ) from None
        finally:
            if waiting in self._waiting:
                self._waiting.remove(waiting)
        return head

    async def aclose(self) -> None:
        """Stop listening. Who waits in `catch_up` is told that it will not come."""
        self._subscription = None
        for _, applied in self._waiting:
            if not applied.done():
                applied.set_exception(errors.Unavailable(f"the log of cluster {self._cluster} is no longer followed"))
        await self._resources.aclose()

    async def __aenter__(self) -> Self:
        """The tail itself, closed at the end of the block."""
        return self

    async def __aexit__(self, *_: object) -> None:
        """Close it."""
        await self.aclose()

    def _confirm_applied(self) -> None:
        self._applied = self._sequencer.position
        for head, applied in self._waiting:
            if head <= self._applied and not applied.done():
                applied.set_result(None)

    async def _subscribe(self) -> buses.Subscription:
        subscription = await self._resources.enter_async_context(self._bus.subscribe(self._cluster))
        self._heads.follow(self._cluster)
        self._resources.callback(self._heads.leave, self._cluster)
        return subscription

    def _must_read(self) -> bool:
        return self._read_on or (self._sequencer.missing and self._gap_left() <= 0)

    def _gap_left(self) -> float:
        """Seconds for which a gap may still close by itself."""
        now = asyncio.get_running_loop().time()
        if self._gap_since is None:
            self._gap_since = now
        return self._gap_since + PATIENCE - now

    async def _listen(self, subscription: buses.Subscription) -> None:
        """Wait for the bus, no longer than a gap may last or silence be trusted."""
        gap = self._sequencer.missing
        if not gap:
            self._gap_since = None
        silence = max(self._heads.due_in(), PATIENCE)
        wait = max(0.0, self._gap_left()) if gap else silence
        began = asyncio.get_running_loop().time()
        payload = await subscription.next(wait)
        if payload is not None:
            self._take_in(payload)
        elif asyncio.get_running_loop().time() - began < wait - _TIMER_SLACK:
            self._read_on = True  # not silence: the bus says that it may have lost something
        elif not gap:
            await self._after_silence()

    def _take_in(self, payload: bytes) -> None:
        try:
            publication = record_pb2.Publication.FromString(payload)
        except message.DecodeError:
            self._read_on = True
            return
        if publication.cluster == self._cluster:
            self._sequencer.offer(publication)

    async def _after_silence(self) -> None:
        try:
            head = await self._heads.sequence(self._cluster)
        except errors.Unavailable as error:
            await self._pause(error)
            return
        if head != self.position:  # longer, or (never in order) shorter: both are settled by reading
            self._read_on = True

    async def _read(self) -> record_pb2.Publication | None:
        """A page of the log from the position on, as one publication; None where there is nothing to be had."""
        position = self._sequencer.position
        try:
            events, head = await self._database.read(lambda _: _page(self._cluster, position))
        except errors.Unavailable as error:
            await self._pause(error)
            return None
        self._pauses.reset()
        if head < position:
            raise errors.LogRewound(cluster=self._cluster, position=position, head=head)
        publication = self._sequencer.fill(events)
        self._sequencer.hear_of(head)
        self._read_on = self._read_on and self._sequencer.position < head
        self._gap_since = None
        return publication

    async def _pause(self, error: errors.Unavailable) -> None:
        _log.warning("log_not_read", cluster=self._cluster, position=self.position, error=str(error))
        await self._pauses.sleep()


def _page(cluster: str, position: int) -> steps.Step[tuple[list[event_pb2.Event], int]]:
    events = yield from log.read_after(cluster, position, PAGE)
    head = yield from log.sequence_of(cluster)
    return events, head
