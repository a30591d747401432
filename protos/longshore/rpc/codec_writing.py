"""From a message to the JSON value that ECS would answer.

Pure, and on the path of every describe: a writer is compiled once per type, then asks a message only for the fields that are set.
"""

import base64
import functools
import math
from collections.abc import Callable, Iterable, Mapping
from types import MappingProxyType
from typing import Any

from google.protobuf.descriptor import Descriptor, FieldDescriptor
from google.protobuf.message import Message

from longshore.rpc import codec_schema
from longshore.rpc.codec_schema import Field, Kind, Shape

MICROSECONDS = 1_000_000

ALWAYS_LISTED: Mapping[str, tuple[str, ...]] = MappingProxyType(
    {
        "longshore.v1.CapacityProvider": ("tags",),
        "longshore.v1.Cluster": (
            "statistics",
            "tags",
            "settings",
            "capacity_providers",
            "default_capacity_provider_strategy",
        ),
        "longshore.v1.ContainerInstance": (
            "remaining_resources",
            "registered_resources",
            "attributes",
            "attachments",
            "tags",
        ),
        "longshore.v1.Task": ("attachments", "attributes", "containers", "tags"),
        "longshore.v1.Container": ("network_bindings", "network_interfaces"),
        "longshore.v1.TaskOverride": ("container_overrides", "inference_accelerator_overrides"),
        "longshore.v1.TaskDefinition": ("container_definitions", "volumes", "placement_constraints", "compatibilities"),
        "longshore.v1.ContainerDefinition": (
            "port_mappings",
            "environment",
            "mount_points",
            "volumes_from",
            "system_controls",
        ),
    }
)
"""Lists that ECS writes as [] where they are empty; other empty lists are left out. Clients index them without a check.

The lists at the top of an answer (`...Response`) are always written too.
"""

_ANSWER = "Response"

Convert = Callable[[Any], Any]
"""Turns what a message holds into JSON, or into None where JSON has no such thing."""


class Writer:
    """Writes messages of one type."""

    __slots__ = ("_empty", "_fields")

    def __init__(self, descriptor: Descriptor, *, longshore_only: bool) -> None:
        schema = codec_schema.schema(descriptor)
        shown = schema.names(longshore_only=longshore_only)
        always = _always_listed(descriptor)
        self._fields: dict[FieldDescriptor, tuple[str, Convert | None]] = {
            field.descriptor: (
                name,
                _convert_field(field, longshore_only=longshore_only) if name in shown else _nothing,
            )
            for name, field in schema.fields.items()
        }
        self._empty = tuple(name for name in shown if schema.fields[name].name in always)

    def write(self, message: Message) -> dict[str, Any]:
        """Write one message."""
        written: dict[str, Any] = {}
        fields = self._fields
        for descriptor, value in message.ListFields():
            name, convert = fields[descriptor]
            if convert is None:
                written[name] = value
            elif (converted := convert(value)) is not None:
                written[name] = converted
        for name in self._empty:
            if name not in written:
                written[name] = []
        return written


@functools.cache
def writer(descriptor: Descriptor, *, longshore_only: bool) -> Writer:
    """The writer of a message type. It holds those of the types inside, so no type may contain itself; ECS has none that does."""
    return Writer(descriptor, longshore_only=longshore_only)


def _always_listed(descriptor: Descriptor) -> frozenset[str]:
    if descriptor.name.endswith(_ANSWER):
        fields = codec_schema.schema(descriptor).fields.values()
        return frozenset(field.name for field in fields if field.shape is Shape.MANY)
    return frozenset(ALWAYS_LISTED.get(descriptor.full_name, ()))


def _convert_field(field: Field, *, longshore_only: bool) -> Convert | None:
    convert = _convert_value(field, longshore_only=longshore_only)
    if field.shape is Shape.MAP:
        return dict if convert is None else functools.partial(_map, convert)
    if field.shape is Shape.MANY:
        return list if convert is None else functools.partial(_list, convert)
    return convert


def _convert_value(field: Field, *, longshore_only: bool) -> Convert | None:
    if field.kind is Kind.WORD:
        return dict(field.words.of).get
    if field.kind is Kind.TIMESTAMP:
        return _epoch_seconds
    if field.kind is Kind.NUMBER:
        return _finite
    if field.kind is Kind.BYTES:
        return _base64
    if field.kind is Kind.OBJECT:
        return writer(field.message, longshore_only=longshore_only).write
    if field.kind is Kind.LIST:
        inner = codec_schema.listed(field.message)
        return functools.partial(_flattened, inner.name, _convert_field(inner, longshore_only=longshore_only) or list)
    return None


def _nothing(_: Any) -> None:
    """Of a field that is not shown."""


def _list(convert: Convert, values: Iterable[Any]) -> list[Any]:
    return [written for value in values if (written := convert(value)) is not None]


def _map(convert: Convert, values: Mapping[Any, Any]) -> dict[Any, Any]:
    return {key: written for key, value in values.items() if (written := convert(value)) is not None}


def _flattened(name: str, convert: Convert, message: Message) -> Any:
    return convert(getattr(message, name))


def _epoch_seconds(timestamp: Any) -> float:
    # One division of whole numbers rounds once, so that the microsecond can be read back.
    microseconds = timestamp.seconds * MICROSECONDS + timestamp.nanos // 1000
    return float(microseconds / MICROSECONDS)


def _finite(value: float) -> float | None:
    return value if math.isfinite(value) else None


def _base64(value: bytes) -> str:
    return base64.b64encode(value).decode("ascii")
