"""What differs between the SQL of the two engines, and nothing else.

Everything not named here is written once: `$n` placeholders, INSERT … RETURNING, ON CONFLICT, UPDATE … FROM.
"""

from typing import Literal, Protocol

Element = Literal["text", "bigint"]


class Dialect(Protocol):
    """Fragments of SQL that each engine spells its own way."""

    @property
    def name(self) -> Literal["postgresql", "sqlite"]:
        """Name of the engine, for messages and engine-specific migrations."""

    @property
    def now(self) -> str:
        """Expression: microseconds since the epoch by the database's clock, at the moment it is evaluated."""

    @property
    def share_lock(self) -> str:
        """Suffix of a SELECT that keeps others from changing its rows until the commit."""

    @property
    def exclusive_lock(self) -> str:
        """Suffix of a SELECT that makes others wait who want to change or lock its rows."""

    @property
    def end_frozen(self) -> str:
        """SELECT that ends the transactions of processes which froze while they sent rows; empty where no other can be there.

        A row for each that was ended.
        """

    def member(self, column: str, position: int, element: Element = "text") -> str:
        """Condition that is true where `column` is an element of the list bound at `$position`."""


class PostgresqlDialect:
    """PostgreSQL: row locks, arrays."""

    name: Literal["postgresql", "sqlite"] = "postgresql"
    # Not now(), which stands still from BEGIN on: a lease must be judged by the time at which its row lock was granted.
    now = "(extract(epoch FROM clock_timestamp()) * 1000000)::bigint"
    # FOR KEY SHARE would let an update of non-key columns through, and with it a takeover.
    share_lock = "FOR SHARE"
    exclusive_lock = "FOR UPDATE"
    # In the middle of a COPY neither idle_in_transaction_session_timeout nor statement_timeout ends a session whose client is silent:
    # it would keep its locks for ever. pg_terminate_backend does end it. The same second as that timeout's.
    end_frozen = (
        # Found first, ended then: the conditions of one WHERE are evaluated in any order.
        "WITH frozen AS MATERIALIZED (SELECT pid FROM pg_stat_activity"
        " WHERE datname = current_database() AND usename = current_user AND application_name = 'longshore'"
        " AND state = 'active' AND wait_event = 'ClientRead' AND query_start < clock_timestamp() - interval '1 second')"
        " SELECT pid, pg_terminate_backend(pid) AS ended FROM frozen"
    )

    def member(self, column: str, position: int, element: Element = "text") -> str:
        """Condition that is true where `column` is an element of the list bound at `$position`."""
        return f"{column} = ANY(${position}::{element}[])"


class SqliteDialect:
    """SQLite: one writer at a time, so nothing to lock; lists arrive as JSON."""

    name: Literal["postgresql", "sqlite"] = "sqlite"
    # Defined on every connection by the engine: SQLite's own clock functions stop at milliseconds.
    now = "longshore_now()"
    share_lock = ""
    exclusive_lock = ""
    end_frozen = ""

    def member(self, column: str, position: int, element: Element = "text") -> str:  # noqa: ARG002 - JSON keeps the type
        """Condition that is true where `column` is an element of the list bound at `$position`."""
        return f"{column} IN (SELECT value FROM json_each(${position}))"  # noqa: S608 - column names from our own code


POSTGRESQL = PostgresqlDialect()
SQLITE = SqliteDialect()
