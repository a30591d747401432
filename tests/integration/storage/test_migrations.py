"""A database from one schema to the next, with what is in it, on either engine."""

from typing import TYPE_CHECKING, Any

import pytest

from longshore.storage import clusters, database, definitions, log, schema, steps
from longshore.storage.dialect import Dialect
from longshore.v1 import cluster_pb2, task_definition_pb2

if TYPE_CHECKING:
    from tests.engines.postgres import PostgresServer

SECOND = ("access_key_count", "access_keys", "account_settings", "capacity_provider_tags")
"""What the second migration makes."""


@pytest.fixture(params=["sqlite", pytest.param("postgresql", marks=pytest.mark.postgres)])
def empty_url(request: pytest.FixtureRequest, tmp_path: Any) -> str:
    """URL of an empty database."""
    if request.param == "sqlite":
        return f"sqlite://{tmp_path}/state.db"
    server: PostgresServer = request.getfixturevalue("postgres")
    return server.create_database()


@pytest.fixture
async def at_first(empty_url: str, monkeypatch: pytest.MonkeyPatch) -> str:
    """URL of a database that a release with the first schema alone made and used."""
    known = schema.load
    with monkeypatch.context() as patched:
        patched.setattr(schema, "load", lambda engine: known(engine)[:1])
        opened = await database.open_database(empty_url)
        await opened.run(_fill)
        await opened.close()
    return empty_url


def _fill(dialect: Dialect) -> steps.Step[None]:
    cluster = cluster_pb2.Cluster(capacity_providers=["FARGATE"]).SerializeToString()
    yield from steps.execute(
        f"INSERT INTO clusters (name, status, created_at, body) VALUES ('web', 1, {dialect.now}, $1)",  # noqa: S608 - the dialect's own
        cluster,
    )
    yield from log.create("web")
    body = task_definition_pb2.TaskDefinition(family="site", revision=1).SerializeToString()
    yield from steps.execute(
        "INSERT INTO task_definitions (family, revision, status, registered_at, body, tags) VALUES ('site', 1, 1, 7, $1, $2)",
        body,
        b"",
    )


async def _numbers(db: database.Database) -> list[int]:
    rows = await db.read(lambda _: steps.fetch("SELECT number FROM schema_migrations ORDER BY number"))
    return [row["number"] for row in rows]


async def test_a_database_of_the_first_schema_goes_to_the_next_with_all_that_is_in_it(at_first: str) -> None:
    opened = await database.open_database(at_first)
    try:
        assert (await _numbers(opened))[:2] == [1, 2]
        cluster = await opened.read(lambda _: clusters.by_name("web"))
        assert cluster is not None
        assert list(cluster.record().capacity_providers) == ["FARGATE"]
        found = await opened.read(lambda _: definitions.by_revision(definitions.Key("site", 1)))
        assert found is not None
        assert found.registered_at == 7
        counts = [await opened.read(lambda _, t=t: steps.fetch_value(f"SELECT count(*) FROM {t}")) for t in SECOND]  # type: ignore[misc]  # noqa: S608 - our own tables
        assert counts == [1, 0, 0, 0]
    finally:
        await opened.close()


async def test_the_release_before_runs_on_the_newest_schema(at_first: str, monkeypatch: pytest.MonkeyPatch) -> None:
    newer = await database.open_database(at_first)
    await newer.close()
    known = schema.load
    monkeypatch.setattr(schema, "load", lambda engine: known(engine)[:-1])

    older = await database.open_database(at_first)
    try:
        body = cluster_pb2.Cluster().SerializeToString()
        await older.run(
            lambda dialect: steps.execute(
                f"INSERT INTO clusters (name, status, created_at, body) VALUES ('shop', 1, {dialect.now}, $1)",  # noqa: S608 - the dialect's own
                body,
            )
        )
        assert await older.read(lambda _: clusters.names_active()) == ["shop", "web"]
    finally:
        await older.close()

    monkeypatch.undo()
    newer = await database.open_database(at_first)
    try:
        assert await newer.read(lambda _: clusters.names_active()) == ["shop", "web"]
        assert len(await _numbers(newer)) == len(schema.load(newer.dialect.name))
    finally:
        await newer.close()
