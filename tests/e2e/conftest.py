"""Both ways to run Longshore, for tests that must pass in both."""

from collections.abc import Iterator
from pathlib import Path

import pytest

from tests.e2e import stacks
from tests.engines import docker, postgres, redis


@pytest.fixture(scope="module", params=["embedded", "distributed"])
def stack(
    request: pytest.FixtureRequest, tmp_path_factory: pytest.TempPathFactory, docker_engine: docker.DockerEngine
) -> Iterator[stacks.Stack]:
    """A running stack with this machine's Docker, shared by a module's tests."""
    folder: Path = tmp_path_factory.mktemp(str(request.param))
    made = make(request, folder)
    with stacks.running(made):
        yield made


@pytest.fixture(params=["embedded", "distributed"])
def own_stack(
    request: pytest.FixtureRequest, tmp_path: Path, docker_engine: docker.DockerEngine
) -> Iterator[stacks.Stack]:
    """A running stack of this test's own, to be broken."""
    with stacks.running(make(request, tmp_path)) as made:
        yield made


def make(request: pytest.FixtureRequest, folder: Path) -> stacks.Stack:
    """The stack that the fixture's parameter names; PostgreSQL and Redis are started only where it needs them."""
    if request.param == "embedded":
        return stacks.embedded(folder)
    server: postgres.PostgresServer = request.getfixturevalue("postgres_session")
    events: redis.RedisServer = request.getfixturevalue("redis_session")
    return stacks.distributed(folder, database_url=server.create_database(), events_url=events.fresh_url())
