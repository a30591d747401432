"""The placement loop: takes what is queued, decides, commits, answers, publishes; round after round.

One commit is in flight at a time and the next batch gathers meanwhile, so load makes batches and nothing waits for a timer.
"""

import asyncio
import dataclasses
import random as random_module
from collections.abc import Callable, Sequence
from dataclasses import dataclass

import structlog

from longshore.events import bus as buses
from longshore.rpc import backoff, errors, ids
from longshore.scheduler import (
    commit,
    deciding,
    definition_rules,
    jobs,
    leadership,
    live_view,
    metrics,
    publication,
    resolving,
    settling,
    view,
    waiting,
    work,
)
from longshore.storage import errors as storage_errors
from longshore.storage.database import Database

_log = structlog.get_logger(__name__)

MAX_BATCH_TASKS = 1_000
"""Tasks of one commit. COPY is at its best there, and what a commit computes stays within a few milliseconds."""

MAX_ROUNDS = 50
"""How often a request may be decided again because its instances changed under it; each time they really have."""

_MICROSECONDS = 1_000_000

FIRST_PAUSE_S = 0.05
LONGEST_PAUSE_S = 1.0
"""Pauses while the database is away."""


@dataclass(frozen=True, slots=True)
class Surroundings:
    """What a cluster's scheduler works with, shared by all clusters of the process."""

    database: Database
    bus: buses.Bus
    random: random_module.Random
    new_ids: ids.Sequence
    now_us: Callable[[], int]
    measured: metrics.Metrics


class Rounds:
    """The rounds on one view. `run` is the only coroutine that decides and commits for the cluster."""

    def __init__(
        self,
        fence: settling.Fence,
        around: Surroundings,
        queue: jobs.Queue,
        live: live_view.LiveView,
        waits: waiting.Waiting,
    ) -> None:
        self._fence = fence
        self._around = around
        self._queue = queue
        self._live = live
        self._waits = waits
        self._decider = deciding.Decider(
            live.snapshot,
            random=around.random,
            new_ids=around.new_ids,
            now_us=around.now_us,
            measured=around.measured,
            waits=waits,
        )

    async def run(self) -> None:
        """Round after round, for ever. Raises leadership.Deposed."""
        while True:
            await self._queue.wait()
            await self._round()

    async def _round(self) -> None:
        clock = asyncio.get_running_loop().time
        taken = self._queue.take(MAX_BATCH_TASKS)
        placing = [job for job in taken if isinstance(job, jobs.PlacementJob)]
        stopping = [job for job in taken if isinstance(job, jobs.StopJob)]
        current: deciding.Decided | None = None
        try:
            for asking in placing:
                asking.taken = clock()
            async with self._live.lock:
                await (
                    self._waits.go_first()
                )  # what has become free belongs to those who wait, before anybody else is decided
                current = await self._decider.decide(placing)
            if current.placements or stopping:
                await self._commit(current, stopping)
            if current.aside:
                await self._look_again(current.aside)
        except BaseException:
            # The view goes with this round; whoever is left unanswered must not wait for ever.
            for job in taken:
                jobs.fail(job, leadership.no_leader(self._fence.cluster))
            raise

    async def _commit(
        self,
        current: deciding.Decided,
        stopping: Sequence[jobs.StopJob],
    ) -> None:
        clock = asyncio.get_running_loop().time
        decided_at, position = clock(), self._live.position
        batch = work.Batch(
            cluster=self._fence.cluster,
            holder=self._fence.holder,
            epoch=self._fence.epoch,
            footing=current.footing,
            placements=tuple(current.placements),
            stops=tuple(job.stop for job in stopping),
        )
        try:
            outcome = await self._around.database.run(lambda dialect: commit.commit(dialect, batch))
        except storage_errors.CommitUnknown:
            await self._resolve(batch, current, stopping, position)
            return
        except (storage_errors.Unavailable, storage_errors.Conflict) as error:
            self._abandon(current, stopping, error)
            return
        except leadership.Deposed:
            raise
        except Exception as error:  # noqa: BLE001 - whatever it is, it is one request's and must not cost the others theirs
            await self._commit_apart(current, stopping, error)
            return
        committed_at = clock()
        async with self._live.lock:
            view.take_in(self._live.snapshot, outcome.changed, outcome.seen)
            self._live.changed(outcome.changed)
        self._waits.committed(batch.placements, batch.stops, outcome)
        await self._publish(batch, outcome)
        published_at = clock()
        behind = self._answer(current, outcome)
        sequence = outcome.head.sequence if outcome.head is not None else None
        for job in stopping:
            known = job.stop.task_id in outcome.known
            moved = job.stop.task_id in outcome.stopped
            if not job.future.done():
                job.future.set_result(jobs.Stopped(known, sequence if moved else None))
        self._measure(current, outcome, decided_at, committed_at, published_at)
        if behind:
            await self._look_again(behind)

    async def _publish(self, batch: work.Batch, outcome: work.Outcome) -> None:
        if outcome.head is None:
            return
        sent = {one.wanted.revision: one.wanted for one in batch.placements if one.number in outcome.intents}
        told = publication.build(
            batch,
            outcome,
            outcome.head,
            {revision: publication.assigned_definition(wanted) for revision, wanted in sent.items()},
        )
        await self._around.bus.publish(self._fence.cluster, told.SerializeToString())
        self._around.measured.last_published = self._around.now_us() / _MICROSECONDS

    def _answer(self, current: deciding.Decided, outcome: work.Outcome) -> list[jobs.PlacementJob]:
        """Answer what is settled and put back what is not; gives those for which the view has to catch up first."""
        again: list[jobs.PlacementJob] = []
        behind: list[jobs.PlacementJob] = []
        for one in current.placements:
            job = current.asking[one.number]
            if one.number in outcome.intents:
                jobs.finish(
                    job,
                    jobs.Placed(
                        intents=outcome.intents[one.number],
                        refused=one.refused,
                        hosts=current.hosts[one.number],
                        sequence=outcome.head.sequence if outcome.head is not None else None,
                        answer=outcome.answers.get(one.number),
                        reason=one.reason,
                    ),
                )
                continue
            self._decider.take_back(one)
            if one.number in outcome.refused:
                jobs.fail(job, outcome.refused[one.number])
            elif one.number in outcome.behind and not self._gives_up(job):
                behind.append(job)
            elif not job.future.done():
                again.append(job)
        self._decide_again(again)
        return behind

    def _decide_again(self, again: Sequence[jobs.PlacementJob]) -> None:
        """Put deferred requests back; whoever has been put back too often is told to come again."""
        self._queue.put_back([job for job in again if not self._gives_up(job)])

    def _gives_up(self, job: jobs.PlacementJob) -> bool:
        """Count one more round of a request; true, and it is answered, where it has had too many."""
        job.rounds += 1
        self._around.measured.deferred += 1
        if job.rounds > MAX_ROUNDS:
            jobs.fail(job, errors.Unavailable("The container instances keep changing; repeat the call."))
        return job.future.done()

    async def _look_again(self, aside: Sequence[jobs.PlacementJob]) -> None:
        """Before anybody is refused for want of room: see all that was committed until now, then decide once more."""
        try:
            news = await self._live.catch_up(self._question(aside))
        except storage_errors.Unavailable as error:
            for job in aside:
                jobs.fail(job, error)
            return
        again: list[jobs.PlacementJob] = []
        for job in aside:
            if not news.active:
                jobs.fail(
                    job,
                    errors.ClusterNotFoundException(
                        "The referenced cluster was inactive.", cluster=self._fence.cluster
                    ),
                )
            elif job.wanted.revision in news.inactive:
                jobs.fail(job, work.StaleDefinition(definition_rules.INACTIVE))
            else:
                job.caught_up = True
                again.append(job)
        self._queue.put_back(again)

    def _question(self, aside: Sequence[jobs.PlacementJob]) -> view.Question:
        """Instances that had gone before this scheduler led are not in its view; StartTask may name them all the same."""
        named = {target for job in aside for target in job.wanted.asked.targets}
        return view.Question(
            revisions=frozenset(job.wanted.revision for job in aside),
            instances=frozenset(target for target in named if self._live.snapshot.instance(target) is None),
        )

    # ------------------------------------------------------------------------------------------------- when it goes wrong

    def _abandon(
        self,
        current: deciding.Decided,
        stopping: Sequence[jobs.StopJob],
        error: Exception,
    ) -> None:
        """Nothing was committed: take back what was reserved and say so."""
        if isinstance(error, storage_errors.Conflict):
            # A token or a task id that is there already: only a fault of ours or a damaged table leads here.
            _log.error("commit_conflicted", cluster=self._fence.cluster, table=error.table, error=str(error))
            error = errors.Unavailable("The request collided with another; repeat the call.")
        else:
            _log.warning("commit_failed", cluster=self._fence.cluster, error=str(error))
        for one in current.placements:
            self._decider.take_back(one)
            jobs.fail(current.asking[one.number], error)
        for job in stopping:
            jobs.fail(job, error)

    async def _commit_apart(
        self, current: deciding.Decided, stopping: Sequence[jobs.StopJob], error: Exception
    ) -> None:
        """A batch that cannot be committed: each of its requests by itself, until the one is found that cannot."""
        if len(current.placements) + len(stopping) == 1:
            if not isinstance(error, errors.ServiceError):
                _log.error("request_not_committed", cluster=self._fence.cluster, exc_info=error)
                error = errors.ServerException("The request could not be committed; the scheduler's log tells more.")
            self._abandon(current, stopping, error)
            return
        for one in current.placements:
            await self._commit(dataclasses.replace(current, placements=[one], aside=[]), ())
        for job in stopping:
            await self._commit(dataclasses.replace(current, placements=[], aside=[]), (job,))

    async def _resolve(
        self,
        batch: work.Batch,
        current: deciding.Decided,
        stopping: Sequence[jobs.StopJob],
        position: int,
    ) -> None:
        """Nobody heard whether the commit went through: ask until the database says. Nothing else is decided meanwhile."""
        _log.warning(
            "commit_unknown", cluster=self._fence.cluster, requests=len(batch.placements), stops=len(batch.stops)
        )
        pauses = backoff.Backoff(first=FIRST_PAUSE_S, cap=LONGEST_PAUSE_S)
        while True:
            try:
                found = await self._around.database.run(lambda dialect: resolving.read_back(dialect, batch))
                break
            except storage_errors.Unavailable:
                await pauses.sleep()
        intents = resolving.outcome(batch, found)
        for one in current.placements:
            job = current.asking[one.number]
            if not intents[one.number]:
                self._decider.take_back(one)
                jobs.fail(job, errors.Unavailable("The database did not commit the request; repeat the call."))
                continue
            # The log's head at the commit is not known; a position before it misses nothing either.
            jobs.finish(
                job,
                jobs.Placed(
                    intents=intents[one.number],
                    refused=one.refused,
                    hosts=current.hosts[one.number],
                    sequence=position,
                    reason=one.reason,
                ),
            )
        self._queue.put_back(stopping)  # to stop a task twice is to stop it once
        if any(intents[one.number] and not slot.instance_id for one in current.placements for slot in one.slots):
            raise settling.SettlingUnknown("tasks began to wait by a commit of which nobody heard")

    def _measure(
        self,
        current: deciding.Decided,
        outcome: work.Outcome,
        decided_at: float,
        committed_at: float,
        published_at: float,
    ) -> None:
        measured = self._around.measured
        placed = sum(len(group) for group in outcome.intents.values())
        measured.placed += placed
        measured.stopped += len(outcome.stopped)
        measured.batch.observe(placed + len(outcome.stopped))
        for number in outcome.intents:
            job = current.asking[number]
            measured.passed(metrics.Hops(job.accepted, job.taken, decided_at, committed_at, published_at))
