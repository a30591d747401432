"""What becomes of every member of ECS's API: botocore's model of it laid over our contract and its `(handling)` options.

A member's own handling is in the contract. What holds at a place is also told by what it stands in: all of a refused structure is
refused with it, and an answer shows what was kept, whether it had an effect or not.
"""

import functools
from collections.abc import Iterator
from dataclasses import dataclass
from typing import Any, TypeAlias

from botocore import loaders, model
from google.protobuf.descriptor import Descriptor

from longshore.rpc import codec_schema
from longshore.v1 import (
    account_pb2,
    capacity_provider_pb2,
    cluster_pb2,
    common_pb2,
    container_instance_pb2,
    options_pb2,
    registry_service_pb2,
    scheduler_service_pb2,
    state_tracker_service_pb2,
    task_definition_pb2,
    task_pb2,
)

SUPPORTED = options_pb2.HANDLING_UNSPECIFIED
STORED = options_pb2.HANDLING_STORED
IGNORED = options_pb2.HANDLING_IGNORED
UNPLACEABLE = options_pb2.HANDLING_UNPLACEABLE
REFUSED = options_pb2.HANDLING_REFUSED
UNFILLED = options_pb2.HANDLING_UNFILLED

Handling: TypeAlias = options_pb2.Handling.ValueType

_SEVERITY = (SUPPORTED, STORED, IGNORED, UNPLACEABLE, REFUSED)
"""Of a structure and what is in it, the later of the two holds in a request."""

_MODULES = (
    account_pb2,
    capacity_provider_pb2,
    cluster_pb2,
    common_pb2,
    container_instance_pb2,
    registry_service_pb2,
    scheduler_service_pb2,
    state_tracker_service_pb2,
    task_definition_pb2,
    task_pb2,
)
_MESSAGES: dict[str, Descriptor] = {
    name: descriptor for module in _MODULES for name, descriptor in module.DESCRIPTOR.message_types_by_name.items()
}
_SERVICES = (
    (registry_service_pb2, "RegistryService"),
    (scheduler_service_pb2, "SchedulerService"),
    (state_tracker_service_pb2, "StateTrackerService"),
)


@dataclass(frozen=True, slots=True)
class Member:
    """One member of ECS's API at one place: `RunTask` takes `overrides.containerOverrides[].command`."""

    operation: str
    in_request: bool
    path: str
    structure: str
    name: str
    kind: str
    """Its type as people read it; of a structure, its name."""
    inner: str | None
    """The structure that it is or lists; None for anything else."""
    required: bool
    handling: Handling
    note: str


@functools.cache
def ecs() -> model.ServiceModel:
    """ECS's API as botocore describes it."""
    return model.ServiceModel(loaders.Loader().load_service_model("ecs", "service-2", "2014-11-13"))


def operations() -> list[str]:
    """ECS's operations, by name."""
    return sorted(ecs().operation_names)


def offered() -> list[str]:
    """The operations that Longshore has, by name."""
    ours = {
        method.name
        for module, service in _SERVICES
        for method in module.DESCRIPTOR.services_by_name[service].methods
        if not method.GetOptions().Extensions[options_pb2.longshore_rpc]
    }
    return sorted(ours & set(operations()))


def members(operation: str) -> Iterator[Member]:
    """Every member of an operation, of its request first, a structure before what is in it."""
    found = ecs().operation_model(operation)
    for shape, in_request in ((found.input_shape, True), (found.output_shape, False)):
        if shape is not None:
            yield from _inside(operation, shape, "", SUPPORTED, in_request=in_request)


def own(structure: str, name: str) -> tuple[Handling, str]:
    """What the contract says of a member by itself. One that the contract does not have is refused, and never filled."""
    field = codec_schema.schema(_MESSAGES[structure]).fields.get(name)
    if field is None:
        return REFUSED, "not in the contract yet"
    options = field.descriptor.GetOptions().Extensions
    handling: Handling = options[options_pb2.handling]
    note: str = options[options_pb2.handling_note]
    return handling, note


def is_known(structure: str) -> bool:
    """Whether the contract has a structure at all."""
    return structure in _MESSAGES


def _inside(operation: str, shape: Any, prefix: str, outer: Handling, *, in_request: bool) -> Iterator[Member]:
    for name, value in shape.members.items():
        given, note = own(shape.name, name)
        here = _worse(outer, given) if in_request else _shown(outer, given)
        kind, inner, marks = _kind(value)
        path = f"{prefix}{name}"
        yield Member(
            operation=operation,
            in_request=in_request,
            path=path,
            structure=shape.name,
            name=name,
            kind=kind,
            inner=inner.name if inner is not None else None,
            required=name in shape.required_members,
            handling=here,
            note=note,
        )
        if inner is not None and is_known(inner.name):
            yield from _inside(operation, inner, f"{path}{marks}.", here, in_request=in_request)


def _worse(outer: Handling, given: Handling) -> Handling:
    if given == UNFILLED:  # speaks of answers only
        return outer
    return max(outer, given, key=_SEVERITY.index)


def _shown(outer: Handling, given: Handling) -> Handling:
    never = {UNFILLED, IGNORED, REFUSED}
    return UNFILLED if outer == UNFILLED or given in never else SUPPORTED


def _kind(shape: Any) -> tuple[str, Any, str]:
    """A type in words, the structure in it, and the marks of a list or map in a path."""
    if shape.type_name == "structure":
        return shape.name, shape, ""
    if shape.type_name == "list":
        kind, inner, marks = _kind(shape.member)
        return f"list of {kind}", inner, f"[]{marks}"
    if shape.type_name == "map":
        kind, inner, marks = _kind(shape.value)
        return f"map to {kind}", inner, f"{{}}{marks}"
    return {"long": "integer", "double": "number"}.get(shape.type_name, shape.type_name), None, ""
