"""Who decides for a cluster: a lease in the database with a fencing epoch. Steps of transactions; the loops are in `leaders`.

Time is the database's clock alone. A process never concludes by itself that it leads or no longer leads: the row says so, at each
renewal and, under a lock that blocks a takeover, in each commit.
"""

import hashlib
from collections.abc import Collection, Mapping, Sequence
from dataclasses import dataclass

from longshore.rpc import errors
from longshore.storage import clusters, steps
from longshore.storage.dialect import Dialect
from longshore.v1 import cluster_pb2

FOR_GOOD_US = 100 * 365 * 24 * 3600 * 1_000_000
"""The lease of a scheduler that is alone by other means: a hundred years."""

COURTESY_US = 60 * 1_000_000
"""`leases.expires_at` is kept so far ahead, and renewed at half of it, for schedulers of a release that knows no other lease."""

RETRY_AFTER_MS = 100
"""Delay named to those who are refused while the leader changes."""


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
    session: int = 0
    """Of its holder; 0 where it has none."""


class Moved(errors.Unavailable):
    """The cluster was handed over before this request was taken up: whoever leads now has not heard of it."""


def lineage(holder: str) -> int:
    """The number of the line of assignments that a scheduler process writes: never 0, and another one for each process.

    Assignments are numbered on from what the database says. One that was restored gives the same numbers again, but never by the same process:
    so number and lineage together name an assignment (docs/design/agent-session.md).
    """
    return int.from_bytes(hashlib.sha256(holder.encode()).digest()[:7]) | 1


class Deposed(Exception):  # noqa: N818 - the name of the outcome; every caller handles it by name
    """Another epoch rules the cluster. The transaction that found out has written nothing."""

    def __init__(self, cluster: str, epoch: int) -> None:
        super().__init__(f"epoch {epoch} of cluster {cluster} is over")
        self.cluster = cluster
        self.epoch = epoch


def no_leader(cluster: str) -> errors.Unavailable:
    """What a caller is told while nobody can decide."""
    return errors.Unavailable(
        f"The scheduler of cluster {cluster} is changing; repeat the call in {RETRY_AFTER_MS} ms.",
        cluster=cluster,
        retry_after_ms=RETRY_AFTER_MS,
    )


def moved(cluster: str) -> Moved:
    """What the requests are told that wait when a cluster is handed over."""
    return Moved(
        f"The scheduler of cluster {cluster} has handed it over; repeat the call.", cluster=cluster, retry_after_ms=0
    )


def read(dialect: Dialect, cluster: str) -> steps.Step[Lease | None]:
    """The lease as it stands."""
    row = yield from steps.fetch_row(f"{_select(dialect)} WHERE l.cluster = $1", cluster)
    return None if row is None else _lease(row)


def read_all(dialect: Dialect, names: Sequence[str] = ()) -> steps.Step[list[Lease]]:
    """The leases of these clusters, or of all that ever had a leader, by name."""
    where = f"WHERE {dialect.member('l.cluster', 1)}" if names else ""
    rows = yield from steps.fetch(f"{_select(dialect)} {where} ORDER BY l.cluster", *([list(names)] if names else []))
    return [_lease(row) for row in rows]


def wanted(dialect: Dialect) -> steps.Step[list[Lease]]:
    """The leases of the clusters that need a leader: the ACTIVE ones. A deleted one needs nobody until it is made again and asked for."""
    rows = yield from steps.fetch(
        f"{_select(dialect)} JOIN clusters c ON c.name = l.cluster AND c.status = $1 ORDER BY l.cluster",
        cluster_pb2.CLUSTER_STATUS_ACTIVE,
    )
    return [_lease(row) for row in rows]


def held_by(dialect: Dialect, holder: str) -> steps.Step[Mapping[str, int]]:
    """What a scheduler leads, by cluster its epoch. Keeps what older releases go by in the future, twice a minute."""
    rows = yield from steps.fetch(
        f"SELECT cluster, epoch, CASE WHEN expires_at < {dialect.now} + $2 THEN 1 ELSE 0 END AS due FROM leases"  # noqa: S608 - the dialect's own
        " WHERE holder = $1 ORDER BY cluster",
        holder,
        COURTESY_US // 2,
    )
    if due := [row["cluster"] for row in rows if row["due"]]:
        yield from steps.execute(
            f"UPDATE leases SET expires_at = {dialect.now} + $2 WHERE holder = $1 AND {dialect.member('cluster', 3)}",  # noqa: S608 - the dialect's own
            holder,
            COURTESY_US,
            due,
        )
    return {row["cluster"]: row["epoch"] for row in rows}


def take_over(
    dialect: Dialect, cluster: str, candidate: Candidate, *, ended: Collection[int] = ()
) -> steps.Step[Lease]:
    """Take the lease if its holder's has run out, with the next epoch. Gives the lease that stands then, one's own or another's.

    `ended`: sessions that were seen to end; a holder whose session is one of them counts as gone. A lease that stands is not touched,
    not even locked, so that standbys cost its holder nothing. Waits for a commit of the last holder that is under way. Raises
    ClusterNotFoundException where there never was such a cluster.
    """
    if (yield from clusters.by_name(cluster)) is None:
        raise errors.ClusterNotFoundException("Cluster not found.", cluster=cluster)
    yield from steps.execute(
        "INSERT INTO leases (cluster, holder, address, epoch, expires_at) VALUES ($1, '', '', 0, 0)"
        " ON CONFLICT (cluster) DO NOTHING",
        cluster,
    )
    seen = yield from steps.fetch_value("SELECT epoch FROM leases WHERE cluster = $1", cluster)
    values = [cluster, candidate.holder, candidate.address, FOR_GOOD_US if candidate.alone else COURTESY_US, seen]
    condition = "TRUE"
    if not candidate.alone:
        holds = "SELECT 1 FROM schedulers s WHERE s.holder = leases.holder"
        session = dialect.member("s.session", 6, "bigint")
        condition = (
            f"NOT EXISTS ({holds} AND s.expires_at > {dialect.now} AND NOT {session})"
            f" AND (expires_at <= {dialect.now} OR EXISTS ({holds}))"
        )
        values.append(sorted(ended))
    # The epoch that was seen: whoever waited for the row behind another that took it must not take it from that one.
    yield from steps.execute(
        f"UPDATE leases SET holder = $2, address = $3, epoch = epoch + 1, expires_at = {dialect.now} + $4"  # noqa: S608 - the dialect's own
        f" WHERE cluster = $1 AND epoch = $5 AND {condition}",
        *values,
    )
    row = yield from steps.fetch_row(f"{_select(dialect)} WHERE l.cluster = $1", cluster)
    return _lease(row)


def hand_over(dialect: Dialect, cluster: str, epoch: int, candidate: Candidate, to: str) -> steps.Step[bool]:
    """Give one's lease to another scheduler, with the next epoch. False, and without effect, where it is not ours, or that one not alive."""
    moved = yield from steps.execute(
        "UPDATE leases SET holder = $4, epoch = epoch + 1,"  # noqa: S608 - the dialect's own
        f" address = (SELECT s.address FROM schedulers s WHERE s.holder = $4), expires_at = {dialect.now} + $5"
        " WHERE cluster = $1 AND holder = $2 AND epoch = $3 AND EXISTS"
        f" (SELECT 1 FROM schedulers s WHERE s.holder = $4 AND s.leaving = 0 AND s.expires_at > {dialect.now})",
        cluster,
        candidate.holder,
        epoch,
        to,
        COURTESY_US,
    )
    return moved == 1


def release(cluster: str, epoch: int, candidate: Candidate) -> steps.Step[None]:
    """Let a lease go, so that a standby need not wait. Without effect where it is another's."""
    yield from steps.execute(
        "UPDATE leases SET holder = '', expires_at = 0 WHERE cluster = $1 AND holder = $2 AND epoch = $3",
        cluster,
        candidate.holder,
        epoch,
    )


def resign(holder: str) -> steps.Step[None]:
    """Be gone, with all that one leads."""
    yield from steps.execute("DELETE FROM schedulers WHERE holder = $1", holder)
    yield from steps.execute("UPDATE leases SET holder = '', expires_at = 0 WHERE holder = $1", holder)


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
    """A lease stands while its holder's does; where the holder has none, being of an older release or gone, by its own time."""
    return (
        "SELECT l.cluster, l.holder, l.address, l.epoch, COALESCE(s.session, 0) AS session, CASE WHEN COALESCE(s.expires_at, l.expires_at)"  # noqa: S608 - the dialect's own
        f" <= {dialect.now} THEN 1 ELSE 0 END AS expired FROM leases l LEFT JOIN schedulers s ON s.holder = l.holder"
    )


def _lease(row: steps.Row | None) -> Lease:
    if row is None:
        raise LookupError("the lease vanished within its own transaction")
    return Lease(row["cluster"], row["holder"], row["address"], row["epoch"], bool(row["expired"]), row["session"])
