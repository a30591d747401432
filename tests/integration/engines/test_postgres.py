"""The PostgreSQL that tests are given is real, isolated, restartable and dies with the run."""

import asyncpg
import pytest

from tests.engines import fixtures, processes
from tests.engines import postgres as engine


async def test_each_test_gets_an_empty_database_of_its_own(postgres: engine.PostgresServer, postgres_url: str) -> None:
    connection = await asyncpg.connect(postgres_url)
    try:
        await connection.execute("CREATE TABLE boats (name text)")
        tables = await connection.fetchval("SELECT count(*) FROM pg_tables WHERE schemaname = 'public'")
    finally:
        await connection.close()
    other = postgres.create_database()

    assert tables == 1
    assert postgres.sql("SELECT count(*) FROM pg_tables WHERE schemaname = 'public'", database=_name(other)) == "0"


def test_a_prepared_database_is_a_copy_and_prepared_once(postgres: engine.PostgresServer) -> None:
    prepared: list[str] = []

    def with_table(url: str) -> None:
        prepared.append(url)
        postgres.sql("CREATE TABLE boats (name text); INSERT INTO boats VALUES ('a')", database=_name(url))

    first = postgres.create_database(prepare=with_table)
    postgres.sql("DELETE FROM boats", database=_name(first))
    second = postgres.create_database(prepare=with_table)

    assert len(prepared) == 1
    assert postgres.sql("SELECT name FROM boats", database=_name(second)) == "a"


def test_the_default_collation_is_a_language_so_that_missing_byte_comparisons_show(
    postgres: engine.PostgresServer,
) -> None:
    assert postgres.sql("SELECT 'a' < 'B', 'a' COLLATE \"C\" < 'B' COLLATE \"C\"") == "t|f"


async def test_data_survives_a_restart_and_connections_do_not(
    postgres: engine.PostgresServer, postgres_url: str
) -> None:
    connection = await asyncpg.connect(postgres_url)
    await connection.execute("CREATE TABLE boats AS SELECT 7 AS length")

    postgres.restart()

    with pytest.raises((asyncpg.PostgresError, asyncpg.InterfaceError, OSError)):
        await connection.fetchval("SELECT 1")
    assert postgres.sql("SELECT length FROM boats", database=_name(postgres_url)) == "7"


def test_a_commit_that_answered_survives_a_crash(postgres: engine.PostgresServer, postgres_url: str) -> None:
    postgres.sql("CREATE TABLE boats AS SELECT 7 AS length", database=_name(postgres_url))

    postgres.crash()
    assert not postgres.running
    postgres.start()

    assert postgres.sql("SELECT length FROM boats", database=_name(postgres_url)) == "7"


def test_a_server_of_ones_own_keeps_fsync_when_asked(make_postgres: fixtures.MakePostgres) -> None:
    server = make_postgres(fsync=True)

    assert server.sql("SHOW fsync") == "on"


def test_a_failing_statement_says_what_the_server_said(postgres: engine.PostgresServer) -> None:
    with pytest.raises(processes.EngineError, match='relation "nothing" does not exist'):
        postgres.sql("SELECT * FROM nothing")


def _name(url: str) -> str:
    return url.rpartition("/")[2]
