"""Schedulers on one real PostgreSQL, and connections of the test's own that hold transactions open."""

import asyncio
import contextlib
from collections.abc import AsyncIterator, Awaitable, Callable, Generator
from dataclasses import dataclass, field
from typing import Any, Protocol, TypeAlias

import asyncpg
import pytest

from longshore.events import memory_bus
from longshore.rpc import channels
from longshore.scheduler import app, config
from longshore.storage import database, steps
from longshore.v1 import scheduler_service_pb2_grpc
from tests.engines.postgres import PostgresServer
from tests.rpc.scheduler.world import World, definition

Stub: TypeAlias = "scheduler_service_pb2_grpc.SchedulerServiceAsyncStub"

PATIENCE_S = 10.0


def _migrate(url: str) -> None:
    async def open_once() -> None:
        await (await database.open_database(url)).close()

    asyncio.run(open_once())


@pytest.fixture
def url(postgres: PostgresServer) -> str:
    return postgres.create_database(prepare=_migrate)


@pytest.fixture
async def world(url: str) -> AsyncIterator[World]:
    """A cluster with a definition; its own connections stand for registry and state-tracker."""
    opened = await database.open_database(url)
    made = World(opened)
    await made.create_cluster()
    await made.register(definition())
    yield made
    await opened.close()


class StartScheduler(Protocol):
    """Starts a scheduler with connections of its own; it ends with the test, or when its stack is closed."""

    async def __call__(self, *, lease_ms: int = 1_000, listen: str = "127.0.0.1:0") -> "Scheduler": ...


@dataclass
class Scheduler:
    """One that serves."""

    stub: Stub
    address: str
    database: database.Database
    stack: contextlib.AsyncExitStack


@pytest.fixture
async def start(url: str) -> AsyncIterator[StartScheduler]:
    bus = memory_bus.MemoryBus()
    async with contextlib.AsyncExitStack() as all_of_them:

        async def make(*, lease_ms: int = 1_000, listen: str = "127.0.0.1:0") -> Scheduler:
            stack = contextlib.AsyncExitStack()
            all_of_them.push_async_callback(stack.aclose)
            opened = await database.open_database(url)
            stack.push_async_callback(opened.close)
            options = config.Config(listen=listen, database_url=url, leader_lease_ms=lease_ms, standby_interval_ms=100)
            serving = await stack.enter_async_context(app.serve(options, database=opened, bus=bus))
            channel = await stack.enter_async_context(channels.connect(serving.address))
            stub: Stub = scheduler_service_pb2_grpc.SchedulerServiceStub(channel)
            return Scheduler(stub, serving.address, opened, stack)

        yield make


@dataclass
class Held:
    """A transaction on a connection of its own, driven statement by statement."""

    connection: Any
    _work: "Generator[steps.Statement, Any, Any] | None" = None
    result: Any = None
    executed: int = 0
    _next: Any = field(default=None)

    async def begin(self) -> None:
        await self.connection.execute("BEGIN ISOLATION LEVEL READ COMMITTED")

    async def drive(self, work: "Generator[steps.Statement, Any, Any]", *, until: int | None = None) -> Any:
        """Execute the statements of a transaction, all or the first `until`; the rest is for `go_on`."""
        self._work, self._next, self.executed = work, None, 0
        return await self.go_on(until=until)

    async def go_on(self, *, until: int | None = None) -> Any:
        assert self._work is not None
        while until is None or self.executed < until:
            try:
                statement = self._work.send(self._next)
            except StopIteration as done:
                self.result = done.value
                return self.result
            self._next = await self._execute(statement)
            self.executed += 1
        return None

    async def commit(self) -> None:
        await self.connection.execute("COMMIT")

    async def roll_back(self) -> None:
        await self.connection.execute("ROLLBACK")

    async def _execute(self, statement: steps.Statement) -> Any:
        if isinstance(statement, steps.Query):
            return await self._query(statement)
        if isinstance(statement, steps.InsertMany):
            marks = ", ".join(f"${place}" for place in range(1, len(statement.columns) + 1))
            sql = f"INSERT INTO {statement.table} ({', '.join(statement.columns)}) VALUES ({marks})"  # noqa: S608
            await self.connection.executemany(sql, [tuple(row) for row in statement.rows])
            return None
        keys = len(statement.keys)
        sets = ", ".join(
            f"{one.column} = {one.column + ' + ' if one.add else ''}${place}"
            for place, one in enumerate(statement.assignments, start=keys + 1)
        )
        where = " AND ".join(f"{key} = ${place}" for place, key in enumerate(statement.keys, start=1))
        await self.connection.executemany(
            f"UPDATE {statement.table} SET {sets} WHERE {where}",  # noqa: S608
            [tuple(row) for row in statement.rows],
        )
        return len(statement.rows)

    async def _query(self, query: steps.Query) -> Any:
        if query.shape is steps.Shape.ROWS:
            return await self.connection.fetch(query.sql, *query.args)
        if query.shape is steps.Shape.ROW:
            return await self.connection.fetchrow(query.sql, *query.args)
        if query.shape is steps.Shape.VALUE:
            return await self.connection.fetchval(query.sql, *query.args)
        return int((await self.connection.execute(query.sql, *query.args)).rpartition(" ")[2])


@pytest.fixture
async def hold(url: str) -> AsyncIterator[Callable[..., Awaitable[Held]]]:
    """Opens a transaction on a second connection. `idle_timeout_ms`: as the engine sets it for its own; 0 is for ever."""
    async with contextlib.AsyncExitStack() as stack:

        async def make(*, idle_timeout_ms: int = 0) -> Held:
            connection = await asyncpg.connect(
                url, server_settings={"idle_in_transaction_session_timeout": str(idle_timeout_ms)}
            )
            stack.callback(connection.terminate)
            held = Held(connection)
            await held.begin()
            return held

        yield make


@pytest.fixture
async def somebody_waits(url: str) -> AsyncIterator[Callable[[], Awaitable[None]]]:
    """Returns once a session of the database waits for another's lock: what the race needs to be one."""
    connection = await asyncpg.connect(url)

    async def wait() -> None:
        async with asyncio.timeout(PATIENCE_S):
            # PostgreSQL tells nobody when a session begins to wait.
            while not await connection.fetchval(  # noqa: ASYNC110
                "SELECT count(*) FROM pg_stat_activity WHERE wait_event_type = 'Lock' AND datname = current_database()"
            ):
                await asyncio.sleep(0.005)

    yield wait
    connection.terminate()
