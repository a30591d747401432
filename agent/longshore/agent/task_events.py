"""What can happen to a task. Past tense: facts, in whatever order and however often they come in."""

from dataclasses import dataclass
from enum import StrEnum

from longshore.agent import pull_progress, task_state


@dataclass(frozen=True, slots=True)
class Assigned:
    """The task was assigned and written down; or it was adopted, and goes on from what was found."""


@dataclass(frozen=True, slots=True)
class StopRequested:
    """The task is no longer wanted here: by the control plane, or because the host leaves, which only this agent knows."""

    reason: str = ""
    code: task_state.StopCode = task_state.StopCode.REQUESTED


@dataclass(frozen=True, slots=True)
class Refused:
    """The task cannot run here at all: its definition needs what this agent does not do."""

    reason: str


@dataclass(frozen=True, slots=True)
class PullBegan:
    """An image of the task is being fetched from its registry."""

    container: str


@dataclass(frozen=True, slots=True)
class PullProgressed:
    """The pull of the container's image is so far."""

    container: str
    progress: pull_progress.Progress


@dataclass(frozen=True, slots=True)
class ImageReady:
    """The container's image is on the host. `pulled` tells a fetched image from one that was used as it was."""

    container: str
    digest: str
    pulled: bool
    image_id: str = ""
    pin: str = ""
    """What the container is to be made from, so that it is this image and no other."""


@dataclass(frozen=True, slots=True)
class PullFailed:
    """The image could not be fetched and no older copy is here."""

    container: str
    reason: str


@dataclass(frozen=True, slots=True)
class ContainerCreated:
    """The engine has made the container."""

    container: str
    runtime_id: str
    bindings: tuple[task_state.Binding, ...] = ()


@dataclass(frozen=True, slots=True)
class CreateFailed:
    """The engine has not made the container, or nobody can tell; it was not started in any case."""

    container: str
    reason: str


@dataclass(frozen=True, slots=True)
class ContainerStarted:
    """The container's process runs. The id and the bindings differ from the created ones if a port had to be chosen again."""

    container: str
    runtime_id: str
    bindings: tuple[task_state.Binding, ...] = ()
    interface: task_state.Interface | None = None


@dataclass(frozen=True, slots=True)
class StartFailed:
    """The process did not start; `uncertain` if it may have, or may yet."""

    container: str
    reason: str
    uncertain: bool = False


@dataclass(frozen=True, slots=True)
class ContainerDied:
    """The container does not run (any more). Without an exit code it never did."""

    container: str
    exit_code: int | None
    out_of_memory: bool = False
    reason: str = ""
    finished_at: int = 0
    runtime_id: str = ""


@dataclass(frozen=True, slots=True)
class ContainerVanished:
    """The engine does not know the container any more."""

    container: str


@dataclass(frozen=True, slots=True)
class ContainerRevived:
    """Somebody else started a container again that we know as stopped."""

    container: str


@dataclass(frozen=True, slots=True)
class StopFailed:
    """The stop call failed; the container may still run."""

    container: str


@dataclass(frozen=True, slots=True)
class StopTimedOut:
    """The engine did not answer the stop call long after the container's own timeout."""

    container: str


@dataclass(frozen=True, slots=True)
class HealthChanged:
    """The engine's health check of the container has a new result."""

    container: str
    health: task_state.Health


@dataclass(frozen=True, slots=True)
class TimePassed:
    """It is the time that was asked for. What is due by the clock is due now."""


class Found(StrEnum):
    """What a look at the engine says of a container of ours."""

    ABSENT = "absent"
    CREATED = "created"
    RUNNING = "running"
    EXITED = "exited"


@dataclass(frozen=True, slots=True)
class Finding:
    """What was found of one container when the agent came back."""

    container: str
    found: Found
    runtime_id: str = ""
    exit_code: int | None = None
    out_of_memory: bool = False
    reason: str = ""
    image_digest: str = ""
    image_id: str = ""
    bindings: tuple[task_state.Binding, ...] = ()
    interface: task_state.Interface | None = None
    health: task_state.Health = task_state.Health.UNSPECIFIED
    created_at: int = 0
    started_at: int = 0
    finished_at: int = 0


@dataclass(frozen=True, slots=True)
class Adopted:
    """The agent has come back, and this is what it found of the task's containers, each once."""

    findings: tuple[Finding, ...]


Event = (
    Assigned
    | StopRequested
    | Refused
    | PullBegan
    | PullProgressed
    | ImageReady
    | PullFailed
    | ContainerCreated
    | CreateFailed
    | ContainerStarted
    | StartFailed
    | ContainerDied
    | ContainerVanished
    | ContainerRevived
    | StopFailed
    | StopTimedOut
    | HealthChanged
    | TimePassed
    | Adopted
)
