"""The part of the commit that stops tasks: intents move to STOPPED, once, and the first request's cause stays."""

import dataclasses
from collections.abc import Mapping, Sequence
from dataclasses import dataclass

from longshore.scheduler import waiting_rows, work
from longshore.storage import steps, tasks
from longshore.storage.dialect import Dialect
from longshore.v1 import task_pb2

DEFAULT_REASON = "Task stopped by user"
"""ECS's text where StopTask gives no reason."""


@dataclass(frozen=True, slots=True)
class Stopping:
    """Tasks to stop, locked: those that exist, and those whose intent will move, each with its request."""

    known: frozenset[str]
    acting: tuple[tasks.Intent, ...]
    requests: Mapping[str, work.Stop]


def lock(dialect: Dialect, cluster: str, requested: Sequence[work.Stop]) -> steps.Step[Stopping]:
    """Lock the intents of tasks to stop, by id. Tasks that stop or have stopped already are left as they are."""
    if not requested:
        return Stopping(frozenset(), (), {})
    # The first of several requests for one task is its cause.
    requests = {stop.task_id: stop for stop in reversed(requested)}
    rows = yield from steps.fetch(
        f"SELECT task_id FROM task_intents WHERE {dialect.member('task_id', 1)} AND cluster = $2 ORDER BY task_id"  # noqa: S608 - the dialect's own
        f" {dialect.exclusive_lock}",
        sorted(requests),
        cluster,
    )
    found = yield from tasks.by_ids(dialect, cluster, [row["task_id"] for row in rows])
    acting = tuple(halves.intent for _, halves in sorted(found.items()) if _runs(halves))
    return Stopping(frozenset(found), acting, requests)


def write(
    dialect: Dialect, stopping: Stopping, raised: Mapping[str, work.Raised], now: int
) -> steps.Step[dict[str, tasks.Intent]]:
    """Move the locked intents; gives them as they are then. Those that were never placed are history at once."""
    moved = {
        intent.task_id: dataclasses.replace(
            intent,
            desired_status=task_pb2.DESIRED_STATUS_STOPPED,
            stop_code=stopping.requests[intent.task_id].code,
            stopped_reason=stopping.requests[intent.task_id].reason,
            stopping_at=now,
            revision=intent.revision + 1,
            assignment_revision=raised[intent.instance_id].revision if intent.instance_id else 0,
            settled=not intent.instance_id,
        )
        for intent in stopping.acting
    }
    yield from write_stopped(moved)
    yield from waiting_rows.remove(dialect, [task_id for task_id, intent in moved.items() if not intent.instance_id])
    return moved


def write_stopped(moved: Mapping[str, tasks.Intent]) -> steps.Step[None]:
    """Write intents that have moved to STOPPED."""
    columns = (
        "desired_status",
        "stop_code",
        "stopped_reason",
        "stopping_at",
        "revision",
        "assignment_revision",
        "settled",
    )
    yield from steps.update_many(
        "task_intents",
        ("task_id",),
        columns,
        [
            (
                task_id,
                *(
                    int(getattr(intent, column)) if column == "settled" else getattr(intent, column)
                    for column in columns
                ),
            )
            for task_id, intent in moved.items()
        ],
    )


def _runs(halves: tasks.Halves) -> bool:
    stopped = halves.observation is not None and halves.observation.last_status == task_pb2.TASK_STATUS_STOPPED
    return halves.intent.desired_status == task_pb2.DESIRED_STATUS_RUNNING and not stopped
