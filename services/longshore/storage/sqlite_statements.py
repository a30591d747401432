"""Statements carried out on an SQLite connection, and SQLite's errors as ours. Runs in the engine's threads."""

import json
import sqlite3
import time
from collections.abc import Callable
from pathlib import Path
from typing import Any, TypeVar

from longshore.storage import errors, steps
from longshore.storage.dialect import Dialect

T = TypeVar("T")

# Another program (a backup, a shell) may hold the file's lock for a moment; our own threads never wait for each other.
BUSY_TIMEOUT = 5.0
# Distinct statements of all components together; each is compiled once per connection.
_CACHED_STATEMENTS = 512

# Constraint violations that mean "this key is taken"; all others are faults of the caller and stay what they are.
_TAKEN = frozenset(
    {sqlite3.SQLITE_CONSTRAINT_UNIQUE, sqlite3.SQLITE_CONSTRAINT_PRIMARYKEY, sqlite3.SQLITE_CONSTRAINT_ROWID}
)
# Primary result codes that speak of the disk or of other programs, not of the statement.
_AWAY = frozenset(
    {
        sqlite3.SQLITE_BUSY,
        sqlite3.SQLITE_LOCKED,
        sqlite3.SQLITE_IOERR,
        sqlite3.SQLITE_FULL,
        sqlite3.SQLITE_CANTOPEN,
        sqlite3.SQLITE_READONLY,
        sqlite3.SQLITE_PERM,
        sqlite3.SQLITE_NOMEM,
    }
)


def connect(path: Path, *, writes: bool) -> sqlite3.Connection:
    """Open the file for the calling thread, in write-ahead mode, each commit on the disk before it returns."""
    connection = sqlite3.connect(path, timeout=BUSY_TIMEOUT, isolation_level=None, cached_statements=_CACHED_STATEMENTS)
    connection.row_factory = sqlite3.Row
    connection.create_function("longshore_now", 0, lambda: time.time_ns() // 1000)
    connection.execute("PRAGMA journal_mode = WAL")
    connection.execute("PRAGMA synchronous = FULL")
    connection.execute(f"PRAGMA query_only = {'OFF' if writes else 'ON'}")
    return connection


def translated(error: sqlite3.Error) -> Exception:
    """The error as callers know it; a fault of the statement itself stays SQLite's."""
    code = getattr(error, "sqlite_errorcode", None)
    if code in _TAKEN:
        # SQLite says it in words: UNIQUE constraint failed, a colon, then table.column for each column of the key.
        return errors.Conflict(str(error), table=str(error).partition(": ")[2].partition(".")[0])
    if code is not None and code & 0xFF in _AWAY:
        return errors.Unavailable(f"the database cannot be used now: {error}")
    return error


def drive(connection: sqlite3.Connection, dialect: Dialect, work: Callable[[Dialect], steps.Step[T]]) -> T:
    """Run the generator to its end with the results of its statements; gives what it returns."""
    step = work(dialect)
    try:
        statement = next(step)
        while True:
            statement = step.send(perform(connection, statement))
    except StopIteration as stop:
        result: T = stop.value
        return result
    finally:
        step.close()


def perform(connection: sqlite3.Connection, statement: steps.Statement) -> Any:
    """Carry out one statement."""
    if isinstance(statement, steps.Query):
        return _query(connection, statement)
    if isinstance(statement, steps.InsertMany):
        columns = ", ".join(statement.columns)
        places = ", ".join("?" * len(statement.columns))
        connection.executemany(
            f"INSERT INTO {statement.table} ({columns}) VALUES ({places})",  # noqa: S608 - names from our own code
            statement.rows,
        )
        return None
    return _update_many(connection, statement)


def _query(connection: sqlite3.Connection, query: steps.Query) -> Any:
    # By name: bound by position, SQLite would number `$2` before `$1` where it comes first in the text.
    cursor = connection.execute(
        query.sql, {str(place): _bound(value) for place, value in enumerate(query.args, start=1)}
    )
    if query.shape is steps.Shape.ROWS:
        return cursor.fetchall()
    if query.shape is steps.Shape.AFFECTED:
        return max(cursor.rowcount, 0)
    rows = cursor.fetchall()  # to the end: an unfinished INSERT … RETURNING would still be at work at COMMIT
    if not rows:
        return None
    return rows[0] if query.shape is steps.Shape.ROW else rows[0][0]


def _update_many(connection: sqlite3.Connection, update: steps.UpdateMany) -> int:
    # Rows come keys first, so the places are numbered; `?NNN` may be bound by position.
    first = len(update.keys) + 1
    assignments = ", ".join(
        f"{item.column} = {item.column} + ?{place}" if item.add else f"{item.column} = ?{place}"
        for place, item in enumerate(update.assignments, start=first)
    )
    condition = " AND ".join(f"{key} = ?{place}" for place, key in enumerate(update.keys, start=1))
    cursor = connection.executemany(
        f"UPDATE {update.table} SET {assignments} WHERE {condition}",  # noqa: S608 - names from our own code
        update.rows,
    )
    return max(cursor.rowcount, 0)


def _bound(value: Any) -> Any:
    return json.dumps(value) if isinstance(value, list | tuple) else value
