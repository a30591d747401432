"""Clusters as rows: the statements by which the registry, their one writer, changes and reads them."""

from collections.abc import Sequence
from dataclasses import dataclass

from longshore.registry import cluster_changes, tagging
from longshore.rpc import errors
from longshore.storage import clusters, log, steps, waiting
from longshore.storage.dialect import Dialect
from longshore.v1 import cluster_pb2, common_pb2

_ACTIVE = cluster_pb2.CLUSTER_STATUS_ACTIVE
_INACTIVE = cluster_pb2.CLUSTER_STATUS_INACTIVE


@dataclass(frozen=True, slots=True)
class Counts:
    """The cluster's counters, kept by the commits that change what they count."""

    instances: int
    pending: int
    running: int
    services: int


@dataclass(frozen=True, slots=True)
class Counted:
    """A cluster with its counters."""

    cluster: clusters.Cluster
    counts: Counts


_COUNTED = (
    "SELECT c.name, c.status, c.created_at, c.body, h.registered_instances, h.pending_tasks, h.running_tasks, h.active_services"
    " FROM clusters c JOIN log_head h ON h.cluster = c.name"
)


def create(dialect: Dialect, made: cluster_pb2.Cluster) -> steps.Step[Counted]:
    """Make a cluster. One that is there is given back as it is; one that was deleted is made anew and goes on with its log.

    Raises InvalidParameterException where the one that is there was made otherwise.
    """
    name, body = made.cluster_name, made.SerializeToString()
    inserted = yield from steps.execute(
        f"INSERT INTO clusters (name, status, created_at, body) VALUES ($1, $2, {dialect.now}, $3)"  # noqa: S608 - the dialect's own
        " ON CONFLICT (name) DO NOTHING",
        name,
        _ACTIVE,
        body,
    )
    if inserted:
        yield from log.create(name)
    else:
        found = yield from _locked(dialect, name)
        if found.active:
            cluster_changes.agrees(found.record(), made)
        else:
            yield from steps.execute(
                f"UPDATE clusters SET status = $2, created_at = {dialect.now}, body = $3 WHERE name = $1",  # noqa: S608 - the dialect's own
                name,
                _ACTIVE,
                body,
            )
    counted = yield from by_names(dialect, (name,))
    return counted[name]


def change(dialect: Dialect, name: str, how: cluster_changes.Change) -> steps.Step[Counted]:
    """Change the record of an ACTIVE cluster."""
    cluster = yield from _locked(dialect, name)
    if not cluster.active:
        raise _not_found(name)
    record = cluster.record()
    how(record)
    yield from steps.execute("UPDATE clusters SET body = $2 WHERE name = $1", name, record.SerializeToString())
    counted = yield from by_names(dialect, (name,))
    return counted[name]


def delete(dialect: Dialect, name: str) -> steps.Step[Counted]:
    """Make a cluster INACTIVE. Its tags go with it, its settings stay.

    Whoever adds an instance or a task share-locks the cluster's row in the same transaction: so either their commit is before this
    lock and is counted here, or they find the cluster INACTIVE.
    """
    cluster = yield from _locked(dialect, name)
    if not cluster.active:
        raise _not_found(name)
    counted = yield from by_names(dialect, (name,))
    counts = counted[name].counts
    if counts.instances:
        raise errors.ClusterContainsContainerInstancesException(
            "The Cluster cannot be deleted while Container Instances are active or draining.",
            cluster=name,
            container_instances=counts.instances,
        )
    if counts.services:
        raise errors.ClusterContainsServicesException(
            "The Cluster cannot be deleted while Services are active.", cluster=name, services=counts.services
        )
    if counts.pending or counts.running:
        raise errors.ClusterContainsTasksException(
            "The Cluster cannot be deleted while Tasks are active.",
            cluster=name,
            pending_tasks=counts.pending,
            running_tasks=counts.running,
        )
    waits = (yield from waiting.counts(dialect, (name,))).get(name, 0)
    if waits:
        raise errors.ClusterContainsTasksException(
            "The Cluster cannot be deleted while Tasks are active.", cluster=name, waiting_tasks=waits
        )
    record = cluster.record()
    record.ClearField("tags")
    yield from steps.execute(
        "UPDATE clusters SET status = $2, body = $3 WHERE name = $1", name, _INACTIVE, record.SerializeToString()
    )
    counted = yield from by_names(dialect, (name,))
    return counted[name]


def by_names(dialect: Dialect, names: Sequence[str]) -> steps.Step[dict[str, Counted]]:
    """Clusters with their counters, whatever their status; unknown ones are left out."""
    rows = yield from steps.fetch(f"{_COUNTED} WHERE {dialect.member('c.name', 1)}", list(names))
    return {row["name"]: _counted(row) for row in rows}


def listed(after: str, limit: int) -> steps.Step[list[str]]:
    """Names of ACTIVE clusters above `after`, in order."""
    rows = yield from steps.fetch(
        "SELECT name FROM clusters WHERE status = $1 AND name > $2 ORDER BY name LIMIT $3", _ACTIVE, after, limit
    )
    return [row["name"] for row in rows]


def active(name: str) -> steps.Step[cluster_pb2.Cluster]:
    """The record of an ACTIVE cluster."""
    cluster = yield from clusters.by_name(name)
    if cluster is None or not cluster.active:
        raise _not_found(name)
    return cluster.record()


def tags(name: str) -> steps.Step[list[common_pb2.Tag]]:
    """The tags of an ACTIVE cluster."""
    record = yield from active(name)
    return list(record.tags)


def change_tags(dialect: Dialect, name: str, how: tagging.Change) -> steps.Step[None]:
    """Change the tags of an ACTIVE cluster."""

    def retag(record: cluster_pb2.Cluster) -> None:
        changed = how(list(record.tags))
        record.ClearField("tags")
        record.tags.extend(changed)

    yield from change(dialect, name, retag)


def _locked(dialect: Dialect, name: str) -> steps.Step[clusters.Cluster]:
    row = yield from steps.fetch_row(
        f"SELECT name, status, created_at, body FROM clusters WHERE name = $1 {dialect.exclusive_lock}",  # noqa: S608 - the dialect's own
        name,
    )
    if row is None:
        raise _not_found(name)
    return clusters.Cluster(*row)


def _counted(row: steps.Row) -> Counted:
    values = tuple(row)
    instances, pending, running, services = values[4:]
    return Counted(clusters.Cluster(*values[:4]), Counts(instances, pending, running, services))


def _not_found(name: str) -> errors.ClusterNotFoundException:
    return errors.ClusterNotFoundException("Cluster not found.", cluster=name)
