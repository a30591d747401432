"""A state-tracker that really serves, over either engine, and agents without containers."""

import asyncio
from collections.abc import AsyncIterator, Awaitable, Callable
from contextlib import AsyncExitStack
from pathlib import Path
from typing import Any

import pytest

from longshore.events import memory_bus
from longshore.rpc import channels
from longshore.state_tracker import app
from longshore.state_tracker.config import Config
from longshore.storage import database
from longshore.v1 import state_tracker_service_pb2_grpc
from tests.rpc.state_tracker import fake_agent
from tests.rpc.state_tracker.world import World, definition

Stub = state_tracker_service_pb2_grpc.StateTrackerServiceStub


def _migrate(url: str) -> None:
    async def open_once() -> None:
        await (await database.open_database(url)).close()

    asyncio.run(open_once())


@pytest.fixture(params=["sqlite", pytest.param("postgresql", marks=pytest.mark.postgres)])
def engine_url(request: pytest.FixtureRequest, tmp_path: Path) -> str:
    if request.param == "sqlite":
        return f"sqlite://{tmp_path}/state.db"
    server: Any = request.getfixturevalue("postgres")
    return str(server.create_database(prepare=_migrate))


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
async def start(world: World) -> AsyncIterator[Callable[..., Awaitable[str]]]:
    """Starts a tracker with these settings; gives its address. Several may run beside each other."""
    async with AsyncExitStack() as stack:

        async def begin(**settings: Any) -> str:
            config = Config(listen="127.0.0.1:0", **settings)
            serving = await stack.enter_async_context(app.serve(config, database=world.database, bus=world.bus))
            return serving.address

        yield begin


@pytest.fixture
async def address(start: Callable[..., Awaitable[str]]) -> str:
    """A tracker whose leases are longer than any test."""
    return await start(agent_heartbeat=5.0, agent_lease=60.0)


@pytest.fixture
async def tracker(address: str) -> AsyncIterator[Stub]:
    async with channels.connect(address) as channel:
        yield Stub(channel)


@pytest.fixture
async def join(tracker: Any) -> Callable[..., Awaitable[fake_agent.Identity]]:
    """Registers an instance."""

    async def register(**fields: Any) -> fake_agent.Identity:
        answer = await tracker.RegisterContainerInstance(fake_agent.registration(**fields))
        return fake_agent.Identity(
            answer.container_instance.container_instance_arn.rpartition("/")[2], answer.instance_credential
        )

    return register
