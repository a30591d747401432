"""The leader's view while it leads: one snapshot, kept true by the cluster's log and by reading membership on.

Who changes the snapshot: the placement loop (reserving), settling (giving back), and this module (instances). The first two commute
with everything; instances are taken in under `lock`, which the loop holds while it decides, because a decision counts on its rows.
"""

import asyncio
from collections.abc import Callable, Sequence

import structlog

from longshore.events import bus as buses
from longshore.events import tail
from longshore.rpc import backoff
from longshore.scheduler import following, instances, settling, snapshot, view
from longshore.storage import errors
from longshore.storage.database import Database
from longshore.v1 import record_pb2

_log = structlog.get_logger(__name__)

FIRST_PAUSE_S = 0.05
LONGEST_PAUSE_S = 1.0
"""Pauses while the database is away."""

CATCH_UP_TIMEOUT_S = 5.0
"""How long a refusal may wait for certainty; then it is UNAVAILABLE instead."""


def _unheard(_: Sequence[object]) -> None:
    """Nobody wants to know."""


class LiveView:
    """Everything that is known of a led cluster. Its loops are run by the leader: `follow`, `read_on`, `settler.run`."""

    def __init__(self, database: Database, bus: buses.Bus, fence: settling.Fence, taken: view.Taken) -> None:
        self.snapshot: snapshot.Snapshot = taken.snapshot
        self.lock = asyncio.Lock()
        self.settler = settling.Settler(
            database, fence, self._give_back, backoff.Backoff(first=FIRST_PAUSE_S, cap=LONGEST_PAUSE_S)
        )
        self.settler.add(taken.released)
        self._database = database
        self._cluster = fence.cluster
        self._tail = tail.LogTail(database, bus, fence.cluster, taken.position)
        self._heard = asyncio.Event()
        self.gained: Callable[[Sequence[str]], None] = _unheard
        """Told of instances on which something was given back, by id."""
        self.changed: Callable[[Sequence[instances.Instance]], None] = _unheard
        """Told of instances that have come or changed, once they are in the snapshot."""

    @property
    def position(self) -> int:
        """A position of the log that everything known was committed after or up to."""
        return self._tail.position

    async def follow(self) -> None:
        """Hear the cluster's log for ever. Ends with CursorPruned or LogRewound when it cannot be followed."""
        async with self._tail:
            async for publication in self._tail:
                self._take_in(publication)

    async def read_on(self) -> None:
        """Read membership on whenever the log tells of an instance, so that decisions seldom rest on an old one."""
        pauses = backoff.Backoff(first=FIRST_PAUSE_S, cap=LONGEST_PAUSE_S)
        while True:
            await self._heard.wait()
            self._heard.clear()
            try:
                await self.refresh()
            except errors.Unavailable as error:
                _log.warning("membership_not_read", cluster=self._cluster, error=str(error))
                self._heard.set()
                await pauses.sleep()
            else:
                pauses.reset()

    async def refresh(self, asked: view.Question = view.NOTHING_ELSE) -> view.News:
        """Take in what has changed in the membership; gives what was read. Raises Unavailable."""
        seen = self.snapshot.seen
        news = await self._database.read(lambda dialect: view.refresh(dialect, self._cluster, seen, asked))
        async with self.lock:
            view.take_in(self.snapshot, news.facts, news.seen)
            self.changed(news.facts)
        return news

    async def catch_up(self, asked: view.Question = view.NOTHING_ELSE) -> view.News:
        """Return when all that was committed before the call is in the snapshot. Raises Unavailable when that cannot be."""
        try:
            async with asyncio.timeout(CATCH_UP_TIMEOUT_S):
                await self._tail.catch_up()
                await self.settler.flush()
                return await self.refresh(asked)
        except TimeoutError:
            raise errors.Unavailable(
                f"cluster {self._cluster} could not be read within {CATCH_UP_TIMEOUT_S:g} s; repeat the call"
            ) from None

    def _take_in(self, publication: record_pb2.Publication) -> None:
        told = following.heard(publication)
        if told.membership > self.snapshot.seen:
            self._heard.set()
        for instance_id, task_id, taken in told.reported:
            self.snapshot.observe(instance_id, task_id, taken)
        # What was placed was placed here, and is reserved since it was decided.
        self.settler.add(told.released)

    def _give_back(self, held: view.Held) -> None:
        self.snapshot.give_back(held.instance_id, held.load)
        self.snapshot.forget(held.task_id)
        self.gained([held.instance_id])
