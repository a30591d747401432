"""What the agent needs of a container engine, and how it fails. Docker and the simulation implement the same Protocol."""

from collections.abc import AsyncGenerator, AsyncIterator, Callable, Mapping
from dataclasses import dataclass, field
from typing import Any, ClassVar, Protocol

from longshore.agent import log_frames, pull_progress, pulls, task_events, task_state

REASON_LIMIT = 1024


class RuntimeFailure(Exception):  # noqa: N818 - the names below are ECS's error names
    """A call to the engine failed. `retriable`: the engine could not be asked, which says nothing about the container."""

    error_name: ClassVar[str] = "DockerStateError"
    retriable: ClassVar[bool] = False

    def __init__(self, message: str) -> None:
        super().__init__(message)
        self.message = message

    @property
    def reason(self) -> str:
        """ECS's `<ErrorName>: <message>`, at most 1024 characters."""
        return f"{self.error_name}: {self.message}"[:REASON_LIMIT]


class CannotPullContainerError(RuntimeFailure):
    """The image could not be fetched."""

    error_name = "CannotPullContainerError"


class CannotPullContainerAuthError(CannotPullContainerError):
    """The registry wants to know who asks, and was told nobody it knows."""

    error_name = "CannotPullContainerAuthError"


class CannotPullImageManifestError(CannotPullContainerError):
    """The registry has no such image, or none for this host's platform."""

    error_name = "CannotPullImageManifestError"


PULL_FAILURES: Mapping[pulls.Failure, type[CannotPullContainerError]] = {
    pulls.Failure.PULL: CannotPullContainerError,
    pulls.Failure.AUTH: CannotPullContainerAuthError,
    pulls.Failure.MANIFEST: CannotPullImageManifestError,
}


class CannotCreateContainerError(RuntimeFailure):
    """The engine refused to make the container."""

    error_name = "CannotCreateContainerError"


class NameTaken(CannotCreateContainerError):  # noqa: N818 - shown under its base's name
    """A container of this name exists already."""


class CannotStartContainerError(RuntimeFailure):
    """The engine could not start the container's process."""

    error_name = "CannotStartContainerError"


class PortTaken(CannotStartContainerError):  # noqa: N818 - shown under its base's name
    """A host port of the container is used by somebody else."""


class OutOfMemoryError(RuntimeFailure):
    """The kernel killed the container for memory before its process began."""

    error_name = "OutOfMemoryError"


class NetworkMissing(CannotStartContainerError):  # noqa: N818 - shown under its base's name
    """The network that the container is to join is not there."""


class CannotStopContainerError(RuntimeFailure):
    """The engine refused to stop or kill the container."""

    error_name = "CannotStopContainerError"


class CannotInspectContainerError(RuntimeFailure):
    """The engine refused to describe the container."""

    error_name = "CannotInspectContainerError"


class CannotCreateNetworkError(RuntimeFailure):
    """The engine refused to make the network."""

    error_name = "CannotCreateNetworkError"


class CannotMeasureContainerError(RuntimeFailure):
    """The engine refused to say what a container uses."""

    error_name = "CannotGetStatsError"


class CannotRemoveContainerError(RuntimeFailure):
    """The engine refused to remove the container, volume, network or image."""

    error_name = "CannotRemoveContainerError"


class CannotListContainersError(RuntimeFailure):
    """The engine refused to list containers, images or volumes."""

    error_name = "CannotListContainersError"


class CannotReadLogsError(RuntimeFailure):
    """The engine cannot give the container's log. The message names its driver."""

    error_name = "CannotReadLogsError"


class CannotDescribeEngineError(RuntimeFailure):
    """The engine refused to describe itself, or is not one that we can use."""

    error_name = "CannotGetDockerclientError"


class ContainerMissing(RuntimeFailure):
    """The engine does not know the container."""

    error_name = "ContainerVanishedError"


class DockerTimeoutError(RuntimeFailure):
    """The engine did not answer in time; what was asked for may have happened."""

    error_name = "DockerTimeoutError"


def timed_out(what: str, seconds: float) -> str:
    """ECS's words for a call without an answer. `what` names the aim of the call."""
    minutes, rest = divmod(int(seconds), 60)
    waited = f"{minutes}m{rest}s" if minutes else f"{rest}s"
    return f"Could not transition to {what}; timed out after waiting {waited}"


class EngineUnavailable(RuntimeFailure):
    """Nobody answers at the engine's address, or the connection broke; what was asked for may have happened."""

    error_name = "CannotGetDockerclientError"
    retriable = True


@dataclass(frozen=True, slots=True)
class EngineInfo:
    """What the engine says of its host and of itself."""

    engine_id: str
    name: str
    version: str
    api_version: tuple[int, int]
    cpus: int
    memory_bytes: int
    os_type: str
    architecture: str
    logging_drivers: frozenset[str] = frozenset()
    security_options: frozenset[str] = frozenset()
    volume_drivers: frozenset[str] = frozenset()
    lacks: frozenset[str] = frozenset()
    """Limits that the engine says its kernel does not have, by its own names: `MemoryLimit`, `SwapLimit`, `CPUShares`."""
    runtimes: frozenset[str] = frozenset()
    """What the engine can run containers with, by its own names: `runc`, `nvidia`."""
    cgroup_driver: str = ""
    """`cgroupfs` or `systemd`; empty where it is not said."""
    cgroup_version: int = 1
    data_root: str = ""
    """Folder of the engine's images, containers and volumes, as the engine's host sees it. Two engines of one host may share an id, not this."""


@dataclass(frozen=True, slots=True)
class LogQuery:
    """What is wanted of a container's log. Times are nanoseconds since 1970; zero: no bound."""

    follow: bool = False
    """Go on until the container ends. One that does not run has no more than there is."""
    since_ns: int = 0
    until_ns: int = 0
    tail: int | None = None
    """Only the last entries."""


@dataclass(frozen=True, slots=True)
class ContainerSummary:
    """One line of the engine's list."""

    runtime_id: str
    name: str
    running: bool
    labels: Mapping[str, str]


@dataclass(frozen=True, slots=True)
class NetworkAddress:
    """A container's place in one of the engine's networks. Empty, zero: it has none of its own there."""

    network: str
    ipv4: str = ""
    prefix_length: int = 0
    gateway: str = ""
    mac: str = ""


@dataclass(frozen=True, slots=True)
class Mount:
    """Something mounted into a container. `volume` is empty where it is a path of the host."""

    volume: str
    source: str
    destination: str


@dataclass(frozen=True, slots=True)
class Check:
    """One run of a health check."""

    ended_at: int
    exit_code: int
    output: str = field(default="", repr=False)


@dataclass(frozen=True, slots=True)
class HostImage:
    """One line of the engine's list of images."""

    image_id: str
    tags: tuple[str, ...] = ()
    digests: tuple[str, ...] = ()
    """`repository@digest` of each repository that it is known to be in."""
    created_at: int = 0
    """When it was made, in microseconds; zero where that is not known."""
    internal: bool = False
    """Whether it is marked as the agent's own."""

    @property
    def references(self) -> tuple[str, ...]:
        """Everything that has to be removed for it to be gone."""
        return (*self.tags, *self.digests) or (self.image_id,)


@dataclass(frozen=True, slots=True)
class VolumeDetails:
    """How a volume was made."""

    driver: str
    options: Mapping[str, str]
    labels: Mapping[str, str]


@dataclass(frozen=True, slots=True)
class VolumeSummary:
    """One line of the engine's list of volumes."""

    name: str
    labels: Mapping[str, str]


@dataclass(frozen=True, slots=True)
class NetworkSummary:
    """A network of the engine."""

    name: str
    labels: Mapping[str, str]
    subnets: tuple[str, ...] = ()


@dataclass(frozen=True, slots=True)
class ContainerSnapshot:
    """A container as the engine describes it. Times are microseconds, zero for never."""

    runtime_id: str
    name: str
    found: task_events.Found
    labels: Mapping[str, str]
    exit_code: int | None = None
    out_of_memory: bool = False
    error: str = ""
    image_id: str = ""
    bindings: tuple[task_state.Binding, ...] = ()
    health: task_state.Health = task_state.Health.UNSPECIFIED
    created_at: int = 0
    started_at: int = 0
    finished_at: int = 0
    addresses: tuple[NetworkAddress, ...] = ()
    mounts: tuple[Mount, ...] = ()
    checks: tuple[Check, ...] = ()
    """The last runs of the health check that the engine remembers, the oldest first."""
    log_driver: str = ""
    log_options: Mapping[str, str] = field(default_factory=dict, repr=False)

    def address(self, network: str) -> NetworkAddress | None:
        """Its place in the network of that name, where it has an address there; which it has while it runs."""
        return next((place for place in self.addresses if place.network == network and place.ipv4), None)


@dataclass(frozen=True, slots=True)
class StreamOpened:
    """The event stream runs from now on; whatever happened before has to be looked up."""


@dataclass(frozen=True, slots=True)
class ContainerNews:
    """Something happened to a container: `die` (with its exit code), `start`, `destroy` or `health_status`."""

    runtime_id: str
    action: str
    labels: Mapping[str, str] = field(default_factory=dict)
    exit_code: int | None = None
    health: task_state.Health = task_state.Health.UNSPECIFIED


RuntimeEvent = StreamOpened | ContainerNews


class ContainerRuntime(Protocol):
    """A container engine. Each call has a time limit of its own and raises a RuntimeFailure; all may be called concurrently."""

    async def describe(self) -> EngineInfo:
        """Describe the host and the engine."""

    def cached_image(self, image: str) -> pulls.CachedImage | None:
        """What is known of an image without asking. None: not known, ask `find_image`."""

    async def find_image(self, image: str) -> pulls.CachedImage | None:
        """Ask whether the image is on the host."""

    async def pull(
        self, image: str, *, patient: bool, on_progress: Callable[[pull_progress.Progress], None]
    ) -> pulls.CachedImage:
        """Fetch an image from its registry. `patient`: try several times, because without it nothing runs.

        `on_progress` hears how far it is, often. Several calls for one image are one pull, which ends with the last of them.
        """

    async def list_images(self) -> list[HostImage]:
        """List the images on the host."""

    async def used_images(self) -> frozenset[str]:
        """Ids of the images that containers are made from, running or not, whoever made them."""

    async def remove_image(self, image: HostImage) -> None:
        """Remove an image with all its names. One that is gone is no error; one that a container uses or that is just being pulled is.

        Whoever asks for it meanwhile is answered when it is gone.
        """

    async def load_image(self, archive: bytes) -> None:
        """Put the images of an archive on the host, which is as the engine would save them. What is there already stays."""

    async def create(self, name: str, body: Mapping[str, Any]) -> str:
        """Make a container; return its id. NameTaken if there is one of this name."""

    async def start(self, runtime_id: str) -> None:
        """Start a container. One that runs already is left as it is."""

    async def stop(self, runtime_id: str, timeout_s: int | None) -> None:
        """Ask a container to end, kill it after `timeout_s` (None: its own). One that does not run is left as it is."""

    async def kill(self, runtime_id: str) -> None:
        """Kill a container. One that does not run is left as it is."""

    async def remove(self, runtime_id: str) -> None:
        """Remove a container that does not run, with its anonymous volumes. One that is gone is no error."""

    async def find_volume(self, name: str) -> VolumeDetails | None:
        """Describe a volume; None where there is none of this name."""

    async def create_volume(
        self, name: str, driver: str, options: Mapping[str, str], labels: Mapping[str, str]
    ) -> None:
        """Make a volume. One of this name and driver that exists is left as it is; of another driver, it is an error."""

    async def remove_volume(self, name: str) -> None:
        """Remove a volume. One that is gone is no error."""

    async def find_network(self, name: str) -> NetworkSummary | None:
        """The network of this name, None where there is none."""

    async def create_network(self, name: str, config: Mapping[str, Any]) -> None:
        """Make a network, as the body says. One of this name that exists is left as it is; its device can be no other's."""

    async def remove_network(self, name: str) -> None:
        """Remove a network. One that is gone is no error, one that is used is."""

    async def list_volumes(self, label: str, value: str) -> list[VolumeSummary]:
        """List volumes that carry a label with this value."""

    async def inspect(self, runtime_id: str) -> ContainerSnapshot:
        """Describe a container by its id or name. ContainerMissing if there is none."""

    def logs(self, runtime_id: str, wanted: LogQuery) -> AsyncGenerator[list[log_frames.Entry], None]:
        """What a container wrote, in the order of the engine's log, as it comes; the engine waits for a slow reader.

        To be closed by who iterates. CannotReadLogsError where the driver keeps nothing to read.
        """

    async def statistics(self, runtime_id: str) -> Mapping[str, Any]:
        """What a container has used up to now, in the shape of Docker's statistics. ContainerMissing if there is none."""

    async def list_labelled(self, label: str, value: str) -> list[ContainerSummary]:
        """List containers that carry a label with this value, running or not."""

    def events(self) -> AsyncIterator[RuntimeEvent]:
        """What happens to containers, for ever: survives the engine's absence, and says StreamOpened after each gap."""

    async def close(self) -> None:
        """Let go of the connections."""
