"""What a follower of tasks knows: the state of each, put together from events, and the exit code at the end. Pure.

A task's events come in version order; a version that is not newer than the one known is dropped, so that what was read beside the
stream and the stream itself can be fed in any order.
"""

from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass, field
from typing import Self

from longshore.v1 import event_pb2, task_definition_pb2, task_pb2

NEVER_RAN = 125
"""Exit status for a task that stopped without an exit code: what `docker run` uses when the container itself could not run."""

SIGNALLED = frozenset({128 + 9, 128 + 15})
"""Exit codes of containers that were told to stop: killed, terminated."""


@dataclass(slots=True)
class Followed:
    """One task as far as it is known."""

    task_id: str
    version: int = 0
    last_status: "task_pb2.TaskStatus.ValueType" = task_pb2.TASK_STATUS_UNSPECIFIED
    stop_code: "task_pb2.TaskStopCode.ValueType" = task_pb2.TASK_STOP_CODE_UNSPECIFIED
    stopped_reason: str = ""
    container_instance: str = ""
    """Id of the instance that it was placed on; empty while it waits for capacity."""
    waiting: task_pb2.TaskWaiting | None = None
    """Where it stood in the queue for capacity when that was last told."""
    containers: dict[str, event_pb2.ContainerObservation] = field(default_factory=dict)
    came_to_run: bool = False
    """Whether it was RUNNING once, or one of its containers has ended, which is the same."""
    essential: frozenset[str] = frozenset()
    """Names of the containers whose end is the task's."""
    first_ended: tuple[str, ...] = ()
    """Essential containers that the first event with the end of any told of: one of them ended by itself, and so the task."""

    @property
    def ran(self) -> bool:
        """Whether it got to run, or still may: false once it has failed to start."""
        return self.stop_code != task_pb2.TASK_STOP_CODE_TASK_FAILED_TO_START

    @property
    def waits(self) -> bool:
        """Whether it waits for capacity, as far as is known."""
        return not self.container_instance and not self.stopped

    @property
    def stopped(self) -> bool:
        """Whether it has reached its end."""
        return self.last_status >= task_pb2.TASK_STATUS_STOPPED

    @property
    def settled(self) -> bool:
        """Whether it runs, or is past that."""
        return self.last_status >= task_pb2.TASK_STATUS_RUNNING


def essential_names(definition: task_definition_pb2.TaskDefinition) -> frozenset[str]:
    """The containers of a definition whose end is the task's."""
    return frozenset(
        container.name
        for container in definition.container_definitions
        if container.essential or not container.HasField("essential")
    )


class Follower:
    """Follows some tasks to their end."""

    def __init__(self, task_ids: Iterable[str], *, essential: frozenset[str] = frozenset()) -> None:
        """Follow these of one definition, of which nothing is known yet; `essential` names the containers that decide the exit code."""
        self.tasks = {task_id: Followed(task_id, essential=essential) for task_id in task_ids}

    @classmethod
    def of_several(cls, essential: Mapping[str, frozenset[str]]) -> Self:
        """Follow tasks of several definitions: each by its id, with the names of its own essential containers."""
        made = cls(())
        made.tasks = {task_id: Followed(task_id, essential=names) for task_id, names in essential.items()}
        return made

    def apply(self, event: event_pb2.Event) -> Followed | None:
        """Take an event in; return the task if it is one of ours and the event was news, else None."""
        if not event.HasField("task"):
            return None
        change = event.task
        known = self.tasks.get(change.task_id)
        if known is None or change.version <= known.version:
            return None
        known.version = change.version
        known.last_status = change.last_status
        known.stop_code = change.stop_code
        known.stopped_reason = change.stopped_reason
        known.container_instance = change.container_instance_id
        known.waiting = change.waiting if change.HasField("waiting") else None
        known.containers |= {container.name: container for container in change.containers}
        known.came_to_run |= _came_to_run(change.last_status, change.containers)
        if not known.first_ended:
            known.first_ended = _ended(change.containers, known.essential)
        return known

    def apply_description(self, task: task_pb2.Task) -> Followed | None:
        """Take in what DescribeTasks told: for a follower that came too late for some events."""
        known = self.tasks.get(task.task_arn.rpartition("/")[2])
        if known is None or task.version <= known.version:
            return None
        known.version = task.version
        known.last_status = task.last_status
        known.stop_code = task.stop_code
        known.stopped_reason = task.stopped_reason
        known.container_instance = task.container_instance_arn.rpartition("/")[2]
        known.waiting = task.waiting if task.HasField("waiting") else None
        known.containers |= {container.name: _observation(container) for container in task.containers}
        known.came_to_run |= task.HasField("started_at") or _came_to_run(task.last_status, task.containers)
        if not known.first_ended:
            known.first_ended = _ended(tuple(known.containers.values()), known.essential)
        return known

    def settled(self) -> bool:
        """Whether every task runs, or is past that."""
        return all(task.settled for task in self.tasks.values())

    def finished(self) -> bool:
        """Whether every task has stopped."""
        return all(task.stopped for task in self.tasks.values())

    def exit_code(self) -> int:
        """The exit code of the whole: of the first task, by id and so by age, that did not end with zero, else zero."""
        codes = (task_exit_code(self.tasks[task_id]) for task_id in sorted(self.tasks))
        return next((code for code in codes if code), 0)


def task_exit_code(task: Followed) -> int:
    """The exit code of the essential container whose end ended the task; NEVER_RAN where none has one.

    Where one event told of the end of several, a code that no stop explains comes first, then a clean end: the others were
    stopped because of it.
    """
    ended = [task.containers[name] for name in task.first_ended]
    coded = [container for container in ended if container.HasField("exit_code")]
    if not coded:
        return NEVER_RAN
    by_itself = [c.exit_code for c in coded if c.exit_code and (c.exit_code not in SIGNALLED or c.out_of_memory)]
    clean = [c.exit_code for c in coded if not c.exit_code]
    return next(iter((*by_itself, *clean, coded[0].exit_code)))


def _came_to_run(
    status: "task_pb2.TaskStatus.ValueType",
    containers: "Iterable[event_pb2.ContainerObservation | task_pb2.Container]",
) -> bool:
    return status == task_pb2.TASK_STATUS_RUNNING or any(container.HasField("exit_code") for container in containers)


def _ended(containers: Sequence[event_pb2.ContainerObservation], essential: frozenset[str]) -> tuple[str, ...]:
    return tuple(
        container.name
        for container in containers
        if container.name in essential and container.last_status == task_pb2.CONTAINER_STATUS_STOPPED
    )


def _observation(container: task_pb2.Container) -> event_pb2.ContainerObservation:
    """A container of a description as an event would tell it."""
    observed = event_pb2.ContainerObservation(
        name=container.name,
        runtime_id=container.runtime_id,
        last_status=container.last_status,
        reason=container.reason,
        network_bindings=container.network_bindings,
        health_status=container.health_status,
    )
    if container.HasField("exit_code"):
        observed.exit_code = container.exit_code
    return observed
