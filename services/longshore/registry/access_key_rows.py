"""Access keys as rows: the statements by which the registry, their one writer, changes and reads them."""

from collections.abc import Collection
from dataclasses import dataclass

from longshore.registry import sealing
from longshore.rpc import errors
from longshore.storage import steps
from longshore.storage.dialect import Dialect
from longshore.v1 import account_pb2, options_pb2
from longshore.views import times

MAX_KEYS = 1_000


@dataclass(frozen=True, slots=True)
class AccessKey:
    """A row of `access_keys` without its sealed secret."""

    access_key_id: str
    name: str
    role: options_pb2.Role.ValueType
    created_at: int
    created_by: str

    def message(self) -> account_pb2.AccessKey:
        """The key as it is shown."""
        return account_pb2.AccessKey(
            access_key_id=self.access_key_id,
            name=self.name,
            role=self.role,
            created_at=times.timestamp(self.created_at),
            created_by=self.created_by,
        )


@dataclass(frozen=True, slots=True)
class New:
    """A key to be made."""

    access_key_id: str
    name: str
    role: options_pb2.Role.ValueType
    created_by: str
    sealed: sealing.Sealed


_COLUMNS = "access_key_id, name, role, created_at, created_by"


def create(dialect: Dialect, new: New, opened_here: Collection[str]) -> steps.Step[AccessKey]:
    """Make a key; `opened_here` are the fingerprints of the seal keys at hand. Raises LimitExceededException after MAX_KEYS."""
    count = yield from _count(1)
    if count > MAX_KEYS:
        raise errors.LimitExceededException(
            f"There are {MAX_KEYS} access keys, which is all that there can be; delete one first.", limit=MAX_KEYS
        )
    foreign = yield from steps.fetch_row(
        "SELECT seal, count(*) FROM access_keys"  # noqa: S608 - the dialect's own
        f" WHERE NOT ({dialect.member('seal', 1)}) GROUP BY seal ORDER BY seal LIMIT 1",
        list(opened_here),
    )
    if foreign is not None:
        seal, keys = foreign
        raise errors.ServerException(
            f"{keys} access keys are sealed under the seal key {seal}, which this registry does not have (it has"
            f" {' and '.join(opened_here)}): give every registry the same LONGSHORE_SEAL_KEY_FILE, or delete those keys first.",
            sealed_under=seal,
        )
    row = yield from steps.fetch_row(
        f"INSERT INTO access_keys ({_COLUMNS}, seal, sealed_secret)"  # noqa: S608 - the dialect's own
        f" VALUES ($1, $2, $3, {dialect.now}, $4, $5, $6) RETURNING {_COLUMNS}",
        new.access_key_id,
        new.name,
        new.role,
        new.created_by,
        new.sealed.seal,
        new.sealed.box,
    )
    assert row is not None  # noqa: S101 - an INSERT that raised nothing
    return AccessKey(*row)


def delete(access_key_id: str) -> steps.Step[AccessKey]:
    """Delete a key. Raises ResourceNotFoundException."""
    yield from _count(-1)  # taken back with all of the transaction where there is no such key
    row = yield from steps.fetch_row(
        f"DELETE FROM access_keys WHERE access_key_id = $1 RETURNING {_COLUMNS}",  # noqa: S608 - our own columns
        access_key_id,
    )
    if row is None:
        raise not_found(access_key_id)
    return AccessKey(*row)


def listed(after: str, limit: int) -> steps.Step[list[AccessKey]]:
    """Keys with ids above `after`, in order."""
    rows = yield from steps.fetch(
        f"SELECT {_COLUMNS} FROM access_keys WHERE access_key_id > $1 ORDER BY access_key_id LIMIT $2",  # noqa: S608 - our own columns
        after,
        limit,
    )
    return [AccessKey(*row) for row in rows]


def with_secret(access_key_id: str) -> steps.Step[tuple[AccessKey, sealing.Sealed]]:
    """A key and its sealed secret. Raises ResourceNotFoundException."""
    row = yield from steps.fetch_row(
        f"SELECT {_COLUMNS}, seal, sealed_secret FROM access_keys WHERE access_key_id = $1",  # noqa: S608 - our own columns
        access_key_id,
    )
    if row is None:
        raise not_found(access_key_id)
    *key, seal, box = row
    return AccessKey(*key), sealing.Sealed(seal, bytes(box))


def name_of(access_key_id: str) -> steps.Step[str | None]:
    """What people call a key; None where there is none of this id (any more)."""
    name: str | None = yield from steps.fetch_value(
        "SELECT name FROM access_keys WHERE access_key_id = $1", access_key_id
    )
    return name


def count() -> steps.Step[int]:
    """How many keys there are."""
    found: int = yield from steps.fetch_value("SELECT access_keys FROM access_key_count WHERE id = 1")
    return found


def not_found(access_key_id: str) -> errors.ResourceNotFoundException:
    """What is told of a key that is not there."""
    return errors.ResourceNotFoundException(f"There is no access key {access_key_id}.", access_key_id=access_key_id)


def _count(change: int) -> steps.Step[int]:
    """Change the count; until the commit nobody else makes or deletes a key."""
    counted: int = yield from steps.fetch_value(
        "UPDATE access_key_count SET access_keys = access_keys + $1 WHERE id = 1 RETURNING access_keys", change
    )
    return counted
