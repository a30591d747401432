"""What this host offers, as RegisterContainerInstance takes it: amounts and attributes, from what the engine says. Pure."""

from collections.abc import Iterable, Iterator, Mapping, Sequence

from longshore.agent import devices, log_drivers, pausing, runtime
from longshore.rpc import sizes
from longshore.v1 import common_pb2

DEFAULT_RESERVED_PORTS = (22, 2375, 2376, 51678, 51679)
"""ECS's: ssh, Docker's own, introspection, task metadata."""

OWN_NAMES = frozenset({"CPU", "MEMORY", "PORTS", "PORTS_UDP", devices.GPU})
"""Resources that the agent finds out by itself."""

_MEBIBYTE = 1024 * 1024
_CAPABILITY = "com.amazonaws.ecs.capability."

# Levels of Docker's API that definitions may ask for. The numbers stand for features, which later engines keep although they
# have stopped answering under the old numbers.
_FIRST_API_LEVEL = 17
_LAST_API_LEVEL = 44

# What this agent does by itself, whatever the engine.
_CAPABILITIES = (
    "container-health-check",
    "container-ordering",
    "container-restart-policy",
    "execution-role-awslogs",
    "firelens.fluentbit",
    "firelens.fluentd",
    "network.container-port-range",
)

# What needs control groups of the tasks' own.
_TASK_LIMITS = ("task-cpu-mem-limit", "increased-task-cpu-limit")

_ARCHITECTURES = {"x86_64": "x86_64", "amd64": "x86_64", "aarch64": "arm64", "arm64": "arm64"}


class NothingLeft(Exception):  # noqa: N818 - named by what is wrong
    """So much memory is reserved that none is left for tasks."""


def total_resources(
    engine: runtime.EngineInfo,
    *,
    reserved_memory_mib: int = 0,
    reserved_ports: Sequence[int] = DEFAULT_RESERVED_PORTS,
    reserved_udp_ports: Sequence[int] = (),
    gpus: devices.Gpus = devices.NONE,
    counted: Mapping[str, int] | None = None,
) -> list[common_pb2.Resource]:
    """CPU units, MiB, reserved ports and countable devices of the host."""
    memory = engine.memory_bytes // _MEBIBYTE - reserved_memory_mib
    if memory <= 0:
        raise NothingLeft(
            f"{reserved_memory_mib} MiB of memory are reserved (LONGSHORE_RESERVED_MEMORY), "
            f"and the host has {engine.memory_bytes // _MEBIBYTE} MiB in all"
        )
    return [
        common_pb2.Resource(name="CPU", type="INTEGER", integer_value=engine.cpus * sizes.UNITS_PER_CPU),
        common_pb2.Resource(name="MEMORY", type="INTEGER", integer_value=memory),
        _port_set("PORTS", reserved_ports),
        _port_set("PORTS_UDP", reserved_udp_ports),
        *devices.offered(gpus, counted or {}),
    ]


def _port_set(name: str, ports: Iterable[int]) -> common_pb2.Resource:
    return common_pb2.Resource(name=name, type="STRINGSET", string_set_value=[str(port) for port in sorted(set(ports))])


def attributes(
    engine: runtime.EngineInfo,
    *,
    custom: Mapping[str, str] | None = None,
    privileged: bool = True,
    limits_tasks: bool = False,
    shared: pausing.Offered = pausing.NOTHING,
) -> list[common_pb2.Attribute]:
    """What the host can honour, and what its operator says of it. What is missing here keeps tasks that need it away."""
    names = [f"{_CAPABILITY}docker-remote-api.1.{level}" for level in _api_levels(engine)]
    names += [f"{_CAPABILITY}logging-driver.{driver}" for driver in log_drivers.offered(engine.logging_drivers)]
    names += [f"{_CAPABILITY}{option}" for option in ("apparmor", "selinux") if option in engine.security_options]
    if privileged:
        names.append(f"{_CAPABILITY}privileged-container")
    names += [f"ecs.capability.{capability}" for capability in _CAPABILITIES]
    if limits_tasks:
        names += [f"ecs.capability.{capability}" for capability in _TASK_LIMITS]
    if shared.namespaces:
        names.append("ecs.capability.pid-ipc-namespace-sharing")
    if shared.addresses:
        names.append("ecs.capability.task-eni")
    names += [f"longshore.capability.{capability}" for capability in _swap(engine)]
    names += [f"ecs.capability.docker-plugin.{driver}" for driver in sorted(engine.volume_drivers)]
    result = [common_pb2.Attribute(name=name) for name in names]
    valued = {
        "longshore.hostname": engine.name,
        "ecs.os-type": engine.os_type,
        "ecs.cpu-architecture": _ARCHITECTURES.get(engine.architecture, engine.architecture),
        **(custom or {}),
    }
    result += [common_pb2.Attribute(name=name, value=value) for name, value in valued.items() if value]
    return result


def _swap(engine: runtime.EngineInfo) -> Iterator[str]:
    """What containers may ask of swap: an engine that cannot give it discards it, and no attribute of ECS tells."""
    if "SwapLimit" in engine.lacks:
        return
    yield "swap-limit"
    if engine.cgroup_version == 1:  # the second version of control groups has no such setting
        yield "swappiness"


def _api_levels(engine: runtime.EngineInfo) -> range:
    major, minor = engine.api_version
    last = _LAST_API_LEVEL if major > 1 else min(minor, _LAST_API_LEVEL)
    return range(_FIRST_API_LEVEL, last + 1)


def version_info(engine: runtime.EngineInfo, agent_version: str) -> common_pb2.VersionInfo:
    """Versions as ECS shows them."""
    return common_pb2.VersionInfo(agent_version=agent_version, docker_version=f"DockerVersion: {engine.version}")
