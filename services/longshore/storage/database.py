"""A database behind one interface, whichever engine it is."""

from collections.abc import Callable
from typing import Protocol, TypeVar
from urllib import parse

from longshore.storage import sessions, steps
from longshore.storage.dialect import Dialect

T = TypeVar("T")


class Database(Protocol):
    """Runs transactions that are generators of statements (`longshore.storage.steps`).

    An engine may run the work again from its start, so it must be repeatable: it computes from rows, returns, and the caller
    applies the outcome afterwards.
    """

    @property
    def dialect(self) -> Dialect:
        """What differs in this engine's SQL; the work is given it as well."""

    @property
    def sessions(self) -> sessions.Sessions | None:
        """What tells when another process is gone; None where the engine is one process's alone."""

    async def run(self, work: Callable[[Dialect], steps.Step[T]]) -> T:
        """Run one write transaction and commit it.

        Raises Unavailable (nothing was committed), CommitUnknown (it may have been), Conflict, and whatever the work raises,
        which rolls back. A cancellation rolls back too unless COMMIT was already sent.
        """

    async def read(self, work: Callable[[Dialect], steps.Step[T]]) -> T:
        """Run read-only work on one consistent snapshot, which holds all that was committed before the call."""

    async def close(self) -> None:
        """Let what runs finish, then give everything back. Later calls answer Unavailable."""


async def open_database(url: str) -> Database:
    """Open `sqlite:///path/to/file` or `postgresql://…` and apply the migrations it lacks, under a lock.

    Raises Unavailable, SchemaMismatch, StateInUse (SQLite, held by another process) and ValueError for any other URL. The
    path of an SQLite file is absolute, with three slashes or four.
    """
    parts = parse.urlsplit(url)
    if parts.scheme == "sqlite" and not parts.netloc and len(parts.path) > 1:
        from longshore.storage import sqlite

        return await sqlite.open_sqlite(parse.unquote("/" + parts.path.lstrip("/")))
    if parts.scheme in {"postgresql", "postgres"}:
        from longshore.storage import postgresql

        return await postgresql.open_postgresql(url)
    raise ValueError(f"database URL {parts.scheme}://… is neither sqlite:///PATH nor postgresql://…")
