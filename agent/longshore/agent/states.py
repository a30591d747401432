"""The lifecycles of a container and of a task on this host: one transition table each.

The phases of a container are finer than what ECS shows of it (PENDING, RUNNING, STOPPED), because what may be done next
depends on which call to the engine is under way. Values are ordered and leave gaps; the one move back is that of a container which
its restart policy has started again.
"""

from collections.abc import Mapping
from enum import IntEnum


class ContainerPhase(IntEnum):
    """Where a container is on its way from assigned to stopped."""

    PENDING = 0
    PULLING = 10
    PULLED = 20
    CREATING = 30
    CREATED = 40
    STARTING = 50
    RUNNING = 60
    RESTARTING = 65
    STOPPING = 70
    STOPPED = 90


class TaskPhase(IntEnum):
    """Where a task is, as the agent reports it."""

    PENDING = 0
    RUNNING = 60
    STOPPED = 90


_C = ContainerPhase
_T = TaskPhase

CONTAINER_MOVES: Mapping[ContainerPhase, frozenset[ContainerPhase]] = {
    _C.PENDING: frozenset({_C.PULLING, _C.CREATED, _C.RUNNING, _C.STOPPED}),
    _C.PULLING: frozenset({_C.PULLED, _C.STOPPED}),
    _C.PULLED: frozenset({_C.CREATING, _C.STOPPED}),
    _C.CREATING: frozenset({_C.CREATED, _C.STOPPED}),
    _C.CREATED: frozenset({_C.STARTING, _C.RUNNING, _C.STOPPED}),
    _C.STARTING: frozenset({_C.RUNNING, _C.STOPPING, _C.STOPPED}),
    _C.RUNNING: frozenset({_C.RESTARTING, _C.STOPPING, _C.STOPPED}),
    _C.RESTARTING: frozenset({_C.RUNNING, _C.STOPPING, _C.STOPPED}),
    _C.STOPPING: frozenset({_C.STOPPED}),
    _C.STOPPED: frozenset(),
}

TASK_MOVES: Mapping[TaskPhase, frozenset[TaskPhase]] = {
    _T.PENDING: frozenset({_T.RUNNING, _T.STOPPED}),
    _T.RUNNING: frozenset({_T.STOPPED}),
    _T.STOPPED: frozenset(),
}


class InvalidTransition(Exception):  # noqa: N818 - it is named as the house names errors: by what happened
    """A move that the table does not have; the message tells which thing, from where, to where, and why it was tried."""


def check_container(story: str, source: ContainerPhase, target: ContainerPhase) -> None:
    """Raise InvalidTransition unless a container may move from `source` to `target`."""
    if target not in CONTAINER_MOVES[source]:
        allowed = ", ".join(sorted(phase.name for phase in CONTAINER_MOVES[source])) or "nothing"
        raise InvalidTransition(
            f"{story}: a container cannot go from {source.name} to {target.name} (only to {allowed})"
        )


def check_task(story: str, source: TaskPhase, target: TaskPhase) -> None:
    """Raise InvalidTransition unless a task may move from `source` to `target`."""
    if target not in TASK_MOVES[source]:
        allowed = ", ".join(sorted(phase.name for phase in TASK_MOVES[source])) or "nothing"
        raise InvalidTransition(f"{story}: a task cannot go from {source.name} to {target.name} (only to {allowed})")
