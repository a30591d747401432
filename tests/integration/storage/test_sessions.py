"""Sessions on PostgreSQL: whose end is told, and to whom."""

import asyncio

import asyncpg
import pytest

from longshore.storage import database, errors, sessions
from longshore.storage.postgresql_sessions import PostgresqlSessions

pytestmark = pytest.mark.postgres

PATIENCE_S = 10.0


@pytest.fixture
def opened(postgresql: database.Database) -> sessions.Sessions:
    assert postgresql.sessions is not None
    return postgresql.sessions


async def waited_for(url: str) -> None:
    """Return once some session of the database waits for another's advisory lock. PostgreSQL tells nobody when one begins to."""
    connection = await asyncpg.connect(url)
    async with asyncio.timeout(PATIENCE_S):
        while not await connection.fetchval(  # noqa: ASYNC110
            "SELECT count(*) FROM pg_stat_activity WHERE wait_event = 'advisory' AND datname = current_database()"
        ):
            await asyncio.sleep(0.005)
    await connection.close()


async def test_the_end_of_a_session_is_told_to_all_who_wait_for_it(
    opened: sessions.Sessions, postgresql_url: str
) -> None:
    held = await opened.hold(7)
    waiting = [asyncio.create_task(opened.ended(7)) for _ in range(2)]
    await waited_for(postgresql_url)
    await held.close()
    async with asyncio.timeout(PATIENCE_S):
        assert await asyncio.gather(*waiting) == [True, True]


async def test_a_session_that_nobody_holds_tells_nothing(opened: sessions.Sessions) -> None:
    assert await opened.ended(8) is False


async def test_a_session_that_the_server_cuts_is_lost_and_can_be_had_anew(
    opened: sessions.Sessions, postgresql_url: str
) -> None:
    held = await opened.hold(9)
    other = await asyncpg.connect(postgresql_url)
    await other.execute(
        "SELECT pg_terminate_backend(pid) FROM pg_stat_activity"
        " WHERE application_name = 'longshore-session' AND datname = current_database()"
    )
    async with asyncio.timeout(PATIENCE_S):
        await held.lost()
        await (await opened.hold(9)).close()
    await other.close()


async def test_without_a_server_there_is_no_session(free_port: "object") -> None:
    assert callable(free_port)
    away = PostgresqlSessions(f"postgresql://nobody@127.0.0.1:{free_port()}/nothing")
    with pytest.raises(errors.Unavailable):
        await away.hold(1)
    with pytest.raises(errors.Unavailable):
        await away.ended(1)
