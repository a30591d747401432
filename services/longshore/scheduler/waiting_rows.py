"""The queue for capacity as rows, which the leader alone writes: steps of its transactions. docs/design/waiting.md."""

from collections.abc import Sequence
from dataclasses import dataclass

from longshore.storage import definitions, steps, waiting
from longshore.storage.dialect import Dialect
from longshore.v1 import cluster_pb2

PRIORITY_POINT_US = 60_000_000
"""What a point of priority counts for: a minute of waiting. So what has waited long enough goes before anything that comes."""

_REQUEST_COLUMNS = ("request_key", "cluster", "priority", "waiting_since", "deadline_at", "reason", "body")
_TASK_COLUMNS = ("task_id", "cluster", "request_key", "rank")


@dataclass(frozen=True, slots=True)
class Request:
    """A row of `waiting_requests`, with the tasks that still wait. Times are microseconds by the database's clock."""

    request_key: str
    priority: int
    since: int
    deadline: int
    reason: str
    body: bytes
    tasks: tuple[str, ...]

    @property
    def rank(self) -> int:
        """Its place in the order: the lowest first."""
        return self.since - self.priority * PRIORITY_POINT_US

    @property
    def place(self) -> waiting.Place:
        """What its tasks show; nobody has counted where they stand."""
        return waiting.Place(self.since, self.deadline, self.priority, self.reason)


@dataclass(frozen=True, slots=True)
class Loaded:
    """A cluster's queue as of one moment, `now`, with the definitions of its requests."""

    requests: tuple[Request, ...] = ()
    rows: tuple[definitions.Definition, ...] = ()
    now: int = 0


def load(dialect: Dialect, cluster: str) -> steps.Step[Loaded]:
    """Read a cluster's queue."""
    now = yield from steps.fetch_value(f"SELECT {dialect.now}")
    found = yield from steps.fetch(
        f"SELECT {', '.join(_REQUEST_COLUMNS)} FROM waiting_requests WHERE cluster = $1",  # noqa: S608 - our names
        cluster,
    )
    if not found:
        return Loaded(now=now)
    queued = yield from steps.fetch(
        "SELECT task_id, request_key FROM waiting_tasks WHERE cluster = $1 ORDER BY rank, task_id", cluster
    )
    tasks: dict[str, list[str]] = {}
    for row in queued:
        tasks.setdefault(row["request_key"], []).append(row["task_id"])
    requests = tuple(
        Request(
            row["request_key"],
            row["priority"],
            row["waiting_since"],
            row["deadline_at"],
            row["reason"],
            bytes(row["body"]),
            tuple(tasks.get(row["request_key"], ())),
        )
        for row in found
    )
    keys = yield from steps.fetch(
        "SELECT DISTINCT i.family, i.definition_revision FROM waiting_tasks t JOIN task_intents i ON i.task_id = t.task_id"
        " WHERE t.cluster = $1",
        cluster,
    )
    rows = yield from definitions.by_revisions(
        dialect, [definitions.Key(row["family"], row["definition_revision"]) for row in keys]
    )
    return Loaded(requests, tuple(rows.values()), now)


def insert(cluster: str, requests: Sequence[Request]) -> steps.Step[None]:
    """New requests, with all their tasks."""
    yield from steps.insert_many(
        "waiting_requests",
        _REQUEST_COLUMNS,
        [(one.request_key, cluster, one.priority, one.since, one.deadline, one.reason, one.body) for one in requests],
    )
    yield from steps.insert_many(
        "waiting_tasks",
        _TASK_COLUMNS,
        [(task_id, cluster, one.request_key, one.rank) for one in requests for task_id in one.tasks],
    )


def remove(dialect: Dialect, task_ids: Sequence[str]) -> steps.Step[None]:
    """Take tasks out of the queue, and the requests of which none is left."""
    if not task_ids:
        return
    # The requests first: of two transactions that take the last tasks of one, the later sees what the other has taken.
    rows = yield from steps.fetch(
        "SELECT request_key FROM waiting_requests WHERE request_key IN"  # noqa: S608 - the dialect's own
        f" (SELECT request_key FROM waiting_tasks WHERE {dialect.member('task_id', 1)})"
        f" ORDER BY request_key {dialect.exclusive_lock}",
        list(task_ids),
    )
    yield from steps.execute(
        f"DELETE FROM waiting_tasks WHERE {dialect.member('task_id', 1)}",  # noqa: S608 - the dialect's own
        list(task_ids),
    )
    yield from steps.execute(
        f"DELETE FROM waiting_requests WHERE {dialect.member('request_key', 1)}"  # noqa: S608 - the dialect's own
        " AND NOT EXISTS (SELECT 1 FROM waiting_tasks t WHERE t.request_key = waiting_requests.request_key)",
        [row["request_key"] for row in rows],
    )


def overdue(dialect: Dialect, keys: Sequence[str]) -> steps.Step[frozenset[str]]:
    """Which of these requests have passed their deadline."""
    if not keys:
        return frozenset()
    rows = yield from steps.fetch(
        f"SELECT request_key FROM waiting_requests WHERE {dialect.member('request_key', 1)} AND deadline_at <= {dialect.now}",  # noqa: S608 - the dialect's own
        list(keys),
    )
    return frozenset(row["request_key"] for row in rows)


def clusters_waiting() -> steps.Step[list[str]]:
    """ACTIVE clusters in which a task waits: somebody has to lead them."""
    rows = yield from steps.fetch(
        "SELECT DISTINCT r.cluster FROM waiting_requests r JOIN clusters c ON c.name = r.cluster AND c.status = $1"
        " ORDER BY r.cluster",
        cluster_pb2.CLUSTER_STATUS_ACTIVE,
    )
    return [row["cluster"] for row in rows]
