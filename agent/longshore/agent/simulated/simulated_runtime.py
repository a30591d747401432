"""A container engine without containers: thousands of instances in one process, for scale tests and capacity planning.

It keeps Docker's rules (names are taken, ports collide, what stops says so) and its rough timing; what a container does is told by
a function, so that a test or a plan decides how long it runs and how it ends.
"""

import asyncio
import io
import json
import random
import sys
import tarfile
from collections.abc import AsyncGenerator, AsyncIterator, Callable, Iterable, Mapping
from dataclasses import dataclass
from typing import Any

from google.protobuf import timestamp_pb2

from longshore.agent import log_frames, pull_progress, pulls, runtime, task_events, task_limits
from longshore.agent.docker import docker_values
from longshore.agent.simulated import simulated_journal, simulated_networks, simulated_statistics, simulated_timing
from longshore.rpc import log_cursor

_KILLED = 137
_LOST = 255
"""What Docker says of a container that ended with its host."""
_LAYER = 30_000_000
"""Bytes of every image that is pulled here."""
_TERMINATED = 143
_STATUS = {
    task_events.Found.CREATED: "created",
    task_events.Found.RUNNING: "running",
    task_events.Found.EXITED: "exited",
}


_MICROSECONDS = 1_000_000
_READ_OF_BODY = ("Image", "Labels", "StopTimeout")
_READ_OF_HOST = ("IpcMode", "LogConfig", "Memory", "NetworkMode", "PidMode", "PortBindings")


def _kept(body: Mapping[str, Any]) -> dict[str, Any]:
    """Of a create call what is looked at again later: with millions of containers the rest would be most of the memory."""
    host = body.get("HostConfig", {})
    kept = {name: body[name] for name in _READ_OF_BODY if name in body}
    return kept | {"HostConfig": {name: host[name] for name in _READ_OF_HOST if host.get(name)}}


def _timestamp(microseconds: int) -> timestamp_pb2.Timestamp:
    seconds, rest = divmod(microseconds, _MICROSECONDS)
    return timestamp_pb2.Timestamp(seconds=seconds, nanos=rest * 1000)


@dataclass(frozen=True, slots=True)
class Life:
    """What a container does once started: run for some seconds (None: until it is stopped), then exit."""

    runs_s: float | None = None
    exit_code: int = 0
    out_of_memory: bool = False
    ignores_stop: bool = False
    start_error: str = ""
    output: tuple[tuple[int, bytes], ...] = ()
    """What it writes as soon as it runs: stream and line."""


@dataclass(slots=True)
class _Container:
    runtime_id: str
    name: str
    body: Mapping[str, Any]
    life: Life
    created_at: int
    found: task_events.Found = task_events.Found.CREATED
    exit_code: int | None = None
    error: str = ""
    started_at: int = 0
    finished_at: int = 0
    addresses: tuple[runtime.NetworkAddress, ...] = ()
    end: simulated_timing.Entry | None = None
    log: tuple[log_frames.Entry, ...] = ()
    waiting: "asyncio.Future[None] | None" = None
    """Made by the first who waits for its end: most containers have none."""

    def over(self) -> "asyncio.Future[None]":
        """Done once it has ended."""
        if self.waiting is None:
            self.waiting = asyncio.get_running_loop().create_future()
        return self.waiting


class SimulatedGroups:
    """Limits of whole tasks on a host where nothing uses anything."""

    def parent(self, task_id: str) -> str:
        """There is no group."""
        del task_id
        return ""

    async def limit(self, task_id: str, limits: task_limits.TaskLimits) -> None:
        """Nothing would exceed them."""

    async def remove(self, task_id: str) -> None:
        """Nothing is kept."""

    async def sweep(self, known: Iterable[str]) -> None:
        """Nothing is kept."""


class SimulatedRuntime:
    """One simulated host's engine."""

    def __init__(
        self,
        *,
        info: runtime.EngineInfo,
        images: Mapping[str, pulls.CachedImage],
        source: random.Random,
        clock: Callable[[], int],
        registry: Mapping[str, pulls.CachedImage] | None = None,
        timing: simulated_timing.Timing | None = None,
        life: Callable[[Mapping[str, Any]], Life] = lambda _: Life(),
        wheel: simulated_timing.Wheel | None = None,
        news: simulated_journal.News = simulated_journal.unheard,
    ) -> None:
        self._info = info
        self._news = news
        self._images = dict(images)
        self._pins = {image.pin for image in self._images.values()}
        self._registry: Mapping[str, pulls.CachedImage] = {} if registry is None else registry
        self._source = source
        self._clock = clock
        self._timing = timing or simulated_timing.Timing()
        self._wheel = wheel or simulated_timing.Wheel()
        self.slowness = 1.0
        """By what everything takes longer than it should."""
        self._life = life
        self._containers: dict[str, _Container] = {}
        self._names: dict[str, str] = {}
        self._ports: dict[tuple[str, str], str] = {}
        self._volumes: dict[str, runtime.VolumeDetails] = {}
        self._networks = simulated_networks.Networks()
        self._listeners: list[asyncio.Queue[runtime.RuntimeEvent]] = []

    async def describe(self) -> runtime.EngineInfo:
        """The host as it was made up."""
        return self._info

    def cached_image(self, image: str) -> pulls.CachedImage | None:
        """An image that is here."""
        return self._images.get(image)

    async def find_image(self, image: str) -> pulls.CachedImage | None:
        """An image that is here."""
        return self._images.get(image)

    async def pull(
        self, image: str, *, patient: bool, on_progress: Callable[[pull_progress.Progress], None] = lambda _: None
    ) -> pulls.CachedImage:
        """Fetch an image from the made-up registry, which never thinks better of it."""
        del patient
        found = self._registry.get(image)
        if found is not None and self._images.get(image) == found:
            await self._take(self._timing.check)
            return found
        whole_s = self._timing.pull.draw(self._source)
        for quarter in range(1, 5):
            await self._wait(whole_s / 4)
            if found is not None:
                on_progress(pull_progress.Progress(quarter * _LAYER // 4, _LAYER, 1))
        if found is None:
            raise runtime.CannotPullContainerError(f"pull access denied for {image}, repository does not exist")
        self._images[image] = found
        self._pins.add(found.pin)
        return found

    async def list_images(self) -> list[runtime.HostImage]:
        """List the images, each under every name that it has."""
        names: dict[str, list[str]] = {}
        for name, image in self._images.items():
            names.setdefault(image.image_id, []).append(name)
        return [runtime.HostImage(image_id, tuple(tags)) for image_id, tags in names.items()]

    async def used_images(self) -> frozenset[str]:
        """Images that containers are made from."""
        made_from = {container.body["Image"] for container in self._containers.values()}
        return frozenset(
            image.image_id for name, image in self._images.items() if name in made_from or image.pin in made_from
        )

    async def remove_image(self, image: runtime.HostImage) -> None:
        """Remove an image with all its names."""
        if image.image_id in await self.used_images():
            raise runtime.CannotRemoveContainerError(f"a container uses {image.image_id}")
        self._images = {name: kept for name, kept in self._images.items() if kept.image_id != image.image_id}
        self._pins = {kept.pin for kept in self._images.values()}

    async def load_image(self, archive: bytes) -> None:
        """Have the images that an archive names."""
        with tarfile.open(fileobj=io.BytesIO(archive)) as files:
            listed = files.extractfile("manifest.json")
            manifest = json.load(listed) if listed is not None else []
        for image in manifest:
            found = pulls.CachedImage(f"sha256:{image['Config'].removesuffix('.json')}", "")
            self._images.update(dict.fromkeys(image["RepoTags"], found))
            self._pins.add(found.pin)

    async def create(self, name: str, body: Mapping[str, Any]) -> str:
        """Make a container."""
        if name in self._names:
            raise runtime.NameTaken(f"The container name /{name} is already in use by container {self._names[name]}")
        if body["Image"] not in self._images and body["Image"] not in self._pins:
            raise runtime.CannotCreateContainerError(f"No such image: {body['Image']}")
        runtime_id = f"{self._source.getrandbits(256):064x}"
        self._names[name] = runtime_id
        self._containers[runtime_id] = _Container(runtime_id, name, _kept(body), self._life(body), self._clock())
        await self._take(self._timing.create)
        return runtime_id

    async def start(self, runtime_id: str) -> None:
        """Start a container."""
        container = self._get(runtime_id)
        await self._take(self._timing.start)
        if container.found is task_events.Found.RUNNING:
            return
        if container.life.start_error:
            container.error = container.life.start_error
            raise runtime.CannotStartContainerError(container.error)
        self._join(container)
        self._publish_ports(container)
        container.found, container.exit_code = task_events.Found.RUNNING, None
        container.started_at = self._clock()
        container.waiting = None
        stamp = log_cursor.stamp_of(_timestamp(container.started_at))
        container.log += tuple((stream, stamp, line) for stream, line in container.life.output)
        self._tell(container, "start")
        if container.life.runs_s is not None:
            container.end = self._wheel.call_later(
                container.life.runs_s, self._exit, container, container.life.exit_code
            )

    async def stop(self, runtime_id: str, timeout_s: int | None) -> None:
        """Stop a container; one that ignores it is killed after the timeout."""
        container = self._get(runtime_id)
        if container.found is not task_events.Found.RUNNING:
            return
        await self._take(self._timing.stop)
        if not container.life.ignores_stop:
            self._exit(container, _TERMINATED)
            return
        try:
            async with asyncio.timeout(container.body.get("StopTimeout") if timeout_s is None else timeout_s):
                await asyncio.shield(container.over())
        except TimeoutError:
            self._exit(container, _KILLED)

    async def kill(self, runtime_id: str) -> None:
        """Kill a container."""
        self._exit(self._get(runtime_id), _KILLED)

    async def remove(self, runtime_id: str) -> None:
        """Remove a container."""
        container = self._containers.get(self._names.get(runtime_id, runtime_id))
        if container is None:
            return
        if container.found is task_events.Found.RUNNING:
            raise runtime.CannotRemoveContainerError(f"container {container.name} is running")
        del self._containers[container.runtime_id]
        del self._names[container.name]
        self._tell(container, "destroy")

    async def find_volume(self, name: str) -> runtime.VolumeDetails | None:
        """Describe a volume."""
        return self._volumes.get(name)

    async def create_volume(
        self, name: str, driver: str, options: Mapping[str, str], labels: Mapping[str, str]
    ) -> None:
        """Make a volume."""
        made = runtime.VolumeDetails(driver, options, labels)
        if self._volumes.setdefault(name, made).driver != driver:
            raise runtime.CannotCreateContainerError(f"a volume with name {name} exists with another driver")

    async def remove_volume(self, name: str) -> None:
        """Remove a volume."""
        self._volumes.pop(name, None)

    async def find_network(self, name: str) -> runtime.NetworkSummary | None:
        """The network of this name."""
        return self._networks.find(name)

    async def create_network(self, name: str, config: Mapping[str, Any]) -> None:
        """Make a network."""
        self._networks.create(name, config)

    async def remove_network(self, name: str) -> None:
        """Remove a network."""
        self._networks.remove(name)

    async def list_volumes(self, label: str, value: str) -> list[runtime.VolumeSummary]:
        """List volumes."""
        return [
            runtime.VolumeSummary(name, volume.labels)
            for name, volume in self._volumes.items()
            if volume.labels.get(label) == value
        ]

    async def inspect(self, runtime_id: str) -> runtime.ContainerSnapshot:
        """Describe a container."""
        container = self._get(self._names.get(runtime_id, runtime_id))
        ended = container.found is task_events.Found.EXITED
        return runtime.ContainerSnapshot(
            runtime_id=container.runtime_id,
            name=container.name,
            found=container.found,
            labels=container.body.get("Labels", {}),
            exit_code=container.exit_code,
            out_of_memory=ended and container.life.out_of_memory and container.exit_code == container.life.exit_code,
            error=container.error,
            bindings=docker_values.bindings(container.body.get("HostConfig", {}).get("PortBindings", {})),
            addresses=container.addresses,
            created_at=container.created_at,
            started_at=container.started_at,
            finished_at=container.finished_at,
        )

    async def logs(self, runtime_id: str, wanted: runtime.LogQuery) -> AsyncGenerator[list[log_frames.Entry], None]:
        """What a container wrote: all at its start."""
        container = self._get(self._names.get(runtime_id, runtime_id))
        if container.body.get("HostConfig", {}).get("LogConfig", {}).get("Type") == "none":
            raise runtime.CannotReadLogsError("log driver none: configured logging driver does not support reading")
        entries = [
            entry
            for entry in container.log
            if wanted.since_ns <= log_cursor.nanoseconds(entry[1]) <= (wanted.until_ns or sys.maxsize)
        ]
        if wanted.tail is not None:
            entries = entries[len(entries) - min(wanted.tail, len(entries)) :]
        if entries:
            yield entries
        if wanted.follow and container.found is task_events.Found.RUNNING:
            await asyncio.shield(container.over())

    async def statistics(self, runtime_id: str) -> Mapping[str, Any]:
        """What a container would have used: nothing where it does not run, a little where it does."""
        container = self._get(self._names.get(runtime_id, runtime_id))
        return simulated_statistics.of(container.body, started_at=self._running_since(container), now=self._clock())

    def _running_since(self, container: _Container) -> int:
        return container.started_at if container.found is task_events.Found.RUNNING else 0

    async def list_labelled(self, label: str, value: str) -> list[runtime.ContainerSummary]:
        """List containers."""
        return [
            docker_values.summary(
                {
                    "Id": container.runtime_id,
                    "Names": [f"/{container.name}"],
                    "State": _STATUS[container.found],
                    "Labels": container.body.get("Labels", {}),
                }
            )
            for container in self._containers.values()
            if container.body.get("Labels", {}).get(label) == value
        ]

    async def events(self) -> AsyncIterator[runtime.RuntimeEvent]:
        """What happens from now on."""
        queue: asyncio.Queue[runtime.RuntimeEvent] = asyncio.Queue()  # unbounded: its reader is in this process
        self._listeners.append(queue)
        try:
            yield runtime.StreamOpened()
            while True:
                yield await queue.get()
        finally:
            self._listeners.remove(queue)

    def lose_power(self) -> None:
        """The host goes down: every container has ended, as the engine finds them when it comes back."""
        for container in self._containers.values():
            self._exit(container, _LOST)

    async def close(self) -> None:
        """Nothing to let go of; containers run on, as they do on a real engine."""

    def _get(self, runtime_id: str) -> _Container:
        try:
            return self._containers[runtime_id]
        except KeyError:
            raise runtime.ContainerMissing("No container matching saved ID found") from None

    async def _take(self, spread: simulated_timing.Spread) -> None:
        await self._wait(spread.draw(self._source))

    async def _wait(self, seconds: float) -> None:
        if seconds:
            await self._wheel.sleep(seconds * self.slowness)

    def _join(self, container: _Container) -> None:
        """Have the namespaces that a container asks for: those of another one, or an interface on a network."""
        host = container.body.get("HostConfig", {})
        for kind in ("NetworkMode", "PidMode", "IpcMode"):
            _, joins, other = str(host.get(kind, "")).partition("container:")
            if joins and self._get(self._names.get(other, other)).found is not task_events.Found.RUNNING:
                raise runtime.CannotStartContainerError(
                    f"cannot join the {kind} of a container that does not run: {other}"
                )
        container.addresses = self._networks.join(host.get("NetworkMode", ""), container.runtime_id)

    def _publish_ports(self, container: _Container) -> None:
        wanted = [
            (key.partition("/")[2], place["HostPort"])
            for key, places in container.body.get("HostConfig", {}).get("PortBindings", {}).items()
            for place in places
        ]
        for protocol, port in wanted:
            holder = self._ports.get((protocol, port))
            if holder not in {None, container.runtime_id}:
                raise runtime.PortTaken(f"Bind for 0.0.0.0:{port} failed: port is already allocated")
        self._ports.update(dict.fromkeys(wanted, container.runtime_id))

    def _exit(self, container: _Container, code: int) -> None:
        if container.found is not task_events.Found.RUNNING:
            return
        if container.end is not None:
            container.end.cancel()
        container.found, container.exit_code, container.finished_at = task_events.Found.EXITED, code, self._clock()
        if self._ports:
            self._ports = {port: holder for port, holder in self._ports.items() if holder != container.runtime_id}
        self._networks.leave(container.runtime_id)
        container.addresses = ()
        if container.waiting is not None and not container.waiting.done():
            container.waiting.set_result(None)
        self._tell(container, "die", code)

    def _tell(self, container: _Container, action: str, code: int | None = None) -> None:
        self._news(action, container.body.get("Labels", {}), container.runtime_id, code)
        news = runtime.ContainerNews(container.runtime_id, action, exit_code=code)
        for queue in self._listeners:
            queue.put_nowait(news)
