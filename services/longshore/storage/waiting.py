"""Tasks that wait for capacity as rows: where they stand, for the components that do not own them. Read-only; docs/design/waiting.md."""

from collections.abc import Sequence
from dataclasses import dataclass

from longshore.storage import steps
from longshore.storage.dialect import Dialect


@dataclass(frozen=True, slots=True)
class Place:
    """Where a task stands. Times are microseconds by the database's clock; position and length are 0 where nobody has counted."""

    since: int
    deadline: int
    priority: int
    reason: str
    position: int = 0
    length: int = 0


def places(dialect: Dialect, cluster: str, ids: Sequence[str]) -> steps.Step[dict[str, Place]]:
    """Where these tasks of a cluster stand; those that do not wait are left out. One pass over the cluster's queue at most."""
    rows = yield from steps.fetch(
        "SELECT t.task_id, r.waiting_since, r.deadline_at, r.priority, r.reason FROM waiting_tasks t"  # noqa: S608 - the dialect's own
        " JOIN waiting_requests r ON r.request_key = t.request_key"
        f" WHERE t.cluster = $1 AND {dialect.member('t.task_id', 2)}",
        cluster,
        list(ids),
    )
    if not rows:
        return {}
    counted = yield from steps.fetch(
        "SELECT task_id, position, length FROM (SELECT task_id, ROW_NUMBER() OVER (ORDER BY rank, task_id) AS position,"  # noqa: S608 - the dialect's own
        f" COUNT(*) OVER () AS length FROM waiting_tasks WHERE cluster = $1) q WHERE {dialect.member('task_id', 2)}",
        cluster,
        [row["task_id"] for row in rows],
    )
    standing = {row["task_id"]: (row["position"], row["length"]) for row in counted}
    return {
        row["task_id"]: Place(
            row["waiting_since"], row["deadline_at"], row["priority"], row["reason"], *standing.get(row["task_id"], ())
        )
        for row in rows
    }


def counts(dialect: Dialect, clusters: Sequence[str]) -> steps.Step[dict[str, int]]:
    """How many tasks of each of these clusters wait; those without any are left out."""
    rows = yield from steps.fetch(
        f"SELECT cluster, COUNT(*) AS tasks FROM waiting_tasks WHERE {dialect.member('cluster', 1)} GROUP BY cluster",  # noqa: S608 - the dialect's own
        list(clusters),
    )
    return {row["cluster"]: row["tasks"] for row in rows}
