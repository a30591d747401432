"""Both engines, each on an empty database with the newest schema."""

import asyncio
from collections.abc import AsyncIterator
from pathlib import Path

import pytest

from longshore.storage import database
from tests.engines.postgres import PostgresServer


def _migrate(url: str) -> None:
    async def open_once() -> None:
        await (await database.open_database(url)).close()

    asyncio.run(open_once())


@pytest.fixture(params=["sqlite", pytest.param("postgresql", marks=pytest.mark.postgres)])
def engine_url(request: pytest.FixtureRequest, tmp_path: Path) -> str:
    """URL of a migrated database of this test's own, on either engine."""
    if request.param == "sqlite":
        return f"sqlite://{tmp_path}/state.db"
    return _postgresql_url(request.getfixturevalue("postgres"))


@pytest.fixture
def postgresql_url(postgres: PostgresServer) -> str:
    """The same on PostgreSQL alone."""
    return _postgresql_url(postgres)


def _postgresql_url(server: PostgresServer) -> str:
    return server.create_database(prepare=_migrate)


@pytest.fixture
async def db(engine_url: str) -> AsyncIterator[database.Database]:
    """An open database on either engine."""
    opened = await database.open_database(engine_url)
    yield opened
    await opened.close()


@pytest.fixture
async def postgresql(postgresql_url: str) -> AsyncIterator[database.Database]:
    """An open database on PostgreSQL."""
    opened = await database.open_database(postgresql_url)
    yield opened
    await opened.close()
