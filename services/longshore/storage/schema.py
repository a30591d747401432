"""Migrations: numbered SQL files, applied in order when a database is opened, under a lock, each once.

A file is `NNNN_name.sql`, where `{text}` and `{bytes}` stand for the engine's types; where the engines must differ,
`NNNN_name.postgresql.sql` or `NNNN_name.sqlite.sql` stands in for it. What was applied is recorded in `schema_migrations` with
the hash of the file. Release N-1 runs on schema N: a database may be one migration ahead of this release, not more.
"""

import hashlib
import re
import sqlite3
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass
from importlib import resources

from longshore.storage import errors, steps
from longshore.storage.dialect import Dialect

# What a release tolerates: the next release migrates first, this one still runs beside it until it is replaced.
SCHEMAS_AHEAD = 1

_NAME = re.compile(r"(?P<number>\d{4})_(?P<name>[a-z0-9_]+)(?:\.(?P<engine>postgresql|sqlite))?\.sql")
_TYPES: Mapping[str, Mapping[str, str]] = {
    "postgresql": {"{text}": 'TEXT COLLATE "C"', "{bytes}": "BYTEA"},
    "sqlite": {"{text}": "TEXT", "{bytes}": "BLOB"},
}

TABLE = """
CREATE TABLE IF NOT EXISTS schema_migrations (
    number BIGINT NOT NULL PRIMARY KEY,
    name {text} NOT NULL,
    hash {text} NOT NULL,
    applied_at BIGINT NOT NULL
)
"""


@dataclass(frozen=True, slots=True)
class Migration:
    """One numbered file as one engine sees it."""

    number: int
    name: str
    hash: str
    sql: str


@dataclass(frozen=True, slots=True)
class Applied:
    """What the database says of a migration that it has."""

    number: int
    name: str
    hash: str


def render(sql: str, engine: str) -> str:
    """The SQL with the engine's column types."""
    for placeholder, column_type in _TYPES[engine].items():
        sql = sql.replace(placeholder, column_type)
    return sql


def load(engine: str) -> list[Migration]:
    """The migrations that this release knows, in order."""
    folder = resources.files("longshore.storage").joinpath("migrations")
    return parse(
        {entry.name: entry.read_text("utf-8") for entry in folder.iterdir() if entry.name.endswith(".sql")}, engine
    )


def parse(files: Mapping[str, str], engine: str) -> list[Migration]:
    """Order files by number and pick each engine's own where there is one. A gap, a twin number or a stray name is an error."""
    chosen: dict[int, tuple[str, str]] = {}
    for filename in sorted(files):  # "0001_x.postgresql.sql" sorts before "0001_x.sql"
        match = _NAME.fullmatch(filename)
        if match is None:
            raise errors.SchemaMismatch(f"migration {filename}: the name is not NNNN_name[.engine].sql")
        number, name, only = int(match["number"]), match["name"], match["engine"]
        if only not in {None, engine}:
            continue
        if number in chosen:
            if chosen[number][0] != name:
                raise errors.SchemaMismatch(f"migration {number:04} has two names, {chosen[number][0]} and {name}")
            continue
        chosen[number] = (name, files[filename])
    if sorted(chosen) != list(range(1, len(chosen) + 1)):
        raise errors.SchemaMismatch(f"migrations are not numbered from 1 without gaps: {sorted(chosen)}")
    return [
        Migration(number, name, hashlib.sha256(sql.encode()).hexdigest(), render(sql, engine))
        for number, (name, sql) in sorted(chosen.items())
    ]


def pending(known: Sequence[Migration], applied: Sequence[Applied]) -> list[Migration]:
    """The known migrations that are still to be applied, or SchemaMismatch where this release cannot run on the database."""
    ahead = len(applied) - len(known)
    if ahead > SCHEMAS_AHEAD:
        raise errors.SchemaMismatch(
            f"the database's schema is {len(applied)}, this release knows {len(known)} and runs on {len(known) + SCHEMAS_AHEAD} "
            "at most; upgrade this component"
        )
    for have, want in zip(applied, known, strict=False):
        if have.number != want.number:
            raise errors.SchemaMismatch(
                f"migration {want.number:04}_{want.name} is missing in the database, later ones are not"
            )
        if have.hash != want.hash:
            raise errors.SchemaMismatch(
                f"migration {want.number:04}_{want.name} was changed after it was applied; restore the file and add a new migration"
            )
    return list(known[len(applied) :])


def statements(sql: str) -> Iterator[str]:
    """The single statements of a script. Comments before a statement stay with it; what follows the last is dropped."""
    buffer = ""
    for part in re.split(r"(;)", sql):
        buffer += part
        if part == ";" and sqlite3.complete_statement(buffer):
            yield buffer.strip()
            buffer = ""


def migrate(known: Sequence[Migration], engine: Dialect) -> steps.Step[list[int]]:
    """Bring the database to the newest known schema; gives the numbers applied now. The engine holds the lock meanwhile."""
    yield from steps.execute(render(TABLE, engine.name))
    rows = yield from steps.fetch("SELECT number, name, hash FROM schema_migrations ORDER BY number")
    wanted = pending(known, [Applied(row["number"], row["name"], row["hash"]) for row in rows])
    for migration in wanted:
        for statement in statements(migration.sql):
            yield from steps.execute(statement)
        yield from steps.execute(
            f"INSERT INTO schema_migrations (number, name, hash, applied_at) VALUES ($1, $2, $3, {engine.now})",  # noqa: S608 - the dialect's own
            migration.number,
            migration.name,
            migration.hash,
        )
    return [migration.number for migration in wanted]
