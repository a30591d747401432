"""The Docker Engine as a ContainerRuntime, through aiodocker. Nothing here decides; each call has its own time limit."""

import asyncio
from collections.abc import AsyncGenerator, AsyncIterator, Mapping
from typing import Any

import aiodocker
import aiohttp

from longshore.agent import log_frames, pulls, runtime
from longshore.agent.docker import (
    docker_errors,
    docker_events,
    docker_images,
    docker_logs,
    docker_values,
    registry_credentials,
)

VERSION_TIMEOUT_S = 10.0
"""ECS's bound for version and info."""
CREATE_TIMEOUT_S = 4 * 60.0
"""ECS_CONTAINER_CREATE_TIMEOUT's default."""
START_TIMEOUT_S = 3 * 60.0
"""ECS_CONTAINER_START_TIMEOUT's default."""
INSPECT_TIMEOUT_S = 30.0
"""ECS's bound for an inspection."""
STOP_GRACE_S = 120.0
"""What the engine may take to stop a container beyond the container's own timeout."""
UNKNOWN_STOP_TIMEOUT_S = 3600.0
"""How long to wait for a container that is stopped by a timeout of its own that we do not know."""
KILL_TIMEOUT_S = 60.0
"""A kill has nothing to wait for but the engine itself."""
REMOVE_TIMEOUT_S = 5 * 60.0
"""ECS's bound for a removal."""
LIST_TIMEOUT_S = 10 * 60.0
"""ECS's bound for a list: engines with thousands of containers are slow at it."""

VOLUME_TIMEOUT_S = 5 * 60.0
"""ECS's bound for a volume: a driver may have to reach a server."""

STATISTICS_TIMEOUT_S = 18.0
"""ECS's bound for an engine that gives no statistics."""
NETWORK_TIMEOUT_S = 60.0
"""Making a bridge takes the engine a second; a busy one is slower."""

_UNIX = "unix://"
_NO_VOLUME = "no such volume"
_NO_NETWORK = "not found"
_NETWORK_EXISTS = "already exists"


class DockerRuntime:
    """One Docker Engine. Made inside a running event loop."""

    def __init__(
        self,
        host: str,
        credentials: registry_credentials.Credentials | None = None,
        *,
        pull_limits: pulls.Limits | None = None,
        create_timeout_s: float = CREATE_TIMEOUT_S,
        start_timeout_s: float = START_TIMEOUT_S,
    ) -> None:
        self._create_timeout_s = create_timeout_s
        self._start_timeout_s = start_timeout_s
        # No limit on connections: a stop holds one for as long as the container takes to end.
        if host.startswith(_UNIX):
            self._connector: aiohttp.BaseConnector = aiohttp.UnixConnector(host.removeprefix(_UNIX), limit=0)
            url = _UNIX + "localhost"  # the connector knows the path; URLs need a host
        else:
            self._connector = aiohttp.TCPConnector(limit=0)
            url = host
        self._docker = aiodocker.Docker(url=url, connector=self._connector)
        nobody = registry_credentials.Credentials({}, None)
        self._images = docker_images.Images(self._docker, credentials or nobody, pull_limits)
        self._events = docker_events.Events(self._docker, self._images)
        self._logs = docker_logs.Logs(self._docker, self._connector)

    async def describe(self) -> runtime.EngineInfo:
        """Describe the host and the engine."""
        with docker_errors.translated(runtime.CannotDescribeEngineError, "DESCRIBED", VERSION_TIMEOUT_S):
            async with asyncio.timeout(VERSION_TIMEOUT_S):
                version = await self._docker.version()
                info = await self._docker.system.info()
        return docker_values.engine_info(info, version)

    def cached_image(self, image: str) -> pulls.CachedImage | None:
        """What is remembered of an image."""
        return self._images.cached(image)

    async def find_image(self, image: str) -> pulls.CachedImage | None:
        """Ask whether the image is on the host."""
        return await self._images.find(image)

    async def pull(
        self, image: str, *, patient: bool, on_progress: docker_images.OnProgress = docker_images.unheard
    ) -> pulls.CachedImage:
        """Fetch an image."""
        return await self._images.pull(image, patient=patient, on_progress=on_progress)

    async def list_images(self) -> list[runtime.HostImage]:
        """List the images on the host."""
        return await self._images.list_all()

    async def used_images(self) -> frozenset[str]:
        """Images that containers are made from."""
        with docker_errors.translated(runtime.CannotListContainersError, "listed", LIST_TIMEOUT_S):
            async with asyncio.timeout(LIST_TIMEOUT_S):
                found = await self._docker.containers.list(all="true")
        return frozenset(str(container._container["ImageID"]) for container in found)  # noqa: SLF001 - its only reader

    async def remove_image(self, image: runtime.HostImage) -> None:
        """Remove an image with all its names."""
        await self._images.remove(image)

    async def load_image(self, archive: bytes) -> None:
        """Put the images of an archive on the host."""
        await self._images.load(archive)

    async def create(self, name: str, body: Mapping[str, Any]) -> str:
        """Make a container; return its id."""
        with docker_errors.translated(runtime.CannotCreateContainerError, "created", self._create_timeout_s):
            async with asyncio.timeout(self._create_timeout_s):
                container = await self._docker.containers.create(dict(body), name=name)
        return container.id

    async def start(self, runtime_id: str) -> None:
        """Start a container."""
        with docker_errors.translated(runtime.CannotStartContainerError, "started", self._start_timeout_s):
            async with asyncio.timeout(self._start_timeout_s):
                await self._docker.containers.container(runtime_id).start()

    async def stop(self, runtime_id: str, timeout_s: int | None) -> None:
        """Stop a container."""
        limit = (UNKNOWN_STOP_TIMEOUT_S if timeout_s is None else timeout_s) + STOP_GRACE_S
        with docker_errors.translated(runtime.CannotStopContainerError, "stopped", limit):
            async with asyncio.timeout(limit):
                await self._docker.containers.container(runtime_id).stop(t=timeout_s)

    async def kill(self, runtime_id: str) -> None:
        """Kill a container."""
        try:
            with docker_errors.translated(runtime.CannotStopContainerError, "stopped", KILL_TIMEOUT_S):
                async with asyncio.timeout(KILL_TIMEOUT_S):
                    await self._docker.containers.container(runtime_id).kill()
        except runtime.CannotStopContainerError as error:
            if "is not running" not in error.message:
                raise

    async def remove(self, runtime_id: str) -> None:
        """Remove a container and its anonymous volumes."""
        try:
            with docker_errors.translated(runtime.CannotRemoveContainerError, "removed", REMOVE_TIMEOUT_S):
                async with asyncio.timeout(REMOVE_TIMEOUT_S):
                    await self._docker.containers.container(runtime_id).delete(v=True)
        except runtime.ContainerMissing:
            return

    async def find_volume(self, name: str) -> runtime.VolumeDetails | None:
        """Describe a volume."""
        try:
            with docker_errors.translated(runtime.CannotCreateContainerError, "described", INSPECT_TIMEOUT_S):
                async with asyncio.timeout(INSPECT_TIMEOUT_S):
                    volume = await self._docker.volumes.get(name)  # type: ignore[no-untyped-call]
                    found = await volume.show()
        except runtime.CannotCreateContainerError as error:
            if _NO_VOLUME not in error.message.lower():
                raise
            return None
        return runtime.VolumeDetails(found["Driver"], found["Options"] or {}, found["Labels"] or {})

    async def create_volume(
        self, name: str, driver: str, options: Mapping[str, str], labels: Mapping[str, str]
    ) -> None:
        """Make a volume."""
        config = {"Name": name, "Driver": driver, "DriverOpts": dict(options), "Labels": dict(labels)}
        with docker_errors.translated(runtime.CannotCreateContainerError, "created", VOLUME_TIMEOUT_S):
            async with asyncio.timeout(VOLUME_TIMEOUT_S):
                await self._docker.volumes.create(config)  # type: ignore[no-untyped-call]

    async def remove_volume(self, name: str) -> None:
        """Remove a volume."""
        try:
            with docker_errors.translated(runtime.CannotRemoveContainerError, "removed", REMOVE_TIMEOUT_S):
                async with asyncio.timeout(REMOVE_TIMEOUT_S):
                    volume = await self._docker.volumes.get(name)  # type: ignore[no-untyped-call]
                    await volume.delete()
        except runtime.CannotRemoveContainerError as error:
            if _NO_VOLUME not in error.message.lower():
                raise

    async def find_network(self, name: str) -> runtime.NetworkSummary | None:
        """The network of this name."""
        with docker_errors.translated(runtime.CannotCreateNetworkError, "described", NETWORK_TIMEOUT_S):
            async with asyncio.timeout(NETWORK_TIMEOUT_S):
                # As a list: asked for by itself it would be found by the beginning of its id as well.
                listed = await self._docker.networks.list(filters={"name": [name]})
        return next((docker_values.network(found) for found in listed if found["Name"] == name), None)

    async def create_network(self, name: str, config: Mapping[str, Any]) -> None:
        """Make a network."""
        try:
            with docker_errors.translated(runtime.CannotCreateNetworkError, "created", NETWORK_TIMEOUT_S):
                async with asyncio.timeout(NETWORK_TIMEOUT_S):
                    await self._docker.networks.create({**config, "Name": name, "CheckDuplicate": True})
        except runtime.CannotCreateNetworkError as error:
            if f"network with name {name} {_NETWORK_EXISTS}" not in error.message:
                raise

    async def remove_network(self, name: str) -> None:
        """Remove a network."""
        try:
            with docker_errors.translated(runtime.CannotRemoveContainerError, "removed", NETWORK_TIMEOUT_S):
                async with asyncio.timeout(NETWORK_TIMEOUT_S):
                    network = await self._docker.networks.get(name)
                    await network.delete()
        except runtime.CannotRemoveContainerError as error:
            if f"network {name} {_NO_NETWORK}" not in error.message:
                raise

    async def list_volumes(self, label: str, value: str) -> list[runtime.VolumeSummary]:
        """List volumes that carry a label."""
        with docker_errors.translated(runtime.CannotListContainersError, "listed", LIST_TIMEOUT_S):
            async with asyncio.timeout(LIST_TIMEOUT_S):
                filters = {"label": [f"{label}={value}"]}
                answer = await self._docker.volumes.list(filters=filters)  # type: ignore[no-untyped-call]
        return [
            runtime.VolumeSummary(str(volume["Name"]), volume.get("Labels") or {})
            for volume in answer.get("Volumes") or ()
        ]

    async def inspect(self, runtime_id: str) -> runtime.ContainerSnapshot:
        """Describe a container."""
        with docker_errors.translated(runtime.CannotInspectContainerError, "inspected", INSPECT_TIMEOUT_S):
            async with asyncio.timeout(INSPECT_TIMEOUT_S):
                container = await self._docker.containers.container(runtime_id).show()
        return docker_values.snapshot(container)

    def logs(self, runtime_id: str, wanted: runtime.LogQuery) -> AsyncGenerator[list[log_frames.Entry], None]:
        """What a container wrote."""
        return self._logs.read(runtime_id, wanted)

    async def statistics(self, runtime_id: str) -> Mapping[str, Any]:
        """What a container has used, at the engine's next look at it: within a second."""
        with docker_errors.translated(runtime.CannotMeasureContainerError, "measured", STATISTICS_TIMEOUT_S):
            async with asyncio.timeout(STATISTICS_TIMEOUT_S):
                params = {"stream": "false", "one-shot": "true"}
                # aiodocker's own call does not know one-shot, without which the engine waits for a second look.
                found: Mapping[str, Any] = await self._docker._query_json(  # noqa: SLF001 - the request below its calls
                    f"containers/{runtime_id}/stats", params=params
                )
        return found

    async def list_labelled(self, label: str, value: str) -> list[runtime.ContainerSummary]:
        """List containers that carry a label."""
        with docker_errors.translated(runtime.CannotListContainersError, "listed", LIST_TIMEOUT_S):
            async with asyncio.timeout(LIST_TIMEOUT_S):
                filters = docker_events.encoded_filters(label=[f"{label}={value}"])
                found = await self._docker.containers.list(all="true", filters=filters)
        return [docker_values.summary(container._container) for container in found]  # noqa: SLF001 - its only reader

    def events(self) -> AsyncIterator[runtime.RuntimeEvent]:
        """What happens to containers, for ever."""
        return self._events.follow()

    async def close(self) -> None:
        """Let go of the connections."""
        await self._logs.close()
        await self._images.close()
        await self._docker.close()
        await self._connector.close()
