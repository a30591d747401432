"""What the containers of a task share, and the hidden container that holds it (docs/design/agent-networks.md). Pure."""

from dataclasses import replace
from typing import Any

from longshore.agent import container_names, runtime, task_state
from longshore.v1 import task_definition_pb2 as definition_pb2

NETWORK = "longshore"
"""Name of the bridge network on which tasks in network mode awsvpc have their addresses."""

NETWORK_LABEL = "network"
"""Value of `com.longshore.internal` on it."""

PAUSE = "~internal~ecs~pause"
PAUSE_WITHOUT_NETWORK = "~internal~ecs~pause~namespace"
"""ECS's names; no definition can have them."""

_STOP_TIMEOUT_S = 5
"""It ends at once when it is told to; this is for an engine that is slow to tell it."""

_NETWORK_MODES = {
    definition_pb2.NETWORK_MODE_UNSPECIFIED: "bridge",
    definition_pb2.NETWORK_MODE_BRIDGE: "bridge",
    definition_pb2.NETWORK_MODE_HOST: "host",
    definition_pb2.NETWORK_MODE_NONE: "none",
}
_MEBIBYTE = 1024 * 1024
_LEAST_CPU_SHARES = 2
Definition = definition_pb2.TaskDefinition


def has_address(definition: Definition) -> bool:
    """Whether each task of the definition has a network namespace and an address of its own."""
    return definition.network_mode == definition_pb2.NETWORK_MODE_AWSVPC


def pause_name(definition: Definition) -> str:
    """Name of the hidden container; empty where nothing is shared."""
    if has_address(definition):
        return PAUSE
    shares = definition.pid_mode == definition_pb2.PID_MODE_TASK or definition.ipc_mode == definition_pb2.IPC_MODE_TASK
    return PAUSE_WITHOUT_NETWORK if shares else ""


def with_pause(
    definition: Definition, plans: tuple[task_state.ContainerPlan, ...]
) -> tuple[task_state.ContainerPlan, ...]:
    """The plans, and the hidden one that all others wait for where something is shared.

    It is the last: where several containers have ended at the same time, the task is said to stop for one that people know.
    """
    name = pause_name(definition)
    if not name:
        return plans
    waits = task_state.Dependency(name, task_state.Condition.START)
    pause = task_state.ContainerPlan(name=name, image="", essential=True, stop_timeout_s=_STOP_TIMEOUT_S, hidden=True)
    return (*(replace(plan, waits_for=(*plan.waits_for, waits)) for plan in plans), pause)


def modes(definition: Definition, task: container_names.TaskNames) -> dict[str, Any]:
    """Members of HostConfig that say which namespaces a container of the definition uses."""
    joined = f"container:{container_names.container_name(task, pause_name(definition))}"
    network = joined if has_address(definition) else _NETWORK_MODES[definition.network_mode]
    config: dict[str, Any] = {"NetworkMode": network}
    if definition.pid_mode:
        config["PidMode"] = joined if definition.pid_mode == definition_pb2.PID_MODE_TASK else "host"
    if definition.ipc_mode == definition_pb2.IPC_MODE_TASK:
        config["IpcMode"] = joined
    elif definition.ipc_mode:
        config["IpcMode"] = "host" if definition.ipc_mode == definition_pb2.IPC_MODE_HOST else "none"
    return config


def interface(snapshot: runtime.ContainerSnapshot) -> task_state.Interface | None:
    """The task's own interface, from what the engine says of its hidden container."""
    place = snapshot.address(NETWORK)
    return None if place is None else task_state.Interface(place.mac, place.ipv4)


def network(*, subnet: str, device: str) -> dict[str, Any]:
    """Body of the create call of the network; the engine chooses where no subnet is given."""
    config: dict[str, Any] = {
        "Driver": "bridge",
        "Labels": {container_names.INTERNAL: NETWORK_LABEL},
        "Options": {"com.docker.network.bridge.name": device},
    }
    if subnet:
        config["IPAM"] = {"Config": [{"Subnet": subnet}]}
    return config


def pause_body(
    definition: Definition,
    *,
    image: str,
    owner: container_names.Owner,
    task: container_names.TaskNames,
    cgroup_parent: str = "",
) -> dict[str, Any]:
    """Body of the create call of the hidden container: no rights, no log, and what is shared."""
    shares_ipc = definition.ipc_mode == definition_pb2.IPC_MODE_TASK
    host: dict[str, Any] = {
        "NetworkMode": NETWORK if has_address(definition) else "none",
        "IpcMode": "shareable" if shares_ipc else "none",
        "CapDrop": ["ALL"],
        "SecurityOpt": ["no-new-privileges"],
        "ReadonlyRootfs": True,
        "LogConfig": {"Type": "none", "Config": {}},
        "CpuShares": _LEAST_CPU_SHARES,
    }
    if shares_ipc and (size := _shared_memory_mib(definition)):
        host["ShmSize"] = size * _MEBIBYTE
    if cgroup_parent:
        host["CgroupParent"] = cgroup_parent
    name = pause_name(definition)
    given = {container_names.INTERNAL: container_names.PAUSE}
    return {
        "Image": image,
        "Labels": container_names.labels(owner, task, name, given),
        "HostConfig": host,
        "StopTimeout": _STOP_TIMEOUT_S,
    }


def _shared_memory_mib(definition: Definition) -> int:
    """There is one /dev/shm for all: as large as the one that asks for most."""
    return max(container.linux_parameters.shared_memory_size for container in definition.container_definitions)
