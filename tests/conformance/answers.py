"""What an answer must be by ECS's model, strictly, over its raw JSON: boto3's own reading drops what it does not know."""

import functools
import json
import math
from collections import Counter
from collections.abc import Iterator, Mapping
from dataclasses import dataclass, field
from typing import Any

from tests.conformance import contract

_NUMBERS = {"integer": (int,), "long": (int,), "double": (int, float), "float": (int, float), "timestamp": (int, float)}
_INT32 = 2**31

OPEN_SETS = frozenset({"SettingName"})
"""Words of which the model lists some and ECS's own documentation more."""


COMMON = frozenset({"SerializationException", "ServiceUnavailableException", "ThrottlingException"})
"""Exceptions that every operation of every service of AWS can answer, and the model does not list."""


def faults(shape: Any, value: Any, path: str = "") -> Iterator[str]:
    """Where a JSON value is not what the model says: unknown members, other types, missing ones, unknown words, null."""
    kind = shape.type_name
    if kind == "structure":
        yield from _structure_faults(shape, value, path)
    elif kind == "list":
        if not isinstance(value, list):
            yield f"{path}: {_shown(value)} for a list"
            return
        for index, item in enumerate(value):
            yield from faults(shape.member, item, f"{path}[{index}]")
    elif kind == "map":
        if not isinstance(value, dict):
            yield f"{path}: {_shown(value)} for an object"
            return
        for key, item in value.items():
            yield from faults(shape.value, item, f"{path}{{{key}}}")
    else:
        yield from _scalar_faults(shape, value, path)


def _structure_faults(shape: Any, value: Any, path: str) -> Iterator[str]:
    if not isinstance(value, dict):
        yield f"{path}: {_shown(value)} for an object"
        return
    yield from (f"{path}.{name}: not in {shape.name}" for name in value.keys() - shape.members.keys())
    yield from (f"{path}.{name}: missing" for name in shape.required_members if name not in value)
    for name, item in value.items():
        if name in shape.members:
            yield from faults(shape.members[name], item, f"{path}.{name}")


def _scalar_faults(shape: Any, value: Any, path: str) -> Iterator[str]:
    kind = shape.type_name
    if kind == "string":
        if not isinstance(value, str):
            yield f"{path}: {_shown(value)} for a string"
        elif shape.enum and shape.name not in OPEN_SETS and value not in shape.enum:
            yield f"{path}: '{value}' is no {shape.name}"
    elif kind == "boolean":
        if not isinstance(value, bool):
            yield f"{path}: {_shown(value)} for a boolean"
    elif isinstance(value, bool) or not isinstance(value, _NUMBERS[kind]) or not math.isfinite(value):
        yield f"{path}: {_shown(value)} for a {kind}"
    elif kind == "integer" and not -_INT32 <= value < _INT32:
        yield f"{path}: {value} is beyond 32 bits"


def _shown(value: object) -> str:
    return "null" if value is None else f"a {type(value).__name__}"


@dataclass(slots=True)
class Seen:
    """Checks every answer as it comes, and counts what was seen: answers by operation, members by operation and path."""

    answers: Counter[str] = field(default_factory=Counter)
    members: Counter[tuple[str, str]] = field(default_factory=Counter)
    last: Mapping[str, Any] = field(default_factory=dict)
    """The last answer as it came."""

    def check(self, operation_model: Any, response_dict: Mapping[str, Any], **_: object) -> None:
        """Botocore's event before an answer is read."""
        body, status = response_dict["body"], response_dict["status_code"]
        document = json.loads(body)
        self.last = {"status": status, "headers": response_dict["headers"], "body": document}
        name = operation_model.name
        if status != 200:
            found = list(_refusal_faults(operation_model, document))
            assert not found, f"{name}: {found}"
            return
        shape = operation_model.output_shape
        filled = set(_filled(document, ""))
        found = [
            *faults(shape, document),
            *(f"{path}: said to be never filled" for path in sorted(filled & _never(name))),
        ]
        assert not found, f"{name}: {found[:10]}"
        self.answers[name] += 1
        self.members.update((name, path) for path in filled)


def _refusal_faults(operation_model: Any, document: Mapping[str, Any]) -> Iterator[str]:
    """What is wrong with a refusal: its type is its name alone, and its members are those of that exception."""
    shapes = {shape.name: shape for shape in operation_model.error_shapes}
    shape = shapes.get(document.get("__type", ""))
    members = {name: value for name, value in document.items() if name != "__type"}
    if shape is not None:
        yield from faults(shape, members)
    elif document.get("__type") not in COMMON:
        yield f"{document.get('__type')} is none of its exceptions"
    if not isinstance(document.get("__type"), str) or not isinstance(document.get("message"), str):
        yield "a refusal has __type and message"


@functools.cache
def _never(operation: str) -> frozenset[str]:
    """Paths that the contract says an operation's answers never fill."""
    return frozenset(
        member.path
        for member in contract.members(operation)
        if not member.in_request and member.handling == contract.UNFILLED
    )


def _filled(value: Any, path: str) -> Iterator[str]:
    """Paths of all that has a value, as `contract.Member` writes them; an empty list or object is none."""
    if isinstance(value, dict):
        for name, item in value.items():
            inner = f"{path}.{name}".removeprefix(".")
            if item not in ([], {}):
                yield inner
            yield from _filled(item, inner)
    elif isinstance(value, list):
        for item in value:
            yield from _filled(item, f"{path}[]")
