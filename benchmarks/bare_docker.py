"""The peer of the launch figures: the Docker Engine's own API, create and start, with the settings the agent used."""

import asyncio
import contextlib
import time
from collections.abc import AsyncIterator
from typing import Any

import aiodocker

LABEL = "com.longshore.benchmark"
DEFINITION_LABEL = "com.longshore.task-definition"
"""Label of an agent's containers: family:revision."""

FAMILY = "benchmark"
"""Family of the benchmark's tasks."""

CALL_TIMEOUT_S = 60.0


@contextlib.asynccontextmanager
async def engine() -> AsyncIterator[aiodocker.Docker]:
    """A client of the machine's engine, that removes what the benchmark made: containers of its own, and those of its tasks."""
    async with aiodocker.Docker() as docker:
        try:
            yield docker
        finally:
            await remove_all(docker)
            await remove_stopped(docker)


async def settings_of(docker: aiodocker.Docker, container_id: str) -> dict[str, Any]:
    """The create body that makes a container like this one, but for name and labels."""
    found = await (await docker.containers.get(container_id)).show()
    config: dict[str, Any] = {
        name: value
        for name, value in found["Config"].items()
        if name not in {"Hostname", "Labels", "Domainname"} and value
    }
    return config | {"HostConfig": found["HostConfig"], "Labels": {LABEL: "bare"}}


async def launch(docker: aiodocker.Docker, body: dict[str, Any]) -> float:
    """Create and start one container; the seconds that took."""
    began = time.perf_counter()
    async with asyncio.timeout(CALL_TIMEOUT_S):
        container = await docker.containers.create(body)
        await container.start()
    return time.perf_counter() - began


async def launch_pair(docker: aiodocker.Docker, pause: dict[str, Any], body: dict[str, Any]) -> float:
    """Create and start a pause container, then one that shares its network; the seconds that took."""
    began = time.perf_counter()
    async with asyncio.timeout(CALL_TIMEOUT_S):
        holder = await docker.containers.create(pause)
        await holder.start()
        host = body["HostConfig"] | {"NetworkMode": f"container:{holder.id}"}
        container = await docker.containers.create(body | {"HostConfig": host})
        await container.start()
    return time.perf_counter() - began


async def burst(docker: aiodocker.Docker, body: dict[str, Any], count: int, concurrency: int) -> float:
    """Launch many with bounded concurrency; the seconds until the last runs."""
    slots = asyncio.Semaphore(concurrency)

    async def one() -> None:
        async with slots:
            await launch(docker, body)

    began = time.perf_counter()
    await asyncio.gather(*(one() for _ in range(count)))
    return time.perf_counter() - began


async def remove_all(docker: aiodocker.Docker) -> None:
    """Remove every container the benchmark made by itself."""
    for container in await docker.containers.list(all=True, filters={"label": [f"{LABEL}=bare"]}):
        with contextlib.suppress(aiodocker.DockerError):
            await container.delete(force=True)


async def remove_stopped(docker: aiodocker.Docker) -> None:
    """Remove the containers that the benchmark's tasks left: the agent would keep them for hours, and the engine be slower."""
    ended = {"label": [DEFINITION_LABEL], "status": ["created", "exited", "dead"]}
    for container in await docker.containers.list(all=True, filters=ended):
        if container["Labels"][DEFINITION_LABEL].startswith(f"{FAMILY}:"):
            with contextlib.suppress(aiodocker.DockerError):
                await container.delete(v=True)
