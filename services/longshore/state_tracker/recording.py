"""Writing changed observations: rows, counters, events. The one way in which observations are written.

Whoever calls it holds the `instance_sessions` rows of the instances concerned, so nobody else changes these observations.
"""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass

from longshore.rpc import caller
from longshore.state_tracker import committed, observation
from longshore.storage import log, steps, tasks
from longshore.storage.dialect import Dialect
from longshore.v1 import event_pb2
from longshore.views import visible

_KEY = 1


@dataclass(slots=True)
class Counters:
    """What changes add to the counters of one instance."""

    running: int = 0
    left_pending: int = 0


def counted(changes: Sequence[observation.Change]) -> dict[str, Counters]:
    """What the changes add to the counters of each instance."""
    counters: dict[str, Counters] = {}
    for change in changes:
        mine = counters.setdefault(change.observation.instance_id, Counters())
        mine.running += change.running
        mine.left_pending += change.left_pending
    return counters


def write_observations(changes: Sequence[observation.Change]) -> steps.Step[None]:
    """Insert the new observations and update the others."""
    columns = tasks.OBSERVATION_COLUMNS
    yield from steps.insert_many(
        "task_observations", columns, [_values(change.observation) for change in changes if change.is_new]
    )
    yield from steps.update_many(
        "task_observations",
        columns[:_KEY],
        columns[_KEY:],
        [_values(change.observation) for change in changes if not change.is_new],
    )


def append_events(
    dialect: Dialect,
    cluster: str,
    changes: Sequence[observation.Change],
    *,
    who: caller.Caller | None = None,
    authors: Mapping[str, caller.Caller] | None = None,
    instances: int = 0,
    before: Sequence[event_pb2.Event] = (),
) -> steps.Step[committed.Committed]:
    """Take the head with the cluster's counts, read the intents that cannot move any more, and append the events.

    `before` are events of the same commit that come first, `instances` what it adds to the registered instances. The events bear the
    name of `who` asked, or of each task's own one among `authors`.
    """
    pending, running = sum(change.pending for change in changes), sum(change.running for change in changes)
    # What left the one and did not come to the other has stopped.
    moved = log.Counts(pending=pending, running=running, instances=instances, stopped=-pending - running)
    head = yield from log.take(dialect, cluster, len(before) + len(changes), moved)
    intents = yield from tasks.intents(dialect, [change.observation.task_id for change in changes])
    events = (*before, *task_events(changes, intents))
    for event in events:
        author = who if authors is None else authors.get(event.task.task_id)
        if author is not None and author.request_id:
            event.request_id, event.principal = author.request_id, author.principal
    yield from log.append(cluster, head, events)
    return committed.Committed(cluster, head, events)


def task_events(
    changes: Sequence[observation.Change], intents: Mapping[str, tasks.Intent]
) -> tuple[event_pb2.Event, ...]:
    """One event for each change."""
    return tuple(
        event_pb2.Event(
            task=visible.task_event(intents[change.observation.task_id], change.observation, change.containers)
        )
        for change in changes
    )


def _values(row: tasks.Observation) -> tuple[object, ...]:
    return (
        row.task_id,
        row.cluster,
        row.instance_id,
        row.last_status,
        row.stop_code,
        row.stopped_reason,
        row.stop_cause_at,
        row.started_at,
        row.stopped_at,
        int(row.released),
        row.revision,
        row.body,
        row.ports,
    )
