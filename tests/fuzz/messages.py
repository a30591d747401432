"""Random messages for the RPCs, by their descriptors: valid requests that were damaged, and messages that are nothing but noise.

Pure. What gRPC carries and JSON does not is sought out: numbers of enums that nobody has, NaN, times before the year 1, empty messages where a
value is meant, and unknown fields.
"""

import base64
import math
import random
from collections.abc import Sequence
from typing import Any

from google.protobuf import message_factory
from google.protobuf.descriptor import Descriptor, FieldDescriptor, MethodDescriptor
from google.protobuf.message import Message

from longshore.rpc import codec
from longshore.v1 import log_pb2, statistics_pb2
from tests.fuzz import plausible

INT32 = (0, 1, -1, 80, 65_535, 65_536, 2**31 - 1, -(2**31))
INT64 = (*INT32, 2**53 + 1, 2**63 - 1, -(2**63))
UINT32 = (0, 1, 2**32 - 1)
UINT64 = (0, 1, 2**64 - 1)
FLOATS = (0.0, -0.0, 0.5, -1.0, 1e308, 5e-324, math.nan, math.inf, -math.inf)
TEXTS = (
    "", " ", "a", "\x00", "é" * 200, "x" * 40_000, "web", "web:1", "web:0", "default", "arn:aws:ecs", "arn:aws:ecs:us-east-1:123456789012:task/a/b", "../x",
    "%s{}", "-", "/", ":", "🚢", "'; DROP TABLE clusters; --", "attribute:a == b", "((((((", "not " * 500, "0" * 32, "f" * 32, "\u2028", "\ufeff",
)  # fmt: skip
ENUMS = (-1, 0, 1, 2, 99, 2**31 - 1)

NUMBERS: dict[int, Sequence[Any]] = {
    FieldDescriptor.TYPE_INT32: INT32,
    FieldDescriptor.TYPE_INT64: INT64,
    FieldDescriptor.TYPE_UINT32: UINT32,
    FieldDescriptor.TYPE_UINT64: UINT64,
    FieldDescriptor.TYPE_DOUBLE: FLOATS,
    FieldDescriptor.TYPE_FLOAT: FLOATS,
    FieldDescriptor.TYPE_BOOL: (False, True),
    FieldDescriptor.TYPE_ENUM: ENUMS,
}


def message(method: MethodDescriptor, known: plausible.Known, chance: random.Random) -> Message:
    """A request for an RPC."""
    kind = message_factory.GetMessageClass(method.input_type)
    if method.name in plausible.MODEL.operation_names and chance.random() < 0.75:
        made = _valid(kind, method.name, known, chance)
        for _ in range(chance.choice((0, 1, 1, 2, 4))):
            disturb(made, known, chance)
        return made
    anything: Any = noise(method.input_type, known, chance)
    if method.name in PARTLY_VALID and chance.random() < 0.75:
        _make_partly_valid(anything, known, chance)
    found: Message = anything
    return found


PARTLY_VALID = frozenset({"ReadLogs", "GetTaskStatistics"})
"""Operations of ours that refuse at the first name which is none, so that noise goes no further."""


def _make_partly_valid(made: Any, known: plausible.Known, chance: random.Random) -> None:
    """Name what exists, and mostly a cursor that can be read."""
    fields = made.DESCRIPTOR.fields_by_name
    made.cluster = ""
    for name, names in (("tasks", known.tasks), ("container_instances", known.instances)):
        if name in fields:
            made.ClearField(name)
            getattr(made, name).extend(chance.choices(names, k=chance.randrange(3)))
    if "task" in fields:
        made.task = chance.choice(known.tasks)
        made.ClearField("containers")
        made.cursor = cursor(known, chance) if chance.random() < 0.7 else made.cursor
        made.tail = abs(made.tail) % 2**31


def cursor(known: plausible.Known, chance: random.Random) -> str:
    """A cursor of ReadLogs as somebody might make it up."""
    positions = noise(log_pb2.LogCursor.DESCRIPTOR, known, chance)
    return base64.urlsafe_b64encode(positions.SerializeToString()).decode()


def log_tail(known: plausible.Known, chance: random.Random) -> log_pb2.LogTail:
    """Last lines as an agent might tell them of a task that exists."""
    tail: log_pb2.LogTail = noise(log_pb2.LogTail.DESCRIPTOR, known, chance, depth=chance.choice((0, 1)))
    tail.task_id = chance.choice(known.tasks).rpartition("/")[2]
    tail.container = tail.container or "main"
    return tail


def statistics(known: plausible.Known, chance: random.Random) -> statistics_pb2.InstanceStatistics:
    """Samples as an agent might tell them, some of tasks that exist."""
    told: statistics_pb2.InstanceStatistics = noise(statistics_pb2.InstanceStatistics.DESCRIPTOR, known, chance)
    for sample in told.tasks:
        if chance.random() < 0.5:
            sample.task = chance.choice(known.tasks).rpartition("/")[2]
    return told


def noise(descriptor: Descriptor, known: plausible.Known, chance: random.Random, depth: int = 0) -> Any:
    """A message with anything in any of its fields; the deeper the fewer."""
    made = message_factory.GetMessageClass(descriptor)()
    for field in descriptor.fields:
        if chance.random() < (0.5, 0.35, 0.25, 0.1)[min(depth, 3)]:
            _set(made, field, known, chance, depth)
    return made


def disturb(made: Message, known: plausible.Known, chance: random.Random) -> None:
    """Change one field of a message, or of one inside it."""
    target, depth = made, 0
    while chance.random() < 0.7:
        inside = [part for field, value in target.ListFields() for part in _parts(field, value)]
        if not inside:
            break
        target, depth = chance.choice(inside), depth + 1
    if not target.DESCRIPTOR.fields:
        return
    field: Any = chance.choice(target.DESCRIPTOR.fields)
    if chance.random() < 0.25:
        target.ClearField(field.name)
    else:
        _set(target, field, known, chance, depth)


def encoded(made: Message, chance: random.Random, *, damaged: bool) -> bytes:
    """A message's bytes. Damaged they may be those of no message any more, or of one with fields that nobody knows."""
    data = bytearray(made.SerializeToString())
    if not damaged:
        return bytes(data)
    for _ in range(chance.choice((1, 1, 3, 20))):
        if data:
            data[chance.randrange(len(data))] = chance.randrange(256)
    return bytes(data[: chance.randint(0, len(data))] if chance.random() < 0.3 else data)


def _valid(kind: type[Message], operation: str, known: plausible.Known, chance: random.Random) -> Message:
    document = plausible.document(operation, known, chance)
    try:
        return codec.from_json(kind, document)
    except codec.CodecError:  # a member that the model has and we do not, or two that exclude each other
        return kind()


def _parts(field: FieldDescriptor, value: Any) -> list[Message]:
    if field.message_type is None or field.message_type.GetOptions().map_entry:
        return []
    return list(value) if field.is_repeated else [value]


def _set(made: Any, field: FieldDescriptor, known: plausible.Known, chance: random.Random, depth: int) -> None:
    if field.message_type is not None and field.message_type.GetOptions().map_entry:
        for _ in range(chance.choice((0, 1, 3))):
            getattr(made, field.name)[chance.choice(TEXTS)] = chance.choice(TEXTS)
    elif field.is_repeated:
        count = chance.choice((0, 1, 1, 2, 3, 12, 101) if depth == 0 else (0, 1, 2))
        into = getattr(made, field.name)
        into.extend([_value(field, known, chance, depth) for _ in range(count)])
    elif field.message_type is not None:
        part = getattr(made, field.name)
        part.SetInParent()
        part.CopyFrom(_value(field, known, chance, depth))
    else:
        setattr(made, field.name, _value(field, known, chance, depth))


def _value(field: FieldDescriptor, known: plausible.Known, chance: random.Random, depth: int) -> Any:
    if field.message_type is not None:
        return noise(field.message_type, known, chance, depth + 1)
    if field.type == FieldDescriptor.TYPE_BYTES:
        return chance.randbytes(chance.choice((0, 1, 40)))
    if field.type == FieldDescriptor.TYPE_STRING:
        names = known.names(field.json_name)
        return chance.choice(names) if names and chance.random() < 0.5 else chance.choice(TEXTS)
    return chance.choice(NUMBERS[field.type])
