"""A scheduler that really serves, over either engine."""

import asyncio
from collections.abc import AsyncIterator
from pathlib import Path

import pytest

from longshore.events import memory_bus
from longshore.rpc import channels
from longshore.scheduler import app, config
from longshore.storage import database
from longshore.v1 import scheduler_service_pb2_grpc
from tests.rpc.scheduler.world import World, definition


def _migrate(url: str) -> None:
    async def open_once() -> None:
        await (await database.open_database(url)).close()

    asyncio.run(open_once())


@pytest.fixture(params=["sqlite", pytest.param("postgresql", marks=pytest.mark.postgres)])
def engine_url(request: pytest.FixtureRequest, tmp_path: Path) -> str:
    if request.param == "sqlite":
        return f"sqlite://{tmp_path}/state.db"
    url: str = request.getfixturevalue("postgres").create_database(prepare=_migrate)
    return url


@pytest.fixture
async def db(engine_url: str) -> AsyncIterator[database.Database]:
    opened = await database.open_database(engine_url)
    yield opened
    await opened.close()


@pytest.fixture
async def world(db: database.Database) -> World:
    made = World(db, memory_bus.MemoryBus())
    await made.create_cluster()
    await made.register(definition())
    return made


@pytest.fixture
async def scheduler(world: World) -> AsyncIterator["scheduler_service_pb2_grpc.SchedulerServiceAsyncStub"]:
    assert world.bus is not None
    options = config.Config(listen="127.0.0.1:0")
    async with (
        app.serve(options, database=world.database, bus=world.bus) as serving,
        channels.connect(serving.address) as channel,
    ):
        yield scheduler_service_pb2_grpc.SchedulerServiceStub(channel)
