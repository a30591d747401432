"""A standby's view: what the leader knows, continued from the log, so that a takeover has only the last moments to read.

Only sums are kept, as in the leader's own view, and the ids of tasks that are not settled yet. What was placed is read by id, some at a time:
the log tells that a task was placed, and the tables what it takes. A release gives back when its leader has settled it, for that is when
the tables count it as free.
"""

import asyncio

import structlog

from longshore.events import bus as buses
from longshore.events import tail
from longshore.rpc import backoff
from longshore.scheduler import following, view
from longshore.storage import errors
from longshore.storage.database import Database
from longshore.v1 import record_pb2

_log = structlog.get_logger(__name__)

GATHER_S = 0.25
"""Pause after each reading: what happens meanwhile is read together. Nobody waits for it but a takeover, which does not pause."""

READ_AT_ONCE = 5_000
"""Tasks of one reading."""

FIRST_PAUSE_S = 0.05
LONGEST_PAUSE_S = 1.0
"""Pauses while the database is away."""


class Outdated(Exception):  # noqa: N818 - the name of the outcome
    """What is to be given back is not in the tables any more, or what is kept is not what they say: the view has to be read anew."""


class WarmView:
    """One cluster that another leads. `run` keeps it up; whoever leads next ends that, and has it finished."""

    def __init__(self, database: Database, bus: buses.Bus, cluster: str, loaded: view.Loaded) -> None:
        self.snapshot = view.build(loaded)
        self._database = database
        self._cluster = cluster
        self._tail = tail.LogTail(database, bus, cluster, loaded.position)
        self._placed: list[str] = []
        self._released: dict[str, None] = dict.fromkeys(loaded.released)
        self._membership = 0
        self._heard = asyncio.Event()

    @property
    def position(self) -> int:
        """How far the log was heard."""
        return self._tail.position

    async def run(self) -> None:
        """Keep it up for ever. Raises CursorPruned, NoLog, LogRewound, LogGapError and Outdated when that is not possible."""
        async with self._tail, asyncio.TaskGroup() as group:
            group.create_task(self._follow(), name="follow")
            group.create_task(self._read_on(), name="read on")

    async def catch_up(self) -> None:
        """Hear all that was committed before the call, while `run` runs. Raises Unavailable."""
        await self._tail.catch_up()

    async def finish(self) -> view.Taken:
        """Read the rest of what was heard, once `run` has ended and nobody else leads. Raises Unavailable and Outdated.

        A log that tells the same thing twice would have it counted twice, and instances over-committed: so the sums are compared.
        """
        while await self._read():
            pass
        kept, stored = view.totals_of(self.snapshot), await self._database.read(lambda _: view.totals(self._cluster))
        if kept != stored:
            raise Outdated(f"cluster {self._cluster}: {kept} kept, {stored} in the tables")
        return view.Taken(self.snapshot, self._tail.position, tuple(self._released))

    async def _follow(self) -> None:
        async for publication in self._tail:
            self._take_in(publication)

    def _take_in(self, publication: record_pb2.Publication) -> None:
        told = following.heard(publication)
        self._placed += told.placed
        self._released.update(dict.fromkeys(told.released))
        for instance_id, task_id, taken in told.reported:
            self.snapshot.observe(instance_id, task_id, taken)
        self._membership = max(self._membership, told.membership)
        if told.placed or told.released or told.membership > self.snapshot.seen:
            self._heard.set()

    async def _read_on(self) -> None:
        pauses = backoff.Backoff(first=FIRST_PAUSE_S, cap=LONGEST_PAUSE_S)
        while True:
            await self._heard.wait()
            self._heard.clear()
            try:
                while await self._read():
                    pass
            except errors.Unavailable as error:
                _log.warning("standby_not_read", cluster=self._cluster, error=str(error))
                self._heard.set()
                await pauses.sleep()
                continue
            pauses.reset()
            if self._released:
                self._heard.set()  # the leader is about to settle them, and the log does not tell when
            await asyncio.sleep(GATHER_S)

    async def _read(self) -> bool:
        """Take in what was placed and settled, and the instances that have changed; whether more is to be read at once."""
        placed, asked, seen = self._placed[:READ_AT_ONCE], list(self._released)[:READ_AT_ONCE], self.snapshot.seen
        found = await self._database.read(lambda dialect: view.read_on(dialect, self._cluster, seen, placed, asked))
        # Nothing is awaited from here on: a reading counts whole or not at all.
        del self._placed[: len(placed)]
        for one in found.placed:
            self.snapshot.reserve(one.instance_id, one.load)
        for one in found.settled:
            self.snapshot.give_back(one.instance_id, one.load)
            self.snapshot.forget(one.task_id)
            del self._released[one.task_id]
        view.take_in(self.snapshot, found.facts, found.seen)
        if found.gone:
            raise Outdated(f"{found.gone} released tasks of cluster {self._cluster} are no longer in the tables")
        return len(placed) == READ_AT_ONCE or len(found.settled) == READ_AT_ONCE
