"""What became of tasks, as a program reads it: their status, containers, exit codes and reasons in ECS's words. Pure."""

from collections.abc import Iterable, Iterator, Sequence
from dataclasses import dataclass
from typing import Any

from longshore.client import following
from longshore.rpc import codec_schema
from longshore.v1 import common_pb2, event_pb2, task_pb2


@dataclass(frozen=True, slots=True)
class Container:
    """One container of a task."""

    name: str
    last_status: str
    """PENDING, RUNNING or STOPPED."""
    exit_code: int | None
    """None while it runs, and where it never started."""
    reason: str
    """Why it failed, "<ErrorName>: <message>"; empty where nothing went wrong."""
    out_of_memory: bool
    """Whether the kernel killed it for memory."""


@dataclass(frozen=True, slots=True)
class Task:
    """One task as far as it is known."""

    task_id: str
    cluster: str
    """Where it runs, as it was asked for; empty means `default`."""
    last_status: str
    """PENDING, RUNNING, STOPPED and what ECS has between them."""
    stop_code: str
    """Why it stopped, as a code (TaskFailedToStart); empty while it has not."""
    reason: str
    """Why it stopped, as a sentence; empty while it has not."""
    containers: tuple[Container, ...]
    ran: bool
    """Whether it came to run at all."""
    exit_code: int | None
    """Of the essential container whose end ended the task; 125 where it stopped without any, None while it has not stopped."""

    @property
    def stopped(self) -> bool:
        """Whether it has reached its end."""
        return self.last_status == STOPPED

    def __str__(self) -> str:
        """How it stands, in a sentence."""
        if not self.stopped:
            return f"Task {self.task_id} is {self.last_status}."
        whys = [self.reason, *(f"{c.name}: {c.reason}" for c in self.containers if c.reason)]
        return f"Task {self.task_id} has stopped with exit code {self.exit_code}: {'; '.join(filter(None, whys))}"


@dataclass(frozen=True, slots=True)
class Failure:
    """Why some of the tasks were not placed, or what could not be described."""

    arn: str
    """The container instance that a task did not fit on, or what was not found; empty where it is about none."""
    reason: str
    """ECS's word: RESOURCE:CPU, MISSING."""
    detail: str
    """The numbers, in a sentence."""

    def __str__(self) -> str:
        """It in a line."""
        return " ".join(part for part in (self.reason, self.arn, self.detail) if part)


@dataclass(frozen=True, slots=True)
class Run:
    """What RunTask or StartTask placed, and what became of it so far."""

    cluster: str
    task_definition: str
    """family:revision."""
    essential: frozenset[str]
    """Names of the containers whose end is the task's."""
    tasks: tuple[Task, ...]
    failures: tuple[Failure, ...]
    """Why the others were not placed; empty when all were."""
    cursor: str
    """Position in the cluster's event log just after the tasks were placed: a watch from here misses nothing of them."""

    @property
    def task(self) -> Task:
        """The one task there is. Raises ValueError where there are several."""
        if len(self.tasks) != 1:
            raise ValueError(f"the run has {len(self.tasks)} tasks, not one")
        return self.tasks[0]

    @property
    def exit_code(self) -> int | None:
        """Of the first task, by age, that did not end with zero, else zero; None while one has not stopped."""
        codes = [task.exit_code for task in self.tasks]
        return None if None in codes else next((code for code in codes if code), 0)

    @property
    def reason(self) -> str:
        """Why the tasks stopped, each reason once; empty while none has."""
        return "; ".join(dict.fromkeys(task.reason for task in self.tasks if task.reason))


class NotPlacedError(Exception):
    """No task was placed. `failures` says why, with the numbers; `reason` is the first one's word (RESOURCE:CPU)."""

    def __init__(self, failures: Sequence[Failure]) -> None:
        """Say why."""
        self.failures = tuple(failures)
        super().__init__("No task was placed: " + "; ".join(map(str, failures)))

    @property
    def reason(self) -> str:
        """The first failure's word."""
        return self.failures[0].reason if self.failures else ""


class NeverRanError(Exception):
    """Tasks stopped without ever having run. `tasks` says why."""

    def __init__(self, tasks: Sequence[Task]) -> None:
        """Say why."""
        self.tasks = tuple(tasks)
        super().__init__(" ".join(map(str, tasks)))


def word(enum: Any, number: int) -> str:
    """ECS's spelling of an enum's value; empty for the unspecified one, the number for one of a later release."""
    return "" if number == 0 else codec_schema.words(enum.DESCRIPTOR).of.get(number, str(number))


def status(task: task_pb2.Task | event_pb2.TaskEvent) -> str:
    """A task's last status in ECS's word, as a description or an event tells it."""
    return word(task_pb2.TaskStatus, task.last_status)


def stop_code(task: task_pb2.Task | event_pb2.TaskEvent) -> str:
    """A task's stop code in ECS's word, as a description or an event tells it; empty while it has none."""
    return word(task_pb2.TaskStopCode, task.stop_code)


OUT_OF_MEMORY = "OutOfMemoryError"
STOPPED = word(task_pb2.TaskStatus, task_pb2.TASK_STATUS_STOPPED)


def failures(given: Sequence[common_pb2.Failure]) -> tuple[Failure, ...]:
    """Failures of an answer."""
    return tuple(Failure(one.arn, one.reason, one.detail) for one in given)


def task(known: following.Followed, cluster: str) -> Task:
    """What is known of a followed task."""
    return Task(
        task_id=known.task_id,
        cluster=cluster,
        last_status=word(task_pb2.TaskStatus, known.last_status),
        stop_code=word(task_pb2.TaskStopCode, known.stop_code),
        reason=known.stopped_reason,
        containers=tuple(_containers(known.containers.values())),
        ran=known.came_to_run,
        exit_code=following.task_exit_code(known) if known.stopped else None,
    )


def _containers(known: Iterable[event_pb2.ContainerObservation]) -> Iterator[Container]:
    for one in known:
        yield Container(
            name=one.name,
            last_status=word(task_pb2.ContainerStatus, one.last_status),
            exit_code=one.exit_code if one.HasField("exit_code") else None,
            reason=one.reason,
            # A description has no flag of its own; its reason begins with ECS's word.
            out_of_memory=one.out_of_memory or one.reason.startswith(OUT_OF_MEMORY),
        )
