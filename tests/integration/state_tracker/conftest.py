"""A tracker on a database of either engine, over the real buses, and the fake agent of the rpc tests."""

import asyncio
from collections.abc import AsyncIterator
from pathlib import Path
from typing import Any

import pytest

from longshore.events import memory_bus
from longshore.storage import database
from tests.rpc.state_tracker.world import World, definition


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
async def world(engine_url: str) -> AsyncIterator[World]:
    opened = await database.open_database(engine_url)
    made = World(opened, memory_bus.MemoryBus())
    await made.create_cluster()
    await made.register(definition())
    yield made
    await opened.close()
