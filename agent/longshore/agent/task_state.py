"""What the agent knows of one task: the fixed plan of its containers and the state of each. Immutable."""

from collections.abc import Iterator
from dataclasses import dataclass
from enum import StrEnum

from longshore.agent import pull_progress, states


class Condition(StrEnum):
    """What a container waits for in another one before it is created."""

    START = "START"
    COMPLETE = "COMPLETE"
    SUCCESS = "SUCCESS"
    HEALTHY = "HEALTHY"


class Health(StrEnum):
    """Health by the definition's own check; UNSPECIFIED where none is declared."""

    UNSPECIFIED = ""
    UNKNOWN = "UNKNOWN"
    HEALTHY = "HEALTHY"
    UNHEALTHY = "UNHEALTHY"


class StopCode(StrEnum):
    """Why the agent itself stopped a task; REQUESTED when somebody else decided and will say why."""

    REQUESTED = ""
    TASK_FAILED_TO_START = "TaskFailedToStart"
    ESSENTIAL_CONTAINER_EXITED = "EssentialContainerExited"
    TERMINATION_NOTICE = "TerminationNotice"


@dataclass(frozen=True, slots=True)
class Dependency:
    """One edge of the start order."""

    container: str
    condition: Condition


@dataclass(frozen=True, slots=True)
class RestartPolicy:
    """When a container that has exited is started again in place, while its task goes on."""

    period_s: int
    """Seconds it must have run since its start or last restart."""
    ignored_exit_codes: frozenset[int] = frozenset()


@dataclass(frozen=True, slots=True)
class Binding:
    """A published port: the container's, and the host's that leads there. Or `count` of them, one after the other."""

    container_port: int
    host_port: int
    protocol: str
    host_ip: str
    count: int = 1

    @property
    def container_ports(self) -> range:
        """The container's ports."""
        return range(self.container_port, self.container_port + self.count)

    @property
    def host_ports(self) -> range:
        """The host's, in the same order."""
        return range(self.host_port, self.host_port + self.count)


@dataclass(frozen=True, slots=True)
class Interface:
    """The network interface of a container on a network of ours."""

    mac_address: str
    ipv4_address: str


@dataclass(frozen=True, slots=True)
class ContainerPlan:
    """What never changes of a container while its task lives."""

    name: str
    image: str
    essential: bool
    stop_timeout_s: int
    waits_for: tuple[Dependency, ...] = ()
    checks_health: bool = False
    start_timeout_s: int | None = None
    """Seconds after its start within which others that wait for it to end or be healthy expect that; None: for ever."""
    restart_policy: RestartPolicy | None = None
    pulls_upfront: bool = False
    """Whether its image is fetched at once, and not only when it may be created."""
    hidden: bool = False
    """Ours, not the definition's: it holds what the task's containers share, and nobody is told of it."""


@dataclass(frozen=True, slots=True)
class ContainerState:
    """What is known of a container. Times are microseconds by this host's clock; zero means not yet."""

    phase: states.ContainerPhase = states.ContainerPhase.PENDING
    runtime_id: str = ""
    exit_code: int | None = None
    reason: str = ""
    out_of_memory: bool = False
    ran: bool = False
    image_digest: str = ""
    image_id: str = ""
    pin: str = ""
    """What names exactly this image at the engine; empty: the definition's name for it."""
    pulled: pull_progress.Progress | None = None
    """How far its pull is, or was; None where it took no time worth telling."""
    bindings: tuple[Binding, ...] = ()
    interface: Interface | None = None
    """Of a hidden container that holds the task's address."""
    health: Health = Health.UNSPECIFIED
    stop_attempts: int = 0
    revived: bool = False
    restarts: int = 0
    """How often the restart policy has started it again."""
    restart_reason: str = ""
    """Why it last was; kept apart from `reason`, which is why it has stopped."""
    created_at: int = 0
    started_at: int = 0
    finished_at: int = 0


@dataclass(frozen=True, slots=True)
class StopCause:
    """Why a task has to stop: the first cause wins."""

    code: StopCode
    reason: str


@dataclass(frozen=True, slots=True)
class TaskState:
    """What is known of a task. A task without containers was never started here: it is only to be reported as released."""

    task_id: str
    plans: tuple[ContainerPlan, ...]
    containers: tuple[ContainerState, ...]
    phase: states.TaskPhase = states.TaskPhase.PENDING
    stop_cause: StopCause | None = None
    pull_started_at: int = 0
    pull_stopped_at: int = 0
    execution_stopped_at: int = 0
    stopped_at: int = 0
    wake_at: int = 0
    """The time for which a TimePassed was asked last; zero where none was."""

    def position(self, container: str) -> int | None:
        """Position of a container by its name, None if the task has none of that name."""
        for position, plan in enumerate(self.plans):
            if plan.name == container:
                return position
        return None

    def container(self, name: str) -> ContainerState:
        """State of the container of that name. KeyError if there is none."""
        position = self.position(name)
        if position is None:
            raise KeyError(name)
        return self.containers[position]

    @property
    def shown(self) -> Iterator[tuple[ContainerPlan, ContainerState]]:
        """The containers of the definition: all but the hidden one."""
        return (
            (plan, container) for plan, container in zip(self.plans, self.containers, strict=True) if not plan.hidden
        )

    @property
    def interface(self) -> Interface | None:
        """The task's own network interface; None where it has none, or not yet."""
        return next((container.interface for container in self.containers if container.interface is not None), None)

    @property
    def stopped(self) -> bool:
        """Whether nothing of it runs any more, so that its resources are free."""
        return self.phase is states.TaskPhase.STOPPED


def assigned(task_id: str, plans: tuple[ContainerPlan, ...]) -> TaskState:
    """State of a task of which nothing has been done yet."""
    return TaskState(
        task_id=task_id,
        plans=plans,
        containers=tuple(
            ContainerState(health=Health.UNKNOWN if plan.checks_health else Health.UNSPECIFIED) for plan in plans
        ),
    )
