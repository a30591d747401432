"""The agent's state on disk: SQLite behind one writer thread.

Whatever is asked for while a transaction is being committed goes into the next one together, so a burst of tasks costs one
fsync, not one each. The file is private to its owner (it holds the instance's credential), and a lock beside it keeps a second
agent out of the folder.
"""

import asyncio
import fcntl
import os
import queue
import sqlite3
import threading
from collections.abc import Callable, Iterable, Mapping, Sequence
from pathlib import Path
from typing import Any, TypeVar

from longshore.agent import stored
from longshore.v1 import agent_service_pb2, task_definition_pb2

_Result = TypeVar("_Result")
_Work = tuple[Callable[[sqlite3.Connection], Any], asyncio.Future[Any]]

WRITE_TIMEOUT_S = 30.0
"""A disk that takes longer for a few kilobytes is as good as gone; what is to be written is tried again."""

FORMAT = 1
"""Format of the file that this agent writes. What an older agent can go on reading, as a further table, needs no new one."""

UPGRADES: Mapping[int, str] = {}
"""By format, the statements that make the next one of it. An agent reads every format that has ever been released."""

_SCHEMA = """
CREATE TABLE IF NOT EXISTS facts (name TEXT PRIMARY KEY, value TEXT NOT NULL) WITHOUT ROWID;
CREATE TABLE IF NOT EXISTS definitions (key TEXT PRIMARY KEY, body BLOB NOT NULL) WITHOUT ROWID;
CREATE TABLE IF NOT EXISTS tasks (
  task_id TEXT PRIMARY KEY,
  assigned BLOB NOT NULL,
  observation BLOB,
  stopping INTEGER NOT NULL DEFAULT 0,
  acknowledged INTEGER NOT NULL DEFAULT 0,
  stopped_at INTEGER NOT NULL DEFAULT 0
) WITHOUT ROWID;
CREATE TABLE IF NOT EXISTS images (
  image_id TEXT PRIMARY KEY,
  names TEXT NOT NULL,
  pulled_at INTEGER NOT NULL,
  last_used_at INTEGER NOT NULL
) WITHOUT ROWID;
CREATE TABLE IF NOT EXISTS told_log_tails (
  task_id TEXT NOT NULL,
  container TEXT NOT NULL,
  PRIMARY KEY (task_id, container)
) WITHOUT ROWID;
"""

_PRAGMAS = (
    # Before the journal's mode: then the index of the WAL is in memory of ours, not in a mapped file, whose pages a full disk cannot
    # back: the process would be killed by SIGBUS. Nobody else may open the file anyhow.
    "PRAGMA locking_mode = EXCLUSIVE",
    "PRAGMA journal_mode = WAL",
    "PRAGMA synchronous = FULL",
    "PRAGMA cache_size = -256",  # KiB: the file is small and read once
)


class FolderInUseError(Exception):
    """Another agent holds the state folder. The message names it."""


class FolderLock:
    """Holds a state folder for one process, until it ends however it ends."""

    def __init__(self, folder: Path) -> None:
        folder.mkdir(parents=True, exist_ok=True, mode=0o700)
        path = folder / "agent.lock"
        self._file = os.open(path, os.O_RDWR | os.O_CREAT | os.O_CLOEXEC, 0o600)
        try:
            fcntl.flock(self._file, fcntl.LOCK_EX | fcntl.LOCK_NB)
        except OSError as error:
            holder = os.read(self._file, 32).decode(errors="replace").strip() or "unknown"
            os.close(self._file)
            raise FolderInUseError(
                f"the state folder {folder} is used by another agent (process {holder}); "
                "stop that one, or give this one a folder of its own with --state-dir"
            ) from error
        os.ftruncate(self._file, 0)
        os.write(self._file, f"{os.getpid()}\n".encode())

    def release(self) -> None:
        """Let go of the folder."""
        os.close(self._file)


class StateFile:
    """A `stored.Store` in a file. Made inside a running event loop."""

    keeps = True

    def __init__(self, path: Path) -> None:
        self._path = path
        self._loop = asyncio.get_running_loop()
        self._queue: queue.SimpleQueue[_Work | None] = queue.SimpleQueue()
        self._thread = threading.Thread(target=self._write_for_ever, name="agent-state", daemon=True)
        self._thread.start()

    # ---------------------------------------------------------------- Store

    async def load(self) -> stored.Stored:
        """Read everything."""
        return await self._submit(_load)

    async def save_identity(self, identity: stored.Identity) -> None:
        """Write who we are; forgets everything of a former identity."""
        facts = {
            "format": str(FORMAT),
            "instance_id": identity.instance_id,
            "instance_arn": identity.instance_arn,
            "cluster": identity.cluster,
            "credential": identity.credential,
        }

        def work(database: sqlite3.Connection) -> None:
            former = database.execute("SELECT value FROM facts WHERE name = 'instance_id'").fetchone()
            if former is not None and former[0] != identity.instance_id:
                for table in ("facts", "tasks", "definitions", "told_log_tails"):
                    database.execute(f"DELETE FROM {table}")  # noqa: S608 - the names are the line above
            database.executemany("INSERT OR REPLACE INTO facts VALUES (?, ?)", facts.items())

        await self._submit(work)

    async def save_assignment(
        self,
        *,
        revision: int,
        lineage: int,
        definitions: Mapping[str, task_definition_pb2.TaskDefinition],
        tasks: Iterable[agent_service_pb2.AssignedTask],
        stops: Iterable[str],
    ) -> None:
        """Write what is to run and what is to stop, and the revision with its lineage, all or nothing."""
        bodies = [(key, definition.SerializeToString()) for key, definition in definitions.items()]
        rows = [(task.task_id, task.SerializeToString()) for task in tasks]
        stopping = [(task_id,) for task_id in stops]

        def work(database: sqlite3.Connection) -> None:
            database.executemany("INSERT OR IGNORE INTO definitions VALUES (?, ?)", bodies)
            database.executemany("INSERT OR IGNORE INTO tasks (task_id, assigned) VALUES (?, ?)", rows)
            database.executemany("UPDATE tasks SET stopping = 1 WHERE task_id = ?", stopping)
            facts = (("revision", str(revision)), ("lineage", str(lineage)))
            database.executemany("INSERT OR REPLACE INTO facts VALUES (?, ?)", facts)

        await self._submit(work)

    async def save_observation(self, observation: agent_service_pb2.TaskObservation, stopped_at: int) -> None:
        """Write what is known of a task."""
        row = (observation.SerializeToString(), stopped_at, observation.task_id)

        def work(database: sqlite3.Connection) -> None:
            # No cursor may leave the writer's thread, not even to be thrown away.
            database.execute(
                "UPDATE tasks SET observation = ?, stopped_at = ?, acknowledged = 0 WHERE task_id = ?", row
            )

        await self._submit(work)

    async def save_acknowledged(self, task_ids: Iterable[str], report: int) -> None:
        """Write that the last observations of these tasks are recorded, and the number of the report with which that was known."""
        rows = [(task_id,) for task_id in task_ids]

        def work(database: sqlite3.Connection) -> None:
            database.executemany("UPDATE tasks SET acknowledged = 1 WHERE task_id = ?", rows)
            database.execute("INSERT OR REPLACE INTO facts VALUES ('recorded_report', ?)", (str(report),))

        await self._submit(work)

    async def save_told_tails(self, keys: Iterable[tuple[str, str]]) -> None:
        """Write that the last lines of these containers, by task and name, are recorded."""
        rows = list(keys)

        def work(database: sqlite3.Connection) -> None:
            # Not of a task that was forgotten meanwhile: nobody would remove it.
            known = {row[0] for row in database.execute("SELECT task_id FROM tasks")}
            database.executemany(
                "INSERT OR IGNORE INTO told_log_tails VALUES (?, ?)", [row for row in rows if row[0] in known]
            )

        await self._submit(work)

    async def forget(self, task_ids: Iterable[str]) -> None:
        """Remove tasks, and definitions that no task refers to any more."""
        rows = [(task_id,) for task_id in task_ids]

        def work(database: sqlite3.Connection) -> None:
            database.executemany("DELETE FROM tasks WHERE task_id = ?", rows)
            database.executemany("DELETE FROM told_log_tails WHERE task_id = ?", rows)
            used = {
                agent_service_pb2.AssignedTask.FromString(row[0]).definition_key
                for row in database.execute("SELECT assigned FROM tasks")
            }
            keys = [row[0] for row in database.execute("SELECT key FROM definitions")]
            database.executemany("DELETE FROM definitions WHERE key = ?", [(key,) for key in keys if key not in used])

        await self._submit(work)

    async def save_images(self, images: Iterable[stored.PulledImage]) -> None:
        """Write what was pulled; names are separated by spaces, which no name of an image has."""
        rows = [(i.image_id, " ".join(sorted(i.names)), i.pulled_at, i.last_used_at) for i in images]

        def work(database: sqlite3.Connection) -> None:
            database.executemany("INSERT OR REPLACE INTO images VALUES (?, ?, ?, ?)", rows)

        await self._submit(work)

    async def forget_images(self, image_ids: Iterable[str]) -> None:
        """Remove images that are gone."""
        rows = [(image_id,) for image_id in image_ids]

        def work(database: sqlite3.Connection) -> None:
            database.executemany("DELETE FROM images WHERE image_id = ?", rows)

        await self._submit(work)

    async def close(self) -> None:
        """Finish what was begun."""
        self._queue.put(None)
        async with asyncio.timeout(WRITE_TIMEOUT_S):
            while self._thread.is_alive():
                await asyncio.to_thread(self._thread.join, WRITE_TIMEOUT_S)

    # ---------------------------------------------------------------- the writer

    async def _submit(self, work: Callable[[sqlite3.Connection], _Result]) -> _Result:
        done: asyncio.Future[_Result] = self._loop.create_future()
        self._queue.put((work, done))
        try:
            async with asyncio.timeout(WRITE_TIMEOUT_S):
                return await done
        except TimeoutError as error:
            raise stored.StateFileError(f"{self._path}: no answer from the disk for {WRITE_TIMEOUT_S:.0f} s") from error

    def _write_for_ever(self) -> None:
        try:
            database = _opened(self._path)
        except stored.StateFileError as error:
            self._refuse_for_ever(error)
            return
        except (sqlite3.Error, OSError) as error:
            self._refuse_for_ever(stored.StateFileError(f"{self._path}: {error}"))
            return
        try:
            while (first := self._queue.get()) is not None:
                if not self._commit(database, self._gathered(first)):
                    break
        finally:
            database.close()

    def _gathered(self, first: _Work) -> list[_Work]:
        batch = [first]
        while not self._queue.empty():
            following = self._queue.get()
            if following is None:
                self._queue.put(None)
                break
            batch.append(following)
        return batch

    def _commit(self, database: sqlite3.Connection, batch: Sequence[_Work]) -> bool:
        results: list[Any] = []
        try:
            database.execute("BEGIN IMMEDIATE")
            results.extend(work(database) for work, _ in batch)
            database.execute("COMMIT")
        except (sqlite3.Error, OSError, ValueError) as error:
            if database.in_transaction:
                database.execute("ROLLBACK")
            failure = stored.StateFileError(f"{self._path}: {error}")
            return self._answer([(done, None, failure) for _, done in batch])
        return self._answer([(done, result, None) for (_, done), result in zip(batch, results, strict=True)])

    def _answer(self, answers: list[tuple[asyncio.Future[Any], Any, Exception | None]]) -> bool:
        """Hand results to the event loop; False when it is gone."""
        try:
            self._loop.call_soon_threadsafe(_settle, answers)
        except RuntimeError:
            return False
        return True

    def _refuse_for_ever(self, failure: stored.StateFileError) -> None:
        while (item := self._queue.get()) is not None:
            if not self._answer([(item[1], None, failure)]):
                return


def _settle(answers: list[tuple[asyncio.Future[Any], Any, Exception | None]]) -> None:
    for done, result, failure in answers:
        if done.done():
            continue  # whoever waited has given up
        if failure is None:
            done.set_result(result)
        else:
            done.set_exception(failure)


def _opened(path: Path) -> sqlite3.Connection:
    path.parent.mkdir(parents=True, exist_ok=True, mode=0o700)
    os.close(os.open(path, os.O_RDWR | os.O_CREAT, 0o600))
    database = sqlite3.connect(path, isolation_level=None, cached_statements=16)
    try:
        _prepare(database, path)
    except BaseException:
        database.close()
        raise
    return database


def _prepare(database: sqlite3.Connection, path: Path) -> None:
    for pragma in _PRAGMAS:
        database.execute(pragma)
    found = _format(database)
    if found is not None and found > FORMAT:
        raise stored.NewerFormat(
            f"{path} was written by a newer agent (format {found}, this one reads up to {FORMAT}): start that one again, "
            "or give this one a fresh --state-dir, with which it joins as a new instance"
        )
    if found is not None:
        _upgrade(database, found)
    database.executescript(_SCHEMA)


def _format(database: sqlite3.Connection) -> int | None:
    """The format of the file; None while nothing has been written."""
    if not database.execute("SELECT 1 FROM sqlite_master WHERE name = 'facts'").fetchone():
        return None
    found = database.execute("SELECT value FROM facts WHERE name = 'format'").fetchone()
    return None if found is None else int(found[0])


def _upgrade(database: sqlite3.Connection, found: int) -> None:
    """Make the file one of this agent's format, all or nothing."""
    if found < FORMAT:
        statements = "".join(UPGRADES[number] for number in range(found, FORMAT))
        stamp = f"UPDATE facts SET value = '{FORMAT}' WHERE name = 'format';"  # noqa: S608 - a number of ours
        database.executescript(f"BEGIN IMMEDIATE; {statements} {stamp} COMMIT;")


def _load(database: sqlite3.Connection) -> stored.Stored:
    facts = dict(database.execute("SELECT name, value FROM facts"))
    identity = None
    if "instance_id" in facts:
        identity = stored.Identity(
            instance_id=facts["instance_id"],
            instance_arn=facts["instance_arn"],
            cluster=facts["cluster"],
            credential=facts["credential"],
        )
    definitions = {
        key: task_definition_pb2.TaskDefinition.FromString(body)
        for key, body in database.execute("SELECT key, body FROM definitions")
    }
    rows = database.execute(
        "SELECT assigned, observation, stopping, acknowledged, stopped_at FROM tasks ORDER BY task_id"
    )
    tasks = tuple(
        stored.StoredTask(
            assigned=agent_service_pb2.AssignedTask.FromString(assigned),
            observation=agent_service_pb2.TaskObservation.FromString(observed) if observed is not None else None,
            stopping=bool(stopping),
            acknowledged=bool(acknowledged),
            stopped_at=stopped_at,
        )
        for assigned, observed, stopping, acknowledged, stopped_at in rows
    )
    images = tuple(
        stored.PulledImage(image_id, frozenset(names.split()), pulled_at, last_used_at)
        for image_id, names, pulled_at, last_used_at in database.execute(
            "SELECT image_id, names, pulled_at, last_used_at FROM images ORDER BY image_id"
        )
    )
    return stored.Stored(
        identity=identity,
        revision=int(facts.get("revision", 0)),
        lineage=int(facts.get("lineage", 0)),
        recorded_report=int(facts.get("recorded_report", 0)),
        definitions=definitions,
        tasks=tasks,
        images=images,
        told_tails=frozenset(database.execute("SELECT task_id, container FROM told_log_tails").fetchall()),
    )
