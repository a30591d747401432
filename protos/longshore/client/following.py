"""What a follower of tasks knows: the state of each, put together from events. Pure.

A task's events come in version order; a version that is not newer than the one known is dropped, so that a description read
beside the stream and the stream itself can be fed in any order.
"""

from collections.abc import Iterable
from dataclasses import dataclass, field

from longshore.v1 import event_pb2, task_pb2

NEVER_RAN = 125
"""Exit status for a task that stopped without an exit code: what `docker run` uses when the container itself could not run."""


@dataclass(slots=True)
class Followed:
    """One task as far as it is known."""

    task_id: str
    version: int = 0
    last_status: "task_pb2.TaskStatus.ValueType" = task_pb2.TASK_STATUS_UNSPECIFIED
    stop_code: "task_pb2.TaskStopCode.ValueType" = task_pb2.TASK_STOP_CODE_UNSPECIFIED
    stopped_reason: str = ""
    containers: dict[str, event_pb2.ContainerObservation] = field(default_factory=dict)

    @property
    def stopped(self) -> bool:
        """Whether it has reached its end."""
        return self.last_status == task_pb2.TASK_STATUS_STOPPED


class Follower:
    """Follows some tasks to their end."""

    def __init__(self, task_ids: Iterable[str]) -> None:
        """Follow these, of which nothing is known yet."""
        self.tasks = {task_id: Followed(task_id) for task_id in task_ids}

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
        known.containers |= {container.name: container for container in change.containers}
        return known

    def finished(self) -> bool:
        """Whether every task has stopped."""
        return all(task.stopped for task in self.tasks.values())

    def exit_code(self, essential: frozenset[str]) -> int:
        """The exit code of the whole: of the first task, by id, that did not end with zero, else zero."""
        codes = [task_exit_code(self.tasks[task_id], essential) for task_id in sorted(self.tasks)]
        return next((code for code in codes if code), 0)


def task_exit_code(task: Followed, essential: frozenset[str]) -> int:
    """The exit code of a stopped task's essential container; NEVER_RAN where it has none.

    Of several essential containers the first that ended otherwise than with zero counts. Containers that were stopped because
    another essential one had ended have the exit code of their signal, so a clean end of the first is a clean end only if no
    other failed by itself: the stop reason of the engine cannot tell, and ECS does not either.
    """
    codes = [
        container.exit_code if container.HasField("exit_code") else NEVER_RAN
        for name, container in sorted(task.containers.items())
        if name in essential
    ]
    if not codes:
        return NEVER_RAN
    return next((code for code in codes if code), 0)
