"""The queue for capacity at work: it hears what frees, decides at once, and commits what was decided. docs/design/waiting.md.

Decisions are made where something changed, on the one snapshot of the view, so that nothing which comes later is decided before them; the loop
commits them, many in one transaction while the one before is in flight, and ends what is out of time. What it knows is gone with the view and
read anew with it.
"""

import asyncio
from collections.abc import Iterable, Sequence
from dataclasses import dataclass

import structlog

from longshore.events import bus as buses
from longshore.rpc import backoff, errors, loops
from longshore.scheduler import (
    filling,
    instances,
    leadership,
    live_view,
    metrics,
    placement,
    publication,
    settling,
    view,
    waiting_news,
    waiting_record,
    waiting_rows,
    waitlist,
    work,
)
from longshore.storage import definitions
from longshore.storage import errors as storage_errors
from longshore.storage.database import Database

_log = structlog.get_logger(__name__)

MAX_WAITING_TASKS = 20_000
"""Tasks of a cluster that may wait. What comes beyond is refused with a retry delay; those that wait are never thrown away for it."""

RETRY_AFTER_MS = 5_000
"""Delay named to those who are refused: a queue that is full of tasks moves with the ends of others."""

FILLED_AT_ONCE = 1_000
"""Tasks of one transaction."""

FIRST_PAUSE_S = 0.05
LONGEST_PAUSE_S = 1.0
"""Pauses while the database is away."""

FAR_S = 3_600.0
"""How long the loop sleeps where no deadline is nearer."""

_MICROSECONDS = 1_000_000


@dataclass(frozen=True, slots=True)
class Means:
    """What it works with."""

    database: Database
    bus: buses.Bus
    fence: settling.Fence
    live: live_view.LiveView
    measured: metrics.Metrics


class Waiting:
    """One led cluster's queue, for as long as its view lives. `run` is its loop."""

    def __init__(self, means: Means, queue: waitlist.Waitlist[work.Wanted], loaded: waiting_rows.Loaded) -> None:
        self._means = means
        self._queue = queue
        self._picks: list[waitlist.Pick[work.Wanted]] = []
        self._late: list[filling.Overdue] = []
        """Requests that were out of time when the queue was read: they are not placed any more."""
        self._added = asyncio.Event()
        self._soon = False
        self._clock = (loaded.now, self._time())
        self._teller = waiting_news.Teller(means.database, means.fence, queue)
        self._load(loaded)
        means.live.gained = self.gained
        means.live.changed = self.changed
        self._look_soon()

    def __len__(self) -> int:
        return len(self._queue)

    def check_room(self, more: int) -> None:
        """Raise ResourceExhausted where so many more tasks may not wait."""
        if len(self._queue) + more > MAX_WAITING_TASKS:
            raise errors.ResourceExhausted(
                f"{len(self._queue)} tasks wait for capacity, {MAX_WAITING_TASKS} may; repeat the call in {RETRY_AFTER_MS} ms.",
                waiting=len(self._queue),
                limit=MAX_WAITING_TASKS,
                retry_after_ms=RETRY_AFTER_MS,
            )

    def why(self, request: placement.Request) -> str:
        """Why no instance takes a task now, the nearest with its numbers."""
        return waitlist.why(self._means.live.snapshot, request)

    # ------------------------------------------------------------------------------------------------- what happens

    def gained(self, instance_ids: Iterable[str]) -> None:
        """Something was given back on instances."""
        if len(self._queue):
            self._queue.gained(instance_ids)
            self._look_soon()

    def changed(self, facts: Iterable[instances.Instance]) -> None:
        """Instances have come or changed."""
        if len(self._queue):
            self._queue.changed(fact.instance_id for fact in facts)
            self._look_soon()

    def committed(self, placements: Iterable[work.Decided], stops: Sequence[work.Stop], outcome: work.Outcome) -> None:
        """A placement commit has gone through: what begins to wait, what was stopped, and what went past the queue."""
        for stop in stops:
            if stop.task_id in outcome.known:
                self._queue.remove(stop.task_id)
        past: list[str] = []
        for one in placements:
            if one.number in outcome.intents:
                past += [slot.instance_id for slot in one.slots if slot.instance_id]
            if (request := outcome.waiting.get(one.number)) is not None:
                self._enter(request, one.wanted)
                self._clock = (request.since, self._time())
        self._queue.placed(past, self._time())
        self._look_soon()
        if outcome.waiting or (stops and len(self._queue)):
            self._teller.stir()
        self._added.set()  # there may be an earlier deadline now

    def look(self) -> None:
        """Decide for what fits now; cheap where nothing has changed. Where much fits, the rest follows soon."""
        if not len(self._queue):
            return
        self._picks += self._queue.look(self._time())
        if self._picks:
            self._added.set()
        if self._queue.unfinished:
            self._look_soon()

    async def go_first(self) -> None:
        """Decide for all that fits now: to be awaited before anything else is decided. Gives the event loop back now and then."""
        self.look()
        while self._queue.unfinished:
            await asyncio.sleep(0)
            self.look()

    # ------------------------------------------------------------------------------------------------- the loop

    async def run(self) -> None:
        """Commit what was decided, and end what is out of time, for ever. Raises Deposed and SettlingUnknown."""
        pauses = backoff.Backoff(first=FIRST_PAUSE_S, cap=LONGEST_PAUSE_S)
        while True:
            picks, overdue = await self._next()
            try:
                await self._commit(picks, overdue)
            except storage_errors.CommitUnknown as error:
                raise settling.SettlingUnknown(str(error)) from error
            except storage_errors.Unavailable as error:
                _log.warning("waiting_not_placed", cluster=self._means.fence.cluster, error=str(error))
                self._return([pick for pick in picks if pick.task_id in pick.entry.flying])
                await pauses.sleep()
            else:
                pauses.reset()

    async def tell(self) -> None:
        """Tell of the first of the queue, and measure it, as it changes, for ever. Raises Deposed."""
        measured, cluster = self._means.measured, self._means.fence.cluster
        try:
            while True:
                self._measure()
                await self._teller.wait()
                told = await self._teller.tell()
                if told is not None:
                    await self._means.bus.publish(cluster, told.SerializeToString())
                self._measure()
                await asyncio.sleep(waiting_news.INTERVAL_S)
        finally:
            measured.waiting.pop(cluster, None)
            measured.oldest_waiting.pop(cluster, None)

    def _measure(self) -> None:
        measured, cluster = self._means.measured, self._means.fence.cluster
        measured.waiting[cluster] = len(self._queue)
        oldest = min((entry.since for entry in self._queue.entries), default=None)
        if oldest is None:
            measured.oldest_waiting.pop(cluster, None)
        else:
            measured.oldest_waiting[cluster] = oldest / _MICROSECONDS

    async def _commit(self, picks: Sequence[waitlist.Pick[work.Wanted]], overdue: Sequence[filling.Overdue]) -> None:
        """One transaction; where it cannot be committed, each part by itself, until the one is found that cannot."""
        batch = self._batch(picks, overdue)
        try:
            outcome = await self._means.database.run(lambda dialect: filling.fill(dialect, batch))
        except (storage_errors.Unavailable, leadership.Deposed):
            raise
        except Exception as error:  # noqa: BLE001 - whatever it is, it is one task's and must not cost the others their places
            if len(picks) + len(overdue) > 1:
                for pick in picks:
                    await self._commit([pick], ())
                for one in overdue:
                    await self._commit((), [one])
                return
            _log.error("waiting_task_not_committed", cluster=batch.cluster, exc_info=error)
            self._leave_out(picks, overdue)
            return
        await self._take_in(batch, picks, outcome)

    def _leave_out(self, picks: Sequence[waitlist.Pick[work.Wanted]], overdue: Sequence[filling.Overdue]) -> None:
        """Forget what cannot be committed until the queue is read anew; its rows stay as they are."""
        self._queue.settle(picks)
        for pick in picks:
            self._give_back(pick)
        for one in overdue:
            for task_id in one.tasks:
                self._queue.remove(task_id)
        self._late = [one for one in self._late if one not in overdue]

    async def _next(self) -> tuple[list[waitlist.Pick[work.Wanted]], list[filling.Overdue]]:
        """What the next transaction does, as soon as there is something."""
        while True:
            self._added.clear()
            overdue = self._overdue()
            if self._picks or overdue:
                picks, self._picks = self._picks[:FILLED_AT_ONCE], self._picks[FILLED_AT_ONCE:]
                return picks, overdue
            await loops.sleep_until_event(self._added, self._until_deadline())

    def _batch(self, picks: Sequence[waitlist.Pick[work.Wanted]], overdue: Sequence[filling.Overdue]) -> filling.Batch:
        base, fence = self._means.live.snapshot, self._means.fence
        reserved = {pick.instance_id: base.reserved(base.rows[pick.instance_id]) for pick in picks}
        return filling.Batch(
            cluster=fence.cluster,
            holder=fence.holder,
            epoch=fence.epoch,
            footing=work.Footing(base.seen, reserved),
            fills=tuple(filling.Fill(pick.task_id, pick.entry.body, pick.instance_id, pick.given) for pick in picks),
            overdue=tuple(overdue),
        )

    def _overdue(self) -> list[filling.Overdue]:
        entries = self._queue.overdue(self._now())
        return [*self._late, *(self._ending(entry) for entry in entries)][:FILLED_AT_ONCE]

    def _ending(self, entry: waitlist.Entry[work.Wanted]) -> filling.Overdue:
        told = f"No capacity became available in time: {self._queue.reason(entry)}."
        return filling.Overdue(entry.key, tuple(entry.tasks), told, entry.body.cause)

    async def _take_in(
        self, batch: filling.Batch, picks: Sequence[waitlist.Pick[work.Wanted]], outcome: filling.Outcome
    ) -> None:
        self._clock = (outcome.now, self._time())
        self._queue.settle([pick for pick in picks if pick.task_id not in outcome.unfit])
        for pick in picks:
            if pick.task_id in outcome.gone:
                self._give_back(pick)
        self._return([pick for pick in picks if pick.task_id in outcome.unfit])
        for task_id in (*outcome.ended, *outcome.gone):
            self._queue.remove(task_id)
        self._late = [one for one in self._late if one not in batch.overdue]
        live = self._means.live
        async with live.lock:
            view.take_in(live.snapshot, outcome.changed, outcome.seen)
        self.changed(outcome.changed)
        await self._publish(batch, outcome)
        measured = self._means.measured
        measured.placed += len(outcome.filled)
        measured.filled += len(outcome.filled)
        measured.out_of_time += len(outcome.ended)
        self._teller.stir()
        if outcome.behind:
            await self._catch_up()
        self._look_soon()

    async def _catch_up(self) -> None:
        """A port was reported that the view has not heard of: hear of it before the task is decided again."""
        try:
            await self._means.live.catch_up()
        except errors.Unavailable as error:
            _log.warning("waiting_not_caught_up", cluster=self._means.fence.cluster, error=str(error))

    async def _publish(self, batch: filling.Batch, outcome: filling.Outcome) -> None:
        if outcome.head is None:
            return
        filled = [one for one in batch.fills if one.task_id in outcome.filled]
        placements = tuple(work.Decided(number, one.wanted, (), ()) for number, one in enumerate(filled))
        sent = {one.wanted.revision: one.wanted for one in filled}
        told = publication.build(
            work.Batch(batch.cluster, batch.holder, batch.epoch, batch.footing, placements, ()),
            work.Outcome(
                outcome.head,
                intents={number: (outcome.filled[one.task_id],) for number, one in enumerate(filled)},
                assignments=outcome.assignments,
                events=outcome.events,
            ),
            outcome.head,
            {revision: publication.assigned_definition(wanted) for revision, wanted in sent.items()},
        )
        await self._means.bus.publish(batch.cluster, told.SerializeToString())

    # ------------------------------------------------------------------------------------------------- inside

    def _load(self, loaded: waiting_rows.Loaded) -> None:
        bodies = definitions.Bodies()
        known = {row.key: bodies.remember(row) for row in loaded.rows}
        if loaded.requests:
            self._teller.stir()
        for request in loaded.requests:
            try:
                wanted = waiting_record.unpack(request.body, known)
            except errors.ServiceError as error:
                # Stored by another release, perhaps: it waits for one that can read it, or for its deadline.
                _log.error(
                    "waiting_request_not_read",
                    cluster=self._means.fence.cluster,
                    request_key=request.request_key,
                    error=str(error),
                )
                continue
            if request.deadline <= loaded.now:
                told = f"No capacity became available in time: {request.reason}."
                self._late.append(filling.Overdue(request.request_key, request.tasks, told, wanted.cause))
            else:
                self._enter(request, wanted)

    def _enter(self, request: waiting_rows.Request, wanted: work.Wanted) -> None:
        self._queue.add(
            waitlist.Entry(
                key=request.request_key,
                rank=request.rank,
                deadline=request.deadline,
                request=one_task(wanted),
                body=wanted,
                tasks=dict.fromkeys(request.tasks),
                since=request.since,
                priority=request.priority,
            )
        )

    def _return(self, picks: Sequence[waitlist.Pick[work.Wanted]]) -> None:
        """They were not committed: give back, and let them wait on."""
        self._queue.put_back(picks)
        for pick in picks:
            self._give_back(pick)

    def _give_back(self, pick: waitlist.Pick[work.Wanted]) -> None:
        self._means.live.snapshot.give_back(pick.instance_id, pick.entry.body.load(pick.given))
        self._queue.gained([pick.instance_id])
        self._look_soon()

    def _look_soon(self) -> None:
        """Look once after whatever else happens in this turn of the event loop."""
        if not self._soon and len(self._queue):
            self._soon = True
            asyncio.get_running_loop().call_soon(self._looked)

    def _looked(self) -> None:
        self._soon = False
        self.look()

    def _until_deadline(self) -> float:
        deadline = self._queue.next_deadline()
        return FAR_S if deadline is None else min(FAR_S, max(0.0, (deadline - self._now()) / _MICROSECONDS))

    def _now(self) -> int:
        """The database's clock, as far as its last reading tells."""
        read, at = self._clock
        return read + round((self._time() - at) * _MICROSECONDS)

    @staticmethod
    def _time() -> float:
        return asyncio.get_running_loop().time()


def one_task(wanted: work.Wanted) -> placement.Request:
    """What one task of a request asks for."""
    request = wanted.request()
    return placement.Request(
        needs=request.needs,
        group=request.group,
        distinct=request.distinct,
        strategy=request.strategy,
        constraints=request.constraints,
    )
