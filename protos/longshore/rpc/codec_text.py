"""JSON text, strictly: UTF-8, finite numbers, and no key twice in one object.

Pure. Order of members is kept both ways.
"""

import json
from collections import Counter
from typing import Any

from longshore.rpc import codec_faults
from longshore.rpc.codec_faults import Collector, Path

_BOM = "\ufeff"


def loads(text: str | bytes) -> Any:
    """Parse a document. Raises CodecError where it is no JSON, or where an object has a key twice."""
    faults = Collector()
    try:
        value = parse(text, faults)
    except codec_faults.Enough:
        faults.finish(more=True)
    faults.finish()
    return value


def parse(text: str | bytes, faults: Collector) -> Any:
    """Parse a document, and record the keys that an object has twice (the last counts). Raises CodecError for what is no JSON."""
    doubled: list[tuple[dict[str, Any], list[str]]] = []

    def build(pairs: list[tuple[str, Any]]) -> dict[str, Any]:
        built = dict(pairs)
        if len(built) != len(pairs):
            counted = Counter(name for name, _ in pairs)
            doubled.append((built, [name for name, times in counted.items() if times > 1]))
        return built

    try:
        value = json.loads(_decoded(text), object_pairs_hook=build, parse_constant=_refuse_constant)
    except json.JSONDecodeError as error:
        raise _refused(f"not JSON: line {error.lineno}, column {error.colno}: {error.msg}") from None
    except RecursionError:
        raise _refused("not accepted: nested too deeply") from None
    except ValueError:  # from int()
        raise _refused("not accepted: a number with more digits than can be read") from None
    if doubled:
        _record_doubled(value, doubled, faults)
    return value


def dumps(value: Any, *, indent: int | None = None) -> str:
    """Write a JSON value: members in their order, text as it is, nothing that JSON does not have."""
    separators = (",", ":") if indent is None else (",", ": ")
    return json.dumps(value, ensure_ascii=False, allow_nan=False, indent=indent, separators=separators)


def _decoded(text: str | bytes) -> str:
    if isinstance(text, str):
        return text.removeprefix(_BOM)
    try:
        return text.decode("utf-8-sig")
    except UnicodeDecodeError as error:
        raise _refused(f"not UTF-8: byte {error.start}") from None


def _refuse_constant(name: str) -> Any:
    raise _refused(f"not JSON: {name} is no number")


def _refused(problem: str) -> codec_faults.CodecError:
    return codec_faults.CodecError([codec_faults.Fault("", problem)])


def _record_doubled(value: Any, doubled: list[tuple[dict[str, Any], list[str]]], faults: Collector) -> None:
    """Find where the objects with doubled keys sit. One that sat under a doubled key itself may be gone; its parent is told."""
    names = {id(built): twice for built, twice in doubled}
    open_values: list[tuple[Any, Path]] = [(value, codec_faults.ROOT)]
    while open_values:
        current, path = open_values.pop()
        for name in names.get(id(current), ()):
            faults.add((path, name), "given twice")
        members: list[tuple[Any, Any]] = []
        if isinstance(current, dict):
            members = list(current.items())
        elif isinstance(current, list):
            members = list(enumerate(current))
        open_values.extend((item, (path, segment)) for segment, item in reversed(members))
