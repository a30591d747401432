"""Clusters as rows, for the components that do not own them. Read-only."""

from dataclasses import dataclass

from longshore.storage import steps
from longshore.storage.dialect import Dialect
from longshore.v1 import cluster_pb2


@dataclass(frozen=True, slots=True)
class Cluster:
    """A row of `clusters`. A deleted cluster keeps its row, INACTIVE."""

    name: str
    status: cluster_pb2.ClusterStatus.ValueType
    created_at: int
    body: bytes

    @property
    def active(self) -> bool:
        """Whether work may be given to it."""
        return self.status == cluster_pb2.CLUSTER_STATUS_ACTIVE

    def record(self) -> cluster_pb2.Cluster:
        """The body, parsed at each call."""
        return cluster_pb2.Cluster.FromString(self.body)


def by_name(name: str) -> steps.Step[Cluster | None]:
    """The cluster, whatever its status; None where there never was one."""
    row = yield from steps.fetch_row(_BY_NAME, name)
    return Cluster(*row) if row is not None else None


def locked(dialect: Dialect, name: str) -> steps.Step[Cluster | None]:
    """The same under a share lock: until the commit it is neither changed nor deleted. For write transactions."""
    row = yield from steps.fetch_row(f"{_BY_NAME} {dialect.share_lock}", name)
    return Cluster(*row) if row is not None else None


def names_active() -> steps.Step[list[str]]:
    """Names of all ACTIVE clusters, in order."""
    rows = yield from steps.fetch(
        "SELECT name FROM clusters WHERE status = $1 ORDER BY name", cluster_pb2.CLUSTER_STATUS_ACTIVE
    )
    return [row["name"] for row in rows]


_BY_NAME = "SELECT name, status, created_at, body FROM clusters WHERE name = $1"
