"""The fenced transaction that gives waiting tasks their instances, and ends those that are out of time: docs/design/waiting.md.

A generator of statements, as `commit` is, in the same lock order; it may run beside a placement commit of the same leader, since it makes no new
rows and remembers no tokens.
"""

import dataclasses
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field

from longshore.scheduler import commit, instances, leadership, resources, stops, waiting_rows, work
from longshore.storage import held, log, steps, tasks
from longshore.storage.dialect import Dialect
from longshore.v1 import event_pb2, task_pb2
from longshore.views import visible


@dataclass(frozen=True, slots=True)
class Fill:
    """A waiting task and the instance that was decided for it."""

    task_id: str
    wanted: work.Wanted
    instance_id: str
    given: tuple[resources.Given, ...]


@dataclass(frozen=True, slots=True)
class Overdue:
    """A request whose deadline has passed, as far as the leader knows, and the tasks of it that wait."""

    request_key: str
    tasks: tuple[str, ...]
    reason: str
    cause: work.Cause


@dataclass(frozen=True, slots=True)
class Batch:
    """What one transaction does."""

    cluster: str
    holder: str
    epoch: int
    footing: work.Footing
    fills: tuple[Fill, ...] = ()
    overdue: tuple[Overdue, ...] = ()


@dataclass(frozen=True, slots=True)
class Outcome:
    """What one transaction has done, `now` by the database's clock. `head` is None where nothing is told."""

    now: int
    head: log.Head | None = None
    filled: Mapping[str, tasks.Intent] = field(default_factory=dict)
    ended: Mapping[str, tasks.Intent] = field(default_factory=dict)
    """Tasks that are out of time."""
    gone: frozenset[str] = frozenset()
    """Tasks that somebody has stopped meanwhile."""
    unfit: frozenset[str] = frozenset()
    """Tasks whose instance takes them no longer: they wait on."""
    behind: bool = False
    """Whether one of those wants a port which an agent has reported meanwhile: the log has to be read on first."""
    assignments: Mapping[str, work.Raised] = field(default_factory=dict)
    events: tuple[event_pb2.Event, ...] = ()
    changed: tuple[instances.Instance, ...] = ()
    seen: int = 0


def fill(dialect: Dialect, batch: Batch) -> steps.Step[Outcome]:
    """Give tasks their instances and end those that are out of time. Raises leadership.Deposed, with nothing written, where another leads."""
    now = yield from leadership.hold(dialect, batch.cluster, batch.holder, batch.epoch)
    changed, seen, unfit = yield from _check_membership(dialect, batch)
    taken = yield from _check_ports(dialect, [one for one in batch.fills if one.task_id not in unfit])
    unfit |= taken
    late = yield from waiting_rows.overdue(dialect, [one.request_key for one in batch.overdue])
    ending = {task_id: one for one in batch.overdue if one.request_key in late for task_id in one.tasks}
    placing = {one.task_id: one for one in batch.fills if one.task_id not in unfit}
    found = yield from _lock(dialect, batch.cluster, sorted({*placing, *ending}))
    gone = frozenset(task_id for task_id in (*placing, *ending) if task_id not in found)
    filled = {task_id: _placed(found[task_id], one) for task_id, one in placing.items() if task_id in found}
    raised = yield from commit.raise_assignments(dialect, batch.cluster, batch.holder, {0: tuple(filled.values())}, ())
    filled = {
        task_id: dataclasses.replace(intent, assignment_revision=raised[intent.instance_id].revision)
        for task_id, intent in filled.items()
    }
    yield from _write_placed(filled)
    ended = {task_id: _out_of_time(found[task_id], one, now) for task_id, one in ending.items() if task_id in found}
    yield from stops.write_stopped(ended)
    yield from waiting_rows.remove(dialect, sorted({*filled, *ended}))
    head, events = yield from _tell(dialect, batch, placing, ending, filled, ended)
    return Outcome(
        now=now,
        head=head,
        filled=filled,
        ended=ended,
        gone=gone,
        unfit=frozenset(unfit),
        behind=bool(taken),
        assignments=raised,
        events=events,
        changed=changed,
        seen=seen,
    )


def _check_membership(
    dialect: Dialect, batch: Batch
) -> steps.Step[tuple[tuple[instances.Instance, ...], int, set[str]]]:
    """The instances that have changed since the decision, up to which revision, and the tasks that they take no longer."""
    if not batch.fills:
        return (), batch.footing.seen, set()
    revision = yield from steps.fetch_value(
        f"SELECT revision FROM membership WHERE cluster = $1 {dialect.share_lock}",  # noqa: S608 - the dialect's own
        batch.cluster,
    )
    if revision is None or revision == batch.footing.seen:
        return (), batch.footing.seen, set()
    rows = yield from instances.changed(batch.cluster, batch.footing.seen)
    changed = tuple(instances.parse(row) for row in rows)
    facts = {fact.instance_id: fact for fact in changed}
    unfit: set[str] = set()
    for one in batch.fills:
        fact = facts.get(one.instance_id)
        reserved = batch.footing.reserved[one.instance_id]
        if fact is not None and not commit.still_fits(fact, reserved, one.wanted.needs, one.given):
            unfit.add(one.task_id)
    return changed, revision, unfit


def _check_ports(dialect: Dialect, fills: Sequence[Fill]) -> steps.Step[set[str]]:
    """Tasks that want a static port which an agent has reported as taken, and the view may not have heard of yet."""
    concerned = sorted({one.instance_id for one in fills if one.wanted.needs.ports})
    taken = yield from commit.ports_taken(dialect, concerned)
    return {
        one.task_id for one in fills if not taken.get(one.instance_id, frozenset()).isdisjoint(one.wanted.needs.ports)
    }


def _lock(dialect: Dialect, cluster: str, ids: Sequence[str]) -> steps.Step[dict[str, tasks.Intent]]:
    """The intents of those of the tasks that still wait, locked by id."""
    if not ids:
        return {}
    rows = yield from steps.fetch(
        f"SELECT task_id FROM task_intents WHERE {dialect.member('task_id', 1)} AND cluster = $2 ORDER BY task_id"  # noqa: S608 - the dialect's own
        f" {dialect.exclusive_lock}",
        list(ids),
        cluster,
    )
    found = yield from tasks.intents(dialect, [row["task_id"] for row in rows])
    return {task_id: intent for task_id, intent in found.items() if intent.waits}


def _placed(intent: tasks.Intent, one: Fill) -> tasks.Intent:
    return dataclasses.replace(
        intent,
        instance_id=one.instance_id,
        revision=intent.revision + 1,
        body=intent.body + commit.own_part("", one.given),
        resources=held.to_column(resources.amounts(one.given)),
    )


def _out_of_time(intent: tasks.Intent, one: Overdue, now: int) -> tasks.Intent:
    return dataclasses.replace(
        intent,
        desired_status=task_pb2.DESIRED_STATUS_STOPPED,
        stop_code=task_pb2.TASK_STOP_CODE_TASK_FAILED_TO_START,
        stopped_reason=one.reason,
        stopping_at=now,
        revision=intent.revision + 1,
        settled=True,
    )


def _write_placed(filled: Mapping[str, tasks.Intent]) -> steps.Step[None]:
    columns = ("instance_id", "revision", "assignment_revision", "body", "resources")
    yield from steps.update_many(
        "task_intents",
        ("task_id",),
        columns,
        [(task_id, *(getattr(intent, column) for column in columns)) for task_id, intent in filled.items()],
    )


def _placement(intent: tasks.Intent) -> event_pb2.TaskEvent:
    event = visible.task_event(intent, None)
    event.placed = True
    return event


def _tell(
    dialect: Dialect,
    batch: Batch,
    placing: Mapping[str, Fill],
    ending: Mapping[str, Overdue],
    filled: Mapping[str, tasks.Intent],
    ended: Mapping[str, tasks.Intent],
) -> steps.Step[tuple[log.Head | None, tuple[event_pb2.Event, ...]]]:
    """Take the log's head, build the events, append them."""
    events = [
        commit.event_of(placing[task_id].wanted.cause, _placement(intent)) for task_id, intent in sorted(filled.items())
    ]
    events += [
        commit.event_of(ending[task_id].cause, visible.task_event(intent, None))
        for task_id, intent in sorted(ended.items())
    ]
    if not events:
        return None, ()
    head = yield from log.take(dialect, batch.cluster, len(events), log.Counts(pending=len(filled), stopped=len(ended)))
    yield from log.append(batch.cluster, head, events)
    return head, tuple(events)
