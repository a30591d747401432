"""The fixtures of :mod:`tests.engines`; see there for what each gives."""

from collections.abc import Callable, Iterator
from contextlib import ExitStack
from pathlib import Path
from typing import Protocol

import pytest

from tests.engines import agent_image as images
from tests.engines import docker, dockerd, image_registry, ports, postgres, redis
from tests.engines.missing import missing


class MakePostgres(Protocol):
    """Starts a server of the test's own."""

    def __call__(self, *, fsync: bool = False) -> postgres.PostgresServer: ...


@pytest.fixture
def free_port() -> Callable[[], int]:
    return ports.free_port


@pytest.fixture(scope="session")
def postgres_session() -> Iterator[postgres.PostgresServer]:
    with postgres.PostgresServer(_postgres_programs()) as server:
        yield server


@pytest.fixture(name="postgres")
def postgres_server(postgres_session: postgres.PostgresServer) -> Iterator[postgres.PostgresServer]:
    yield postgres_session
    postgres_session.start()


@pytest.fixture
def postgres_url(postgres: postgres.PostgresServer) -> Iterator[str]:
    url = postgres.create_database()
    yield url
    postgres.start()
    postgres.drop_database(url)


@pytest.fixture
def make_postgres() -> Iterator[MakePostgres]:
    programs = _postgres_programs()
    with ExitStack() as servers:

        def make(*, fsync: bool = False) -> postgres.PostgresServer:
            return servers.enter_context(postgres.PostgresServer(programs, fsync=fsync))

        yield make


@pytest.fixture(scope="session")
def redis_session() -> Iterator[redis.RedisServer]:
    executable = redis.program()
    if executable is None:
        missing("no Redis server on this machine")
    with redis.RedisServer(executable) as server:
        yield server


@pytest.fixture
def redis_server(redis_session: redis.RedisServer) -> Iterator[redis.RedisServer]:
    yield redis_session
    if redis_session.running:
        redis_session.resume()
    redis_session.start()


@pytest.fixture
def redis_url(redis_server: redis.RedisServer) -> str:
    return redis_server.fresh_url()


@pytest.fixture(scope="session")
def docker_engine() -> docker.DockerEngine:
    engine = docker.machine_engine()
    if engine is None:
        missing("no Docker Engine answers on this machine")
    engine.ensure_busybox()
    return engine


@pytest.fixture(scope="session")
def agent_image(docker_engine: docker.DockerEngine) -> str:
    """The agent's image, loaded from the archive that `make agent-image` builds."""
    if not docker_engine.docker("images", "--quiet", "python:3.11-slim-bookworm"):
        missing("no image python:3.11-slim-bookworm on this machine (`make images` makes a stand-in)")
    return images.loaded(docker_engine)


@pytest.fixture(scope="session")
def registry_session() -> Iterator[image_registry.ImageRegistry]:
    with image_registry.ImageRegistry(_registry_program(), locked=False) as registry:
        yield registry


@pytest.fixture(scope="session")
def locked_registry_session() -> Iterator[image_registry.ImageRegistry]:
    with image_registry.ImageRegistry(_registry_program(), locked=True) as registry:
        yield registry


@pytest.fixture
def private_docker() -> Iterator[dockerd.PrivateDockerd]:
    executable = dockerd.program()
    if executable is None:
        missing("a Docker Engine of a test's own needs root, dockerd and ip (package iproute2)")
    with dockerd.PrivateDockerd(executable) as engine:
        engine.ensure_busybox()
        yield engine


def _postgres_programs() -> Path:
    programs = postgres.installation()
    if programs is None:
        missing("no PostgreSQL server on this machine")
    return programs


def _registry_program() -> str:
    executable = image_registry.program()
    if executable is None:
        missing("no image registry on this machine (package docker-registry)")
    return executable
