"""Task definitions as rows: the statements by which the registry, their one writer, changes and lists them.

Every change of a revision is made under the exclusive lock of its family's row, so its counters and its latest active revision are
always those of its revisions.
"""

from collections.abc import Collection, Sequence
from dataclasses import dataclass

from longshore.registry import tagging
from longshore.rpc import errors
from longshore.storage import definitions, steps
from longshore.storage.definitions import Key
from longshore.storage.dialect import Dialect
from longshore.v1 import common_pb2, task_definition_pb2

_ACTIVE = task_definition_pb2.TASK_DEFINITION_STATUS_ACTIVE
_INACTIVE = task_definition_pb2.TASK_DEFINITION_STATUS_INACTIVE
_DELETING = task_definition_pb2.TASK_DEFINITION_STATUS_DELETE_IN_PROGRESS

MAX_REVISIONS = 1_000_000
"""Revisions of one family, deregistered and deleted ones included."""

_AFTER_NAMES = "\x7f"
"""Sorts behind everything that a name can hold, and so ends the range of names with a prefix."""


@dataclass(frozen=True, slots=True)
class Filter:
    """What ListTaskDefinitions asks for."""

    status: task_definition_pb2.TaskDefinitionStatus.ValueType
    family: str
    """One family, or empty for all."""
    descending: bool


def register(
    dialect: Dialect, definition: task_definition_pb2.TaskDefinition, tags: bytes
) -> steps.Step[definitions.Definition]:
    """Store a definition as the next revision of its family, ACTIVE.

    Numbers are given out under the lock of the family's row, and never twice: the row stays when its revisions are deleted.
    """
    revision = yield from steps.fetch_value(
        "INSERT INTO task_definition_families (family, last_revision, active_revisions, latest_active) VALUES ($1, 1, 1, 1)"
        " ON CONFLICT (family) DO UPDATE SET last_revision = task_definition_families.last_revision + 1,"
        " active_revisions = task_definition_families.active_revisions + 1,"
        " latest_active = task_definition_families.last_revision + 1 RETURNING last_revision",
        definition.family,
    )
    if revision > MAX_REVISIONS:
        raise errors.LimitExceededException(
            f"The family {definition.family} has had {MAX_REVISIONS} revisions, which is the most.",
            family=definition.family,
        )
    body = task_definition_pb2.TaskDefinition()
    body.CopyFrom(definition)  # the caller's own is not touched: this may run again, with another number
    body.revision = revision
    packed = body.SerializeToString()
    registered_at = yield from steps.fetch_value(
        "INSERT INTO task_definitions (family, revision, status, registered_at, body, tags)"  # noqa: S608 - the dialect's own
        f" VALUES ($1, $2, $3, {dialect.now}, $4, $5) RETURNING registered_at",
        definition.family,
        revision,
        _ACTIVE,
        packed,
        tags,
    )
    return definitions.Definition(
        family=definition.family,
        revision=revision,
        status=_ACTIVE,
        registered_at=registered_at,
        deregistered_at=None,
        delete_requested_at=None,
        body=packed,
        tags=tags,
    )


def find(family: str, revision: int | None) -> steps.Step[definitions.Definition | None]:
    """One revision, or with None the newest ACTIVE one."""
    key = Key(family, revision) if revision is not None else (yield from definitions.latest_active(family))
    if key is None:
        return None
    found = yield from definitions.by_revision(key)
    return found


def deregister(dialect: Dialect, key: Key) -> steps.Step[definitions.Definition | None]:
    """Make a revision INACTIVE; one that is not ACTIVE is left as it is. None where there is none."""
    yield from _lock_families(dialect, (key.family,))
    changed = yield from steps.execute(
        f"UPDATE task_definitions SET status = $3, deregistered_at = {dialect.now}"  # noqa: S608 - the dialect's own
        " WHERE family = $1 AND revision = $2 AND status = $4",
        key.family,
        key.revision,
        _INACTIVE,
        _ACTIVE,
    )
    if changed:
        yield from steps.execute(
            "UPDATE task_definition_families SET active_revisions = active_revisions - 1, latest_active = coalesce("
            "(SELECT max(d.revision) FROM task_definitions d WHERE d.family = $1 AND d.status = $2), 0) WHERE family = $1",
            key.family,
            _ACTIVE,
        )
    found = yield from definitions.by_revision(key)
    return found


def request_deletion(dialect: Dialect, keys: Collection[Key]) -> steps.Step[dict[Key, definitions.Definition]]:
    """Mark the INACTIVE ones among some revisions for deletion. Gives all that exist, as they then are."""
    yield from _lock_families(dialect, {key.family for key in keys})
    for key in sorted(keys):
        yield from steps.execute(
            f"UPDATE task_definitions SET status = $3, delete_requested_at = {dialect.now}"  # noqa: S608 - the dialect's own
            " WHERE family = $1 AND revision = $2 AND status = $4",
            key.family,
            key.revision,
            _DELETING,
            _INACTIVE,
        )
    found = yield from definitions.by_revisions(dialect, keys)
    return found


def deletable(limit: int) -> steps.Step[list[Key]]:
    """Revisions that are marked for deletion and that no unsettled task is of."""
    # The list of used ones is made once for all candidates, from the index over what is live.
    rows = yield from steps.fetch(
        "SELECT d.family, d.revision FROM task_definitions d WHERE d.status = $1 AND (d.family, d.revision) NOT IN"
        " (SELECT t.family, t.definition_revision FROM task_intents t WHERE t.settled = 0)"
        " ORDER BY d.family, d.revision LIMIT $2",
        _DELETING,
        limit,
    )
    return [Key(row["family"], row["revision"]) for row in rows]


def remove(keys: Sequence[Key]) -> steps.Step[int]:
    """Delete revisions that are marked for deletion; gives how many there still were. Their family keeps its last number."""
    removed = 0
    for key in sorted(keys):
        removed += yield from steps.execute(
            "DELETE FROM task_definitions WHERE family = $1 AND revision = $2 AND status = $3",
            key.family,
            key.revision,
            _DELETING,
        )
    return removed


def listed(wanted: Filter, after: Key | None, limit: int) -> steps.Step[list[Key]]:
    """Revisions by family and revision, in order, from the first one behind `after`."""
    beyond, order = ("<", "DESC") if wanted.descending else (">", "ASC")
    conditions = ["status = $1"]
    arguments: list[object] = [wanted.status, limit]
    if wanted.family:
        arguments.append(wanted.family)
        conditions.append(f"family = ${len(arguments)}")
    if after is not None:
        arguments += [after.family, after.revision]
        conditions.append(f"(family, revision) {beyond} (${len(arguments) - 1}, ${len(arguments)})")
    rows = yield from steps.fetch(
        f"SELECT family, revision FROM task_definitions WHERE {' AND '.join(conditions)}"  # noqa: S608 - from above
        f" ORDER BY family {order}, revision {order} LIMIT $2",
        *arguments,
    )
    return [Key(row["family"], row["revision"]) for row in rows]


def families(prefix: str, active: bool | None, after: str, limit: int) -> steps.Step[list[str]]:  # noqa: FBT001 - three values
    """Families that have revisions, with or without ACTIVE ones (None: either), by name from the first one behind `after`."""
    condition = {None: "", True: " AND f.active_revisions > 0", False: " AND f.active_revisions = 0"}[active]
    rows = yield from steps.fetch(
        "SELECT f.family FROM task_definition_families f WHERE f.family > $1 AND f.family >= $2 AND f.family < $3"  # noqa: S608
        f"{condition} AND EXISTS (SELECT 1 FROM task_definitions d WHERE d.family = f.family) ORDER BY f.family LIMIT $4",
        after,
        prefix,
        prefix + _AFTER_NAMES,
        limit,
    )
    return [row["family"] for row in rows]


def tags(key: Key) -> steps.Step[list[common_pb2.Tag]]:
    """The tags of a revision."""
    column = yield from steps.fetch_value(
        "SELECT tags FROM task_definitions WHERE family = $1 AND revision = $2", key.family, key.revision
    )
    if column is None:
        raise _not_found(key)
    return tagging.unpacked(column)


def change_tags(dialect: Dialect, key: Key, change: tagging.Change) -> steps.Step[None]:
    """Change the tags of a revision."""
    column = yield from steps.fetch_value(
        f"SELECT tags FROM task_definitions WHERE family = $1 AND revision = $2 {dialect.exclusive_lock}",  # noqa: S608 - the dialect's own
        key.family,
        key.revision,
    )
    if column is None:
        raise _not_found(key)
    yield from steps.execute(
        "UPDATE task_definitions SET tags = $3 WHERE family = $1 AND revision = $2",
        key.family,
        key.revision,
        tagging.packed(change(tagging.unpacked(column))),
    )


def _lock_families(dialect: Dialect, names: Collection[str]) -> steps.Step[None]:
    yield from steps.fetch(
        f"SELECT family FROM task_definition_families WHERE {dialect.member('family', 1)} ORDER BY family {dialect.exclusive_lock}",  # noqa: S608 - the dialect's own
        sorted(names),
    )


def _not_found(key: Key) -> errors.ResourceNotFoundException:
    return errors.ResourceNotFoundException(
        f"The task definition {key.family}:{key.revision} does not exist.",
        task_definition=f"{key.family}:{key.revision}",
    )
