"""A registry that really serves, over either engine, with owners of other tags that only keep tags."""

import asyncio
from collections.abc import AsyncIterator
from contextlib import AsyncExitStack
from pathlib import Path
from typing import TYPE_CHECKING

import pytest

from longshore.events import memory_bus
from longshore.registry import app
from longshore.registry.config import Config
from longshore.rpc import channels
from longshore.storage import database
from longshore.v1 import registry_service_pb2_grpc
from tests.rpc.registry import owners

if TYPE_CHECKING:
    from tests.engines import postgres


def _migrate(url: str) -> None:
    async def open_once() -> None:
        await (await database.open_database(url)).close()

    asyncio.run(open_once())


@pytest.fixture(params=["sqlite", pytest.param("postgresql", marks=pytest.mark.postgres)])
def engine_url(request: pytest.FixtureRequest, tmp_path: Path) -> str:
    if request.param == "sqlite":
        return f"sqlite://{tmp_path}/state.db"
    server: postgres.PostgresServer = request.getfixturevalue("postgres")
    return server.create_database(prepare=_migrate)


@pytest.fixture
async def db(engine_url: str) -> AsyncIterator[database.Database]:
    opened = await database.open_database(engine_url)
    yield opened
    await opened.close()


@pytest.fixture
async def scheduler() -> AsyncIterator[owners.Owner]:
    async with owners.serving_scheduler() as served:
        yield served


@pytest.fixture
async def tracker() -> AsyncIterator[owners.Owner]:
    async with owners.serving_tracker() as served:
        yield served


@pytest.fixture
def seal_key_file(tmp_path: Path) -> Path:
    """Where the registry makes its seal key when it first needs one."""
    return tmp_path / "seal.key"


@pytest.fixture
async def address(
    db: database.Database, scheduler: owners.Owner, tracker: owners.Owner, seal_key_file: Path
) -> AsyncIterator[str]:
    config = Config(
        listen="127.0.0.1:0",
        scheduler=(scheduler.address,),
        state_tracker=(tracker.address,),
        deletion_interval_s=3600.0,
        seal_key_file=seal_key_file,
        make_seal_key=True,
    )
    async with app.serve(config, database=db, bus=memory_bus.MemoryBus()) as serving:
        yield serving.address


@pytest.fixture
async def registry(address: str) -> AsyncIterator["registry_service_pb2_grpc.RegistryServiceAsyncStub"]:
    async with AsyncExitStack() as stack:
        channel = await stack.enter_async_context(channels.connect(address))
        yield registry_service_pb2_grpc.RegistryServiceStub(channel)
