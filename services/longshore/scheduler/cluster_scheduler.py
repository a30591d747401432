"""One led cluster: its queue, its view and the loops over them, from the takeover to the end of the epoch.

It ends when it is deposed; when its view can no longer be followed it reads it anew and goes on with the same queue.
"""

import asyncio
import random as random_module
from contextlib import AbstractContextManager

import structlog

from longshore.events import sequencer
from longshore.rpc import backoff
from longshore.scheduler import (
    explained,
    explaining,
    jobs,
    leadership,
    live_view,
    placement,
    rounds,
    settling,
    standbys,
    standing,
    view,
    waiting,
    waiting_rows,
    waitlist,
    work,
)
from longshore.storage import errors as storage_errors

_log = structlog.get_logger(__name__)

FIRST_PAUSE_S = 0.05
LONGEST_PAUSE_S = 1.0
"""Pauses while the database is away."""


class ClusterScheduler:
    """Leads one cluster under one epoch. Submissions are taken from the first moment; they wait for the view."""

    def __init__(
        self,
        fence: settling.Fence,
        around: rounds.Surroundings,
        *,
        queue: jobs.Queue | None = None,
        standby: standbys.Standby | None = None,
    ) -> None:
        self.fence = fence
        self.standing = standing.Standing.LOADING
        self._around = around
        self._queue = queue if queue is not None else jobs.Queue(measured=around.measured)
        self._standby = standby
        self._deposed = asyncio.Event()
        self._asked_to_leave = asyncio.Event()
        self._ended = asyncio.Event()
        self._live: live_view.LiveView | None = None
        self._seeing = asyncio.Event()
        """Set while there is a view, and when there will be none any more."""

    @property
    def position(self) -> int | None:
        """How far the cluster's log has been taken in; None while the view is loaded."""
        return None if self._live is None else self._live.position

    async def explain(self, wanted: work.Wanted, random: random_module.Random) -> explaining.Explanation:
        """Where a request would go and why not elsewhere, by all that was committed before. Raises Unavailable."""
        live = await self._view()
        await live.catch_up()
        request = wanted.request()
        near = explaining.nearest(live.snapshot, request)
        held = await self._around.database.read(lambda dialect: explained.tasks_on(dialect, near))
        async with live.lock:
            plan = placement.place(live.snapshot, [request], self._around.now_us(), random)
            return explaining.explain(live.snapshot, request, plan.decisions[0], held)

    async def _view(self) -> live_view.LiveView:
        """The view, as soon as there is one. Raises Unavailable where that takes too long, or there will be none."""
        try:
            async with asyncio.timeout(live_view.CATCH_UP_TIMEOUT_S):
                await self._seeing.wait()
        except TimeoutError:
            pass
        if self._live is None:
            raise leadership.no_leader(self.fence.cluster)
        return self._live

    def promised(self, size: int) -> AbstractContextManager[jobs.Promise]:
        """Room for so many tasks that come in parts. Raises ResourceExhausted where there is none."""
        return self._queue.promised(size)

    async def place(self, wanted: work.Wanted, promise: jobs.Promise | None = None) -> jobs.Placed:
        """Have a request decided and committed. Raises what refuses it."""
        loop = asyncio.get_running_loop()
        job = jobs.PlacementJob(wanted, loop.create_future(), accepted=loop.time())
        self._queue.put(job, promise)
        return await job.future

    async def stop(self, stop: work.Stop) -> jobs.Stopped:
        """Have a task stopped."""
        loop = asyncio.get_running_loop()
        job = jobs.StopJob(stop, loop.create_future(), accepted=loop.time())
        self._queue.put(job)
        return await job.future

    def depose(self) -> None:
        """Another leads: end, as soon as what is in flight has ended."""
        self._deposed.set()

    async def leave(self, timeout_s: float) -> None:
        """End after the round under way; whoever waits is told that the cluster has moved. Returns when it has ended.

        A round that does not end in time is cut off, like a deposed leader's: its callers are told to repeat the call.
        """
        if self.standing is not standing.Standing.OVER:
            self._move(standing.Change.ASKED_TO_LEAVE)
            self._asked_to_leave.set()
            self._queue.leave(leadership.moved(self.fence.cluster))
        try:
            async with asyncio.timeout(timeout_s):
                await self._ended.wait()
        except TimeoutError:
            self.depose()
            await self._ended.wait()

    async def run(self) -> None:
        """Lead until deposed, asked to leave or cancelled. Whoever waits then is told to repeat the call."""
        ended = standing.Change.RELEASED
        try:
            while (change := await self._lead()) is standing.Change.VIEW_LOST:
                self._move(change)
            ended = change
        finally:
            self._move(ended)
            self._live = None
            if self._standby is not None:
                self._standby.close()
            self._seeing.set()
            self._queue.close(leadership.no_leader(self.fence.cluster))
            self._ended.set()
            _log.info("leadership_ended", cluster=self.fence.cluster, epoch=self.fence.epoch, by=ended.value)

    def _move(self, change: standing.Change) -> None:
        self.standing = standing.after(self.standing, change)

    async def _lead(self) -> standing.Change:
        """Load the view and lead with it; gives what ended that: VIEW_LOST, DEPOSED, or RELEASED where it was asked to leave."""
        lost: BaseException | None = None
        ended = standing.Change.VIEW_LOST
        try:
            async with asyncio.TaskGroup() as group:
                group.create_task(self._watch_deposed(), name="deposed")
                group.create_task(self._watch_leaving(), name="leaving")
                live, loaded = await self._load()
                queue = waitlist.Waitlist[work.Wanted](live.snapshot, self._around.random)
                around = self._around
                waits = waiting.Waiting(
                    waiting.Means(around.database, around.bus, self.fence, live, around.measured), queue, loaded
                )
                self._live = live
                self._seeing.set()
                if not self._asked_to_leave.is_set():
                    self._move(standing.Change.VIEW_LOADED)
                group.create_task(live.follow(), name="follow")
                group.create_task(live.read_on(), name="read membership")
                group.create_task(live.settler.run(), name="settle")
                group.create_task(rounds.Rounds(self.fence, around, self._queue, live, waits).run(), name="place")
                group.create_task(waits.run(), name="fill")
                group.create_task(waits.tell(), name="tell of those who wait")
        except* jobs.Left:
            ended = standing.Change.RELEASED
        except* leadership.Deposed:
            ended = standing.Change.DEPOSED
        except* (
            settling.SettlingUnknown,
            storage_errors.CursorPruned,
            storage_errors.LogRewound,
            sequencer.LogGapError,
        ) as group_error:
            lost = group_error
        self._live = None
        self._seeing.clear()
        if self._asked_to_leave.is_set() and ended is standing.Change.VIEW_LOST:
            return standing.Change.RELEASED
        if lost is not None and ended is standing.Change.VIEW_LOST:
            _log.warning("view_lost", cluster=self.fence.cluster, error=repr(lost))
        return ended

    async def _watch_deposed(self) -> None:
        await self._deposed.wait()
        raise leadership.Deposed(self.fence.cluster, self.fence.epoch)

    async def _watch_leaving(self) -> None:
        """Whoever has a view ends by itself, between two rounds."""
        await self._asked_to_leave.wait()
        if self._live is None:
            raise jobs.Left

    async def _load(self) -> tuple[live_view.LiveView, waiting_rows.Loaded]:
        database = self._around.database
        standby, self._standby = self._standby, None
        taken = await standby.take() if standby is not None else None
        warm = taken is not None
        if taken is None:
            taken = await self._read_anew()
        _log.info("view_loaded", cluster=self.fence.cluster, epoch=self.fence.epoch, position=taken.position, warm=warm)
        # No leader but this one changes the queue from now on, so it need not be of the same moment as the view.
        queued = await self._read_queue()
        return live_view.LiveView(database, self._around.bus, self.fence, taken), queued

    async def _read_queue(self) -> waiting_rows.Loaded:
        database, cluster = self._around.database, self.fence.cluster
        pauses = backoff.Backoff(first=FIRST_PAUSE_S, cap=LONGEST_PAUSE_S)
        while True:
            try:
                return await database.read(lambda dialect: waiting_rows.load(dialect, cluster))
            except storage_errors.Unavailable as error:
                _log.warning("queue_not_read", cluster=cluster, error=str(error))
                await pauses.sleep()

    async def _read_anew(self) -> view.Taken:
        database, cluster = self._around.database, self.fence.cluster
        pauses = backoff.Backoff(first=FIRST_PAUSE_S, cap=LONGEST_PAUSE_S)
        while True:
            try:
                # Where the view was lost with a transaction of unknown outcome, that is over then.
                await database.run(lambda dialect: leadership.quiesce(dialect, cluster))
                loaded = await database.read(lambda _: view.load(cluster))
            except storage_errors.Unavailable as error:
                _log.warning("view_not_loaded", cluster=cluster, error=str(error))
                await pauses.sleep()
                continue
            return view.Taken(view.build(loaded), loaded.position, loaded.released)
