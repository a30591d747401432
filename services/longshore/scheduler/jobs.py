"""What waits for the placement loop, and for what each caller waits."""

import asyncio
import contextlib
from collections import deque
from collections.abc import Iterable, Iterator, Mapping
from dataclasses import dataclass, field
from typing import TypeAlias

from longshore.rpc import errors
from longshore.scheduler import metrics, refusals, work
from longshore.storage import tasks
from longshore.views import task as task_view

MAX_QUEUED_TASKS = 30_000
"""Tasks that may wait, of a cluster: three of the largest RunTasks. What comes beyond is refused at once with a retry delay: some seconds of placement are as long as a caller
should wait, and what was accepted is never thrown away for it."""

RETRY_AFTER_MS = 500
"""Delay named to those who are refused: about the time in which some thousand tasks are placed."""


@dataclass(frozen=True, slots=True)
class Placed:
    """What came of a request for tasks. `answer` is what its token remembers; `sequence` None: nothing was committed."""

    intents: tuple[tasks.Intent, ...] = ()
    refused: tuple[refusals.Refusal, ...] = ()
    hosts: Mapping[str, task_view.Host] = field(default_factory=dict)
    sequence: int | None = None
    answer: bytes | None = None
    reason: str = ""
    """Why those that wait for capacity do."""


@dataclass(frozen=True, slots=True)
class Stopped:
    """What came of a request to stop. `sequence` None: there was nothing to do."""

    known: bool
    sequence: int | None = None


@dataclass(slots=True, eq=False)
class PlacementJob:
    """A request for tasks on its way. `caught_up`: the view was as new as can be when it is decided."""

    wanted: work.Wanted
    future: "asyncio.Future[Placed]"
    accepted: float
    taken: float = 0.0
    caught_up: bool = False
    rounds: int = 0

    @property
    def size(self) -> int:
        """How many tasks it is about."""
        return self.wanted.asked.count


@dataclass(slots=True, eq=False)
class StopJob:
    """A request to stop a task on its way."""

    stop: work.Stop
    future: "asyncio.Future[Stopped]"
    accepted: float
    size: int = 1


Job: TypeAlias = PlacementJob | StopJob


def finish(job: PlacementJob, placed: Placed) -> None:
    """Answer, unless the caller has gone."""
    if not job.future.done():
        job.future.set_result(placed)


def fail(job: Job, error: Exception) -> None:
    """Refuse, unless the caller has gone."""
    if not job.future.done():
        job.future.set_exception(error)


@dataclass(slots=True)
class Promise:
    """Room in the queue for tasks of a request that is placed in parts."""

    left: int


class Left(Exception):  # noqa: N818 - the name of the outcome
    """The leader is to leave: no further round begins."""


class Queue:
    """Jobs in the order of their coming, bounded by the number of their tasks."""

    def __init__(self, limit: int = MAX_QUEUED_TASKS, *, measured: metrics.Metrics | None = None) -> None:
        self._limit = limit
        self._metrics = measured if measured is not None else metrics.Metrics()
        self._jobs: deque[Job] = deque()
        self._size = 0
        self._promised = 0
        self._filled = asyncio.Event()
        self._closed: Exception | None = None
        self._left = False

    @property
    def size(self) -> int:
        """Tasks that wait."""
        return self._size

    def put(self, job: Job, promise: "Promise | None" = None) -> None:
        """Accept a job. Raises ResourceExhausted when the queue is full, and the reason when it is closed."""
        if self._closed is not None:
            raise self._closed
        if promise is None:
            self._check(job.size)
        else:
            self._promised -= job.size
            promise.left -= job.size
        self._jobs.append(job)
        self._changed(job.size)

    @contextlib.contextmanager
    def promised(self, size: int) -> "Iterator[Promise]":
        """Room for jobs of so many tasks that come one after the other: begun, they are not refused. Raises as `put`."""
        if self._closed is not None:
            raise self._closed
        self._check(size)
        promise = Promise(size)
        self._promised += size
        try:
            yield promise
        finally:
            self._promised -= promise.left

    def _check(self, size: int) -> None:
        taken = self._size + self._promised
        if taken + size > self._limit:
            raise errors.ResourceExhausted(
                f"{taken} tasks wait for placement, {self._limit} may; repeat the call in {RETRY_AFTER_MS} ms.",
                queued=taken,
                limit=self._limit,
                retry_after_ms=RETRY_AFTER_MS,
            )

    def put_back(self, jobs: Iterable[Job]) -> None:
        """Let jobs that were accepted before be decided again, ahead of all others. Not bounded: they had their place."""
        returned = list(jobs)
        if self._closed is not None:
            for job in returned:
                fail(job, self._closed)
            return
        self._jobs.extendleft(reversed(returned))
        self._changed(sum(job.size for job in returned))

    def take(self, limit: int) -> list[Job]:
        """Up to `limit` tasks' worth of jobs, at least one; those whose callers have gone are dropped."""
        taken: list[Job] = []
        size = 0
        while self._jobs and (not taken or size + self._jobs[0].size <= limit):
            job = self._jobs.popleft()
            self._resize(-job.size)
            if not job.future.done():
                taken.append(job)
                size += job.size
        if not self._jobs:
            self._filled.clear()
        return taken

    async def wait(self) -> None:
        """Return when there is a job. Raises Left once nothing more is to be taken."""
        await self._filled.wait()
        if self._left:
            raise Left

    def leave(self, error: Exception) -> None:
        """Let nothing more be taken: what is taken already is finished, what waits and what comes is refused."""
        self._left = True
        self.close(error)
        self._filled.set()

    def close(self, error: Exception) -> None:
        """Refuse what waits and what comes; for the first reason that is given."""
        if self._closed is None:
            self._closed = error
        while self._jobs:
            fail(self._jobs.popleft(), self._closed)
        self._resize(-self._size)
        self._filled.clear()

    def _changed(self, size: int) -> None:
        self._resize(size)
        if self._jobs:
            self._filled.set()

    def _resize(self, by: int) -> None:
        self._size += by
        self._metrics.queued += by  # of all queues of the process
