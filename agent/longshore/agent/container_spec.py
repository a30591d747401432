"""From a container definition and its overrides to the body of Docker's create call. Pure."""

from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass
from types import MappingProxyType
from typing import Any

from longshore.agent import container_host, container_names, devices, task_state
from longshore.v1 import task_definition_pb2 as definition_pb2
from longshore.v1 import task_pb2

_MEBIBYTE = 1024 * 1024
_NANOSECONDS = 1_000_000_000

# ECS's defaults. The registry fills them in; a definition that comes without them means the same.
_HEALTH_INTERVAL_S = 30
_HEALTH_TIMEOUT_S = 5
_HEALTH_RETRIES = 3

# Docker takes no weight below 2 and the kernel none above 262144; ECS's agent sends 2 where nothing was asked for.
LEAST_CPU_SHARES = 2
_CPU_SHARES = range(LEAST_CPU_SHARES, 262145)

# ECS's agent raises what is below Docker's old floor. Newer engines refuse less than 6 MiB themselves, and say so.
_MEMORY_FLOOR = 4 * _MEBIBYTE


_REGION_VARIABLES = ("AWS_REGION", "AWS_DEFAULT_REGION")
_NO_VARIABLES: Mapping[str, str] = MappingProxyType({})


@dataclass(frozen=True, slots=True)
class Sizes:
    """What a container may use, after overrides. Zero: not given."""

    cpu: int
    memory_mib: int
    memory_reservation_mib: int


def body(
    definition: definition_pb2.TaskDefinition,
    container: definition_pb2.ContainerDefinition,
    override: task_pb2.ContainerOverride | None,
    *,
    owner: container_names.Owner,
    task: container_names.TaskNames,
    bindings: Sequence[task_state.Binding],
    stop_timeout_s: int,
    publish_address: str = "",
    cgroup_parent: str = "",
    gpus: devices.Gpus = devices.NONE,
    gpu_ids: Sequence[str] = (),
    image: str = "",
    metadata: Mapping[str, str] = _NO_VARIABLES,
    awslogs: bool = False,
    fargate: bool = False,
) -> dict[str, Any]:
    """Body of the create call for one container of a task.

    `cgroup_parent`: the task's own group, where it has limits. `image`: what names exactly the image that was pulled for it.
    `metadata`: variables that say where the container finds its metadata.
    `awslogs`: that log driver is left to the engine. `fargate`: what the task was asked to run on.
    """
    sizes = effective_sizes(container, override)
    host: dict[str, Any] = {
        "CpuShares": min(max(sizes.cpu, _CPU_SHARES.start), _CPU_SHARES.stop - 1),
        **_memory(sizes, container.linux_parameters),
        **container_host.host_config(definition, container, task, awslogs=awslogs),
        **devices.host_config(gpus, gpu_ids),
    }
    if cgroup_parent:
        host["CgroupParent"] = cgroup_parent
    if files := devices.files(gpus, gpu_ids):
        host["Devices"] = [*host.get("Devices", ()), *files]
    spec: dict[str, Any] = {
        "Image": image or container.image,
        "Env": environment(
            container, override, gpu_ids, region=container_names.region(owner), metadata=metadata, fargate=fargate
        ),
        "Labels": container_names.labels(owner, task, container.name, container.docker_labels),
        "HostConfig": host,
        # We name it with each stop as well; this is for whoever stops the container without knowing the task.
        "StopTimeout": stop_timeout_s,
        **_process(container, override),
    }
    if bindings and definition.network_mode != definition_pb2.NETWORK_MODE_HOST:
        spec["ExposedPorts"] = {key: {} for binding in bindings for key, _ in _published(binding)}
        host["PortBindings"] = _port_bindings(bindings, publish_address)
    return spec


def effective_sizes(
    container: definition_pb2.ContainerDefinition, override: task_pb2.ContainerOverride | None
) -> Sizes:
    """CPU units and MiB of a container, the override's where it gives them."""

    def chosen(field: str) -> int:
        if override is not None and override.HasField(field):  # type: ignore[arg-type]  # one name in both messages
            return int(getattr(override, field))
        return int(getattr(container, field))

    return Sizes(chosen("cpu"), chosen("memory"), chosen("memory_reservation"))


def environment(
    container: definition_pb2.ContainerDefinition,
    override: task_pb2.ContainerOverride | None,
    gpu_ids: Sequence[str] = (),
    *,
    region: str = "",
    metadata: Mapping[str, str] = _NO_VARIABLES,
    fargate: bool = False,
) -> list[str]:
    """Environment as `NAME=value`, merged by name: the override's wins, and what the container was given wins over both."""
    merged = {pair.name: pair.value for pair in container.environment}
    if override is not None:
        merged.update({pair.name: pair.value for pair in override.environment})
    merged.setdefault("AWS_EXECUTION_ENV", "AWS_ECS_FARGATE" if fargate else "AWS_ECS_EC2")
    if region:
        for name in _REGION_VARIABLES:
            merged.setdefault(name, region)
    merged.update(metadata)
    if gpu_ids:
        merged[devices.VISIBLE_VARIABLE] = ",".join(gpu_ids)
    return [f"{name}={value}" for name, value in merged.items()]


def override_of(overrides: task_pb2.TaskOverride, container: str) -> task_pb2.ContainerOverride | None:
    """The override of a container, None where there is none."""
    return next((item for item in overrides.container_overrides if item.name == container), None)


def _memory(sizes: Sizes, linux: definition_pb2.LinuxParameters) -> dict[str, int]:
    limits: dict[str, int] = {}
    if sizes.memory_mib:
        limits["Memory"] = max(sizes.memory_mib * _MEBIBYTE, _MEMORY_FLOOR)
    if sizes.memory_reservation_mib:
        limits["MemoryReservation"] = max(sizes.memory_reservation_mib * _MEBIBYTE, _MEMORY_FLOOR)
    if linux.HasField("max_swap"):
        # Without a limit the engine refuses this, and says why.
        limits["MemorySwap"] = limits.get("Memory", 0) + linux.max_swap * _MEBIBYTE
        if linux.HasField("swappiness"):
            limits["MemorySwappiness"] = linux.swappiness
    return limits


def _process(
    container: definition_pb2.ContainerDefinition, override: task_pb2.ContainerOverride | None
) -> dict[str, Any]:
    """What runs and how: members that are left out keep the image's value."""
    process: dict[str, Any] = {}
    if container.HasField("entry_point"):
        process["Entrypoint"] = list(container.entry_point.values)
    if override is not None and override.HasField("command"):
        process["Cmd"] = list(override.command.values)
    elif container.HasField("command"):
        process["Cmd"] = list(container.command.values)
    for field, member in _PLAIN:
        if container.HasField(field):  # type: ignore[arg-type]  # the names in _PLAIN are the message's
            process[member] = getattr(container, field)
    if container.HasField("health_check"):
        process["Healthcheck"] = _health_check(container.health_check)
    return process


def _health_check(check: definition_pb2.HealthCheck) -> dict[str, Any]:
    """The check, its times in nanoseconds. What is left out keeps ECS's default, not the engine's, which may differ."""
    return {
        "Test": list(check.command),
        "Interval": (check.interval if check.HasField("interval") else _HEALTH_INTERVAL_S) * _NANOSECONDS,
        "Timeout": (check.timeout if check.HasField("timeout") else _HEALTH_TIMEOUT_S) * _NANOSECONDS,
        "Retries": check.retries if check.HasField("retries") else _HEALTH_RETRIES,
        "StartPeriod": check.start_period * _NANOSECONDS,
    }


_PLAIN = (
    ("working_directory", "WorkingDir"),
    ("user", "User"),
    ("hostname", "Hostname"),
    ("disable_networking", "NetworkDisabled"),
    ("interactive", "OpenStdin"),
    ("pseudo_terminal", "Tty"),
)


def _published(binding: task_state.Binding) -> Iterator[tuple[str, int]]:
    """Docker's name of each of the container's ports, and the host's port that leads there."""
    for container_port, host_port in zip(binding.container_ports, binding.host_ports, strict=True):
        yield f"{container_port}/{binding.protocol}", host_port


def _port_bindings(bindings: Sequence[task_state.Binding], address: str) -> Mapping[str, list[dict[str, str]]]:
    published: dict[str, list[dict[str, str]]] = {}
    for binding in bindings:
        for key, host_port in _published(binding):
            published.setdefault(key, []).append({"HostIp": address, "HostPort": str(host_port)})
    return published
