"""The leader's picture of its cluster: how it is read at a takeover, and read on while it is followed.

Steps of read-only transactions, and pure functions that put their results into a snapshot. What follows from the log is `following`.
"""

from collections.abc import Iterable, Sequence
from dataclasses import dataclass

from longshore.scheduler import instances, snapshot
from longshore.storage import clusters, definitions, held, log, ports, steps
from longshore.storage.dialect import Dialect
from longshore.v1 import agent_service_pb2, container_instance_pb2, task_definition_pb2

_GONE = container_instance_pb2.CONTAINER_INSTANCE_STATUS_INACTIVE


@dataclass(frozen=True, slots=True)
class Held:
    """What is reserved on one instance: sums of one group, or what one task has of ports and resources by name."""

    instance_id: str
    load: snapshot.Load
    task_id: str = ""


@dataclass(frozen=True, slots=True)
class Observed:
    """The host ports that a task's agent reports."""

    instance_id: str
    task_id: str
    ports: tuple[int, ...]


@dataclass(frozen=True, slots=True)
class Loaded:
    """A cluster as of one moment. `position`: the log's head then; `released`: tasks whose release was never settled."""

    position: int
    seen: int
    facts: tuple[instances.Instance, ...]
    held: tuple[Held, ...]
    released: tuple[str, ...]
    observed: tuple[Observed, ...] = ()


@dataclass(frozen=True, slots=True)
class Taken:
    """A view to lead with: all that was committed up to a position of the log. `released`: tasks whose release is still to be settled."""

    snapshot: snapshot.Snapshot
    position: int
    released: tuple[str, ...]


@dataclass(frozen=True, slots=True)
class News:
    """What has changed in a cluster's membership, and whether work may still be given to it."""

    seen: int
    facts: tuple[instances.Instance, ...]
    active: bool
    inactive: frozenset[definitions.Key]


def load(cluster: str) -> steps.Step[Loaded]:
    """Read what placement needs: columns, summed by the database, no bodies of tasks."""
    position = yield from log.sequence_of(cluster)
    seen = yield from _membership(cluster)
    rows = yield from steps.fetch(
        f"SELECT {instances.COLUMNS} FROM container_instances WHERE cluster = $1 AND status <> $2",  # noqa: S608 - our names
        cluster,
        _GONE,
    )
    reserved = yield from _held("cluster = $1 AND settled = 0 AND instance_id <> ''", cluster)
    observed = yield from steps.fetch(
        "SELECT instance_id, task_id, ports, CASE WHEN ports IS NULL THEN body END AS body FROM task_observations"
        " WHERE cluster = $1 AND released = 0 AND (ports IS NULL OR ports <> '')",
        cluster,
    )
    released = yield from steps.fetch(
        "SELECT i.task_id FROM task_intents i JOIN task_observations o ON o.task_id = i.task_id"
        " WHERE i.cluster = $1 AND i.settled = 0 AND o.released = 1",
        cluster,
    )
    return Loaded(
        position=position,
        seen=seen,
        facts=tuple(instances.parse(row) for row in rows),
        held=reserved,
        released=tuple(row["task_id"] for row in released),
        observed=tuple(_observed(row) for row in observed),
    )


@dataclass(frozen=True, slots=True)
class Further:
    """What a view has to take in: reservations, what was settled, instances. `gone`: released tasks that are history no more."""

    placed: tuple[Held, ...]
    settled: tuple[Held, ...]
    gone: int
    facts: tuple[instances.Instance, ...]
    seen: int


def read_on(
    dialect: Dialect, cluster: str, seen: int, placed: Sequence[str], released: Sequence[str]
) -> steps.Step[Further]:
    """Read what these placed tasks take, which of these released ones are settled, and the instances that have changed since `seen`."""
    took = (yield from _held(dialect.member("task_id", 1), list(placed))) if placed else ()
    rows = (
        (
            yield from steps.fetch(
                f"SELECT task_id, settled, {TAKES} FROM task_intents WHERE {dialect.member('task_id', 1)}",  # noqa: S608 - our names
                list(released),
            )
        )
        if released
        else []
    )
    revision = yield from _membership(cluster)
    changed = (yield from instances.changed(cluster, seen)) if revision > seen else []
    return Further(
        placed=took,
        settled=tuple(of_task(row) for row in rows if row["settled"]),
        gone=len(released) - len(rows),
        facts=tuple(instances.parse(row) for row in changed),
        seen=revision,
    )


@dataclass(frozen=True, slots=True)
class Totals:
    """What all unsettled tasks of a cluster take together."""

    tasks: int
    cpu: int
    memory: int


def totals(cluster: str) -> steps.Step[Totals]:
    """What the tables say."""
    row = yield from steps.fetch_row(
        "SELECT COUNT(*) AS tasks, CAST(COALESCE(SUM(cpu), 0) AS BIGINT) AS cpu,"
        " CAST(COALESCE(SUM(memory), 0) AS BIGINT) AS memory"
        " FROM task_intents WHERE cluster = $1 AND settled = 0 AND instance_id <> ''",
        cluster,
    )
    if row is None:
        raise AssertionError("an aggregate has a row")
    return Totals(row["tasks"], row["cpu"], row["memory"])


def totals_of(base: snapshot.Snapshot) -> Totals:
    """What a snapshot says."""
    held_by = [base.reserved(row) for row in range(len(base))]
    return Totals(sum(base.tasks), sum(one.cpu for one in held_by), sum(one.memory for one in held_by))


def build(loaded: Loaded) -> snapshot.Snapshot:
    """The snapshot of what was read."""
    base = snapshot.Snapshot()
    for fact in loaded.facts:
        base.apply(fact)
    for one in loaded.held:
        base.reserve(one.instance_id, one.load)
    for seen in loaded.observed:
        base.observe(seen.instance_id, seen.task_id, seen.ports)
    base.seen = loaded.seen
    return base


@dataclass(frozen=True, slots=True)
class Question:
    """What a refusal hangs on besides the membership: these revisions being ACTIVE, these instances being known."""

    revisions: frozenset[definitions.Key] = frozenset()
    instances: frozenset[str] = frozenset()


NOTHING_ELSE = Question()


def refresh(dialect: Dialect, cluster: str, seen: int, asked: Question = NOTHING_ELSE) -> steps.Step[News]:
    """Read the instances that have changed since `seen` and those asked for, gone ones included, and what else is asked."""
    revision = yield from _membership(cluster)
    rows = (yield from instances.changed(cluster, seen)) if revision > seen else []
    rows += yield from instances.by_ids(dialect, cluster, asked.instances)
    found = yield from clusters.by_name(cluster)
    statuses = yield from definitions.statuses(dialect, asked.revisions, locked=False)
    return News(
        seen=revision,
        facts=tuple(instances.parse(row) for row in rows),
        active=found is not None and found.active,
        inactive=frozenset(
            key for key in asked.revisions if statuses.get(key) != task_definition_pb2.TASK_DEFINITION_STATUS_ACTIVE
        ),
    )


def take_in(base: snapshot.Snapshot, facts: Iterable[instances.Instance], seen: int) -> None:
    """Put changed instances into a snapshot: all that changed up to `seen`."""
    for fact in facts:
        base.apply(fact)
    base.seen = max(base.seen, seen)


def _membership(cluster: str) -> steps.Step[int]:
    """The cluster's membership revision; 0 where nothing was ever registered."""
    revision: int | None = yield from steps.fetch_value("SELECT revision FROM membership WHERE cluster = $1", cluster)
    return revision or 0


def _held(where: str, *args: object) -> steps.Step[tuple[Held, ...]]:
    """What some tasks take: their sums by instance and group, and apart from that each one's ports and resources by name."""
    sums = yield from steps.fetch(
        "SELECT instance_id, group_name, CAST(SUM(cpu) AS BIGINT) AS cpu, CAST(SUM(memory) AS BIGINT) AS memory,"  # noqa: S608 - our own
        f" COUNT(*) AS tasks FROM task_intents WHERE {where} GROUP BY instance_id, group_name",
        *args,
    )
    taken = yield from steps.fetch(
        f"SELECT instance_id, ports, resources FROM task_intents WHERE {where}"  # noqa: S608 - our own
        " AND (ports IS NOT NULL OR resources IS NOT NULL)",
        *args,
    )
    return (*(_sum(row) for row in sums), *(_taken(row) for row in taken))


TAKES = "instance_id, group_name, cpu, memory, ports, resources"
"""Columns of a task that say what it takes; `of_task` reads them, and its id."""


def of_task(row: steps.Row) -> Held:
    """What one task takes."""
    load = snapshot.Load(
        row["cpu"],
        row["memory"],
        ports.from_column(row["ports"]),
        row["group_name"],
        named=held.from_column(row["resources"]),
    )
    return Held(row["instance_id"], load, row["task_id"])


def _sum(row: steps.Row) -> Held:
    load = snapshot.Load(row["cpu"], row["memory"], group=row["group_name"], tasks=row["tasks"])
    return Held(row["instance_id"], load)


def _taken(row: steps.Row) -> Held:
    load = snapshot.Load(0, 0, ports.from_column(row["ports"]), tasks=0, named=held.from_column(row["resources"]))
    return Held(row["instance_id"], load)


def _observed(row: steps.Row) -> Observed:
    """By the column; by the body where a release wrote the row that did not know of the column."""
    if row["ports"] is not None:
        return Observed(row["instance_id"], row["task_id"], ports.from_column(row["ports"]))
    body = agent_service_pb2.TaskObservation.FromString(row["body"])
    return Observed(row["instance_id"], row["task_id"], tuple(ports.observed(body.containers)))
