"""What an assignment means for the tasks known here. Pure."""

from collections.abc import Iterable, Mapping
from dataclasses import dataclass
from typing import Protocol

from longshore.v1 import agent_service_pb2, task_definition_pb2


class RevisionGap(Exception):  # noqa: N818 - named by what is wrong
    """An increment applies to a revision that is not ours: something was missed, only a full set helps."""


class Known(Protocol):
    """What matters here of a task that is known."""

    @property
    def stopped(self) -> bool:
        """Whether nothing of it runs any more."""


@dataclass(frozen=True, slots=True)
class Changes:
    """What one message of assignments changes here.

    `starts` are tasks never heard of. `stops` are known tasks (also those of `starts`) that should stop. `unknown` should stop but
    were never here: they are to be reported as released. `repeats` are tasks whose end was reported and which the control plane
    names again: it has not heard, so it is told again.
    """

    revision: int
    lineage: int
    definitions: Mapping[str, task_definition_pb2.TaskDefinition]
    starts: tuple[agent_service_pb2.AssignedTask, ...]
    stops: tuple[str, ...]
    unknown: tuple[str, ...]
    repeats: tuple[str, ...]


def changes(
    assignments: Iterable[agent_service_pb2.Assignment], *, revision: int, lineage: int = 0, known: Mapping[str, Known]
) -> Changes:
    """Apply assignments in order to the tasks known here, at the revision reached."""
    fold = _Fold(revision, lineage, known)
    for assignment in assignments:
        fold.apply(assignment)
    return Changes(
        revision=fold.revision,
        lineage=fold.lineage,
        definitions=fold.definitions,
        starts=tuple(fold.starts.values()),
        stops=tuple(fold.stops),
        unknown=tuple(fold.unknown),
        repeats=tuple(fold.repeats),
    )


class _Fold:
    """The assignments so far. Dicts stand for ordered sets."""

    def __init__(self, revision: int, lineage: int, known: Mapping[str, Known]) -> None:
        self.revision = revision
        self.lineage = lineage
        self.definitions: dict[str, task_definition_pb2.TaskDefinition] = {}
        self.starts: dict[str, agent_service_pb2.AssignedTask] = {}
        self.stops: dict[str, None] = {}
        self.unknown: dict[str, None] = {}
        self.repeats: dict[str, None] = {}
        self._known = known

    def apply(self, assignment: agent_service_pb2.Assignment) -> None:
        full = assignment.base_revision == 0
        if not full and assignment.revision <= self.revision:
            return  # seen before
        if not full and assignment.base_revision != self.revision:
            raise RevisionGap(
                f"the assignment goes from revision {assignment.base_revision} to {assignment.revision}, "
                f"and this agent is at {self.revision}"
            )
        for item in assignment.definitions:
            self.definitions[item.key] = item.task_definition
        for task in assignment.tasks:
            self._task(task)
        for stop in assignment.stops:
            self._stop(stop.task_id)
        if full:
            self._stop_others({task.task_id for task in assignment.tasks} | {s.task_id for s in assignment.stops})
        self.revision = assignment.revision
        self.lineage = assignment.lineage

    def _task(self, task: agent_service_pb2.AssignedTask) -> None:
        if task.stopping:
            self._stop(task.task_id)
        elif task.task_id in self._known:
            if self._known[task.task_id].stopped:
                self.repeats[task.task_id] = None
        elif task.task_id not in self.unknown:
            self.starts.setdefault(task.task_id, task)

    def _stop(self, task_id: str) -> None:
        if task_id in self.starts:
            self.stops[task_id] = None
        elif task_id not in self._known:
            self.unknown[task_id] = None
        elif self._known[task_id].stopped:
            self.repeats[task_id] = None
        else:
            self.stops[task_id] = None

    def _stop_others(self, named: set[str]) -> None:
        for task_id, known in self._known.items():
            if task_id not in named and not known.stopped:
                self.stops[task_id] = None
        for task_id in self.starts:
            if task_id not in named:
                self.stops[task_id] = None
