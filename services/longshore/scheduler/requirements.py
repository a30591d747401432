"""What an instance must have for a task: CPU, memory, static host ports, attributes, GPUs. Pure; ECS's formula (ecs.md section 1.2)."""

import functools
from collections import Counter
from collections.abc import Iterator
from dataclasses import dataclass

from longshore.scheduler import overrides as overriding
from longshore.scheduler import resources
from longshore.storage import ports
from longshore.v1 import task_definition_pb2, task_pb2

ENI_ATTRIBUTE = "ecs.capability.task-eni"
ARCHITECTURE_ATTRIBUTE = "ecs.cpu-architecture"
OS_ATTRIBUTE = "ecs.os-type"
TASK_LIMIT_ATTRIBUTE = "ecs.capability.task-cpu-mem-limit"
ENVIRONMENT_FILES_ATTRIBUTE = "ecs.capability.env-files.s3"
SHARING_ATTRIBUTE = "ecs.capability.gpu-sharing"

# A role is kept with the task and shown; there is no AWS here that it would be a role of, so nothing on the instance is needed for it.
_ROLES = frozenset(
    {"com.amazonaws.ecs.capability.task-iam-role", "com.amazonaws.ecs.capability.task-iam-role-network-host"}
)

_ARCHITECTURES = {
    task_definition_pb2.CPU_ARCHITECTURE_X86_64: "x86_64",
    task_definition_pb2.CPU_ARCHITECTURE_ARM64: "arm64",
}


@dataclass(frozen=True, slots=True, order=True)
class Attribute:
    """A required attribute; with a value of None any value will do."""

    name: str
    value: str | None = None

    def __str__(self) -> str:
        return self.name if self.value is None else f"{self.name}={self.value}"


@dataclass(frozen=True, slots=True)
class Needs:
    """What one task takes from its instance. Equal needs are one shape: the key of everything that is cached per shape."""

    cpu: int
    memory: int
    ports: tuple[int, ...] = ()
    attributes: tuple[Attribute, ...] = ()
    shares: tuple[resources.Share, ...] = ()
    """What its containers take of the resources that instances offer by name."""
    resources: tuple[tuple[str, int], ...] = ()
    """The sums of the shares."""


def of(definition: task_definition_pb2.TaskDefinition, overrides: task_pb2.TaskOverride) -> Needs:
    """The needs of a task of this definition under these overrides."""
    amounts = overriding.merge(definition, overrides)
    return _interned(
        amounts.cpu or sum(container.cpu for container in amounts.containers),
        amounts.memory or sum(container.scheduled_memory for container in amounts.containers),
        tuple(sorted(set(_ports(definition)))),
        tuple(
            sorted(
                {*_attributes(definition), *_override_attributes(overrides)},
                key=lambda attribute: (attribute.name, attribute.value or ""),
            )
        ),
        amounts.shares,
    )


@functools.lru_cache(maxsize=4096)
def _interned(
    cpu: int,
    memory: int,
    wanted: tuple[int, ...],
    attributes: tuple[Attribute, ...],
    shares: tuple[resources.Share, ...],
) -> Needs:
    """One object per shape, so that tasks in their thousands share it."""
    totals: Counter[str] = Counter()
    for share in shares:
        totals[share.name] += share.count
    return Needs(cpu, memory, wanted, attributes, shares, tuple(sorted(totals.items())))


def _ports(definition: task_definition_pb2.TaskDefinition) -> Iterator[int]:
    mode = definition.network_mode
    if mode == task_definition_pb2.NETWORK_MODE_AWSVPC:
        return
    for container in definition.container_definitions:
        for mapping in container.port_mappings:
            # On the host's own network a port is the host's, whether it is written twice or once.
            number = mapping.host_port or (
                mapping.container_port if mode == task_definition_pb2.NETWORK_MODE_HOST else 0
            )
            if number:
                is_udp = mapping.protocol == task_definition_pb2.TRANSPORT_PROTOCOL_UDP
                yield ports.udp(number) if is_udp else ports.tcp(number)


def _attributes(definition: task_definition_pb2.TaskDefinition) -> Iterator[Attribute]:
    for required in definition.requires_attributes:
        if required.name in _ROLES:
            continue
        yield Attribute(required.name, required.value if required.HasField("value") else None)
    if definition.network_mode == task_definition_pb2.NETWORK_MODE_AWSVPC:
        yield Attribute(ENI_ATTRIBUTE)
    platform = definition.runtime_platform
    if architecture := _ARCHITECTURES.get(platform.cpu_architecture):
        yield Attribute(ARCHITECTURE_ATTRIBUTE, architecture)
    if platform.operating_system_family:
        linux = platform.operating_system_family == task_definition_pb2.OS_FAMILY_LINUX
        yield Attribute(OS_ATTRIBUTE, "linux" if linux else "windows")


def _override_attributes(overrides: task_pb2.TaskOverride) -> Iterator[Attribute]:
    """What an override asks of the instance, as it would in the definition, where the registry derives the same names."""
    if overrides.cpu or overrides.memory:
        yield Attribute(TASK_LIMIT_ATTRIBUTE)
    if any(container.environment_files for container in overrides.container_overrides):
        yield Attribute(ENVIRONMENT_FILES_ATTRIBUTE)
    if any(
        wanted.HasField("sharing_strategy")
        for container in overrides.container_overrides
        for wanted in container.resource_requirements
    ):
        yield Attribute(SHARING_ATTRIBUTE)
