"""Client tokens: what was answered to a request is answered again to its repetition, for a day.

A row is found before the request is decided and inserted by the commit that acts on it. One leader with one commit in flight, behind
the fence, makes that safe; the primary key would refuse what slipped through all the same.
"""

import hashlib
from collections import defaultdict
from collections.abc import Iterable, Sequence
from dataclasses import dataclass

from google.protobuf.message import Message

from longshore.storage import steps
from longshore.storage.dialect import Dialect

KEPT_US = 24 * 3600 * 1_000_000
"""How long ECS remembers a token: 24 hours."""

PRUNED_AT_ONCE = 1_000
"""Rows that one pruning transaction removes, so that commits never wait long for it."""

_TABLE = "client_tokens"


@dataclass(frozen=True, slots=True, order=True)
class Key:
    """What a token is unique by."""

    principal: str
    operation: str
    cluster: str
    token: str


@dataclass(frozen=True, slots=True)
class Remembered:
    """What was answered, to a request with this fingerprint."""

    fingerprint: bytes
    answer: bytes


def fingerprint(request: Message, region: str) -> bytes:
    """Equal for equal requests from one region, whatever their tokens: the answer that is remembered has that region's ARNs."""
    copy = type(request)()
    copy.CopyFrom(request)
    copy.ClearField("client_token")
    return hashlib.sha256(region.encode() + b"\0" + copy.SerializeToString(deterministic=True)).digest()


def find(dialect: Dialect, keys: Iterable[Key]) -> steps.Step[dict[Key, Remembered]]:
    """What is remembered under these keys; tokens older than a day count as unknown."""
    found: dict[Key, Remembered] = {}
    for (principal, operation, cluster), names in _by_owner(keys).items():
        rows = yield from steps.fetch(
            f"SELECT token, request_hash, answer FROM {_TABLE} WHERE principal = $1 AND operation = $2 AND cluster = $3"  # noqa: S608 - the dialect's own
            f" AND {dialect.member('token', 4)} AND created_at > {dialect.now} - {KEPT_US}",
            principal,
            operation,
            cluster,
            names,
        )
        for row in rows:
            key = Key(principal, operation, cluster, row["token"])
            found[key] = Remembered(bytes(row["request_hash"]), bytes(row["answer"]))
    return found


def insert(dialect: Dialect, new: Sequence[tuple[Key, Remembered]], now: int) -> steps.Step[None]:
    """Remember answers, in place of those that are more than a day old."""
    for (principal, operation, cluster), names in _by_owner(key for key, _ in new).items():
        yield from steps.execute(
            f"DELETE FROM {_TABLE} WHERE principal = $1 AND operation = $2 AND cluster = $3"  # noqa: S608 - the dialect's own
            f" AND {dialect.member('token', 4)} AND created_at <= $5",
            principal,
            operation,
            cluster,
            names,
            now - KEPT_US,
        )
    yield from steps.insert_many(
        _TABLE,
        ("principal", "operation", "cluster", "token", "request_hash", "answer", "created_at"),
        [
            (key.principal, key.operation, key.cluster, key.token, kept.fingerprint, kept.answer, now)
            for key, kept in sorted(new, key=lambda pair: pair[0])
        ],
    )


def prune(dialect: Dialect) -> steps.Step[int]:
    """Remove some of the tokens that are more than a day old; gives how many."""
    oldest = yield from steps.fetch(
        f"SELECT created_at FROM {_TABLE} WHERE created_at <= {dialect.now} - {KEPT_US} ORDER BY created_at LIMIT $1",  # noqa: S608 - the dialect's own
        PRUNED_AT_ONCE,
    )
    if not oldest:
        return 0
    return (yield from steps.execute(f"DELETE FROM {_TABLE} WHERE created_at <= $1", oldest[-1]["created_at"]))  # noqa: S608 - our name


def _by_owner(keys: Iterable[Key]) -> dict[tuple[str, str, str], list[str]]:
    owners: defaultdict[tuple[str, str, str], list[str]] = defaultdict(list)
    for key in sorted(keys):
        owners[key.principal, key.operation, key.cluster].append(key.token)
    return owners
