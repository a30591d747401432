"""What docker-compose.yml relies on holds for the images on this machine, pulled or stand-ins."""

from collections.abc import Callable

import asyncpg
import pytest

from tests.engines import docker, ports, waiting

_SERVES_WITHIN_S = 30.0
_ENVIRONMENT = (
    "--env=POSTGRES_USER=longshore",
    "--env=POSTGRES_PASSWORD=secret",
    "--env=POSTGRES_DB=boats",
)


async def test_postgres_makes_the_database_and_lets_in_by_password_alone(
    start: Callable[..., str], docker_engine: docker.DockerEngine
) -> None:
    port = ports.free_port()
    container = start("postgres:15-bookworm", *_ENVIRONMENT, f"--publish=127.0.0.1:{port}:5432")
    _wait_for_postgres(docker_engine, container)

    connection = await asyncpg.connect(f"postgresql://longshore:secret@127.0.0.1:{port}/boats")
    try:
        assert await connection.fetchval("SELECT current_database()") == "boats"
    finally:
        await connection.close()
    with pytest.raises(asyncpg.InvalidPasswordError):
        await asyncpg.connect(f"postgresql://longshore:wrong@127.0.0.1:{port}/boats")


def test_postgres_keeps_its_data_over_a_restart(start: Callable[..., str], docker_engine: docker.DockerEngine) -> None:
    container = start("postgres:15-bookworm", *_ENVIRONMENT)
    _wait_for_postgres(docker_engine, container)
    query = ("exec", container, "psql", "-U", "longshore", "-d", "boats", "-At", "-c")
    docker_engine.docker(*query, "CREATE TABLE boats AS SELECT 7 AS length")

    docker_engine.docker("restart", container)
    _wait_for_postgres(docker_engine, container)

    assert docker_engine.docker(*query, "SELECT length FROM boats") == "7"


def test_postgres_without_a_password_says_so(start: Callable[..., str], docker_engine: docker.DockerEngine) -> None:
    container = start("postgres:15-bookworm")

    assert docker_engine.docker("wait", container) == "1"
    assert "POSTGRES_PASSWORD" in docker_engine.logs(container)


def test_redis_answers_the_health_check(start: Callable[..., str], docker_engine: docker.DockerEngine) -> None:
    container = start("redis:7-bookworm")

    waiting.until(
        lambda: docker_engine.docker("exec", container, "redis-cli", "ping", check=False) == "PONG",
        within_s=_SERVES_WITHIN_S,
        what="redis answers",
    )


@pytest.mark.timeout(360)
@pytest.mark.usefixtures("our_images")
def test_the_agents_image_holds_the_agent_and_nothing_of_the_control_plane(
    start: Callable[..., str], docker_engine: docker.DockerEngine
) -> None:
    probe = "import importlib.util as u; print(sorted(n for n in {names} if u.find_spec(n)))"
    names = ["aiodocker", "aiohttp", "asyncpg", "boto3", "grpc", "lark", "numpy", "pip", "redis", "starlette", "typer"]
    container = start("longshore/agent", command=("python", "-c", probe.format(names=names)))

    docker_engine.docker("wait", container)
    assert docker_engine.logs(container) == str(["aiodocker", "aiohttp", "grpc"])


@pytest.mark.timeout(360)
@pytest.mark.usefixtures("our_images")
def test_the_images_carry_the_fast_protobuf_runtime(
    start: Callable[..., str], docker_engine: docker.DockerEngine
) -> None:
    probe = "from google.protobuf.internal import api_implementation; print(api_implementation.Type())"
    for image in ("longshore/agent", "longshore/services"):
        container = start(image, command=("python", "-c", probe))

        docker_engine.docker("wait", container)
        assert docker_engine.logs(container) == "upb", image


def _wait_for_postgres(engine: docker.DockerEngine, container: str) -> None:
    command = ("exec", container, "pg_isready", "--host=127.0.0.1", "--username=longshore", "--dbname=boats")
    waiting.until(
        lambda: engine.docker(*command, check=False).endswith("accepting connections"),
        within_s=_SERVES_WITHIN_S,
        what="postgres accepts connections",
    )
