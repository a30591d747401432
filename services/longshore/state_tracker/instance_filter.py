"""The filter of ListContainerInstances: the cluster query language asked of rows, a chunk at a time."""

from collections.abc import Mapping, Sequence

from longshore.query import evaluation, syntax
from longshore.rpc import errors
from longshore.state_tracker import instance_rows
from longshore.storage import steps
from longshore.storage.dialect import Dialect
from longshore.views import container_instance

CHUNK = 500
"""Instances that are read at once."""


class _Facts:
    """An instance as an expression sees it."""

    def __init__(self, stored: container_instance.Stored) -> None:
        body = stored.body
        self.connected = stored.connected
        self.agent_version = body.version_info.agent_version
        self.ec2_instance_id = body.ec2_instance_id
        self.registered_at = stored.registered_at
        self.attributes: Mapping[str, str] = {attribute.name: attribute.value for attribute in body.attributes}


def read(text: str) -> evaluation.Query:
    """The expression of a request. Raises InvalidParameterException."""
    try:
        return evaluation.compiled(text)
    except syntax.QueryError as error:
        raise errors.InvalidParameterException(
            f"filter is no expression of the cluster query language: {error}."
        ) from None


def matching(
    dialect: Dialect, cluster: str, query: evaluation.Query, *, after: str, limit: int, status: int | None
) -> steps.Step[list[str]]:
    """Ids of the cluster's instances above `after` that an expression holds for, in order, so many at most."""
    found: list[str] = []
    while len(found) < limit:
        ids = yield from instance_rows.all_in(cluster, after, CHUNK, status)
        if not ids:
            break
        after = ids[-1]
        rows = yield from instance_rows.by_ids(dialect, ids)
        loads = (yield from _loads(dialect, ids)) if query.dynamic else {}
        found += [
            one for one in ids if one in rows and query.holds(_Facts(rows[one].stored), loads.get(one, evaluation.IDLE))
        ]
    return found[:limit]


def _loads(dialect: Dialect, ids: Sequence[str]) -> steps.Step[dict[str, evaluation.Load]]:
    """What runs on instances: tasks that are RUNNING, and the groups of those that hold resources."""
    held = yield from steps.fetch(
        "SELECT i.instance_id, i.group_name FROM task_intents i"  # noqa: S608 - the dialect's own
        " LEFT JOIN task_observations o ON o.task_id = i.task_id"
        f" WHERE {dialect.member('i.instance_id', 1)} AND i.settled = 0 AND (o.released IS NULL OR o.released = 0)"
        " GROUP BY i.instance_id, i.group_name",
        list(ids),
    )
    running = yield from steps.fetch(
        f"SELECT instance_id, running FROM instance_sessions WHERE {dialect.member('instance_id', 1)}",  # noqa: S608 - the dialect's own
        list(ids),
    )
    groups: dict[str, set[str]] = {}
    for row in held:
        groups.setdefault(row["instance_id"], set()).add(row["group_name"])
    return {
        row["instance_id"]: evaluation.Load(row["running"], groups.get(row["instance_id"], set())) for row in running
    }
