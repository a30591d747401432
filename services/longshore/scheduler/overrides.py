"""Overrides of a request laid over its definition: what each container then asks for, and which overrides make no sense.

Pure. Only amounts matter here; commands and environment are merged where the containers are made, by the agent.
"""

from collections.abc import Iterable, Iterator
from dataclasses import dataclass

from longshore.rpc import codec_schema, sizes
from longshore.scheduler import resources
from longshore.v1 import common_pb2, task_definition_pb2, task_pb2

MAX_COUNT = 1024
"""Of one resource for one container. ECS gives at most 16 GPUs, other devices come in more."""

_TYPES = {common_pb2.RESOURCE_TYPE_GPU: resources.GPU}
"""What can be asked for, and under which name instances offer it."""


@dataclass(frozen=True, slots=True)
class ContainerAmounts:
    """What one container asks for. CPU in units, memory in MiB; zero means none was given."""

    name: str
    cpu: int
    memory: int
    memory_reservation: int

    @property
    def scheduled_memory(self) -> int:
        """What counts for placement: the reservation where there is one, else the limit."""
        return self.memory_reservation or self.memory


@dataclass(frozen=True, slots=True)
class TaskAmounts:
    """What a task asks for. `cpu` and `memory` are the task's own, zero where only its containers say."""

    cpu: int
    memory: int
    containers: tuple[ContainerAmounts, ...]
    shares: tuple[resources.Share, ...] = ()
    """What the containers ask for of the resources that instances offer by name."""


def merge(definition: task_definition_pb2.TaskDefinition, overrides: task_pb2.TaskOverride) -> TaskAmounts:
    """The amounts after the overrides. `faults` must have found nothing."""
    by_name = {override.name: override for override in overrides.container_overrides}
    none = task_pb2.ContainerOverride()
    return TaskAmounts(
        cpu=sizes.cpu_units(overrides.cpu or definition.cpu) or 0,
        memory=sizes.memory_mib(overrides.memory or definition.memory) or 0,
        containers=tuple(
            _merge_container(container, by_name.get(container.name, none))
            for container in definition.container_definitions
        ),
        shares=tuple(
            resources.Share(container.name, _TYPES[wanted.type], int(wanted.value))
            for container in definition.container_definitions
            for wanted in _requirements(container, by_name.get(container.name, none))
            if wanted.type in _TYPES and _is_count(wanted.value)
        ),
    )


def _merge_container(
    container: task_definition_pb2.ContainerDefinition, override: task_pb2.ContainerOverride
) -> ContainerAmounts:
    return ContainerAmounts(
        name=container.name,
        cpu=override.cpu if override.HasField("cpu") else container.cpu,
        memory=override.memory if override.HasField("memory") else container.memory,
        memory_reservation=(
            override.memory_reservation if override.HasField("memory_reservation") else container.memory_reservation
        ),
    )


def unsupported(definition: task_definition_pb2.TaskDefinition, overrides: task_pb2.TaskOverride) -> Iterator[str]:
    """What nothing here can give a container."""
    by_name = {override.name: override for override in overrides.container_overrides}
    for container in definition.container_definitions:
        for wanted in _requirements(container, by_name.get(container.name, task_pb2.ContainerOverride())):
            if wanted.type not in _TYPES:
                word = codec_schema.word(common_pb2.ResourceType.DESCRIPTOR, wanted.type)
                yield f"container {container.name} asks for {word}, which is not supported"


def _requirements(
    container: task_definition_pb2.ContainerDefinition, override: task_pb2.ContainerOverride
) -> Iterable[task_definition_pb2.ResourceRequirement]:
    """The override's, where it has any, as a whole."""
    return override.resource_requirements or container.resource_requirements


def _is_count(text: str) -> bool:
    return text.isascii() and text.isdigit() and 0 < int(text[:6]) <= MAX_COUNT


def faults(definition: task_definition_pb2.TaskDefinition, overrides: task_pb2.TaskOverride) -> Iterator[str]:
    """What is wrong with the overrides of this definition, each as a sentence. Shape alone was judged by `request_rules`."""
    known = {container.name for container in definition.container_definitions}
    for override in overrides.container_overrides:
        if override.name not in known:
            yield f"Override for container named {override.name} is not a container in the TaskDefinition."
    yield from _count_faults(definition, overrides)
    amounts = merge(definition, overrides)
    for container in amounts.containers:
        yield from _container_faults(container)
    yield from _task_faults(amounts)


def _count_faults(definition: task_definition_pb2.TaskDefinition, overrides: task_pb2.TaskOverride) -> Iterator[str]:
    by_name = {override.name: override for override in overrides.container_overrides}
    for container in definition.container_definitions:
        for wanted in _requirements(container, by_name.get(container.name, task_pb2.ContainerOverride())):
            if wanted.type in _TYPES and not _is_count(wanted.value):
                yield (
                    f"Invalid setting for container '{container.name}': the resource requirement of {_TYPES[wanted.type]} is "
                    f"'{wanted.value}', it must be a number from 1 to {MAX_COUNT}."
                )


def _container_faults(container: ContainerAmounts) -> Iterator[str]:
    if 0 < container.memory < container.memory_reservation:
        yield (
            f"Invalid setting for container '{container.name}': memory ({container.memory} MiB) is below "
            f"memoryReservation ({container.memory_reservation} MiB)."
        )


def _task_faults(amounts: TaskAmounts) -> Iterator[str]:
    if amounts.memory:
        reserved = sum(container.scheduled_memory for container in amounts.containers)
        if reserved > amounts.memory:
            yield f"The containers ask for {reserved} MiB of memory together, the task has {amounts.memory} MiB."
        for container in amounts.containers:
            if container.memory > amounts.memory:
                yield (
                    f"Invalid setting for container '{container.name}': memory ({container.memory} MiB) is above that of the "
                    f"task ({amounts.memory} MiB)."
                )
    else:
        for container in amounts.containers:
            if not container.scheduled_memory:
                yield (
                    f"Invalid setting for container '{container.name}'. "
                    "At least one of 'memory' or 'memoryReservation' must be specified."
                )
    shares = sum(container.cpu for container in amounts.containers)
    if amounts.cpu and shares > amounts.cpu:
        yield f"The containers ask for {shares} CPU units together, the task has {amounts.cpu}."
