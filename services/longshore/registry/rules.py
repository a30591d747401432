"""All rules for a task definition, in one table, and what a definition breaks of them. Pure.

The rows are in the `rules_…` modules by subject; this module only joins them. Nothing is refused anywhere else.
"""

from collections.abc import Iterator

from longshore.registry import (
    faults,
    rules_container,
    rules_linux,
    rules_order,
    rules_ports,
    rules_storage,
    rules_tags,
    rules_task,
    subjects,
)
from longshore.registry.faults import Fault
from longshore.registry.rule import Table
from longshore.registry.subjects import Container, Definition, Volume
from longshore.rpc import codec, errors
from longshore.v1 import registry_service_pb2

MAX_BYTES = 64 * 1024
"""Size of a definition as ECS's JSON."""

MAX_WIRE_BYTES = 4 * MAX_BYTES
"""A message larger than this is not turned into JSON first to find out that it is too large: a field that takes most of it is."""

DEFINITION: Table[Definition] = Table((*rules_task.RULES, *rules_order.DEFINITION))
CONTAINERS: Table[Container] = Table(
    (
        *rules_container.RULES,
        *rules_ports.RULES,
        *rules_storage.CONTAINERS,
        *rules_linux.RULES,
        *rules_order.CONTAINERS,
    )
)
VOLUMES: Table[Volume] = Table(rules_storage.VOLUMES)

SIZE = "definition-size"

NAMES: tuple[str, ...] = (
    SIZE,
    *(row.name for row in DEFINITION.rules),
    *(row.name for row in CONTAINERS.rules),
    *(row.name for row in VOLUMES.rules),
    *(row.name for row in rules_tags.RULES),
)
"""Every rule's name."""


def faults_of(request: registry_service_pb2.RegisterTaskDefinitionRequest) -> tuple[Fault, ...]:
    """Everything that is wrong with a definition. One that is too large is not looked at any further."""
    too_large = tuple(_size_faults(request))
    if too_large:
        return too_large
    definition = subjects.definition(request)
    return (
        *DEFINITION.faults((definition,)),
        *CONTAINERS.faults(subjects.containers(definition)),
        *VOLUMES.faults(subjects.volumes(definition)),
        *rules_tags.of(request),
    )


def check(request: registry_service_pb2.RegisterTaskDefinitionRequest) -> None:
    """Raise ClientException with every fault of a definition, if there is any."""
    found = faults_of(request)
    if found:
        raise faults.refusal(errors.ClientException, found)


def _size_faults(request: registry_service_pb2.RegisterTaskDefinitionRequest) -> Iterator[Fault]:
    size = request.ByteSize()
    if size <= MAX_WIRE_BYTES:
        size = len(codec.dumps(codec.to_json(request)).encode("utf-8", "replace"))
    if size > MAX_BYTES:
        message = f"Invalid setting for the task definition: its size is {size} bytes; it must be at most {MAX_BYTES} bytes as JSON."
        yield Fault(SIZE, "the task definition", "", message)
