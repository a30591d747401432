"""What must be known of a request before it is queued: its definition, and whether its token was answered already.

Bodies of revisions never change and are cached; families, tags and tokens are read. Requests that wait together are read together: one
snapshot of the database for all that came while the one before was under way.
"""

import asyncio
from collections.abc import Sequence
from dataclasses import dataclass

from longshore.rpc import errors
from longshore.scheduler import definition_rules, tokens
from longshore.storage import definitions, steps
from longshore.storage import errors as storage_errors
from longshore.storage.database import Database
from longshore.storage.dialect import Dialect
from longshore.v1 import registry_service_pb2, task_definition_pb2

READ_AT_ONCE = 256
"""Look-ups of one transaction."""


@dataclass(frozen=True, slots=True)
class Wish:
    """What one request wants to know. `revision` None: the latest ACTIVE one; `token` None: it has none."""

    family: str
    revision: int | None
    token: tokens.Key | None = None
    tags: bool = False


@dataclass(frozen=True, slots=True)
class Found:
    """What is known. `remembered` was answered to the token, and then the rest is not looked at."""

    key: definitions.Key | None
    body: task_definition_pb2.TaskDefinition | None = None
    tags: tuple[tuple[str, str], ...] = ()
    remembered: tokens.Remembered | None = None


@dataclass(frozen=True, slots=True)
class _Read:
    """Rows for a group of wishes."""

    latest: dict[str, definitions.Key | None]
    rows: dict[definitions.Key, definitions.Definition]
    remembered: dict[tokens.Key, tokens.Remembered]


class Lookups:
    """Answers wishes. `run` is its loop."""

    def __init__(self, database: Database, bodies: definitions.Bodies) -> None:
        self._database = database
        self._bodies = bodies
        self._waiting: list[tuple[Wish, asyncio.Future[Found]]] = []
        self._added = asyncio.Event()

    async def find(self, wish: Wish) -> Found:
        """What a request wants to know. Raises ClientException where there is no such definition, and Unavailable."""
        if wish.revision is not None and wish.token is None and not wish.tags:
            key = definitions.Key(wish.family, wish.revision)
            body = self._bodies.get(key)
            if body is not None:
                return Found(key, body)
        found: asyncio.Future[Found] = asyncio.get_running_loop().create_future()
        self._waiting.append((wish, found))
        self._added.set()
        return await found

    async def run(self) -> None:
        """Read for ever, all that waits at once."""
        while True:
            await self._added.wait()
            group, self._waiting = self._waiting[:READ_AT_ONCE], self._waiting[READ_AT_ONCE:]
            if not self._waiting:
                self._added.clear()
            wishes = [wish for wish, future in group if not future.done()]
            try:
                read = await self._read(wishes)
            except storage_errors.Unavailable as error:
                for _, future in group:
                    if not future.done():
                        future.set_exception(error)
                continue
            for wish, future in group:
                self._answer(wish, future, read)

    async def _read(self, wishes: Sequence[Wish]) -> _Read:
        # Worked out here, not in the transaction: the cache belongs to the event loop.
        wanted = frozenset(
            key for wish in wishes if (key := _named(wish)) is not None and (wish.tags or self._bodies.get(key) is None)
        )
        return await self._database.read(lambda dialect: _read(dialect, wishes, wanted))

    def _answer(self, wish: Wish, future: "asyncio.Future[Found]", read: _Read) -> None:
        if future.done():
            return
        remembered = read.remembered.get(wish.token) if wish.token is not None else None
        if remembered is not None:
            future.set_result(Found(None, remembered=remembered))
            return
        key = _key(wish, read.latest)
        row = read.rows.get(key) if key is not None else None
        body = self._bodies.remember(row) if row is not None else self._bodies.get(key) if key is not None else None
        if key is None or body is None:
            future.set_exception(
                errors.ClientException(
                    definition_rules.NOT_FOUND, family=wish.family, revision=wish.revision or "latest"
                )
            )
        elif row is not None and not row.active:
            future.set_exception(
                errors.ClientException(definition_rules.INACTIVE, family=key.family, revision=key.revision)
            )
        else:
            future.set_result(Found(key, body, _tags(row) if row is not None and wish.tags else ()))


def _read(dialect: Dialect, wishes: Sequence[Wish], wanted: frozenset[definitions.Key]) -> steps.Step[_Read]:
    latest: dict[str, definitions.Key | None] = {}
    for family in sorted({wish.family for wish in wishes if wish.revision is None}):
        latest[family] = yield from definitions.latest_active(family)
    newest = {key for key in latest.values() if key is not None}
    rows = yield from definitions.by_revisions(dialect, wanted | newest)
    remembered = yield from tokens.find(dialect, {wish.token for wish in wishes if wish.token is not None})
    return _Read(latest, rows, remembered)


def _named(wish: Wish) -> definitions.Key | None:
    return None if wish.revision is None else definitions.Key(wish.family, wish.revision)


def _key(wish: Wish, latest: dict[str, definitions.Key | None]) -> definitions.Key | None:
    return _named(wish) or latest.get(wish.family)


def _tags(row: definitions.Definition) -> tuple[tuple[str, str], ...]:
    """The tags of a definition; its column holds a message with the one field `tags`."""
    return tuple(
        (tag.key, tag.value) for tag in registry_service_pb2.ListTagsForResourceResponse.FromString(row.tags).tags
    )
