"""The tables of container instances in SQL: read, locked, changed. Steps of transactions, no decisions.

Whoever changes an instance so that placement must know calls `bump` first (lock order) and writes the revision it gave.
"""

from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass, field

from longshore.storage import held, ports, steps
from longshore.storage.dialect import Dialect
from longshore.v1 import container_instance_pb2, event_pb2
from longshore.views import container_instance

INACTIVE = container_instance_pb2.CONTAINER_INSTANCE_STATUS_INACTIVE

_COLUMNS = (
    "instance_id, cluster, status, status_reason, connected, version, registered_at, body, connected_at, disconnected_at, "
    "given_up, credential_hash"
)
_SHOWN = 10
_BODY = 7


@dataclass(frozen=True, slots=True)
class Instance:
    """A row: what is shown of it, and what is not."""

    stored: container_instance.Stored
    given_up: bool
    credential_hash: bytes = field(repr=False)

    @property
    def active(self) -> bool:
        """Whether it has not been deregistered."""
        return self.stored.status != INACTIVE


def bump(cluster: str) -> steps.Step[int]:
    """The next revision of the cluster's membership; the row stays locked until the commit."""
    revision: int = yield from steps.fetch_value(
        "INSERT INTO membership (cluster, revision) VALUES ($1, 1)"
        " ON CONFLICT (cluster) DO UPDATE SET revision = membership.revision + 1 RETURNING revision",
        cluster,
    )
    return revision


def by_ids(dialect: Dialect, ids: Iterable[str]) -> steps.Step[dict[str, Instance]]:
    """The instances with these ids, of whatever cluster."""
    return (yield from _selected(dialect, ids, ""))


def locked(dialect: Dialect, ids: Iterable[str]) -> steps.Step[dict[str, Instance]]:
    """The same, locked in the order of their ids until the commit."""
    return (yield from _selected(dialect, ids, f"ORDER BY instance_id {dialect.exclusive_lock}"))


def in_cluster(dialect: Dialect, cluster: str, ids: Iterable[str]) -> steps.Step[dict[str, Instance]]:
    """The cluster's instances with these ids."""
    found = yield from by_ids(dialect, ids)
    return {instance_id: instance for instance_id, instance in found.items() if instance.stored.cluster == cluster}


def all_in(cluster: str, after: str, limit: int, status: int | None) -> steps.Step[list[str]]:
    """Ids of the cluster's instances above `after`, in order: those with the status, by default all but the INACTIVE ones."""
    rows = yield from steps.fetch(
        "SELECT instance_id FROM container_instances WHERE cluster = $1 AND instance_id > $2"  # noqa: S608 - one of two signs
        f" AND status {'<>' if status is None else '='} $3 ORDER BY instance_id LIMIT $4",
        cluster,
        after,
        INACTIVE if status is None else status,
        limit,
    )
    return [row["instance_id"] for row in rows]


def insert(instance: Instance, membership: int) -> steps.Step[None]:
    """A new instance, with the session row that its reports will be counted in."""
    stored = instance.stored
    yield from steps.insert_many(
        "container_instances",
        (
            "instance_id", "cluster", "status", "status_reason", "connected", "given_up", "membership_revision", "version",
            "registered_at", "connected_at", "disconnected_at", "credential_hash", "body",
        ),
        [
            (
                stored.instance_id, stored.cluster, stored.status, stored.status_reason, int(stored.connected),
                int(instance.given_up), membership, stored.version, stored.registered_at, stored.connected_at,
                stored.disconnected_at, instance.credential_hash, stored.body.SerializeToString(),
            )
        ],
    )  # fmt: skip
    yield from steps.insert_many(
        "instance_sessions",
        ("instance_id", "cluster", "epoch", "tracker_id", "process_id", "recorded_report", "running", "left_pending"),
        [(stored.instance_id, stored.cluster, 0, "", "", 0, 0, 0)],
    )


def update(instances: Sequence[container_instance.Stored], membership: int) -> steps.Step[None]:
    """Write body, status and version of instances that are locked."""
    yield from steps.update_many(
        "container_instances",
        ("instance_id",),
        ("status", "status_reason", "version", "membership_revision", "body"),
        [
            (
                stored.instance_id,
                stored.status,
                stored.status_reason,
                stored.version,
                membership,
                stored.body.SerializeToString(),
            )
            for stored in instances
        ],
    )


def usage(dialect: Dialect, ids: Sequence[str]) -> steps.Step[dict[str, container_instance.Usage]]:
    """What the tasks of these instances hold until they are released, and the counts, from the counters."""
    amounts = yield from steps.fetch(
        "SELECT i.instance_id, CAST(SUM(i.cpu) AS BIGINT) AS cpu, CAST(SUM(i.memory) AS BIGINT) AS memory"  # noqa: S608 - the dialect's own
        " FROM task_intents i LEFT JOIN task_observations o ON o.task_id = i.task_id"
        f" WHERE {dialect.member('i.instance_id', 1)} AND i.settled = 0 AND (o.released IS NULL OR o.released = 0)"
        " GROUP BY i.instance_id",
        list(ids),
    )
    taken = yield from steps.fetch(
        "SELECT i.instance_id, i.ports, i.resources, o.ports AS observed FROM task_intents i"  # noqa: S608 - the dialect's own
        " LEFT JOIN task_observations o ON o.task_id = i.task_id"
        f" WHERE {dialect.member('i.instance_id', 1)} AND i.settled = 0 AND (o.released IS NULL OR o.released = 0)"
        " AND (i.ports IS NOT NULL OR i.resources IS NOT NULL OR o.ports <> '')",
        list(ids),
    )
    counts = yield from steps.fetch(
        "SELECT s.instance_id, s.running, COALESCE(a.placed, 0) - s.left_pending AS pending"  # noqa: S608 - the dialect's own
        " FROM instance_sessions s LEFT JOIN assignments a ON a.instance_id = s.instance_id"
        f" WHERE {dialect.member('s.instance_id', 1)}",
        list(ids),
    )
    return _usage(ids, amounts, taken, counts)


def event(stored: container_instance.Stored, membership: int) -> event_pb2.ContainerInstanceEvent:
    """The event of a change that is written."""
    return event_pb2.ContainerInstanceEvent(
        container_instance_id=stored.instance_id,
        version=stored.version,
        status=stored.status,
        status_reason=stored.status_reason,
        agent_connected=stored.connected,
        membership_revision=membership,
    )


def _selected(dialect: Dialect, ids: Iterable[str], suffix: str) -> steps.Step[dict[str, Instance]]:
    rows = yield from steps.fetch(
        f"SELECT {_COLUMNS} FROM container_instances WHERE {dialect.member('instance_id', 1)} {suffix}",  # noqa: S608 - names from above
        list(ids),
    )
    return {row["instance_id"]: _instance(row) for row in rows}


def _instance(row: steps.Row) -> Instance:
    values = list(row)
    values[_BODY] = container_instance_pb2.ContainerInstance.FromString(values[_BODY])
    values[4] = bool(values[4])
    return Instance(container_instance.Stored(*values[:_SHOWN]), bool(values[_SHOWN]), bytes(values[_SHOWN + 1]))


def _usage(
    ids: Sequence[str], amounts: Sequence[steps.Row], taken: Sequence[steps.Row], counts: Sequence[steps.Row]
) -> dict[str, container_instance.Usage]:
    sums: Mapping[str, steps.Row] = {row["instance_id"]: row for row in amounts}
    counters: Mapping[str, steps.Row] = {row["instance_id"]: row for row in counts}
    used: dict[str, set[int]] = {}
    resources: dict[str, list[tuple[str, held.Amount]]] = {}
    for row in taken:
        mine = used.setdefault(row["instance_id"], set())
        mine.update(ports.from_column(row["ports"]))
        mine.update(ports.from_column(row["observed"]))
        resources.setdefault(row["instance_id"], []).extend(held.from_column(row["resources"]))
    return {
        instance_id: container_instance.Usage(
            cpu=sums[instance_id]["cpu"] if instance_id in sums else 0,
            memory=sums[instance_id]["memory"] if instance_id in sums else 0,
            tcp_ports=frozenset(ports.numbers(used.get(instance_id, ()), udp_ones=False)),
            udp_ports=frozenset(ports.numbers(used.get(instance_id, ()), udp_ones=True)),
            held={
                name: amount if isinstance(amount, int) else frozenset(amount)
                for name, amount in held.of(resources.get(instance_id, ()))
            },
            running=counters[instance_id]["running"] if instance_id in counters else 0,
            pending=counters[instance_id]["pending"] if instance_id in counters else 0,
        )
        for instance_id in ids
    }
