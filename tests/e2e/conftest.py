"""Both ways to run Longshore, each started once for all end-to-end tests: whoever breaks a part mends it."""

from collections.abc import Iterator
from pathlib import Path

import pytest

from tests.e2e import machines, stacks
from tests.engines import docker, postgres, redis


@pytest.fixture(scope="session")
def embedded(tmp_path_factory: pytest.TempPathFactory, docker_engine: docker.DockerEngine) -> Iterator[stacks.Stack]:
    """`longshore up` on this machine's Docker."""
    with stacks.running(stacks.embedded(tmp_path_factory.mktemp("embedded"), docker_engine)) as made:
        yield made


@pytest.fixture(scope="session")
def distributed(
    tmp_path_factory: pytest.TempPathFactory,
    docker_engine: docker.DockerEngine,
    postgres_session: postgres.PostgresServer,
    redis_session: redis.RedisServer,
) -> Iterator[stacks.Stack]:
    """Separate processes over PostgreSQL and Redis, on this machine's Docker."""
    url = postgres_session.create_database()
    folder = tmp_path_factory.mktemp("distributed")
    made = stacks.distributed(folder, docker_engine, database_url=url, events_url=redis_session.fresh_url())
    with stacks.running(made):
        yield made
    postgres_session.drop_database(url)


@pytest.fixture(params=["embedded", "distributed"])
def stack(request: pytest.FixtureRequest) -> stacks.Stack:
    """Either, one after the other: for tests that must pass in both."""
    found: stacks.Stack = request.getfixturevalue(request.param)
    return found


@pytest.fixture
def machine(tmp_path: Path, docker_engine: docker.DockerEngine) -> Iterator[machines.Machine]:
    """A machine on which nothing has been started yet; what a test leaves running ends with it."""
    made = machines.Machine(tmp_path, docker_engine)
    try:
        yield made
    finally:
        made.command("down", check=False)
        made.stop()
