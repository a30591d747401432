"""A task's state as the contract's observation, and back: what is reported is also what is written down. Pure."""

from dataclasses import replace

from google.protobuf import timestamp_pb2

from longshore.agent import ports, runtime, states, task_state
from longshore.v1 import agent_service_pb2, common_pb2, event_pb2, task_definition_pb2, task_pb2

_MICROSECONDS = 1_000_000

_TASK_STATUS = {
    states.TaskPhase.PENDING: task_pb2.TASK_STATUS_PENDING,
    states.TaskPhase.RUNNING: task_pb2.TASK_STATUS_RUNNING,
    states.TaskPhase.STOPPED: task_pb2.TASK_STATUS_STOPPED,
}
_TASK_PHASE = {status: phase for phase, status in _TASK_STATUS.items()}
_STOP_CODE = {
    task_state.StopCode.REQUESTED: task_pb2.TASK_STOP_CODE_UNSPECIFIED,
    task_state.StopCode.TASK_FAILED_TO_START: task_pb2.TASK_STOP_CODE_TASK_FAILED_TO_START,
    task_state.StopCode.ESSENTIAL_CONTAINER_EXITED: task_pb2.TASK_STOP_CODE_ESSENTIAL_CONTAINER_EXITED,
    task_state.StopCode.TERMINATION_NOTICE: task_pb2.TASK_STOP_CODE_TERMINATION_NOTICE,
}
_STOP_CAUSE = {code: cause for cause, code in _STOP_CODE.items()}
_HEALTH = {
    task_state.Health.UNSPECIFIED: common_pb2.HEALTH_STATUS_UNSPECIFIED,
    task_state.Health.UNKNOWN: common_pb2.HEALTH_STATUS_UNKNOWN,
    task_state.Health.HEALTHY: common_pb2.HEALTH_STATUS_HEALTHY,
    task_state.Health.UNHEALTHY: common_pb2.HEALTH_STATUS_UNHEALTHY,
}
_PROTOCOL = {
    "tcp": task_definition_pb2.TRANSPORT_PROTOCOL_TCP,
    "udp": task_definition_pb2.TRANSPORT_PROTOCOL_UDP,
}


def observation(state: task_state.TaskState) -> agent_service_pb2.TaskObservation:
    """All that is known of a task, as the control plane is told."""
    result = agent_service_pb2.TaskObservation(
        task_id=state.task_id,
        last_status=_TASK_STATUS[state.phase],
        released=state.stopped,
    )
    cause = state.stop_cause
    if cause is not None and cause.code is not task_state.StopCode.REQUESTED:
        result.stop_code = _STOP_CODE[cause.code]
        result.stopped_reason = cause.reason
    for plan, container in state.shown:
        result.containers.append(_container(plan, container))
    if (interface := state.interface) is not None:
        result.network_interface.mac_address = interface.mac_address
        result.network_interface.private_ipv4_address = interface.ipv4_address
    for field in ("pull_started_at", "pull_stopped_at", "execution_stopped_at"):
        at = getattr(state, field)
        if at:
            getattr(result, field).CopyFrom(_timestamp(at))
    return result


def to_keep(state: task_state.TaskState) -> agent_service_pb2.TaskObservation:
    """What is written down of a task: what is told of it, and its hidden container."""
    result = observation(state)
    for plan, container in zip(state.plans, state.containers, strict=True):
        if plan.hidden:
            result.containers.append(_container(plan, container))
    return result


def released(task_id: str) -> task_state.TaskState:
    """State of a task that was never here: stopped, without containers."""
    return task_state.TaskState(task_id=task_id, plans=(), containers=(), phase=states.TaskPhase.STOPPED)


def restored(
    task_id: str,
    plans: tuple[task_state.ContainerPlan, ...],
    stored: agent_service_pb2.TaskObservation | None,
    *,
    stopping: bool,
    stopped_at: int,
) -> task_state.TaskState:
    """State of a task as it was written down. What its containers do now is for adoption to find out."""
    fresh = task_state.assigned(task_id, plans)
    requested = task_state.StopCause(task_state.StopCode.REQUESTED, "") if stopping else None
    if stored is None:
        return replace(fresh, stop_cause=requested)
    cause = requested
    if stored.stop_code:
        cause = task_state.StopCause(_STOP_CAUSE[stored.stop_code], stored.stopped_reason)
    by_name = {container.name: container for container in stored.containers}
    return replace(
        fresh,
        containers=tuple(
            _restored_container(container, by_name[plan.name], _interface(stored) if plan.hidden else None)
            if plan.name in by_name
            else container
            for plan, container in zip(plans, fresh.containers, strict=True)
        ),
        phase=_TASK_PHASE.get(stored.last_status, states.TaskPhase.PENDING),
        stop_cause=cause,
        pull_started_at=_microseconds(stored.pull_started_at),
        pull_stopped_at=_microseconds(stored.pull_stopped_at),
        execution_stopped_at=_microseconds(stored.execution_stopped_at),
        stopped_at=stopped_at,
    )


def _container(plan: task_state.ContainerPlan, container: task_state.ContainerState) -> event_pb2.ContainerObservation:
    result = event_pb2.ContainerObservation(
        name=plan.name,
        runtime_id=container.runtime_id,
        last_status=_shown(container.phase),
        reason=container.reason[: runtime.REASON_LIMIT],
        image_digest=container.image_digest,
        health_status=_HEALTH[container.health],
        out_of_memory=container.out_of_memory,
        restart_count=container.restarts,
        restart_reason=container.restart_reason if container.restarts else "",
    )
    progress = container.pulled
    if progress is not None and result.last_status == task_pb2.CONTAINER_STATUS_PENDING:
        result.pull_progress.downloaded_bytes = progress.downloaded
        result.pull_progress.total_bytes = progress.total
        result.pull_progress.layers = progress.layers
    # While it is started again the exit code is that of the run before.
    if container.exit_code is not None and container.phase is states.ContainerPhase.STOPPED:
        result.exit_code = container.exit_code
    if container.ran:
        for binding in container.bindings:
            result.network_bindings.append(_network_binding(binding))
    return result


def _network_binding(binding: task_state.Binding) -> task_pb2.NetworkBinding:
    result = task_pb2.NetworkBinding(bind_ip=binding.host_ip, protocol=_PROTOCOL[binding.protocol])
    if binding.count > 1:
        result.container_port_range = ports.shown_range(binding.container_ports)
        result.host_port_range = ports.shown_range(binding.host_ports)
    else:
        result.container_port, result.host_port = binding.container_port, binding.host_port
    return result


def _binding(stored: task_pb2.NetworkBinding) -> task_state.Binding:
    protocol = "udp" if stored.protocol == task_definition_pb2.TRANSPORT_PROTOCOL_UDP else "tcp"
    if not stored.container_port_range:
        return task_state.Binding(stored.container_port, stored.host_port, protocol, stored.bind_ip)
    first, last = ports.parsed_range(stored.container_port_range)
    host, _ = ports.parsed_range(stored.host_port_range)
    return task_state.Binding(first, host, protocol, stored.bind_ip, last - first + 1)


def _interface(stored: agent_service_pb2.TaskObservation) -> task_state.Interface | None:
    if not stored.HasField("network_interface"):
        return None
    told = stored.network_interface
    return task_state.Interface(told.mac_address, told.private_ipv4_address)


def _shown(phase: states.ContainerPhase) -> "task_pb2.ContainerStatus.ValueType":
    if phase is states.ContainerPhase.STOPPED:
        return task_pb2.CONTAINER_STATUS_STOPPED
    if phase in {states.ContainerPhase.RUNNING, states.ContainerPhase.RESTARTING, states.ContainerPhase.STOPPING}:
        return task_pb2.CONTAINER_STATUS_RUNNING
    return task_pb2.CONTAINER_STATUS_PENDING


def _restored_container(
    fresh: task_state.ContainerState,
    stored: event_pb2.ContainerObservation,
    interface: task_state.Interface | None,
) -> task_state.ContainerState:
    phase = {
        task_pb2.CONTAINER_STATUS_STOPPED: states.ContainerPhase.STOPPED,
        task_pb2.CONTAINER_STATUS_RUNNING: states.ContainerPhase.RUNNING,
    }.get(stored.last_status, states.ContainerPhase.PENDING)
    exit_code = stored.exit_code if stored.HasField("exit_code") else None
    return task_state.ContainerState(
        phase=phase,
        runtime_id=stored.runtime_id,
        exit_code=exit_code,
        reason=stored.reason,
        restarts=stored.restart_count,
        restart_reason=stored.restart_reason,
        out_of_memory=stored.out_of_memory,
        # One that could never start is shown with an exit code too, and never had an id.
        ran=phase is states.ContainerPhase.RUNNING or (exit_code is not None and bool(stored.runtime_id)),
        image_digest=stored.image_digest,
        health=fresh.health,
        bindings=tuple(_binding(binding) for binding in stored.network_bindings),
        interface=interface,
    )


def _timestamp(microseconds: int) -> timestamp_pb2.Timestamp:
    seconds, rest = divmod(microseconds, _MICROSECONDS)
    return timestamp_pb2.Timestamp(seconds=seconds, nanos=rest * 1000)


def _microseconds(timestamp: timestamp_pb2.Timestamp) -> int:
    return timestamp.seconds * _MICROSECONDS + timestamp.nanos // 1000
