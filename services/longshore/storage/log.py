"""The event log of a cluster, in commit order and without gaps.

A commit that has something to tell writes its own rows first, then calls `take`, which locks the cluster's head until the
commit, reads what only moves under that lock, builds its events and calls `append`. So the order of the sequence numbers is the
order of the commits, in both engines, and a number that was taken by a transaction that failed is given again.
"""

from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass

from longshore.storage import errors, steps
from longshore.storage.dialect import Dialect
from longshore.v1 import event_pb2

_MICROSECONDS = 1_000_000


@dataclass(frozen=True, slots=True)
class Counts:
    """What a commit adds to (or, negative, takes from) the cluster's counters.

    `stopped` counts the tasks that are kept after their end, so that history can be bounded without counting rows.
    """

    pending: int = 0
    running: int = 0
    instances: int = 0
    stopped: int = 0


NO_COUNTS = Counts()


@dataclass(frozen=True, slots=True)
class Head:
    """Numbers a commit took: its events are `previous + 1` to `sequence`, all at `now` by the database's clock."""

    previous: int
    sequence: int
    now: int


def create(cluster: str) -> steps.Step[None]:
    """Give a new cluster its log. Without effect where it has one: a cluster that was deleted and is made again goes on with it."""
    yield from steps.execute(
        "INSERT INTO log_head (cluster, sequence, pruned_sequence, registered_instances, pending_tasks, running_tasks,"
        " active_services) VALUES ($1, 0, 0, 0, 0, 0, 0) ON CONFLICT (cluster) DO NOTHING",
        cluster,
    )


def take(dialect: Dialect, cluster: str, count: int, counts: Counts = NO_COUNTS) -> steps.Step[Head]:
    """Take the next `count` sequence numbers and move the counters; the head stays locked until the commit."""
    row = yield from steps.fetch_row(
        "UPDATE log_head SET sequence = sequence + $2, pending_tasks = pending_tasks + $3, running_tasks = running_tasks + $4,"  # noqa: S608 - the dialect's own
        " registered_instances = registered_instances + $5, stopped_tasks = stopped_tasks + $6"
        f" WHERE cluster = $1 RETURNING sequence, {dialect.now} AS now",
        cluster,
        count,
        counts.pending,
        counts.running,
        counts.instances,
        counts.stopped,
    )
    if row is None:
        raise errors.NoLog(cluster)
    return Head(previous=row["sequence"] - count, sequence=row["sequence"], now=row["now"])


def append(cluster: str, head: Head, events: Sequence[event_pb2.Event]) -> steps.Step[None]:
    """Stamp the events with their sequence and time, and insert them. Exactly as many as were taken, or the log had a gap."""
    if len(events) != head.sequence - head.previous:
        raise ValueError(f"{head.sequence - head.previous} sequence numbers were taken for {len(events)} events")
    for sequence, event in enumerate(events, start=head.previous + 1):
        event.sequence = sequence
        event.at.seconds, event.at.nanos = head.now // _MICROSECONDS, head.now % _MICROSECONDS * 1000
    yield from steps.insert_many(
        "events",
        ("cluster", "sequence", "at", "body"),
        [(cluster, event.sequence, head.now, event.SerializeToString()) for event in events],
    )


def read_after(cluster: str, sequence: int, limit: int) -> steps.Step[list[event_pb2.Event]]:
    """Up to `limit` events after `sequence`, oldest first. Raises CursorPruned where some of them are gone."""
    rows = yield from steps.fetch(
        "SELECT body FROM events WHERE cluster = $1 AND sequence > $2 ORDER BY sequence LIMIT $3",
        cluster,
        sequence,
        limit,
    )
    # After the events: if a prune commits in between, this says so, where the other order would leave a silent gap.
    pruned = yield from steps.fetch_value("SELECT pruned_sequence FROM log_head WHERE cluster = $1", cluster)
    if pruned is None:
        raise errors.NoLog(cluster)
    if sequence < pruned:
        raise errors.CursorPruned(cluster=cluster, cursor=sequence, oldest=pruned)
    return [event_pb2.Event.FromString(row["body"]) for row in rows]


def sequence_of(cluster: str) -> steps.Step[int]:
    """Sequence number of the cluster's newest event, 0 before the first."""
    sequence: int | None = yield from steps.fetch_value("SELECT sequence FROM log_head WHERE cluster = $1", cluster)
    if sequence is None:
        raise errors.NoLog(cluster)
    return sequence


def sequences_of(dialect: Dialect, clusters: Iterable[str]) -> steps.Step[dict[str, int]]:
    """Sequence number of the newest event of each of the clusters; those without a log are left out."""
    rows = yield from steps.fetch(
        f"SELECT cluster, sequence FROM log_head WHERE {dialect.member('cluster', 1)}",  # noqa: S608 - the dialect's own
        list(clusters),
    )
    return {row["cluster"]: row["sequence"] for row in rows}


def forgotten(stopped: Mapping[str, int]) -> steps.Step[None]:
    """Take stopped tasks that were deleted off the clusters' counts. Never below zero: a release before this one did not count."""
    for cluster, tasks in sorted(stopped.items()):
        yield from steps.execute(
            "UPDATE log_head SET stopped_tasks = CASE WHEN stopped_tasks > $2 THEN stopped_tasks - $2 ELSE 0 END"
            " WHERE cluster = $1",
            cluster,
            tasks,
        )


def prune(cluster: str, before: int, limit: int) -> steps.Step[int]:
    """Delete up to `limit` of the oldest events, those committed before the time `before`; gives how many.

    The head is touched last, so that commits which want it wait for nothing but this transaction's own commit.
    """
    rows = yield from steps.fetch(
        "SELECT sequence, at FROM events WHERE cluster = $1 ORDER BY sequence LIMIT $2", cluster, limit
    )
    through = 0
    for row in rows:  # a prefix only, also where the clock once stepped back: what remains must have no gap
        if row["at"] >= before:
            break
        through = row["sequence"]
    if not through:
        return 0
    deleted = yield from steps.execute("DELETE FROM events WHERE cluster = $1 AND sequence <= $2", cluster, through)
    yield from steps.execute(
        "UPDATE log_head SET pruned_sequence = $2 WHERE cluster = $1 AND pruned_sequence < $2", cluster, through
    )
    return deleted
