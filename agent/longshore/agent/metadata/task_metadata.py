"""Task metadata in ECS's JSON, versions 3 and 4: what a container is told of itself and of its task. Pure.

Members are left out where ECS's agent leaves them out. What the engine alone knows (addresses, mounts, the log driver, the last health
checks) comes from an inspection; where there is none, those members are missing and the rest stands.
"""

from collections.abc import Mapping, Sequence
from datetime import UTC, datetime
from typing import Any

from longshore.agent import container_names, container_spec, runtime, states, task_limits, task_record, task_state
from longshore.rpc import sizes
from longshore.v1 import common_pb2
from longshore.v1 import task_definition_pb2 as definition_pb2

_LAUNCH_TYPES: Mapping[int, str] = {
    common_pb2.LAUNCH_TYPE_FARGATE: "FARGATE",
    common_pb2.LAUNCH_TYPE_EXTERNAL: "EXTERNAL",
}
_EC2 = "EC2"
"""What every other task is shown as, also one of a tracker that does not tell."""
OUTPUT_LIMIT = 1024
"""ECS's bound for the output of a health check."""

_MICROSECONDS = 1_000_000
_NORMAL = "NORMAL"
_SERVICE = "service:"

_P = states.ContainerPhase
_STATUS: Mapping[states.ContainerPhase, str] = {
    _P.PENDING: "NONE",
    _P.PULLING: "NONE",
    _P.PULLED: "PULLED",
    _P.CREATING: "PULLED",
    _P.CREATED: "CREATED",
    _P.STARTING: "CREATED",
    _P.RUNNING: "RUNNING",
    _P.RESTARTING: "RUNNING",
    _P.STOPPING: "RUNNING",
    _P.STOPPED: "STOPPED",
}
_ORDER = ("NONE", "PULLED", "CREATED", "RUNNING")


def task(
    owner: container_names.Owner,
    record: task_record.TaskRecord,
    seen: Mapping[str, runtime.ContainerSnapshot],
    *,
    version: int,
    zone: str = "",
) -> dict[str, Any]:
    """A task. `seen`: its containers as the engine describes them, by their runtime ids."""
    state, assigned = record.state, record.assigned
    shown: dict[str, Any] = {
        "Cluster": record.names.cluster,
        "TaskARN": container_names.task_arn(owner, record.names),
        "Family": record.names.family,
        "Revision": str(record.names.revision),
        "DesiredStatus": desired_status(state),
        "KnownStatus": _task_status(state),
        "Containers": containers(owner, record, seen, version=version),
    }
    limits = task_limits.of(record.definition.message, assigned.overrides)
    if limits:
        shown["Limits"] = _limits(limits.cpu_units / sizes.UNITS_PER_CPU, limits.memory_mib)
    _add_times(
        shown,
        PullStartedAt=state.pull_started_at,
        PullStoppedAt=state.pull_stopped_at,
        ExecutionStoppedAt=state.execution_stopped_at,
    )
    if zone:
        shown["AvailabilityZone"] = zone
    if version >= 4:
        shown["LaunchType"] = _LAUNCH_TYPES.get(assigned.launch_type, _EC2)
        if assigned.group:
            shown["Group"] = assigned.group
        if assigned.group.startswith(_SERVICE):
            shown["ServiceName"] = assigned.group.removeprefix(_SERVICE)
        shown["FaultInjectionEnabled"] = False
    return shown


def containers(
    owner: container_names.Owner,
    record: task_record.TaskRecord,
    seen: Mapping[str, runtime.ContainerSnapshot],
    *,
    version: int,
) -> list[dict[str, Any]]:
    """The containers of a task, in the definition's order."""
    return [
        container(owner, record, plan.name, seen.get(state.runtime_id), version=version)
        for plan, state in record.state.shown
    ]


def container(
    owner: container_names.Owner,
    record: task_record.TaskRecord,
    name: str,
    seen: runtime.ContainerSnapshot | None,
    *,
    version: int,
) -> dict[str, Any]:
    """A container of a task. `seen`: as the engine describes it; None where it could not be asked."""
    plan, state = _of(record, name)
    definition = record.parts[name]
    shown: dict[str, Any] = {
        "DockerId": state.runtime_id,
        "Name": name,
        "DockerName": container_names.container_name(record.names, name),
        "Image": plan.image,
        "ImageID": state.image_id or (seen.image_id if seen else ""),
        # The engine's are ours and those of the image.
        "Labels": dict(seen.labels)
        if seen
        else container_names.labels(owner, record.names, name, definition.docker_labels),
        "DesiredStatus": desired_status(record.state),
        "KnownStatus": _STATUS[state.phase],
        "Limits": _container_limits(record, definition),
        "Type": _NORMAL,
    }
    if ports := port_responses(state.bindings):
        shown["Ports"] = ports
    if state.exit_code is not None:
        shown["ExitCode"] = state.exit_code
    _add_times(
        shown,
        CreatedAt=state.created_at or (seen.created_at if seen else 0),
        StartedAt=state.started_at or (seen.started_at if seen else 0),
        FinishedAt=state.finished_at or (seen.finished_at if seen else 0),
    )
    if networks := network_responses(record, seen, version=version):
        shown["Networks"] = networks
    if plan.checks_health:
        shown["Health"] = _health(state.health, seen.checks if seen else ())
    if volumes := volume_responses(seen):
        shown["Volumes"] = volumes
    if version >= 4:
        _add_newer(owner, record, plan, state, seen, shown)
    return shown


def _add_newer(
    owner: container_names.Owner,
    record: task_record.TaskRecord,
    plan: task_state.ContainerPlan,
    state: task_state.ContainerState,
    seen: runtime.ContainerSnapshot | None,
    shown: dict[str, Any],
) -> None:
    """Members that version 4 has and version 3 has not."""
    if seen is not None and seen.log_driver:
        shown["LogDriver"] = seen.log_driver
        if seen.log_options:
            shown["LogOptions"] = dict(seen.log_options)
    shown["ContainerARN"] = container_names.container_arn(owner, record.names, plan.name)
    if plan.restart_policy is not None:
        shown["RestartCount"] = state.restarts


def desired_status(state: task_state.TaskState) -> str:
    """What a task should be, and so each of its containers."""
    return "RUNNING" if state.stop_cause is None and not state.stopped else "STOPPED"


def _task_status(state: task_state.TaskState) -> str:
    """STOPPED once all of it is, else what the slowest of its living containers has reached."""
    if state.stopped:
        return "STOPPED"
    if state.phase is states.TaskPhase.RUNNING:
        return "RUNNING"
    reached = [_STATUS[container.phase] for container in state.containers]
    return min((status for status in reached if status in _ORDER), key=_ORDER.index, default="NONE")


def port_responses(bindings: Sequence[task_state.Binding]) -> list[dict[str, Any]]:
    """Published ports, one by one."""
    return [
        {
            "ContainerPort": container_port,
            "Protocol": binding.protocol,
            "HostPort": host_port,
            "HostIp": binding.host_ip,
        }
        for binding in bindings
        for container_port, host_port in zip(binding.container_ports, binding.host_ports, strict=True)
    ]


def network_responses(
    record: task_record.TaskRecord, seen: runtime.ContainerSnapshot | None, *, version: int
) -> list[dict[str, Any]]:
    """Where a container is reached: ECS's network mode, and the addresses it has in it, which may be the whole task's."""
    mode = network_mode(record.definition.message)
    if (own := record.state.interface) is not None:
        interface: dict[str, Any] = {"NetworkMode": mode, "IPv4Addresses": [own.ipv4_address]}
        if version >= 4:
            interface |= {"AttachmentIndex": 0, "MACAddress": own.mac_address}
        return [interface]
    if seen is None:
        return []
    found = []
    for place in seen.addresses:
        shown: dict[str, Any] = {"NetworkMode": mode or place.network}
        if place.ipv4:
            shown["IPv4Addresses"] = [place.ipv4]
        found.append(shown)
    return found


def network_mode(definition: definition_pb2.TaskDefinition) -> str:
    """ECS's word for the task's network mode; bridge where the definition names none."""
    return _MODES.get(definition.network_mode, "bridge")


_MODES = {
    definition_pb2.NETWORK_MODE_HOST: "host",
    definition_pb2.NETWORK_MODE_NONE: "none",
    definition_pb2.NETWORK_MODE_AWSVPC: "awsvpc",
}


def volume_responses(seen: runtime.ContainerSnapshot | None) -> list[dict[str, str]]:
    """What is mounted into a container."""
    found = []
    for mount in seen.mounts if seen is not None else ():
        members = {"DockerName": mount.volume, "Source": mount.source, "Destination": mount.destination}
        found.append({name: text for name, text in members.items() if text})
    return found


def _of(record: task_record.TaskRecord, name: str) -> tuple[task_state.ContainerPlan, task_state.ContainerState]:
    position = record.state.position(name)
    if position is None:
        raise KeyError(name)
    return record.state.plans[position], record.state.containers[position]


def _container_limits(
    record: task_record.TaskRecord, definition: definition_pb2.ContainerDefinition
) -> dict[str, float]:
    found = container_spec.effective_sizes(
        definition, container_spec.override_of(record.assigned.overrides, definition.name)
    )
    # What the engine is given where nothing was asked for.
    return _limits(max(found.cpu, container_spec.LEAST_CPU_SHARES), found.memory_mib)


def _limits(cpu: float, memory_mib: int) -> dict[str, float]:
    """CPU and memory, each where it is limited; whole numbers without a fraction, as ECS writes them."""
    shown: dict[str, float] = {}
    if cpu:
        shown["CPU"] = int(cpu) if cpu == int(cpu) else cpu
    if memory_mib:
        shown["Memory"] = memory_mib
    return shown


def _health(health: task_state.Health, checks: Sequence[runtime.Check]) -> dict[str, Any]:
    """Health as of the last check. It stands since the oldest check the engine remembers in the present run of like outcomes."""
    shown: dict[str, Any] = {"status": health.value}
    if not checks:
        return shown
    last = checks[-1]
    since = last.ended_at
    for check in reversed(checks):
        if bool(check.exit_code) != bool(last.exit_code):
            break
        since = check.ended_at
    _add_times(shown, statusSince=since)
    if last.exit_code:
        shown["exitCode"] = last.exit_code
    if last.output:
        shown["output"] = last.output[:OUTPUT_LIMIT]
    return shown


def _add_times(shown: dict[str, Any], **times: int) -> None:
    """Add those times that have come."""
    shown.update({name: time_text(at) for name, at in times.items() if at})


def time_text(microseconds: int) -> str:
    """A time as ECS's agent writes it."""
    return datetime.fromtimestamp(microseconds / _MICROSECONDS, UTC).isoformat().replace("+00:00", "Z")
