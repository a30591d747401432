"""The two halves of a task as rows: what the scheduler intends, what the state-tracker observed. Read-only.

What is shown of the two together is `longshore.views.visible`; this module only says in SQL, for the filter on the desired status,
what that function says in Python.
"""

from collections.abc import Iterable, Sequence
from dataclasses import dataclass
from typing import Any

from longshore.storage import steps
from longshore.storage.dialect import Dialect
from longshore.v1 import agent_service_pb2, common_pb2, record_pb2, task_pb2


@dataclass(frozen=True, slots=True)
class Intent:
    """A row of `task_intents`. Times are microseconds by the database's clock; `ports` and `resources` are as the scheduler wrote them.

    `instance_id` is empty while the task waits for capacity, and for good where it was stopped before it was placed.
    """

    task_id: str
    cluster: str
    instance_id: str
    family: str
    definition_revision: int
    group_name: str
    started_by: str
    launch_type: int
    desired_status: int
    stop_code: int
    stopped_reason: str
    created_at: int
    stopping_at: int | None
    revision: int
    assignment_revision: int
    settled: bool
    cpu: int
    memory: int
    ports: str | None
    body: bytes
    resources: str | None = None

    @property
    def waits(self) -> bool:
        """Whether it waits for capacity."""
        return not self.instance_id and self.desired_status == task_pb2.DESIRED_STATUS_RUNNING

    def record(self) -> record_pb2.TaskIntentRecord:
        """The body, parsed at each call."""
        return record_pb2.TaskIntentRecord.FromString(self.body)


@dataclass(frozen=True, slots=True)
class Observation:
    """A row of `task_observations`."""

    task_id: str
    cluster: str
    instance_id: str
    last_status: int
    stop_code: int
    stopped_reason: str
    stop_cause_at: int | None
    started_at: int | None
    stopped_at: int | None
    released: bool
    revision: int
    body: bytes
    ports: str | None = ""

    def record(self) -> agent_service_pb2.TaskObservation:
        """The body, parsed at each call."""
        return agent_service_pb2.TaskObservation.FromString(self.body)


@dataclass(frozen=True, slots=True)
class Halves:
    """A task: its intent, and its observation where there was a report."""

    intent: Intent
    observation: Observation | None

    @property
    def version(self) -> int:
        """The task's version: the sum of the revisions of its halves."""
        return self.intent.revision + (self.observation.revision if self.observation is not None else 0)


@dataclass(frozen=True, slots=True)
class Filters:
    """What ListTasks can ask for. None means any; the status is the one that is shown."""

    instance_id: str | None = None
    family: str | None = None
    started_by: str | None = None
    group_name: str | None = None
    launch_type: common_pb2.LaunchType.ValueType | None = None
    desired_status: task_pb2.DesiredStatus.ValueType | None = None


INTENT_COLUMNS = (
    "task_id", "cluster", "instance_id", "family", "definition_revision", "group_name", "started_by", "launch_type",
    "desired_status", "stop_code", "stopped_reason", "created_at", "stopping_at", "revision", "assignment_revision", "settled",
    "cpu", "memory", "ports", "body", "resources",
)  # fmt: skip
"""Columns of `task_intents` in the order of `Intent`."""

OBSERVATION_COLUMNS = (
    "task_id", "cluster", "instance_id", "last_status", "stop_code", "stopped_reason", "stop_cause_at", "started_at",
    "stopped_at", "released", "revision", "body", "ports",
)  # fmt: skip
"""Columns of `task_observations` in the order of `Observation`."""

_SETTLED = INTENT_COLUMNS.index("settled")
_RELEASED = OBSERVATION_COLUMNS.index("released")


def _selected(alias: str, columns: Sequence[str]) -> str:
    # Named apart, so that no name comes twice in a row that holds both halves.
    return ", ".join(f"{alias}.{column} AS {alias}_{column}" for column in columns)


_HALVES = (
    f"SELECT {_selected('i', INTENT_COLUMNS)}, {_selected('o', OBSERVATION_COLUMNS)} "  # noqa: S608 - names from above
    "FROM task_intents i LEFT JOIN task_observations o ON o.task_id = i.task_id"
)
_INTENTS = f"SELECT {', '.join(INTENT_COLUMNS)} FROM task_intents"  # noqa: S608 - names from above
_OBSERVATIONS = f"SELECT {', '.join(OBSERVATION_COLUMNS)} FROM task_observations"  # noqa: S608 - names from above


def by_ids(dialect: Dialect, cluster: str, ids: Sequence[str]) -> steps.Step[dict[str, Halves]]:
    """The tasks of the cluster with these ids, both halves of each; unknown ids are left out."""
    rows = yield from steps.fetch(
        f"{_HALVES} WHERE {dialect.member('i.task_id', 2)} AND i.cluster = $1", cluster, list(ids)
    )
    found = [_halves(row) for row in rows]
    return {halves.intent.task_id: halves for halves in found}


def intents(dialect: Dialect, ids: Sequence[str]) -> steps.Step[dict[str, Intent]]:
    """The intents of these tasks, of whatever cluster."""
    rows = yield from steps.fetch(f"{_INTENTS} WHERE {dialect.member('task_id', 1)}", list(ids))
    return {row["task_id"]: _intent(row) for row in rows}


def observations(dialect: Dialect, ids: Sequence[str]) -> steps.Step[dict[str, Observation]]:
    """The observations of these tasks, of whatever cluster; tasks without a report are left out."""
    rows = yield from steps.fetch(f"{_OBSERVATIONS} WHERE {dialect.member('task_id', 1)}", list(ids))
    return {row["task_id"]: _observation(row) for row in rows}


def listed(cluster: str, filters: Filters, after: str, limit: int) -> steps.Step[list[str]]:
    """Ids of the cluster's tasks that pass the filters, in order, from the first one above `after`.

    Ids grow with time and the order is theirs, so a page is never shifted by tasks that come meanwhile.
    """
    conditions, arguments = _conditions(filters)
    rows = yield from steps.fetch(
        "SELECT i.task_id FROM task_intents i LEFT JOIN task_observations o ON o.task_id = i.task_id "  # noqa: S608 - from below
        f"WHERE {' AND '.join(('i.cluster = $1', 'i.task_id > $2', *conditions))} ORDER BY i.task_id LIMIT $3",
        cluster,
        after,
        limit,
        *arguments,
    )
    return [row["task_id"] for row in rows]


def live_on(instance_id: str) -> steps.Step[list[Halves]]:
    """The tasks that count on an instance or may still: all whose intent is not settled, in order of their ids."""
    rows = yield from steps.fetch(
        f"{_HALVES} WHERE i.instance_id = $1 AND i.settled = 0 ORDER BY i.task_id", instance_id
    )
    return [_halves(row) for row in rows]


def _conditions(filters: Filters) -> tuple[list[str], list[object]]:
    conditions: list[str] = []
    arguments: list[object] = []
    columns = {
        "i.instance_id": filters.instance_id,
        "i.family": filters.family,
        "i.started_by": filters.started_by,
        "i.group_name": filters.group_name,
        "i.launch_type": filters.launch_type,
    }
    for column, value in columns.items():
        if value is not None:
            arguments.append(value)
            conditions.append(f"{column} = ${len(arguments) + 3}")
    # What lets the engine use the indexes that leave the common values out.
    if filters.started_by:
        conditions.append("i.started_by <> ''")
    if filters.group_name is not None and filters.group_name.startswith("service:"):
        conditions.append("i.group_name >= 'service:' AND i.group_name < 'service;'")
    if filters.launch_type not in {None, common_pb2.LAUNCH_TYPE_EC2}:
        conditions.append(f"i.launch_type <> {common_pb2.LAUNCH_TYPE_EC2}")
    conditions.extend(_shown_as(filters.desired_status))
    return conditions, arguments


def _shown_as(desired: task_pb2.DesiredStatus.ValueType | None) -> list[str]:
    """`visible.state(…).desired_status` as a condition on the joined halves."""
    stopping = (
        f"(i.desired_status = {task_pb2.DESIRED_STATUS_STOPPED} OR o.last_status = {task_pb2.TASK_STATUS_STOPPED}"
        " OR o.stop_cause_at IS NOT NULL)"
    )
    if desired is None:
        return []
    if desired == task_pb2.DESIRED_STATUS_RUNNING:
        # What is settled has stopped: saying so leaves history out of the scan, by the index over what is live.
        return ["i.settled = 0", f"NOT coalesce({stopping}, FALSE)"]
    if desired == task_pb2.DESIRED_STATUS_STOPPED:
        return [stopping]
    return ["1 = 0"]  # ECS accepts PENDING and never shows it


def _intent(values: Iterable[Any]) -> Intent:
    fields = list(values)
    fields[_SETTLED] = bool(fields[_SETTLED])
    return Intent(*fields)


def _observation(values: Iterable[Any]) -> Observation:
    fields = list(values)
    fields[_RELEASED] = bool(fields[_RELEASED])
    return Observation(*fields)


def _halves(row: steps.Row) -> Halves:
    values = tuple(row)
    border = len(INTENT_COLUMNS)
    observation = _observation(values[border:]) if values[border] is not None else None
    return Halves(_intent(values[:border]), observation)
