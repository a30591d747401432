"""Fields of a message by ECS's names, so that a rule can be a row of a table: `linuxParameters.tmpfs[].size`.

Pure. A path is looked up in the descriptors once; a name that is not there is a ValueError at the first use.
"""

import functools
from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from typing import Any

from google.protobuf.descriptor import Descriptor
from google.protobuf.message import Message

from longshore.rpc import codec_schema
from longshore.rpc.codec_schema import Field, Kind, Shape

EACH = "[]"


@dataclass(frozen=True, slots=True)
class Value:
    """One place that a path leads to. `value` is None where nothing was given; enums are in ECS's words."""

    where: str
    value: Any


@dataclass(frozen=True, slots=True)
class _Step:
    """One name of a path. `each`: the path goes on in every item of the list."""

    field: Field
    each: bool


def values(message: Message, path: str) -> Iterator[Value]:
    """The places of a path in a message. A parent that is absent has no places in it."""
    return _walk(message, _steps(message.DESCRIPTOR, path), "")


def is_given(message: Message, path: str) -> bool:
    """Whether anything is there: a value that was set, also to zero, or a list that is not empty."""
    return any(place.value not in (None, [], {}) for place in values(message, path))


@functools.cache
def _steps(descriptor: Descriptor, path: str) -> tuple[_Step, ...]:
    found: list[_Step] = []
    current: Descriptor | None = descriptor
    for part in path.split("."):
        name = part.removesuffix(EACH)
        field = codec_schema.schema(current).fields.get(name) if current is not None else None
        if field is None:
            raise ValueError(f"{descriptor.name} has nothing at {path}")
        found.append(_Step(field, part.endswith(EACH)))
        current = field.message if field.kind is Kind.OBJECT and field.shape is not Shape.MAP else None
    return tuple(found)


def _walk(message: Message, steps: Sequence[_Step], prefix: str) -> Iterator[Value]:
    step, rest = steps[0], steps[1:]
    where = f"{prefix}{step.field.json_name}"
    held = _held(message, step.field)
    if not rest and not step.each:
        yield Value(where, held)
    elif step.each:
        for index, item in enumerate(held or ()):
            place = f"{where}[{index}]"
            if rest:
                yield from _walk(item, rest, f"{place}.")
            else:
                yield Value(place, item)
    elif held is not None:
        yield from _walk(held, rest, f"{where}.")


def _held(message: Message, field: Field) -> Any:
    """What a field holds: None where it was left out, a plain list or dict where it holds many."""
    value = getattr(message, field.name)
    if field.shape is Shape.MAP:
        return dict(value)
    if field.shape is Shape.MANY:
        return [_word(field, item) for item in value] if field.kind is Kind.WORD else list(value)
    if field.kind is Kind.WORD:
        return _word(field, value) if value else None
    if not message.HasField(field.name):
        return None
    return list(getattr(value, codec_schema.listed(field.message).name)) if field.kind is Kind.LIST else value


def _word(field: Field, number: int) -> str | int:
    """ECS's word; the number itself where this release knows no word for it."""
    return field.words.of.get(number, number)
