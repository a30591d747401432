"""From a JSON value to a message: every fault named by its path, nothing guessed.

Pure. A member that is null is absent, as in ECS. Numbers are never taken from strings, nor booleans for numbers, nor 1.0 for 1.
"""

import base64
import binascii
import functools
import math
from collections.abc import Callable
from fractions import Fraction
from typing import Any

from google.protobuf.message import Message

from longshore.rpc import codec_faults, codec_schema
from longshore.rpc.codec_faults import Collector, Path
from longshore.rpc.codec_schema import Field, Kind, Schema, Shape

MICROSECONDS = 1_000_000

TIMESTAMP_BOUNDS = (-62_135_596_800, 253_402_300_800)
"""Epoch seconds that a Timestamp can hold: from the year 1 up to, but without, the year 10000."""

_BAD: Any = object()
"""Stands for a value whose fault is already recorded."""

Check = Callable[[Any, Path, Collector], Any]
"""Turns one JSON value into what the message takes, or records a fault and returns _BAD."""


def read_object(message: Message, value: Any, path: Path, faults: Collector, *, longshore_only: bool) -> None:
    """Fill an empty message from a JSON object."""
    if not isinstance(value, dict):
        faults.add(path, f"expected an object, got {codec_faults.kind_of(value)}")
        return
    schema = codec_schema.schema(message.DESCRIPTOR)
    chosen: dict[str, str] = {}
    for name, item in value.items():
        field = schema.fields.get(name)
        if field is None or (field.longshore_only and not longshore_only):
            _refuse_unknown(schema, name, path, faults, longshore_only=longshore_only)
        elif item is not None and _is_first_choice(field, chosen, path, faults):
            _read_field(message, field, item, (path, name), faults, longshore_only=longshore_only)


def _refuse_unknown(schema: Schema, name: Any, path: Path, faults: Collector, *, longshore_only: bool) -> None:
    if not isinstance(name, str):
        faults.add(path, f"a member's name is a string, got {codec_faults.kind_of(name)}")
        return
    near = codec_faults.nearest(name, schema.names(longshore_only=longshore_only))
    hint = f"; did you mean '{near}'?" if near else ""
    faults.add(path, f"unknown member {codec_faults.named(name)}{hint}", near)


def _is_first_choice(field: Field, chosen: dict[str, str], path: Path, faults: Collector) -> bool:
    """Of the members that exclude each other the first counts, and a second is a fault."""
    if field.oneof is None:
        return True
    first = chosen.setdefault(field.oneof, field.json_name)
    if first == field.json_name:
        return True
    faults.add((path, field.json_name), f"excludes '{first}', which is given too")
    return False


def _read_field(
    message: Message, field: Field, value: Any, path: Path, faults: Collector, *, longshore_only: bool
) -> None:
    if field.shape is Shape.MAP:
        _read_map(message, field, value, path, faults, longshore_only=longshore_only)
    elif field.shape is Shape.MANY:
        _read_list(message, field, value, path, faults, longshore_only=longshore_only)
    elif field.kind is Kind.OBJECT:
        part = getattr(message, field.name)
        part.SetInParent()
        read_object(part, value, path, faults, longshore_only=longshore_only)
    elif field.kind is Kind.LIST:
        part = getattr(message, field.name)
        part.SetInParent()
        _read_list(part, codec_schema.listed(field.message), value, path, faults, longshore_only=longshore_only)
    else:
        checked = _check_of(field)(value, path, faults)
        if checked is _BAD:
            return
        if field.kind is Kind.TIMESTAMP:
            part = getattr(message, field.name)
            part.SetInParent()
            part.seconds, part.nanos = checked
        else:
            setattr(message, field.name, checked)


def _read_list(
    message: Message, field: Field, value: Any, path: Path, faults: Collector, *, longshore_only: bool
) -> None:
    if not isinstance(value, list):
        faults.add(path, f"expected a list, got {codec_faults.kind_of(value)}")
        return
    into = getattr(message, field.name)
    if field.kind is Kind.OBJECT:
        for index, item in enumerate(value):
            read_object(into.add(), item, (path, index), faults, longshore_only=longshore_only)
        return
    check = _check_of(field)
    for index, item in enumerate(value):
        checked = check(item, (path, index), faults)
        if checked is _BAD:
            continue
        if field.kind is Kind.TIMESTAMP:
            into.add(seconds=checked[0], nanos=checked[1])
        else:
            into.append(checked)


def _read_map(
    message: Message, field: Field, value: Any, path: Path, faults: Collector, *, longshore_only: bool
) -> None:
    if not isinstance(value, dict):
        faults.add(path, f"expected an object, got {codec_faults.kind_of(value)}")
        return
    into = getattr(message, field.name)
    for key, item in value.items():
        if _check_string(key, path, faults) is _BAD:
            continue
        if field.kind is Kind.OBJECT:
            read_object(into[key], item, (path, key), faults, longshore_only=longshore_only)
            continue
        checked = _check_of(field)(item, (path, key), faults)
        if checked is not _BAD:
            into[key] = checked


def _check_string(value: Any, path: Path, faults: Collector) -> Any:
    if not isinstance(value, str):
        # Without its content: what stands where a string belongs may be an environment value.
        faults.add(path, f"expected a string, got {codec_faults.kind_of(value)}")
        return _BAD
    if not value.isascii() and not _is_unicode(value):
        faults.add(path, "not valid Unicode: half of a surrogate pair")
        return _BAD
    return value


def _is_unicode(value: str) -> bool:
    try:
        value.encode()
    except UnicodeEncodeError:
        return False
    return True


def _check_boolean(value: Any, path: Path, faults: Collector) -> Any:
    if not isinstance(value, bool):
        faults.add(path, f"expected true or false, got {codec_faults.shown(value)}")
        return _BAD
    return value


def _check_integer(bounds: tuple[int, int], value: Any, path: Path, faults: Collector) -> Any:
    if isinstance(value, bool) or not isinstance(value, int | float):
        faults.add(path, f"expected a number, got {codec_faults.shown(value)}")
        return _BAD
    if isinstance(value, float):
        faults.add(path, f"expected a whole number, got {codec_faults.shown(value)}")
        return _BAD
    least, greatest = bounds
    if not least <= value <= greatest:
        faults.add(path, f"expected a number from {least} to {greatest}, got {codec_faults.shown(value)}")
        return _BAD
    return value


def _check_number(value: Any, path: Path, faults: Collector) -> Any:
    if isinstance(value, bool) or not isinstance(value, int | float):
        faults.add(path, f"expected a number, got {codec_faults.shown(value)}")
        return _BAD
    try:
        number = float(value)
    except OverflowError:
        number = math.inf
    if not math.isfinite(number):
        faults.add(path, "expected a finite number")
        return _BAD
    return number


def _check_bytes(value: Any, path: Path, faults: Collector) -> Any:
    if not isinstance(value, str):
        faults.add(path, f"expected a string, got {codec_faults.kind_of(value)}")
        return _BAD
    try:
        return base64.b64decode(value, validate=True)
    except (binascii.Error, ValueError):
        faults.add(path, "expected base64")
        return _BAD


def _check_word(words: codec_schema.Words, value: Any, path: Path, faults: Collector) -> Any:
    if not isinstance(value, str):
        faults.add(path, f"expected a string, got {codec_faults.shown(value)}")
        return _BAD
    number = words.numbers.get(value)
    if number is None:
        near = codec_faults.nearest(value, words.numbers)
        hint = f"; did you mean '{near}'?" if near else ""
        allowed = ", ".join(words.numbers)
        faults.add(path, f"unknown value {codec_faults.named(value)}{hint} (allowed: {allowed})", near)
        return _BAD
    return number


def _check_timestamp(value: Any, path: Path, faults: Collector) -> Any:
    if isinstance(value, bool) or not isinstance(value, int | float):
        faults.add(path, f"expected epoch seconds as a number, got {codec_faults.shown(value)}")
        return _BAD
    least, end = TIMESTAMP_BOUNDS
    # The end itself is what the last microsecond before it looks like as a float.
    if not least <= value <= end:  # also refuses what is not a number
        faults.add(path, f"expected epoch seconds from {least} to {end}, got {codec_faults.shown(value)}")
        return _BAD
    # Exact arithmetic: a float times a million would round a second time, and lose the microsecond that was written.
    seconds, microseconds = divmod(round(Fraction(value) * MICROSECONDS), MICROSECONDS)
    if seconds >= end:
        seconds, microseconds = end - 1, MICROSECONDS - 1
    return seconds, microseconds * 1000


_CHECKS: dict[Kind, Check] = {
    Kind.STRING: _check_string,
    Kind.BOOLEAN: _check_boolean,
    Kind.NUMBER: _check_number,
    Kind.BYTES: _check_bytes,
    Kind.TIMESTAMP: _check_timestamp,
}


@functools.cache
def _check_of(field: Field) -> Check:
    if field.kind is Kind.INTEGER:
        return functools.partial(_check_integer, field.bounds)
    if field.kind is Kind.WORD:
        return functools.partial(_check_word, field.words)
    return _CHECKS[field.kind]
