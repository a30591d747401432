"""Who decides for a cluster: a lease in the database with a fencing epoch. Steps of transactions; the loops are in `leaders`.

Time is the database's clock alone. A process never concludes by itself that it leads or no longer leads: the row says so, at each
renewal and, under a lock that blocks a takeover, in each commit.
"""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass

from longshore.rpc import errors
from longshore.storage import clusters, steps
from longshore.storage.dialect import Dialect
from longshore.v1 import cluster_pb2

FOR_GOOD_US = 100 * 365 * 24 * 3600 * 1_000_000
"""The lease of a scheduler that is alone by other means: a hundred years."""


@dataclass(frozen=True, slots=True)
class Candidate:
    """A scheduler process that may lead. `alone`: nobody else can be alive on this database, so a lease that stands is a dead one's."""

    holder: str
    address: str
    lease_us: int
    alone: bool = False


@dataclass(frozen=True, slots=True)
class Lease:
    """A row of `leases`, judged by the database's clock at the time of reading."""

    cluster: str
    holder: str
    address: str
    epoch: int
    expired: bool


class Deposed(Exception):  # noqa: N818 - the name of the outcome; every caller handles it by name
    """Another epoch rules the cluster. The transaction that found out has written nothing."""

    def __init__(self, cluster: str, epoch: int) -> None:
        super().__init__(f"epoch {epoch} of cluster {cluster} is over")
        self.cluster = cluster
        self.epoch = epoch


def no_leader(cluster: str) -> errors.Unavailable:
    """What a caller is told while nobody can decide."""
    return errors.Unavailable(f"The scheduler of cluster {cluster} is changing; repeat the call.", cluster=cluster)


def read(dialect: Dialect, cluster: str) -> steps.Step[Lease | None]:
    """The lease as it stands."""
    row = yield from steps.fetch_row(f"{_select(dialect)} WHERE cluster = $1", cluster)
    return None if row is None else _lease(row)


def read_all(dialect: Dialect, names: Sequence[str] = ()) -> steps.Step[list[Lease]]:
    """The leases of these clusters, or of all that ever had a leader, by name."""
    where = f"WHERE {dialect.member('cluster', 1)}" if names else ""
    rows = yield from steps.fetch(f"{_select(dialect)} {where} ORDER BY cluster", *([list(names)] if names else []))
    return [_lease(row) for row in rows]


def lapsed(dialect: Dialect, limit: int) -> steps.Step[list[str]]:
    """ACTIVE clusters whose lease has run out. A deleted one needs nobody until it is made again and asked for."""
    rows = yield from steps.fetch(
        "SELECT l.cluster FROM leases l JOIN clusters c ON c.name = l.cluster AND c.status = $2"  # noqa: S608 - the dialect's own
        f" WHERE l.expires_at <= {dialect.now} ORDER BY l.expires_at, l.cluster LIMIT $1",
        limit,
        cluster_pb2.CLUSTER_STATUS_ACTIVE,
    )
    return [row["cluster"] for row in rows]


def take_over(dialect: Dialect, cluster: str, candidate: Candidate) -> steps.Step[Lease]:
    """Take the lease if it has run out, with the next epoch. Gives the lease that stands then, one's own or another's.

    A lease that has not run out is not touched, not even locked, so that standbys cost its holder nothing. Waits for a commit of
    the last holder that is under way. Raises ClusterNotFoundException where there never was such a cluster.
    """
    if (yield from clusters.by_name(cluster)) is None:
        raise errors.ClusterNotFoundException("Cluster not found.", cluster=cluster)
    yield from steps.execute(
        "INSERT INTO leases (cluster, holder, address, epoch, expires_at) VALUES ($1, '', '', 0, 0)"
        " ON CONFLICT (cluster) DO NOTHING",
        cluster,
    )
    free = "TRUE" if candidate.alone else f"expires_at <= {dialect.now}"
    yield from steps.execute(
        f"UPDATE leases SET holder = $2, address = $3, epoch = epoch + 1, expires_at = {dialect.now} + $4"  # noqa: S608 - the dialect's own
        f" WHERE cluster = $1 AND {free}",
        cluster,
        candidate.holder,
        candidate.address,
        FOR_GOOD_US if candidate.alone else candidate.lease_us,
    )
    row = yield from steps.fetch_row(f"{_select(dialect)} WHERE cluster = $1", cluster)
    return _lease(row)


def renew(dialect: Dialect, held: Mapping[str, int], candidate: Candidate) -> steps.Step[frozenset[str]]:
    """Renew leases, given with their epochs; gives the clusters whose lease is still ours.

    One that has lapsed meanwhile, with nobody to take it, goes on as if nothing had happened.
    """
    rows = yield from steps.fetch(
        f"UPDATE leases SET expires_at = {dialect.now} + $2 WHERE holder = $1 AND {dialect.member('cluster', 3)}"  # noqa: S608 - the dialect's own
        " RETURNING cluster, epoch",
        candidate.holder,
        candidate.lease_us,
        sorted(held),
    )
    return frozenset(row["cluster"] for row in rows if held.get(row["cluster"]) == row["epoch"])


def release(cluster: str, epoch: int, candidate: Candidate) -> steps.Step[None]:
    """Let a lease run out now, so that a standby need not wait. Without effect where it is another's."""
    yield from steps.execute(
        "UPDATE leases SET expires_at = 0 WHERE cluster = $1 AND holder = $2 AND epoch = $3",
        cluster,
        candidate.holder,
        epoch,
    )


def hold(dialect: Dialect, cluster: str, holder: str, epoch: int) -> steps.Step[int]:
    """First step of whatever only the leader may commit: nobody takes over until then. Gives the time; raises Deposed."""
    row = yield from steps.fetch_row(
        f"SELECT {dialect.now} AS now FROM leases WHERE cluster = $1 AND holder = $2 AND epoch = $3 {dialect.share_lock}",  # noqa: S608 - the dialect's own
        cluster,
        holder,
        epoch,
    )
    if row is None:
        raise Deposed(cluster, epoch)
    now: int = row["now"]
    return now


def quiesce(dialect: Dialect, cluster: str) -> steps.Step[None]:
    """Wait until every transaction that holds this cluster's lease is over, one whose outcome nobody heard included.

    For write transactions: what is read afterwards, in this one or later, is all that those have done.
    """
    yield from steps.fetch(f"SELECT epoch FROM leases WHERE cluster = $1 {dialect.exclusive_lock}", cluster)  # noqa: S608 - the dialect's own


def _select(dialect: Dialect) -> str:
    return f"SELECT cluster, holder, address, epoch, CASE WHEN expires_at <= {dialect.now} THEN 1 ELSE 0 END AS expired FROM leases"  # noqa: S608 - the dialect's own


def _lease(row: steps.Row | None) -> Lease:
    if row is None:
        raise LookupError("the lease vanished within its own transaction")
    return Lease(row["cluster"], row["holder"], row["address"], row["epoch"], bool(row["expired"]))
