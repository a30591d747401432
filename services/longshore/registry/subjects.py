"""What the rules about a task definition are about: the definition, its containers, its volumes. Pure.

What several rules need of the whole (who is essential, which volumes there are) is worked out once.
"""

from collections.abc import Iterator, Mapping
from dataclasses import dataclass

from longshore.rpc import sizes
from longshore.v1 import registry_service_pb2, task_definition_pb2

MAX_CONTAINERS = 10
"""Containers of a definition. Of more, only so many are looked at: that there are too many is a fault of its own."""

_CONTAINERS = "containerDefinitions"
_VOLUMES = "volumes"


@dataclass(frozen=True, slots=True)
class Definition:
    """The whole definition as it was sent."""

    message: registry_service_pb2.RegisterTaskDefinitionRequest
    network_mode: task_definition_pb2.NetworkMode.ValueType
    """The mode in force: bridge where none was given."""
    cpu: int | None
    """Task-level CPU units; None where they were not given or cannot be read."""
    memory: int | None
    """Task-level MiB, likewise."""
    by_name: Mapping[str, task_definition_pb2.ContainerDefinition]
    """Containers by name, the first of each."""
    volumes: frozenset[str]
    label: str = "the task definition"
    path: str = ""


@dataclass(frozen=True, slots=True)
class Container:
    """One container of a definition."""

    message: task_definition_pb2.ContainerDefinition
    definition: Definition
    index: int
    label: str
    path: str


@dataclass(frozen=True, slots=True)
class Volume:
    """One volume of a definition."""

    message: task_definition_pb2.Volume
    label: str
    path: str


def definition(request: registry_service_pb2.RegisterTaskDefinitionRequest) -> Definition:
    """The definition of a request."""
    by_name: dict[str, task_definition_pb2.ContainerDefinition] = {}
    for container in request.container_definitions:
        by_name.setdefault(container.name, container)
    return Definition(
        message=request,
        network_mode=request.network_mode or task_definition_pb2.NETWORK_MODE_BRIDGE,
        cpu=sizes.cpu_units(request.cpu) if request.HasField("cpu") else None,
        memory=sizes.memory_mib(request.memory) if request.HasField("memory") else None,
        by_name=by_name,
        volumes=frozenset(volume.name for volume in request.volumes),
    )


def containers(of: Definition) -> Iterator[Container]:
    """The containers, in order, as many as a definition may have."""
    for index, message in enumerate(of.message.container_definitions[:MAX_CONTAINERS]):
        yield Container(message, of, index, _label("container", message.name, index), f"{_CONTAINERS}[{index}].")


def volumes(of: Definition) -> Iterator[Volume]:
    """The volumes, in order."""
    for index, message in enumerate(of.message.volumes):
        yield Volume(message, _label("volume", message.name, index), f"{_VOLUMES}[{index}].")


def is_essential(container: task_definition_pb2.ContainerDefinition) -> bool:
    """Whether the task stops with this container: unless it says otherwise."""
    return container.essential if container.HasField("essential") else True


def _label(kind: str, name: str, index: int) -> str:
    return f"{kind} '{name[:255]}'" if name else f"{kind} {index + 1}"
