"""What only PostgreSQL has: locks between connections, lost connections, restarts, several processes."""

import asyncio
import sys
import time
from collections.abc import AsyncIterator, Callable
from typing import Any

import asyncpg
import pytest

from longshore.storage import clusters, database, errors, postgresql, steps
from longshore.storage.dialect import Dialect
from longshore.storage.postgresql import PostgresqlDatabase
from tests.engines.postgres import PostgresServer
from tests.integration.storage import severing

POLL_BOUND = 5.0


async def until(condition: Callable[[], Any]) -> None:
    """Ask until it is so; the server has no way to tell."""
    async with asyncio.timeout(POLL_BOUND):
        while not await condition():  # noqa: ASYNC110 - what is asked for is in another process
            await asyncio.sleep(0.005)


@pytest.fixture
async def other(postgresql_url: str) -> AsyncIterator[asyncpg.Connection]:
    """A second real connection to the same database."""
    connection = await asyncpg.connect(postgresql_url, timeout=5)
    yield connection
    await connection.close(timeout=5)


def add(name: str) -> steps.Step[int]:
    return steps.execute("INSERT INTO trackers VALUES ($1, 'a', 0)", name)


def adding(name: str) -> Callable[[Dialect], steps.Step[int]]:
    return lambda _: add(name)


async def ids(db: database.Database) -> list[str]:
    return [row[0] for row in await db.read(lambda _: steps.fetch("SELECT tracker_id FROM trackers ORDER BY 1"))]


def blocked(connection: asyncpg.Connection) -> Callable[[], Any]:
    async def waiting() -> bool:
        query = "SELECT count(*) FROM pg_stat_activity WHERE datname = current_database() AND wait_event_type = 'Lock'"
        return bool(await connection.fetchval(query))

    return waiting


async def test_a_change_waits_for_a_share_lock(postgresql: database.Database, other: asyncpg.Connection) -> None:
    await postgresql.run(lambda _: steps.execute("INSERT INTO clusters VALUES ('web', 1, 0, '')"))
    async with other.transaction():
        await other.fetch("SELECT * FROM clusters WHERE name = 'web' FOR SHARE")
        # A second share lock is granted beside the first, the change is not.
        locked = await postgresql.run(lambda d: clusters.locked(d, "web"))
        change = asyncio.ensure_future(postgresql.run(lambda _: steps.execute("UPDATE clusters SET status = 6")))
        watcher = await asyncpg.connect(_url(other), timeout=5)
        await until(blocked(watcher))
        await watcher.close()
        assert not change.done()
    assert await change == 1
    assert locked is not None
    assert locked.active


async def test_a_share_lock_waits_for_a_change_and_sees_it(
    postgresql: database.Database, other: asyncpg.Connection
) -> None:
    await postgresql.run(lambda _: steps.execute("INSERT INTO clusters VALUES ('web', 1, 0, '')"))
    watcher = await asyncpg.connect(_url(other), timeout=5)
    async with other.transaction():
        await other.execute("UPDATE clusters SET status = 5 WHERE name = 'web'")
        commit = asyncio.ensure_future(postgresql.run(lambda d: clusters.locked(d, "web")))
        await until(blocked(watcher))
        assert not commit.done()
    await watcher.close()
    locked = await commit
    assert locked is not None
    assert not locked.active


async def test_the_loser_of_a_deadlock_runs_again(postgresql: database.Database, other: asyncpg.Connection) -> None:
    await postgresql.run(lambda _: steps.execute("INSERT INTO trackers VALUES ('a', '', 0), ('b', '', 0)"))
    runs: list[int] = []

    def work(_: Dialect) -> steps.Step[None]:
        runs.append(1)
        yield from steps.execute("UPDATE trackers SET expires_at = expires_at + 1 WHERE tracker_id = 'a'")
        yield from steps.execute("UPDATE trackers SET expires_at = expires_at + 1 WHERE tracker_id = 'b'")

    watcher = await asyncpg.connect(_url(other), timeout=5)
    # The one that waits first looks for a deadlock first, and finds it: ours.
    await other.execute("SET deadlock_timeout = '20s'")
    async with other.transaction():
        await other.execute("UPDATE trackers SET expires_at = 10 WHERE tracker_id = 'b'")
        running = asyncio.ensure_future(postgresql.run(work))
        await until(blocked(watcher))
        await other.execute("UPDATE trackers SET expires_at = 10 WHERE tracker_id = 'a'")
    await watcher.close()
    await running
    assert len(runs) == 2
    assert await postgresql.read(lambda _: steps.fetch_value("SELECT sum(expires_at)::bigint FROM trackers")) == 22


async def test_work_whose_connection_is_lost_before_the_commit_runs_again(postgresql: database.Database) -> None:
    runs: list[int] = []

    def work(_: Dialect) -> steps.Step[None]:
        runs.append(1)
        yield from add("t")
        if len(runs) == 1:
            yield from steps.execute("SELECT pg_terminate_backend(pg_backend_pid())")

    await postgresql.run(work)
    assert len(runs) == 2
    assert await ids(postgresql) == ["t"]


async def test_work_that_loses_every_connection_is_unavailable(
    postgresql: database.Database, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr("longshore.storage.postgresql.LOST_PAUSE", 0.001)
    with pytest.raises(errors.Unavailable) as caught:
        await postgresql.run(lambda _: steps.execute("SELECT pg_terminate_backend(pg_backend_pid())"))
    assert not isinstance(caught.value, errors.CommitUnknown)
    await postgresql.run(lambda _: add("t"))


async def test_a_transaction_that_sleeps_is_ended_by_the_server_and_runs_again(
    postgresql_url: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(postgresql, "IDLE_IN_TRANSACTION_TIMEOUT", 0.05)
    db = await database.open_database(postgresql_url)
    runs: list[int] = []

    def frozen(_: Dialect) -> steps.Step[None]:
        runs.append(1)
        yield from add("t")
        if len(runs) == 1:
            time.sleep(0.3)  # as a stopped process would: the whole loop stands still

    await db.run(frozen)
    assert len(runs) == 2
    assert await ids(db) == ["t"]
    await db.close()


@pytest.mark.parametrize(
    ("fault", "committed"),
    [(severing.At.LOSE_REQUEST, False), (severing.At.LOSE_ANSWER, True)],
    ids=["request", "answer"],
)
async def test_a_connection_lost_at_the_commit_leaves_the_outcome_unknown(
    postgresql_url: str,
    fault: severing.At,
    committed: bool,  # noqa: FBT001 - a column of the table
) -> None:
    async with severing.before(postgresql_url) as proxy:
        db = await database.open_database(proxy.url)
        runs: list[int] = []

        def work(_: Dialect) -> steps.Step[None]:
            runs.append(1)
            yield from add("t")

        await db.run(lambda _: add("before"))
        proxy.fault = fault
        with pytest.raises(errors.CommitUnknown):
            await db.run(work)
        assert len(runs) == 1
        assert await ids(db) == (["before", "t"] if committed else ["before"])
        await db.close()


async def test_a_server_that_is_silent_at_the_commit_is_given_up_with_the_outcome_unknown(
    postgresql_url: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(postgresql, "TRANSACTION_TIMEOUT", 0.4)
    monkeypatch.setattr(postgresql, "ROLLBACK_TIMEOUT", 0.1)
    async with severing.before(postgresql_url) as proxy:
        db = await database.open_database(proxy.url)
        await db.run(lambda _: add("before"))
        proxy.fault = severing.At.STALL
        with pytest.raises(errors.CommitUnknown):
            await db.run(lambda _: add("t"))
        await db.run(lambda _: add("after"))
        assert set(await ids(db)) >= {"before", "after"}
        await db.close()


async def test_a_statement_over_its_time_is_unavailable(postgresql_url: str, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(postgresql, "STATEMENT_TIMEOUT", 0.05)
    db = await database.open_database(postgresql_url)
    with pytest.raises(errors.Unavailable):
        await db.run(lambda _: steps.fetch("SELECT pg_sleep(30)"))
    await db.run(lambda _: add("t"))
    await db.close()


async def test_a_lock_held_too_long_is_unavailable(
    postgresql_url: str, other: asyncpg.Connection, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(postgresql, "LOCK_TIMEOUT", 0.05)
    db = await database.open_database(postgresql_url)
    await db.run(lambda _: add("t"))
    async with other.transaction():
        await other.execute("UPDATE trackers SET expires_at = 1")
        with pytest.raises(errors.Unavailable):
            await db.run(lambda _: steps.execute("UPDATE trackers SET expires_at = 2"))
    assert await db.run(lambda _: steps.execute("UPDATE trackers SET expires_at = 3")) == 1
    await db.close()


async def test_more_transactions_than_connections_wait_for_their_turn(postgresql: database.Database) -> None:
    await asyncio.gather(*(postgresql.run(adding(f"{n:03}")) for n in range(200)))
    assert len(await ids(postgresql)) == 200


async def test_a_pool_without_a_free_connection_is_unavailable(
    postgresql_url: str, other: asyncpg.Connection, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(postgresql, "POOL_MAX", 1)
    monkeypatch.setattr(postgresql, "ACQUIRE_TIMEOUT", 0.05)
    db = await database.open_database(postgresql_url)
    await db.run(lambda _: add("t"))
    watcher = await asyncpg.connect(_url(other), timeout=5)
    async with other.transaction():
        await other.execute("UPDATE trackers SET expires_at = 1")
        waiting = asyncio.ensure_future(
            db.run(lambda _: steps.execute("UPDATE trackers SET expires_at = expires_at + 1"))
        )
        await until(blocked(watcher))
        with pytest.raises(errors.Unavailable):
            await db.read(lambda _: steps.fetch("SELECT 1"))
    await watcher.close()
    assert await waiting == 1
    await db.close()


async def test_a_cancelled_transaction_gives_its_locks_back(
    postgresql: database.Database, other: asyncpg.Connection
) -> None:
    await postgresql.run(lambda _: add("t"))

    def slow(_: Dialect) -> steps.Step[None]:
        yield from steps.execute("UPDATE trackers SET expires_at = 99")
        yield from steps.fetch("SELECT pg_sleep(60)")

    running = asyncio.ensure_future(postgresql.run(slow))

    async def sleeping() -> bool:
        query = "SELECT count(*) FROM pg_stat_activity WHERE datname = current_database() AND query LIKE '%pg_sleep(60)%' AND wait_event = 'PgSleep'"
        return bool(await other.fetchval(query))

    await until(sleeping)
    running.cancel()
    with pytest.raises(asyncio.CancelledError):
        await running
    assert (
        await postgresql.run(
            lambda _: steps.fetch_value("UPDATE trackers SET expires_at = expires_at + 1 RETURNING expires_at")
        )
        == 1
    )


async def test_a_restart_of_the_server_under_load_is_survived(
    postgresql: database.Database, postgres: PostgresServer
) -> None:
    answered: list[str] = []
    stop = asyncio.Event()

    async def load(name: str) -> None:
        number = 0
        while not stop.is_set():
            number += 1
            key = f"{name}{number:06}"
            try:
                await postgresql.run(adding(key))
            except errors.Unavailable:
                await asyncio.sleep(0.01)
            else:
                answered.append(key)

    loads = [asyncio.ensure_future(load(name)) for name in "abcd"]
    await until(lambda: _true(len(answered) > 20))
    await asyncio.to_thread(postgres.restart)
    before = len(answered)
    await until(lambda: _true(len(answered) > before + 20))
    stop.set()
    await asyncio.gather(*loads)
    assert set(answered) <= set(await ids(postgresql))


async def test_a_server_that_is_down_is_unavailable_at_once_and_used_again_when_it_is_up(
    postgresql: database.Database, postgres: PostgresServer
) -> None:
    await postgresql.run(lambda _: add("a"))
    await asyncio.to_thread(postgres.stop)
    began = time.monotonic()
    with pytest.raises(errors.Unavailable):
        await postgresql.run(lambda _: add("b"))
    with pytest.raises(errors.Unavailable):
        await postgresql.read(lambda _: steps.fetch("SELECT 1"))
    assert time.monotonic() - began < 5
    await asyncio.to_thread(postgres.start)
    await postgresql.run(lambda _: add("c"))
    assert await ids(postgresql) == ["a", "c"]


async def test_opening_a_server_that_is_down_is_unavailable(free_port: Callable[[], int]) -> None:
    with pytest.raises(errors.Unavailable):
        await database.open_database(f"postgresql://longshore@127.0.0.1:{free_port()}/x")


async def test_processes_that_open_an_empty_database_at_once_migrate_it_once(postgres_url: str) -> None:
    program = (
        "import asyncio, sys\n"
        "from longshore.storage import database\n"
        "async def main():\n"
        "    print('ready', flush=True)\n"
        "    sys.stdin.readline()\n"
        "    await (await database.open_database(sys.argv[1])).close()\n"
        "asyncio.run(main())\n"
    )
    processes = [
        await asyncio.create_subprocess_exec(
            sys.executable, "-c", program, postgres_url, stdin=asyncio.subprocess.PIPE, stdout=asyncio.subprocess.PIPE
        )
        for _ in range(3)
    ]
    for process in processes:
        assert process.stdout is not None
        assert await process.stdout.readline() == b"ready\n"
    outcomes = await asyncio.gather(*(process.communicate(b"go\n") for process in processes))
    assert [process.returncode for process in processes] == [0, 0, 0], outcomes
    db = await database.open_database(postgres_url)
    assert isinstance(db, PostgresqlDatabase)
    numbers = await db.read(lambda _: steps.fetch("SELECT number FROM schema_migrations ORDER BY number"))
    assert [row[0] for row in numbers] == list(range(1, len(numbers) + 1)) != []
    await db.close()


def _url(connection: asyncpg.Connection) -> str:
    host, port = connection._addr
    return f"postgresql://{connection._params.user}@{host}:{port}/{connection._params.database}"


async def _true(value: bool) -> bool:  # noqa: FBT001 - what it answers
    return value


async def test_a_server_that_became_a_standby_is_unavailable(
    postgresql: database.Database, other: asyncpg.Connection
) -> None:
    # As a demoted primary does, for every transaction that begins from now on.
    await other.execute(
        "ALTER ROLE CURRENT_USER IN DATABASE "
        + _url(other).rpartition("/")[2]
        + " SET default_transaction_read_only = on"
    )
    await other.execute(
        "SELECT pg_terminate_backend(pid) FROM pg_stat_activity WHERE datname = current_database() AND pid <> pg_backend_pid()"
    )
    with pytest.raises(errors.Unavailable, match="standby"):
        await postgresql.run(adding("t"))
    with pytest.raises(errors.Unavailable, match="standby"):
        await database.open_database(_url(other))


async def test_a_migration_beside_us_is_survived(postgresql: database.Database, other: asyncpg.Connection) -> None:
    def columns(_: Dialect) -> steps.Step[int]:
        row = yield from steps.fetch_row("SELECT * FROM trackers")
        assert row is not None
        return len(row)

    await postgresql.run(adding("t"))
    before = await postgresql.read(columns)
    await other.execute("ALTER TABLE trackers ADD COLUMN note TEXT")
    assert await postgresql.read(columns) == before + 1
    assert await postgresql.run(columns) == before + 1


async def test_an_exception_of_the_work_is_not_mistaken_for_a_lost_connection(postgresql: database.Database) -> None:
    runs: list[int] = []

    def work(_: Dialect) -> steps.Step[None]:
        runs.append(1)
        yield from add("t")
        raise ValueError("mine")

    with pytest.raises(ValueError, match="mine") as caught:
        await postgresql.run(work)
    assert (len(runs), caught.value.__cause__) == (1, None)


async def test_a_process_that_froze_in_the_middle_of_a_copy_keeps_its_locks_until_it_is_ended(
    postgresql: database.Database, postgresql_url: str
) -> None:
    """The server's own timeouts are set, as in the pool's connections, and do not fire there."""
    await postgresql.run(adding("held"))
    frozen = await asyncpg.connect(
        postgresql_url,
        server_settings={
            "application_name": "longshore",
            "statement_timeout": "100",
            "idle_in_transaction_session_timeout": "100",
        },
    )
    sending = asyncio.Event()

    async def rows() -> AsyncIterator[bytes]:
        yield b"one\ta\t0\n"
        sending.set()
        await asyncio.Event().wait()

    async def copy() -> None:
        async with frozen.transaction():
            await frozen.execute("UPDATE trackers SET expires_at = 1 WHERE tracker_id = 'held'")
            await frozen.copy_to_table("trackers", source=rows())

    copying = asyncio.create_task(copy())
    await sending.wait()
    change = asyncio.create_task(
        postgresql.run(lambda _: steps.execute("UPDATE trackers SET expires_at = 2 WHERE tracker_id = 'held'"))
    )

    async def ended() -> bool:
        assert not change.done()
        return bool(await postgresql.read(lambda dialect: steps.fetch(dialect.end_frozen)))

    await until(ended)
    assert await change == 1
    copying.cancel()
    await asyncio.wait((copying,))
    frozen.terminate()
    assert await ids(postgresql) == ["held"]
