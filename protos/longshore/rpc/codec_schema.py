"""What the codec knows of a message type, worked out once from its descriptor and kept.

Pure. ECS's spelling of everything comes from here: the JSON name of a field (never its snake-case name), the word of an enum's
value (the `ecs_value` option, else the name without its prefix), and which messages stand for a plain list (`flatten`).
"""

import enum
import functools
from collections.abc import Mapping
from dataclasses import dataclass
from types import MappingProxyType

from google.protobuf.descriptor import Descriptor, EnumDescriptor, FieldDescriptor

from longshore.v1 import options_pb2

_TIMESTAMP = "google.protobuf.Timestamp"


class Kind(enum.Enum):
    """How a single value of a field looks in JSON."""

    STRING = enum.auto()
    BOOLEAN = enum.auto()
    INTEGER = enum.auto()
    NUMBER = enum.auto()
    BYTES = enum.auto()
    WORD = enum.auto()
    TIMESTAMP = enum.auto()
    OBJECT = enum.auto()
    LIST = enum.auto()


class Shape(enum.Enum):
    """How many values a field has."""

    ONE = enum.auto()
    MANY = enum.auto()
    MAP = enum.auto()


_INT32 = (-(2**31), 2**31 - 1)
_INT64 = (-(2**63), 2**63 - 1)
_UINT32 = (0, 2**32 - 1)
_UINT64 = (0, 2**64 - 1)

_BOUNDS = {
    FieldDescriptor.TYPE_INT32: _INT32,
    FieldDescriptor.TYPE_SINT32: _INT32,
    FieldDescriptor.TYPE_SFIXED32: _INT32,
    FieldDescriptor.TYPE_INT64: _INT64,
    FieldDescriptor.TYPE_SINT64: _INT64,
    FieldDescriptor.TYPE_SFIXED64: _INT64,
    FieldDescriptor.TYPE_UINT32: _UINT32,
    FieldDescriptor.TYPE_FIXED32: _UINT32,
    FieldDescriptor.TYPE_UINT64: _UINT64,
    FieldDescriptor.TYPE_FIXED64: _UINT64,
}

_KINDS = {
    FieldDescriptor.TYPE_STRING: Kind.STRING,
    FieldDescriptor.TYPE_BOOL: Kind.BOOLEAN,
    FieldDescriptor.TYPE_DOUBLE: Kind.NUMBER,
    FieldDescriptor.TYPE_FLOAT: Kind.NUMBER,
    FieldDescriptor.TYPE_BYTES: Kind.BYTES,
    FieldDescriptor.TYPE_ENUM: Kind.WORD,
} | dict.fromkeys(_BOUNDS, Kind.INTEGER)


@dataclass(frozen=True, slots=True)
class Words:
    """The two ways between an enum's numbers and ECS's words. The zero value, "not given", has no word."""

    of: Mapping[int, str]
    numbers: Mapping[str, int]


@dataclass(frozen=True, slots=True, eq=False)
class Field:
    """One field: its names, the shape and kind of its JSON, and what its kind needs to be read and written.

    There is one per field, so that identity is equality, and cheap as a key.
    """

    descriptor: FieldDescriptor
    name: str
    json_name: str
    shape: Shape
    kind: Kind
    value: FieldDescriptor
    """The field whose type one value has: this one, or the value of a map's entry."""
    oneof: str | None
    longshore_only: bool
    sensitive: bool

    @property
    def words(self) -> Words:
        """The words of a field of kind WORD."""
        return words(self.value.enum_type)

    @property
    def bounds(self) -> tuple[int, int]:
        """The least and greatest value of a field of kind INTEGER."""
        return _BOUNDS[self.value.type]

    @property
    def message(self) -> Descriptor:
        """The type of a field of kind OBJECT or LIST."""
        return _message_type(self.value)


@dataclass(frozen=True, slots=True)
class Schema:
    """One message type: its fields by ECS's name, in the order of their numbers."""

    full_name: str
    fields: Mapping[str, Field]

    def names(self, *, longshore_only: bool) -> list[str]:
        """The members that a document may have."""
        return [name for name, field in self.fields.items() if longshore_only or not field.longshore_only]


@functools.cache
def schema(descriptor: Descriptor) -> Schema:
    """The schema of a message type."""
    fields = sorted(descriptor.fields, key=lambda field: field.number)
    return Schema(descriptor.full_name, MappingProxyType({field.json_name: _field(field) for field in fields}))


@functools.cache
def words(descriptor: EnumDescriptor) -> Words:
    """The words of an enum."""
    zero = descriptor.values_by_number[0]
    prefix = zero.name.removesuffix("UNSPECIFIED")
    of = {
        value.number: value.GetOptions().Extensions[options_pb2.ecs_value] or value.name.removeprefix(prefix)
        for value in descriptor.values
        if value.number != 0
    }
    return Words(MappingProxyType(of), MappingProxyType({word: number for number, word in of.items()}))


def word(descriptor: EnumDescriptor, number: int) -> str:
    """ECS's word for a value, to be told; the number itself where there is none: gRPC carries any."""
    return words(descriptor).of.get(number) or str(number)


def listed(descriptor: Descriptor) -> Field:
    """The one field of a message that stands for a plain list."""
    (field,) = schema(descriptor).fields.values()
    return field


def _field(descriptor: FieldDescriptor) -> Field:
    options = descriptor.GetOptions()
    shape, value = Shape.ONE, descriptor
    if _is_map(descriptor):
        shape, value = Shape.MAP, _message_type(descriptor).fields_by_name["value"]
    elif descriptor.is_repeated:
        shape = Shape.MANY
    oneof = descriptor.containing_oneof
    return Field(
        descriptor=descriptor,
        name=descriptor.name,
        json_name=descriptor.json_name,
        shape=shape,
        kind=_kind(value),
        value=value,
        # A field with presence sits in a oneof of its own that only the compiler knows.
        oneof=oneof.name if oneof is not None and len(oneof.fields) > 1 else None,
        longshore_only=options.Extensions[options_pb2.longshore_only],
        sensitive=options.Extensions[options_pb2.sensitive],
    )


def _message_type(descriptor: FieldDescriptor) -> Descriptor:
    """The message type of a field that has one."""
    if descriptor.message_type is None:
        raise TypeError(f"{descriptor.full_name} is not a message")
    return descriptor.message_type


def _is_map(descriptor: FieldDescriptor) -> bool:
    if not descriptor.is_repeated or descriptor.message_type is None:
        return False
    return bool(descriptor.message_type.GetOptions().map_entry)


def _kind(descriptor: FieldDescriptor) -> Kind:
    if descriptor.type != FieldDescriptor.TYPE_MESSAGE:
        return _KINDS[descriptor.type]
    message = _message_type(descriptor)
    if message.full_name == _TIMESTAMP:
        return Kind.TIMESTAMP
    flattened = message.GetOptions().Extensions[options_pb2.flatten]
    return Kind.LIST if flattened else Kind.OBJECT
