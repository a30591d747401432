"""What a host without a session says of a task, and the observation that this makes. Pure.

A submission says less than an agent's report: it names what changed, in words, and only the task's status tells whether all has stopped.
`observation` turns it, with what is stored, into the whole observation that the one merge takes. See docs/design/agent-session.md.
"""

import re
from collections.abc import Iterable, Iterator, Mapping
from dataclasses import dataclass

from google.protobuf import timestamp_pb2

from longshore.rpc import errors
from longshore.storage import tasks
from longshore.v1 import (
    agent_service_pb2,
    event_pb2,
    state_tracker_service_pb2,
    task_definition_pb2,
    task_pb2,
)
from longshore.views import times as view_times

# What ECS takes of the texts that name things.
MAX_NAMED = 255
MAX_PORT = 65_535

ESSENTIAL_CONTAINER_EXITED = "Essential container in task exited"
TASK_FAILED_TO_START = "Task failed to start"

_STATUSES = {
    "PENDING": task_pb2.TASK_STATUS_PENDING,
    "RUNNING": task_pb2.TASK_STATUS_RUNNING,
    "STOPPED": task_pb2.TASK_STATUS_STOPPED,
}
_CONTAINER_STATUSES = {
    "PENDING": task_pb2.CONTAINER_STATUS_PENDING,
    "RUNNING": task_pb2.CONTAINER_STATUS_RUNNING,
    "STOPPED": task_pb2.CONTAINER_STATUS_STOPPED,
}
_STOPPED = task_pb2.TASK_STATUS_STOPPED
_CONTAINER_STOPPED = task_pb2.CONTAINER_STATUS_STOPPED
_TIMES = {
    "pull_started_at": "pullStartedAt",
    "pull_stopped_at": "pullStoppedAt",
    "execution_stopped_at": "executionStoppedAt",
}
_RANGE = re.compile(r"([0-9]{1,5})-([0-9]{1,5})")


@dataclass(frozen=True, slots=True)
class Submission:
    """What was said of one task. `status` is None where only containers were spoken of; times by their fields' names."""

    task_id: str
    status: task_pb2.TaskStatus.ValueType | None
    reason: str
    containers: tuple[event_pb2.ContainerObservation, ...]
    times: Mapping[str, timestamp_pb2.Timestamp]


def of_task(request: state_tracker_service_pb2.SubmitTaskStateChangeRequest, task_id: str) -> Submission:
    """A SubmitTaskStateChange. Raises InvalidParameterException with everything that is wrong with it."""
    _refuse(_task_faults(request))
    return Submission(
        task_id=task_id,
        status=_STATUSES[request.status],
        reason=request.reason,
        containers=tuple(_container(change) for change in request.containers),
        times={name: getattr(request, name) for name in _TIMES if request.HasField(name)},  # type: ignore[arg-type]  # names from above
    )


def of_container(request: state_tracker_service_pb2.SubmitContainerStateChangeRequest, task_id: str) -> Submission:
    """A SubmitContainerStateChange. Raises InvalidParameterException with everything that is wrong with it."""
    change = state_tracker_service_pb2.ContainerStateChange(
        container_name=request.container_name,
        runtime_id=request.runtime_id,
        exit_code=request.exit_code if request.HasField("exit_code") else None,
        network_bindings=request.network_bindings,
        reason=request.reason,
        status=request.status,
    )
    _refuse(_container_faults(change))
    return Submission(task_id=task_id, status=None, reason="", containers=(_container(change),), times={})


def refuse_attachments(changes: Iterable[state_tracker_service_pb2.AttachmentStateChange]) -> None:
    """Refuse attachments by name: only an agent of ours gives a task one, and tells of it by its session."""
    names = [change.attachment_arn or "an attachment without ARN" for change in changes]
    if names:
        raise errors.InvalidParameterException(f"There is no such attachment: {', '.join(names)[:MAX_NAMED]}.")


def check_containers(said: Submission, definition: task_definition_pb2.TaskDefinition) -> None:
    """Refuse containers that the task's definition does not have."""
    known = [container.name for container in definition.container_definitions]
    strange = [container.name for container in said.containers if container.name not in known]
    if strange:
        raise errors.InvalidParameterException(
            f"Task {said.task_id} has no container {', '.join(strange)}; it has {', '.join(known)}."
        )


def essential(definition: task_definition_pb2.TaskDefinition | None) -> frozenset[str]:
    """Names of the containers whose end is the task's."""
    declared = definition.container_definitions if definition is not None else ()
    return frozenset(
        container.name for container in declared if container.essential or not container.HasField("essential")
    )


def observation(
    said: Submission, stored: tasks.Observation | None, essentials: frozenset[str]
) -> agent_service_pb2.TaskObservation:
    """The observation that a submission makes of a task of which `stored` is known."""
    before = stored.record() if stored is not None else agent_service_pb2.TaskObservation()
    known = {container.name: container for container in before.containers}
    kept = stored.last_status if stored is not None else task_pb2.TASK_STATUS_PENDING
    made = agent_service_pb2.TaskObservation(
        task_id=said.task_id,
        last_status=said.status if said.status is not None else task_pb2.TaskStatus.ValueType(kept),
        containers=said.containers,
        released=said.status == _STOPPED,
    )
    if made.released:
        named = {container.name for container in said.containers}
        made.containers.extend(
            event_pb2.ContainerObservation(name=name, last_status=_CONTAINER_STOPPED)
            for name in known
            if name not in named
        )
    for container in made.containers:
        if container.name in known:  # nobody counts restarts here, and a lower count would be an older report
            container.restart_count = known[container.name].restart_count
    for name, moment in said.times.items():
        getattr(made, name).CopyFrom(moment)
    _add_cause(made, said, known, ran=stored is not None and stored.started_at is not None, essentials=essentials)
    return made


def _add_cause(
    made: agent_service_pb2.TaskObservation,
    said: Submission,
    known: Mapping[str, event_pb2.ContainerObservation],
    *,
    ran: bool,
    essentials: frozenset[str],
) -> None:
    """Say why the task stops, where this report stops it; the merge keeps an earlier cause."""
    exited = any(
        container.last_status == _CONTAINER_STOPPED and container.name in essentials for container in said.containers
    )
    if not (made.released or exited):
        return
    codes = any(container.HasField("exit_code") for container in (*known.values(), *said.containers))
    if ran or codes:
        made.stop_code, text = task_pb2.TASK_STOP_CODE_ESSENTIAL_CONTAINER_EXITED, ESSENTIAL_CONTAINER_EXITED
    else:
        made.stop_code, text = task_pb2.TASK_STOP_CODE_TASK_FAILED_TO_START, TASK_FAILED_TO_START
    made.stopped_reason = said.reason or text


def _container(change: state_tracker_service_pb2.ContainerStateChange) -> event_pb2.ContainerObservation:
    seen = event_pb2.ContainerObservation(
        name=change.container_name,
        runtime_id=change.runtime_id,
        last_status=_CONTAINER_STATUSES[change.status],
        reason=change.reason,
        network_bindings=change.network_bindings,
        image_digest=change.image_digest,
    )
    if change.HasField("exit_code"):
        seen.exit_code = change.exit_code
    for binding in seen.network_bindings:
        binding.bind_ip = binding.bind_ip or "0.0.0.0"  # noqa: S104 - what ECS shows for every address
        binding.protocol = binding.protocol or task_definition_pb2.TRANSPORT_PROTOCOL_TCP
    return seen


def _refuse(faults: Iterable[str]) -> None:
    if found := list(faults):
        raise errors.InvalidParameterException(" ".join(found))


def _task_faults(request: state_tracker_service_pb2.SubmitTaskStateChangeRequest) -> Iterator[str]:
    yield from _status_faults(request.status, "the task")
    if "\0" in request.reason:
        yield "reason contains the character NUL."
    names = [change.container_name for change in request.containers]
    if len(names) != len(set(names)):
        yield "containers names a container twice."
    for change in request.containers:
        yield from _container_faults(change)
        if request.status == "STOPPED" and change.status in {"PENDING", "RUNNING"}:
            yield f"A task that is STOPPED has no container that is {change.status}, as {change.container_name} is said to be."
    for managed in request.managed_agents:
        yield f"Container {managed.container_name} has no managed agent."
    for field, name in _TIMES.items():
        if request.HasField(field) and not view_times.writable(getattr(request, field)):  # type: ignore[arg-type]  # names from above
            yield f"{name} is out of range."


def _container_faults(change: state_tracker_service_pb2.ContainerStateChange) -> Iterator[str]:
    what = f"container {change.container_name[:MAX_NAMED]}" if change.container_name else "a container"
    if not change.container_name:
        yield "containerName can not be empty."
    yield from _status_faults(change.status, what)
    if change.HasField("exit_code") and change.status != "STOPPED":
        yield f"exitCode of {what} goes with the status STOPPED alone."
    for name, text in (("runtimeId", change.runtime_id), ("imageDigest", change.image_digest)):
        if len(text) > MAX_NAMED:
            yield f"{name} of {what} has {len(text)} characters, {MAX_NAMED} are allowed."
    for binding in change.network_bindings:
        if not _is_binding(binding):
            yield f"networkBindings of {what} need ports between 1 and {MAX_PORT}."


def _status_faults(status: str, what: str) -> Iterator[str]:
    if status not in _STATUSES:
        yield f"The status of {what} must be one of {', '.join(_STATUSES)}, not '{status[:MAX_NAMED]}'."


def _is_binding(binding: task_pb2.NetworkBinding) -> bool:
    ports = [getattr(binding, name) for name in ("container_port", "host_port") if binding.HasField(name)]
    ranges = [text for text in (binding.container_port_range, binding.host_port_range) if text]
    return (
        bool(ports or ranges)
        and all(1 <= port <= MAX_PORT for port in ports)
        and all(_is_range(text) for text in ranges)
    )


def _is_range(text: str) -> bool:
    matched = _RANGE.fullmatch(text)
    return matched is not None and 1 <= int(matched[1]) <= int(matched[2]) <= MAX_PORT
