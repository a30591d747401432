"""What docker-compose.yml relies on holds for the images on this machine, pulled or stand-ins."""

import tarfile
from collections.abc import Callable
from pathlib import Path

import asyncpg
import pytest

from tests.engines import docker, labels, ports, waiting

_SERVES_WITHIN_S = 30.0
# Servers are not the agent's; the others are for other platforms, for typing, or ask for what is optional.
_IMPORT_ALL = """
import importlib, pkgutil
faults = []
for package in ("longshore.agent", "longshore.rpc", "longshore.v1", "aiodocker", "aiohttp", "grpc", "structlog", "google.protobuf"):
    for found in pkgutil.walk_packages(importlib.import_module(package).__path__, package + "."):
        if found.name.endswith("__main__"):
            continue
        try:
            importlib.import_module(found.name)
        except ImportError as error:
            faults.append((found.name, str(error)))
print(faults)
"""
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
def test_the_agents_image_holds_the_agent_and_nothing_of_the_control_plane(
    start: Callable[..., str], docker_engine: docker.DockerEngine, agent_image: str
) -> None:
    probe = "import importlib.util as u; print(sorted(n for n in {names} if u.find_spec(n)))"
    packages = [
        "aiodocker",
        "aiohttp",
        "asyncpg",
        "boto3",
        "grpc",
        "lark",
        "numpy",
        "pip",
        "redis",
        "starlette",
        "typer",
    ]
    parts = [f"longshore.{name}" for name in ("agent", "cli", "client", "registry", "rpc", "storage", "v1")]
    names = [*packages, *parts, "unittest"]
    container = start(agent_image, "--network=none", "--entrypoint=python", command=("-c", probe.format(names=names)))

    docker_engine.docker("wait", container)
    expected = ["aiodocker", "aiohttp", "grpc", "longshore.agent", "longshore.rpc", "longshore.v1"]
    assert docker_engine.logs(container) == str(expected)


@pytest.mark.timeout(360)
def test_every_module_of_the_agents_image_can_be_imported(
    start: Callable[..., str], docker_engine: docker.DockerEngine, agent_image: str
) -> None:
    """What is left out of the standard library is missed by nobody, not even by what is imported late."""
    container = start(agent_image, "--network=none", "--entrypoint=python", command=("-c", _IMPORT_ALL))

    assert docker_engine.docker("wait", container) == "0", docker_engine.logs(container)
    assert docker_engine.logs(container) == "[]"


@pytest.mark.timeout(360)
def test_the_agents_image_is_no_distribution(
    docker_engine: docker.DockerEngine, agent_image: str, tmp_path: Path
) -> None:
    label = labels.unique()
    container = docker_engine.docker("create", "--label", label, agent_image)
    try:
        docker_engine.docker("export", "--output", str(tmp_path / "image.tar"), container)
    finally:
        docker_engine.remove_labelled(label)
    with tarfile.open(tmp_path / "image.tar") as exported:
        listed = [member.name for member in exported if not member.isdir()]
    programs = [name for name in listed if "bin/" in name]
    assert {name.rpartition("/")[2] for name in programs} == {"python", "python3", "python3.11"}
    assert not [name for name in listed if name.endswith((".py", ".pyi", ".proto", ".c")) or "/tests/" in name]


@pytest.mark.timeout(360)
@pytest.mark.usefixtures("our_images")
def test_the_images_carry_the_fast_protobuf_runtime(
    start: Callable[..., str], docker_engine: docker.DockerEngine, agent_image: str
) -> None:
    probe = "from google.protobuf.internal import api_implementation; print(api_implementation.Type())"
    for image in (agent_image, "longshore/services"):
        container = start(image, "--network=none", "--entrypoint=python", command=("-c", probe))

        docker_engine.docker("wait", container)
        assert docker_engine.logs(container) == "upb", image


def _wait_for_postgres(engine: docker.DockerEngine, container: str) -> None:
    command = ("exec", container, "pg_isready", "--host=127.0.0.1", "--username=longshore", "--dbname=boats")
    waiting.until(
        lambda: engine.docker(*command, check=False).endswith("accepting connections"),
        within_s=_SERVES_WITHIN_S,
        what="postgres accepts connections",
    )
