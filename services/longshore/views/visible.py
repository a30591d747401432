"""What is shown of a task's two halves: the one function behind describe, list, events and watchers.

`storage.tasks` says the part about the desired status once more, in SQL; a test holds the two together. The table is in
docs/design/task-lifecycle.md.
"""

from collections.abc import Iterable
from dataclasses import dataclass

from longshore.storage import tasks, waiting
from longshore.v1 import event_pb2, task_pb2
from longshore.views import times

_PROVISIONING = task_pb2.TASK_STATUS_PROVISIONING
_PENDING = task_pb2.TASK_STATUS_PENDING
_RUNNING = task_pb2.TASK_STATUS_RUNNING
_STOPPING = task_pb2.TASK_STATUS_STOPPING
_STOPPED = task_pb2.TASK_STATUS_STOPPED


@dataclass(frozen=True, slots=True)
class State:
    """A task's visible state. `stopping_at` is when the first cause of its stop was recorded; None while there is none."""

    last_status: task_pb2.TaskStatus.ValueType
    desired_status: task_pb2.DesiredStatus.ValueType
    stop_code: task_pb2.TaskStopCode.ValueType
    stopped_reason: str
    stopping_at: int | None
    version: int


def state(intent: tasks.Intent, observation: tasks.Observation | None) -> State:
    """The visible state of the two halves. No observation means that no agent has reported the task yet."""
    asked = intent.desired_status == task_pb2.DESIRED_STATUS_STOPPED
    observed = _PENDING if observation is None else observation.last_status
    ending = observation is not None and observation.stop_cause_at is not None
    if observed == _STOPPED or (asked and not intent.instance_id):
        shown = _STOPPED  # one that was stopped before it was placed has nothing that could still run
    elif asked or ending:
        shown = _STOPPING
    elif not intent.instance_id:
        shown = _PROVISIONING
    else:
        shown = _RUNNING if observed == _RUNNING else _PENDING
    code, reason, since = _cause(intent, observation)
    return State(
        last_status=shown,
        desired_status=task_pb2.DESIRED_STATUS_STOPPED
        if shown in {_STOPPING, _STOPPED}
        else task_pb2.DESIRED_STATUS_RUNNING,
        stop_code=code,
        stopped_reason=reason,
        stopping_at=since,
        version=intent.revision + (observation.revision if observation is not None else 0),
    )


def task_event(
    intent: tasks.Intent,
    observation: tasks.Observation | None,
    containers: Iterable[event_pb2.ContainerObservation] = (),
    place: waiting.Place | None = None,
) -> event_pb2.TaskEvent:
    """The event of one change: the state after it, the containers that it moved, and its place where it waits for capacity."""
    shown = state(intent, observation)
    return event_pb2.TaskEvent(
        task_id=intent.task_id,
        container_instance_id=intent.instance_id,
        family=intent.family,
        revision=intent.definition_revision,
        group=intent.group_name,
        started_by=intent.started_by,
        version=shown.version,
        last_status=shown.last_status,
        desired_status=shown.desired_status,
        stop_code=shown.stop_code,
        stopped_reason=shown.stopped_reason,
        containers=containers,
        released=observation.released if observation is not None else shown.last_status == _STOPPED,
        waiting=waiting_for(place),
    )


def waiting_for(place: waiting.Place | None) -> task_pb2.TaskWaiting | None:
    """What a task shows of its place in the queue for capacity."""
    if place is None:
        return None
    shown = task_pb2.TaskWaiting(
        since=times.timestamp(place.since),
        deadline=times.timestamp(place.deadline),
        priority=place.priority,
        reason=place.reason,
    )
    if place.position:
        shown.position, shown.queue_length = place.position, place.length
    return shown


def _cause(
    intent: tasks.Intent, observation: tasks.Observation | None
) -> tuple[task_pb2.TaskStopCode.ValueType, str, int | None]:
    """Code, reason and time of the first recorded cause of a stop: a request that came first is not hidden by its effect."""
    asked_at = intent.stopping_at
    seen_at = observation.stop_cause_at if observation is not None else None
    if observation is not None and seen_at is not None and (asked_at is None or seen_at < asked_at):
        return _code(observation.stop_code), observation.stopped_reason, seen_at
    return _code(intent.stop_code), intent.stopped_reason, asked_at


def _code(number: int) -> task_pb2.TaskStopCode.ValueType:
    return task_pb2.TaskStopCode.ValueType(number)
