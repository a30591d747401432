"""The SQLite engine: one writer thread, a few reader threads, whole transactions per hop.

The threads live as long as the database. A transaction crosses to its thread once and its result crosses back once, so the
event loop never waits for the disk, and a statement costs no switch between threads.
"""

import asyncio
import contextlib
import queue
import sqlite3
import threading
from collections.abc import Callable
from enum import Enum, auto
from pathlib import Path
from typing import Any, TypeVar

from longshore.storage import dialect, errors, schema, sessions, sqlite_statements, state_lock, steps
from longshore.storage.dialect import Dialect

T = TypeVar("T")

# Long scans (a list over a large cluster) must not keep short reads waiting; more threads would only fight for the GIL.
READERS = 3
# Bound of a caller's wait, behind all that is queued: a disk that stalls longer is reported, not waited for.
TRANSACTION_TIMEOUT = 15.0
# Bound of opening and of closing, in which a checkpoint may have to be finished.
LIFECYCLE_TIMEOUT = 60.0

Work = Callable[[Dialect], steps.Step[Any]]


class _Phase(Enum):
    """How far a transaction is. Only the thread moves it on; only the caller abandons, and not once it commits."""

    OPEN = auto()
    ABANDONED = auto()
    COMMITTING = auto()


class _Job:
    """One transaction on its way to a thread and back."""

    def __init__(self, work: Work, loop: asyncio.AbstractEventLoop) -> None:
        self.work = work
        self.done: asyncio.Future[Any] = loop.create_future()
        self._loop = loop
        self._phase = _Phase.OPEN
        self._lock = threading.Lock()

    def move(self, phase: _Phase) -> bool:
        """Move on from OPEN; False where the other side was first."""
        with self._lock:
            if self._phase is not _Phase.OPEN:
                return False
            self._phase = phase
            return True

    @property
    def abandoned(self) -> bool:
        """Whether nobody waits for it any more."""
        return self._phase is _Phase.ABANDONED

    def answer(self, result: Any, error: BaseException | None) -> None:
        """Hand the outcome to the caller's loop, which may be gone."""
        with contextlib.suppress(RuntimeError):
            self._loop.call_soon_threadsafe(self._settle, result, error)

    def _settle(self, result: Any, error: BaseException | None) -> None:
        if self.done.done():
            return
        if error is not None:
            self.done.set_exception(error)
        else:
            self.done.set_result(result)


class _Abandoned(Exception):  # noqa: N818 - a signal to the roll-back, never seen by a caller
    """The caller left before COMMIT."""


class _Worker(threading.Thread):
    """A thread with a connection of its own, which runs the jobs of a queue until it is given None."""

    def __init__(self, name: str, path: Path, jobs: "queue.SimpleQueue[_Job | None]", *, writes: bool) -> None:
        super().__init__(
            name=name, daemon=True
        )  # a process that forgot to close still ends; what was committed is on the disk
        self._path = path
        self._jobs = jobs
        self._writes = writes

    def run(self) -> None:
        """Serve jobs; one at a time, each its own transaction."""
        connection: sqlite3.Connection | None = None
        while (job := self._jobs.get()) is not None:
            if job.abandoned:
                continue
            try:
                if connection is None:
                    connection = sqlite_statements.connect(self._path, writes=self._writes)
                result = self._transact(connection, job)
            except sqlite3.Error as error:
                job.answer(None, sqlite_statements.translated(error))
            except BaseException as error:  # noqa: BLE001 - whatever the work raised belongs to its caller, in the loop
                job.answer(None, error)
            else:
                job.answer(result, None)
            del job  # an idle thread must not keep the last transaction's rows alive
            result = None
        if connection is not None:
            connection.close()

    def _transact(self, connection: sqlite3.Connection, job: _Job) -> Any:
        connection.execute("BEGIN IMMEDIATE" if self._writes else "BEGIN")
        try:
            result = sqlite_statements.drive(connection, dialect.SQLITE, job.work)
            if not job.move(_Phase.COMMITTING):
                raise _Abandoned  # noqa: TRY301 - the same roll-back as for every other reason
        except BaseException:
            _roll_back(connection)
            raise
        try:
            connection.execute("COMMIT")
        except sqlite3.Error as error:
            _roll_back(connection)
            raise _failed_commit(error) from error
        return result


def _roll_back(connection: sqlite3.Connection) -> None:
    if connection.in_transaction:  # a full disk makes SQLite roll back by itself
        with contextlib.suppress(sqlite3.Error):
            connection.execute("ROLLBACK")


def _failed_commit(error: sqlite3.Error) -> Exception:
    code = getattr(error, "sqlite_errorcode", 0) & 0xFF
    if code == sqlite3.SQLITE_IOERR:  # the write-ahead log may have reached the disk although its sync failed
        return errors.CommitUnknown(f"the database's disk failed at the commit: {error}")
    return sqlite_statements.translated(error)


class SqliteDatabase:
    """A database in one file of this machine, held by this process alone."""

    def __init__(self, path: Path, lock: state_lock.StateLock) -> None:
        self.dialect: Dialect = dialect.SQLITE
        self.sessions: sessions.Sessions | None = None  # the state lock: nobody else is there
        self._lock = lock
        self._closed = False
        self._writes: queue.SimpleQueue[_Job | None] = queue.SimpleQueue()
        self._reads: queue.SimpleQueue[_Job | None] = queue.SimpleQueue()
        self._writer = _Worker("sqlite-writer", path, self._writes, writes=True)
        self._readers = [_Worker(f"sqlite-reader-{n}", path, self._reads, writes=False) for n in range(READERS)]
        for worker in (self._writer, *self._readers):
            worker.start()

    async def run(self, work: Callable[[Dialect], steps.Step[T]]) -> T:
        """Run one write transaction in the writer thread."""
        result: T = await self._submit(self._writes, work)
        return result

    async def read(self, work: Callable[[Dialect], steps.Step[T]]) -> T:
        """Run read-only work in a reader thread, on the snapshot its first statement sees."""
        result: T = await self._submit(self._reads, work)
        return result

    async def _submit(self, jobs: "queue.SimpleQueue[_Job | None]", work: Work) -> Any:
        if self._closed:
            raise errors.Unavailable("the database is closed")
        job = _Job(work, asyncio.get_running_loop())
        jobs.put(job)
        try:
            async with asyncio.timeout(TRANSACTION_TIMEOUT):
                return await job.done
        except TimeoutError:
            if job.move(_Phase.ABANDONED):
                raise errors.Unavailable(f"the database did not answer within {TRANSACTION_TIMEOUT:g} s") from None
            raise errors.CommitUnknown(f"the database did not commit within {TRANSACTION_TIMEOUT:g} s") from None
        except asyncio.CancelledError:
            job.move(_Phase.ABANDONED)
            raise

    async def migrate(self) -> list[int]:
        """Apply the migrations this database lacks, in one transaction."""
        known = schema.load(self.dialect.name)
        return await self.run(lambda engine: schema.migrate(known, engine))

    async def close(self) -> None:
        """Finish what is queued, end the threads, release the file."""
        if self._closed:
            return
        self._closed = True
        await asyncio.to_thread(self._end)

    def _end(self) -> None:
        # Readers first: the writer is then the last connection, whose closing checkpoints the log into the file.
        for _ in self._readers:
            self._reads.put(None)
        for reader in self._readers:
            reader.join(LIFECYCLE_TIMEOUT)
        self._writes.put(None)
        self._writer.join(LIFECYCLE_TIMEOUT)
        self._lock.release()


async def open_sqlite(path: str) -> SqliteDatabase:
    """Open the file, made with its folder where it is missing, and migrate it. Raises StateInUse where another process has it."""
    file = Path(path)
    await asyncio.to_thread(file.parent.mkdir, mode=0o700, parents=True, exist_ok=True)
    database = SqliteDatabase(file, state_lock.StateLock(file))
    try:
        await database.migrate()
    except BaseException:
        await database.close()
        raise
    return database
