"""What simulated hosts are like: one size for all, or a mix that a file describes. Pure."""

import json
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from typing import Any

_MOST = 2**31 - 1


@dataclass(frozen=True, slots=True)
class Size:
    """A kind of host: CPU units, MiB, attributes, and how many of the fleet there are in proportion to the other kinds."""

    cpu: int
    memory: int
    weight: float = 1.0
    attributes: Mapping[str, str] = field(default_factory=dict)


def parse(text: str) -> tuple[Size, ...]:
    """The kinds of a file: a JSON list of objects with cpu, memory, weight, attributes. Raises ValueError with the place."""
    try:
        found = json.loads(text)
    except ValueError as error:
        raise ValueError(f"not JSON: {error}") from None
    if not isinstance(found, list) or not found:
        raise ValueError('not a list of objects like {"cpu": 4096, "memory": 16384, "weight": 3}')
    return tuple(_size(item, f"[{position}]") for position, item in enumerate(found))


def _size(item: Any, place: str) -> Size:
    if not isinstance(item, dict) or not item.keys() >= {"cpu", "memory"}:
        raise ValueError(f"{place} is not an object with cpu and memory")
    if unknown := item.keys() - {"cpu", "memory", "weight", "attributes"}:
        raise ValueError(f"{place} has {min(unknown)}, which is not known; it has cpu, memory, weight, attributes")
    for name in ("cpu", "memory"):
        if not isinstance(item[name], int) or isinstance(item[name], bool) or not 0 < item[name] <= _MOST:
            raise ValueError(f"{place}.{name} is {item[name]!r}, not a whole number above zero")
    weight = item.get("weight", 1)
    if not isinstance(weight, int | float) or isinstance(weight, bool) or not 0 < weight < _MOST:
        raise ValueError(f"{place}.weight is {weight!r}, not a number above zero")
    attributes = item.get("attributes", {})
    if not isinstance(attributes, dict) or not all(isinstance(value, str) for value in attributes.values()):
        raise ValueError(f"{place}.attributes is not an object of texts")
    return Size(item["cpu"], item["memory"], float(weight), attributes)


def spread(sizes: Sequence[Size], count: int) -> list[Size]:
    """The size of each of so many hosts: as many of each kind as its weight says, to within one, kinds mixed evenly."""
    whole = sum(size.weight for size in sizes)
    owed = [0.0] * len(sizes)
    chosen: list[Size] = []
    for _ in range(count):
        owed = [debt + size.weight / whole for debt, size in zip(owed, sizes, strict=True)]
        first = max(range(len(sizes)), key=owed.__getitem__)
        owed[first] -= 1
        chosen.append(sizes[first])
    return chosen
