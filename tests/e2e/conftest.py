"""Both ways to run Longshore, each started once for a module's tests."""

from collections.abc import Iterator

import pytest

from tests.e2e import stacks
from tests.engines import docker, postgres, redis


@pytest.fixture(scope="module", params=["embedded", "distributed"])
def stack(
    request: pytest.FixtureRequest, tmp_path_factory: pytest.TempPathFactory, docker_engine: docker.DockerEngine
) -> Iterator[stacks.Stack]:
    """A running stack on this machine's Docker: of each kind, for tests that must pass in both."""
    if request.param == "embedded":
        with stacks.running(stacks.embedded(tmp_path_factory.mktemp("embedded"), docker_engine)) as made:
            yield made
    else:
        yield request.getfixturevalue("distributed")


@pytest.fixture(scope="module")
def distributed(
    tmp_path_factory: pytest.TempPathFactory,
    docker_engine: docker.DockerEngine,
    postgres_session: postgres.PostgresServer,
    redis_session: redis.RedisServer,
) -> Iterator[stacks.Stack]:
    """A running stack of separate processes, each of which a test may break and must mend."""
    url = postgres_session.create_database()
    folder = tmp_path_factory.mktemp("distributed")
    made = stacks.distributed(folder, docker_engine, database_url=url, events_url=redis_session.fresh_url())
    with stacks.running(made):
        yield made
    postgres_session.drop_database(url)
