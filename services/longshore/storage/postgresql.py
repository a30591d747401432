"""The PostgreSQL engine: a pool of asyncpg connections, one for the time of a transaction."""

import asyncio
import contextlib
import itertools
from collections.abc import Callable
from typing import Any, TypeVar

import asyncpg

from longshore.storage import dialect, errors, postgresql_sessions, postgresql_statements, schema, sessions, steps
from longshore.storage.dialect import Dialect

T = TypeVar("T")

# Enough for the commits in flight of one process (they gather in batches) beside some reads; replicas share the server's limit.
POOL_MIN = 1
POOL_MAX = 10
CONNECT_TIMEOUT = 3.0
# A pool that gives no connection for so long is exhausted or away.
ACQUIRE_TIMEOUT = 5.0
# The server's own bounds. A frozen process must not hold a lock (the lease's, the log's) for longer than a second.
IDLE_IN_TRANSACTION_TIMEOUT = 1.0
LOCK_TIMEOUT = 5.0
STATEMENT_TIMEOUT = 10.0
# The client's bound of one statement, for a server or a network that says nothing at all. Longer than the server's.
COMMAND_TIMEOUT = 12.0
# Bound of a whole call with all of its runs.
TRANSACTION_TIMEOUT = 15.0
ROLLBACK_TIMEOUT = 1.0
MIGRATION_TIMEOUT = 120.0
CLOSE_TIMEOUT = 5.0
# Runs of one piece of work that lost a race or its connection. Deadlocks among bulk updates resolve within two or three.
RUNS = 5
# Pause before a run after a lost connection, times the number of runs: together long enough for a server that restarts fast.
LOST_PAUSE = 0.1

# Any number that no other program uses on the same database.
_MIGRATION_LOCK = 0x6C6F6E6773686F72

_BEGIN_WRITE = "BEGIN ISOLATION LEVEL READ COMMITTED"
_BEGIN_READ = "BEGIN ISOLATION LEVEL REPEATABLE READ READ ONLY"

Work = Callable[[Dialect], steps.Step[Any]]


class _Progress:
    """Whether the COMMIT of a call was sent: from then on its outcome is the server's alone."""

    __slots__ = ("committing",)

    def __init__(self) -> None:
        self.committing = False


class PostgresqlDatabase:
    """A database on a PostgreSQL server, shared with other processes."""

    def __init__(self, pool: asyncpg.Pool, types: postgresql_statements.ColumnTypes, url: str) -> None:
        self.dialect: Dialect = dialect.POSTGRESQL
        self.sessions: sessions.Sessions | None = postgresql_sessions.PostgresqlSessions(url)
        self._pool = pool
        self._types = types
        self._closed = False
        # Roll-backs outlive the cancelled calls that they clean up after; the set keeps them referenced.
        self._cleanups: set[asyncio.Task[None]] = set()

    async def run(self, work: Callable[[Dialect], steps.Step[T]]) -> T:
        """Run one write transaction, READ COMMITTED."""
        result: T = await self._call(work, _BEGIN_WRITE, writes=True)
        return result

    async def read(self, work: Callable[[Dialect], steps.Step[T]]) -> T:
        """Run read-only work, REPEATABLE READ: all its statements see one snapshot."""
        result: T = await self._call(work, _BEGIN_READ, writes=False)
        return result

    async def _call(self, work: Work, begin: str, *, writes: bool) -> Any:
        if self._closed:
            raise errors.Unavailable("the database is closed")
        progress = _Progress()
        try:
            async with asyncio.timeout(TRANSACTION_TIMEOUT):
                return await self._runs(work, begin, progress, writes=writes)
        except Exception as error:
            if progress.committing and _undecided(error):
                raise errors.CommitUnknown(
                    f"the database was lost at the commit: {str(error) or type(error).__name__}"
                ) from error
            known = postgresql_statements.translated(error)
            if known is None:
                raise
            raise known from error

    async def _runs(self, work: Work, begin: str, progress: _Progress, *, writes: bool) -> Any:
        for run in itertools.count(1):
            progress.committing = False
            try:
                return await self._run_once(work, begin, progress, writes=writes)
            except Exception as error:
                undecided = progress.committing and _undecided(error)
                if undecided or run == RUNS or not postgresql_statements.may_rerun(error):
                    raise
                if postgresql_statements.lost(error):
                    await asyncio.sleep(LOST_PAUSE * run)
        raise AssertionError("unreachable")

    async def _run_once(self, work: Work, begin: str, progress: _Progress, *, writes: bool) -> Any:
        connection = await self._pool.acquire(timeout=ACQUIRE_TIMEOUT)
        clean = False
        try:
            await connection.execute(begin)
            result = await postgresql_statements.drive(connection, self._types, self.dialect, work)
            if connection.is_closed():
                raise asyncpg.ConnectionDoesNotExistError("the connection was closed before the commit")
            progress.committing = writes
            await connection.execute("COMMIT")
            clean = True
        except asyncpg.ReadOnlySQLTransactionError as error:
            if not writes:
                raise  # a fault of the work
            connection.terminate()
            raise asyncpg.ConnectionFailureError("the server became a standby; another may be the primary") from error
        finally:
            if clean:
                await self._pool.release(connection, timeout=ROLLBACK_TIMEOUT)
            else:
                await self._clean_up(connection)
        return result

    async def _clean_up(self, connection: Any) -> None:
        cleanup = asyncio.create_task(self._roll_back(connection), name="postgresql-roll-back")
        self._cleanups.add(cleanup)
        cleanup.add_done_callback(self._cleanups.discard)
        await asyncio.shield(cleanup)

    async def _roll_back(self, connection: Any) -> None:
        """Give a connection back without its transaction, whatever became of it; bounded, never raises."""
        try:
            async with asyncio.timeout(ROLLBACK_TIMEOUT):
                await connection.execute("ROLLBACK")
        except Exception:  # noqa: BLE001 - whatever it was, the connection is not used again, and closing it rolls back
            with contextlib.suppress(asyncpg.InterfaceError):  # one that was closed under us has left the pool already
                connection.terminate()
        with contextlib.suppress(Exception):
            await self._pool.release(connection, timeout=ROLLBACK_TIMEOUT)

    async def close(self) -> None:
        """Let what runs finish for a moment, then close every connection."""
        if self._closed:
            return
        self._closed = True
        if self._cleanups:
            await asyncio.wait(set(self._cleanups), timeout=CLOSE_TIMEOUT)
        try:
            async with asyncio.timeout(CLOSE_TIMEOUT):
                await self._pool.close()
        except (TimeoutError, OSError, asyncpg.PostgresError, asyncpg.InterfaceError):
            self._pool.terminate()


def _undecided(error: BaseException) -> bool:
    """Whether an error at COMMIT leaves open what happened; an error that the server answered is a refusal."""
    if isinstance(error.__cause__, asyncpg.IdleInTransactionSessionTimeoutError):
        return False  # the server had ended the transaction before it could read the COMMIT
    return postgresql_statements.lost(error) or isinstance(error, TimeoutError | asyncpg.QueryCanceledError)


async def migrate(connection: Any) -> list[int]:
    """Apply the migrations the database lacks, in one transaction, one process at a time."""
    known = schema.load(dialect.POSTGRESQL.name)
    async with connection.transaction():
        await connection.execute("SELECT pg_advisory_xact_lock($1)", _MIGRATION_LOCK)
        return await postgresql_statements.drive(
            connection, {}, dialect.POSTGRESQL, lambda engine: schema.migrate(known, engine)
        )


def _milliseconds(seconds: float) -> str:
    return str(int(seconds * 1000))


async def _reset_nothing(_connection: Any) -> None:
    """Every connection comes back without a transaction and with its settings as they were: save the round trip."""


async def open_postgresql(url: str) -> PostgresqlDatabase:
    """Migrate the database and open a pool on it. Raises Unavailable where the server does not answer."""
    try:
        connection = await asyncpg.connect(url, timeout=CONNECT_TIMEOUT, command_timeout=MIGRATION_TIMEOUT)
        try:
            await migrate(connection)
            types = await postgresql_statements.column_types(connection)
        finally:
            await connection.close(timeout=CLOSE_TIMEOUT)
        pool = await asyncpg.create_pool(
            url,
            min_size=POOL_MIN,
            max_size=POOL_MAX,
            timeout=CONNECT_TIMEOUT,
            command_timeout=COMMAND_TIMEOUT,
            reset=_reset_nothing,
            server_settings={
                "application_name": "longshore",  # dialect.end_frozen knows it
                "idle_in_transaction_session_timeout": _milliseconds(IDLE_IN_TRANSACTION_TIMEOUT),
                "lock_timeout": _milliseconds(LOCK_TIMEOUT),
                "statement_timeout": _milliseconds(STATEMENT_TIMEOUT),
                "jit": "off",  # short statements over indexes: compiling would take longer than running
            },
        )
    except asyncpg.ReadOnlySQLTransactionError as error:
        raise errors.Unavailable("the database server is a standby, which cannot be written to") from error
    except (OSError, TimeoutError, asyncpg.PostgresError, asyncpg.InterfaceError) as error:
        known = postgresql_statements.translated(error)
        if known is None:
            raise
        raise known from error
    return PostgresqlDatabase(pool, types, url)
