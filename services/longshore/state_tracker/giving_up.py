"""Gives up the tasks of hosts that are gone for long: STOPPED, their resources still counted until somebody says they are free."""

import asyncio
import functools
import time
from collections.abc import Sequence
from dataclasses import dataclass

import structlog

from longshore.events.bus import Bus
from longshore.state_tracker import committed, instance_rows, liveness, metrics, observation, recording
from longshore.storage import errors as storage_errors
from longshore.storage import steps, tasks
from longshore.storage.database import Database
from longshore.storage.dialect import Dialect
from longshore.v1 import task_pb2

# For how long this tracker has had its database before it gives anybody up: after an outage agents need a moment to come back, their
# pauses between attempts being at most five seconds, and appointments at a full door at most fifteen.
RETURN_GRACE_S = 30.0
# Looks per threshold, and their bounds.
LOOKS = 10
SHORTEST_PAUSE_S = 0.2
LONGEST_PAUSE_S = 10.0
# Instances of one look; the next look takes the next.
MAX_INSTANCES = 50

_MICROSECONDS = 1_000_000

_log = structlog.get_logger(__name__)


@dataclass(frozen=True, slots=True)
class Lost:
    """An instance that has been disconnected for longer than the threshold."""

    instance_id: str
    cluster: str


@dataclass(frozen=True, slots=True)
class GivenUp:
    """What giving up an instance came to. None committed: it had no tasks, or it has come back."""

    tasks: int
    committed: committed.Committed | None


class GivingUp:
    """The loop."""

    def __init__(
        self,
        database: Database,
        bus: Bus,
        measured: metrics.Metrics,
        *,
        give_up_s: float,
        continuity: liveness.Continuity,
        grace_s: float = RETURN_GRACE_S,
    ) -> None:
        self._database = database
        self._bus = bus
        self._metrics = measured
        self._give_up_s = give_up_s
        self._continuity = continuity
        self._grace_s = min(grace_s, give_up_s)

    async def run(self) -> None:
        """Look for lost instances, for ever."""
        pause = max(SHORTEST_PAUSE_S, min(self._give_up_s / LOOKS, LONGEST_PAUSE_S))
        while True:
            if self._continuity.unbroken(time.monotonic()) >= self._grace_s:
                try:
                    await self.look()
                except storage_errors.Unavailable as error:
                    _log.warning("instances_not_given_up", error=str(error))
            await asyncio.sleep(pause)

    async def look(self) -> None:
        """Give up those that are lost now."""
        for lost in await self._database.read(lambda dialect: lost_instances(dialect, self._give_up_s)):
            work = functools.partial(give_up, lost=lost, give_up_s=self._give_up_s)
            done = await self._database.run(work)
            self._metrics.tasks_given_up += done.tasks
            _log.warning("instance_given_up", cluster=lost.cluster, instance_id=lost.instance_id, tasks=done.tasks)
            await committed.publish(self._bus, done.committed)


def lost_instances(dialect: Dialect, give_up_s: float) -> steps.Step[list[Lost]]:
    """The instances to give up, the longest gone first."""
    rows = yield from steps.fetch(
        f"SELECT instance_id, cluster FROM container_instances WHERE {_LOST.format(now=dialect.now)}"  # noqa: S608 - the dialect's own
        " ORDER BY disconnected_at LIMIT $3",
        instance_rows.INACTIVE,
        round(give_up_s * _MICROSECONDS),
        MAX_INSTANCES,
    )
    return [Lost(row["instance_id"], row["cluster"]) for row in rows]


def give_up(dialect: Dialect, lost: Lost, give_up_s: float) -> steps.Step[GivenUp]:
    """Declare an instance's tasks stopped, unless its agent has come back."""
    row = yield from steps.fetch_row(
        f"SELECT disconnected_at, {dialect.now} AS now FROM container_instances"  # noqa: S608 - the dialect's own
        f" WHERE {_LOST.format(now=dialect.now)} AND instance_id = $3 {dialect.exclusive_lock}",
        instance_rows.INACTIVE,
        round(give_up_s * _MICROSECONDS),
        lost.instance_id,
    )
    if row is None:
        return GivenUp(0, None)
    yield from lock_session(dialect, lost.instance_id)
    yield from steps.execute("UPDATE container_instances SET given_up = 1 WHERE instance_id = $1", lost.instance_id)
    silent_s = (row["now"] - row["disconnected_at"]) // _MICROSECONDS
    end = observation.End(
        task_pb2.TASK_STOP_CODE_INFRASTRUCTURE_HEALTH,
        f"Container instance {lost.instance_id} has been disconnected for {silent_s} s and was given up.",
        released=False,
    )
    changes = yield from end_tasks(lost.cluster, lost.instance_id, end, now=row["now"])
    if not changes:
        return GivenUp(0, None)
    return GivenUp(len(changes), (yield from recording.append_events(dialect, lost.cluster, changes)))


def lock_session(dialect: Dialect, instance_id: str) -> steps.Step[None]:
    """Keep others from recording anything of the instance until the commit."""
    yield from steps.fetch(
        f"SELECT epoch FROM instance_sessions WHERE instance_id = $1 {dialect.exclusive_lock}",  # noqa: S608 - the dialect's own
        instance_id,
    )


def end_tasks(
    cluster: str, instance_id: str, end: observation.End, *, now: int
) -> steps.Step[Sequence[observation.Change]]:
    """End all tasks of an instance whose session is locked: observations and counters; the events are the caller's."""
    changes = []
    for half in (yield from tasks.live_on(instance_id)):
        home = observation.Task(half.intent.task_id, cluster, instance_id)
        change = observation.end(half.observation, end, task=home, now=now)
        if change is not None:
            changes.append(change)
    yield from recording.write_observations(changes)
    counters = recording.counted(changes)
    yield from steps.update_many(
        "instance_sessions",
        ("instance_id",),
        (("running", "add"), ("left_pending", "add")),
        [(key, mine.running, mine.left_pending) for key, mine in counters.items()],
    )
    return changes


_LOST = "connected = 0 AND given_up = 0 AND status <> $1 AND disconnected_at < {now} - $2"
