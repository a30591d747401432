r"""What becomes of a task's stored observation when its agent reports, or when its instance is given up. Pure.

The table (also in docs/design/task-lifecycle.md), by what is stored and what is reported:

    stored \ reported    PENDING            RUNNING            STOPPED
    none                PENDING            RUNNING            STOPPED
    PENDING             merge containers   RUNNING            STOPPED
    RUNNING             ignored            merge containers   STOPPED
    STOPPED             ignored            ignored            `released` and late exit codes
    STOPPED, released   ignored            ignored            ignored

Everything moves forward only, so reports may be lost, doubled, late or out of order. `released` implies STOPPED. The first cause of
a stop stays.
"""

from collections.abc import Iterable
from dataclasses import dataclass
from typing import Literal

from longshore.rpc import codec_schema
from longshore.storage import ports, tasks
from longshore.v1 import agent_service_pb2, event_pb2, task_pb2
from longshore.views import times

_PENDING = task_pb2.TASK_STATUS_PENDING
_RUNNING = task_pb2.TASK_STATUS_RUNNING
_STOPPED = task_pb2.TASK_STATUS_STOPPED

# In this order, which is also that of the enum's numbers: a later one is never followed by an earlier one.
REPORTABLE = (_PENDING, _RUNNING, _STOPPED)

# What the agent tells by its own clock.
_TIMES: tuple[Literal["pull_started_at", "pull_stopped_at", "execution_stopped_at"], ...] = (
    "pull_started_at",
    "pull_stopped_at",
    "execution_stopped_at",
)

# ECS's limit of `reason` and `stoppedReason`.
REASON_LIMIT = 1024


@dataclass(frozen=True, slots=True)
class Task:
    """The task that an observation is of."""

    task_id: str
    cluster: str
    instance_id: str


@dataclass(frozen=True, slots=True)
class End:
    """How tasks end of which no agent will say so: a lost instance, or one that was deregistered with force."""

    stop_code: task_pb2.TaskStopCode.ValueType
    reason: str
    released: bool


@dataclass(frozen=True, slots=True)
class Change:
    """A stored observation after a change. `pending` and `running` are what the change adds to the counts (or takes)."""

    observation: tasks.Observation
    containers: tuple[event_pb2.ContainerObservation, ...]
    pending: int
    running: int
    is_new: bool

    @property
    def left_pending(self) -> int:
        """How many more tasks have left PENDING for good."""
        return -self.pending


def fault(reported: agent_service_pb2.TaskObservation) -> str | None:
    """Why an observation cannot be taken at all; None where it can."""
    if not reported.task_id:
        return "it names no task"
    if reported.last_status not in REPORTABLE:
        return f"its status {codec_schema.word(task_pb2.TaskStatus.DESCRIPTOR, reported.last_status)} is not an agent's to report"
    names = [container.name for container in reported.containers]
    if len(names) != len(set(names)):
        return "it names a container twice"
    if (
        "\0" in reported.task_id + reported.stopped_reason
    ):  # no table takes it, and all else of the commit would fail too
        return "its id or reason contains the character NUL"
    if any(reported.HasField(field) and not times.writable(getattr(reported, field)) for field in _TIMES):
        return "one of its times is none"
    return None


def merge(
    stored: tasks.Observation | None, reported: agent_service_pb2.TaskObservation, *, task: Task, now: int
) -> Change | None:
    """The observation after a report that has no fault; None where it changes nothing."""
    if stored is not None and stored.last_status == _STOPPED:
        return _late(stored, reported)
    before = stored.last_status if stored is not None else _PENDING
    status = _STOPPED if reported.released else reported.last_status
    if status < before:
        return None
    body = _first_body(reported) if stored is None else stored.record()
    moved = tuple(reported.containers) if stored is None else _merge_containers(body, reported.containers)
    timed = stored is not None and (_merge_times(body, reported) | _merge_interface(body, reported))
    cause_is_new = bool(reported.stop_code) and (stored is None or stored.stop_cause_at is None)
    released = reported.released
    if stored is not None and not (status > before or moved or timed or cause_is_new):
        return None
    return _change(
        stored,
        task,
        body=body,
        moved=moved,
        status=status,
        cause=(reported.stop_code, reported.stopped_reason) if cause_is_new else None,
        ran=_ran(body, reported),
        released=released,
        now=now,
    )


def end(stored: tasks.Observation | None, how: End, *, task: Task, now: int) -> Change | None:
    """The observation of a task that is declared stopped; None where that changes nothing."""
    if stored is not None and stored.last_status == _STOPPED:
        return _released(stored, ()) if how.released and not stored.released else None
    body = stored.record() if stored is not None else agent_service_pb2.TaskObservation()
    moved: list[event_pb2.ContainerObservation] = []
    for container in body.containers:
        if container.last_status != task_pb2.CONTAINER_STATUS_STOPPED:
            container.last_status = task_pb2.CONTAINER_STATUS_STOPPED
            container.ClearField("pull_progress")
            moved.append(container)
    return _change(
        stored,
        task,
        body=body,
        moved=tuple(moved),
        status=_STOPPED,
        cause=(how.stop_code, how.reason) if stored is None or stored.stop_cause_at is None else None,
        ran=False,
        released=how.released,
        now=now,
    )


def _change(
    stored: tasks.Observation | None,
    task: Task,
    *,
    body: agent_service_pb2.TaskObservation,
    moved: tuple[event_pb2.ContainerObservation, ...],
    status: int,
    cause: tuple[int, str] | None,
    ran: bool,
    released: bool,
    now: int,
) -> Change:
    code, reason, cause_at = _cause(stored, cause, now)
    started_at = stored.started_at if stored is not None else None
    if started_at is None and (status == _RUNNING or (ran and status == _STOPPED)):
        started_at = now
    before = stored.last_status if stored is not None else _PENDING
    return Change(
        observation=tasks.Observation(
            task_id=task.task_id,
            cluster=task.cluster,
            instance_id=task.instance_id,
            last_status=status,
            stop_code=code,
            stopped_reason=reason,
            stop_cause_at=cause_at,
            started_at=started_at,
            stopped_at=now if status == _STOPPED else None,
            released=released,
            revision=stored.revision + 1 if stored is not None else 1,
            body=body.SerializeToString(),
            ports="" if released else ports.to_ranges(ports.observed(body.containers)),
        ),
        containers=moved,
        pending=-1 if before == _PENDING < status else 0,
        running=(status == _RUNNING) - (before == _RUNNING),
        is_new=stored is None,
    )


def _cause(stored: tasks.Observation | None, new: tuple[int, str] | None, now: int) -> tuple[int, str, int | None]:
    if new is not None:
        return new[0], new[1][:REASON_LIMIT], now
    if stored is not None:
        return stored.stop_code, stored.stopped_reason, stored.stop_cause_at
    return task_pb2.TASK_STOP_CODE_UNSPECIFIED, "", None


def _late(stored: tasks.Observation, reported: agent_service_pb2.TaskObservation) -> Change | None:
    """A stopped task: the agent may still say that it is released, and until then with which codes its containers ended.

    The release is the last that is told of a task, and told once: whoever follows the log gives back by it.
    """
    if stored.released or not (reported.released or reported.last_status == _STOPPED):
        return None
    body = stored.record()
    known = {container.name: container for container in body.containers}
    moved = []
    for container in reported.containers:
        there = known.get(container.name)
        if not container.HasField("exit_code"):
            continue
        if there is not None and (there.HasField("exit_code") or _is_older(container, there)):
            continue
        if there is None:
            there = body.containers.add(name=container.name)
        _absorb(there, container)
        there.last_status = task_pb2.CONTAINER_STATUS_STOPPED
        moved.append(there)
    if moved or reported.released:
        return _released(stored, tuple(moved), released=reported.released, body=body)
    return None


def _released(
    stored: tasks.Observation,
    moved: tuple[event_pb2.ContainerObservation, ...],
    *,
    released: bool = True,
    body: agent_service_pb2.TaskObservation | None = None,
) -> Change:
    after = tasks.Observation(
        task_id=stored.task_id,
        cluster=stored.cluster,
        instance_id=stored.instance_id,
        last_status=stored.last_status,
        stop_code=stored.stop_code,
        stopped_reason=stored.stopped_reason,
        stop_cause_at=stored.stop_cause_at,
        started_at=stored.started_at,
        stopped_at=stored.stopped_at,
        released=released,
        revision=stored.revision + 1,
        body=stored.body if body is None else body.SerializeToString(),
        ports="" if released else stored.ports,
    )
    return Change(observation=after, containers=moved, pending=0, running=0, is_new=False)


def _first_body(reported: agent_service_pb2.TaskObservation) -> agent_service_pb2.TaskObservation:
    """What of a first report goes into the body: all that has no column."""
    body = agent_service_pb2.TaskObservation()
    body.CopyFrom(reported)
    for field in ("task_id", "last_status", "stop_code", "stopped_reason", "released"):
        body.ClearField(field)
    for container in body.containers:
        container.reason = container.reason[:REASON_LIMIT]
    return body


def _merge_containers(
    body: agent_service_pb2.TaskObservation, reported: Iterable[event_pb2.ContainerObservation]
) -> tuple[event_pb2.ContainerObservation, ...]:
    """Bring the body's containers forward; gives those that moved."""
    known = {container.name: container for container in body.containers}
    moved = []
    for container in reported:
        there = known.get(container.name)
        if there is None:
            there = body.containers.add()
        elif _is_older(container, there):
            continue
        before = there.SerializeToString(deterministic=True)
        _absorb(there, container)
        if there.SerializeToString(deterministic=True) != before:
            moved.append(there)
    return tuple(moved)


def _is_older(reported: event_pb2.ContainerObservation, known: event_pb2.ContainerObservation) -> bool:
    """Whether a report of a container is behind what is known of it."""
    return reported.last_status < known.last_status or reported.restart_count < known.restart_count


def _absorb(known: event_pb2.ContainerObservation, reported: event_pb2.ContainerObservation) -> None:
    """Take over what a report says of a container; what it leaves empty stays, and so does the first exit code."""
    exit_code = known.exit_code if known.HasField("exit_code") else None
    progress = _furthest(known.pull_progress, reported.pull_progress)
    if reported.network_bindings:
        del known.network_bindings[:]
    known.MergeFrom(reported)
    known.reason = known.reason[:REASON_LIMIT]
    if known.last_status > task_pb2.CONTAINER_STATUS_PENDING:
        known.ClearField("pull_progress")
    elif known.HasField("pull_progress"):
        known.pull_progress.CopyFrom(progress)
    if exit_code is not None:
        known.exit_code = exit_code


def _furthest(known: event_pb2.PullProgress, reported: event_pb2.PullProgress) -> event_pb2.PullProgress:
    """How far a pull is that began again, or is told of out of order: it never goes back."""
    return event_pb2.PullProgress(
        downloaded_bytes=max(known.downloaded_bytes, reported.downloaded_bytes),
        total_bytes=max(known.total_bytes, reported.total_bytes),
        layers=max(known.layers, reported.layers),
    )


def _merge_times(body: agent_service_pb2.TaskObservation, reported: agent_service_pb2.TaskObservation) -> bool:
    """Take over the agent's times that are not known yet; true where one was."""
    changed = False
    for field in _TIMES:
        if reported.HasField(field) and not body.HasField(field):
            getattr(body, field).CopyFrom(getattr(reported, field))
            changed = True
    return changed


def _merge_interface(body: agent_service_pb2.TaskObservation, reported: agent_service_pb2.TaskObservation) -> bool:
    """Take over the task's network interface, of which it has one in its life; true where it was not known yet."""
    if body.HasField("network_interface") or not reported.HasField("network_interface"):
        return False
    body.network_interface.CopyFrom(reported.network_interface)
    return True


def _ran(body: agent_service_pb2.TaskObservation, reported: agent_service_pb2.TaskObservation) -> bool:
    """Whether a task that is first heard of when it has stopped did run: short tasks are over before the report is out."""
    return reported.stop_code != task_pb2.TASK_STOP_CODE_TASK_FAILED_TO_START and any(
        container.HasField("exit_code") for container in body.containers
    )
