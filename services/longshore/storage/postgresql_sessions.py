"""Sessions on PostgreSQL: advisory locks, each on a connection of its own outside the pool.

The server notices at once when the connection of a killed process is closed. One whose host is gone it notices by keep-alive.
"""

import asyncio
import contextlib
from collections.abc import Iterator

import asyncpg

from longshore.storage import postgresql_statements

CONNECT_TIMEOUT = 3.0
CLOSE_TIMEOUT = 1.0
# The server's keep-alive towards a host that has vanished: after a second of silence, one a second, given up after three.
_SETTINGS = {
    "application_name": "longshore-session",
    "tcp_keepalives_idle": "1",
    "tcp_keepalives_interval": "1",
    "tcp_keepalives_count": "3",
    # Waiting is what these connections are for.
    "statement_timeout": "0",
    "lock_timeout": "0",
}


class PostgresqlSession:
    """One connection."""

    def __init__(self, connection: asyncpg.Connection) -> None:
        self._connection = connection
        self._gone = asyncio.Event()
        connection.add_termination_listener(lambda _: self._gone.set())

    async def lost(self) -> None:
        """Return when the connection is gone."""
        await self._gone.wait()

    async def close(self) -> None:
        """Let go."""
        with contextlib.suppress(OSError, TimeoutError, asyncpg.PostgresError, asyncpg.InterfaceError):
            await self._connection.close(timeout=CLOSE_TIMEOUT)


class PostgresqlSessions:
    """Sessions on the server of a database."""

    def __init__(self, url: str) -> None:
        self._url = url

    async def hold(self, key: int) -> PostgresqlSession:
        """Hold a key until the session is closed or lost. Waits for another that holds it."""
        connection = await self._connect()
        try:
            with _named():
                await connection.execute(f"SELECT pg_advisory_lock({key:d})")
        except BaseException:
            connection.terminate()
            raise
        return PostgresqlSession(connection)

    async def ended(self, key: int) -> bool:
        """Wait until the session that holds the key has ended. False at once where nobody holds it."""
        connection = await self._connect()
        try:
            with _named():
                if await connection.fetchval(f"SELECT pg_try_advisory_lock_shared({key:d})"):
                    return False
                await connection.execute(f"SELECT pg_advisory_lock_shared({key:d})")
        finally:
            connection.terminate()
        return True

    async def _connect(self) -> asyncpg.Connection:
        with _named():
            return await asyncpg.connect(self._url, timeout=CONNECT_TIMEOUT, server_settings=_SETTINGS)


@contextlib.contextmanager
def _named() -> Iterator[None]:
    """The error by which callers know it."""
    try:
        yield
    except Exception as error:
        known = postgresql_statements.translated(error)
        if known is None:
            raise
        raise known from error
