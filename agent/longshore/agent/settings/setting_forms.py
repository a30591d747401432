"""The forms in which ECS's agent takes its settings: Go's durations and booleans, JSON lists and objects. Pure.

Each function turns a text into the text that our setting of the same meaning takes, or raises Malformed.
"""

import functools
import json
import math
import re
from collections.abc import Callable

Form = Callable[[str], str]

_UNITS = {
    "ns": 1e-9,
    "us": 1e-6,
    "\N{MICRO SIGN}s": 1e-6,
    "\N{GREEK SMALL LETTER MU}s": 1e-6,
    "ms": 1e-3,
    "s": 1.0,
    "m": 60.0,
    "h": 3600.0,
}
_PART = re.compile(r"(\d+\.?\d*|\.\d+)(ns|us|\N{MICRO SIGN}s|\N{GREEK SMALL LETTER MU}s|ms|s|m|h)")

# What Go's strconv.ParseBool takes.
_TRUE = frozenset({"1", "t", "T", "TRUE", "true", "True"})
_FALSE = frozenset({"0", "f", "F", "FALSE", "false", "False"})

_LEVELS = {"crit": "error", "none": "error", "error": "error", "warn": "warning", "info": "info", "debug": "debug"}


class Malformed(ValueError):  # noqa: N818 - named by what is wrong
    """A value is not what its setting takes. The message says what it should be."""


def duration(text: str) -> float:
    """Seconds of a Go duration, as `1h30m` or `100ms`. Raises Malformed."""
    if text == "0":
        return 0.0
    parts = _PART.findall(text)
    if not parts or "".join(number + unit for number, unit in parts) != text:
        raise Malformed("not a duration as 30s, 10m or 1h30m")
    return sum(float(number) * _UNITS[unit] for number, unit in parts)


def seconds(*, least: str = "0", most: str = "") -> Form:
    """A duration between two others as whole seconds, rounded up."""
    return _between(1.0, least, most)


def milliseconds(*, least: str, most: str) -> Form:
    """A duration between two others as whole milliseconds, rounded up."""
    return _between(1e-3, least, most)


def _between(unit: float, least: str, most: str) -> Form:
    def form(text: str) -> str:
        found = duration(text.strip())
        if found < duration(least):
            raise Malformed(f"must be at least {least}")
        if most and found > duration(most):
            raise Malformed(f"must be at most {most}")
        return str(math.ceil(round(found / unit, 6)))

    return form


def whole(*, least: int = 0, most: int | None = None) -> Form:
    """A whole number."""

    def form(text: str) -> str:
        try:
            found = int(text)
        except ValueError:
            raise Malformed("not a whole number") from None
        if found < least:
            raise Malformed(f"must be at least {least}")
        if most is not None and found > most:
            raise Malformed(f"must be at most {most}")
        return str(found)

    return form


def truth(text: str, *, inverted: bool = False) -> str:
    """A boolean; `inverted` where ours says the opposite."""
    if text.strip() not in _TRUE | _FALSE:
        raise Malformed("neither true nor false")
    return "true" if (text.strip() in _TRUE) is not inverted else "false"


untruth: Form = functools.partial(truth, inverted=True)
"""A boolean of which ours is the opposite."""


def words(text: str) -> str:
    """A JSON list of words."""
    return json.dumps([str(item) for item in _items(text, '["a", "b"]', str)])


def port_list(text: str) -> str:
    """A JSON list of ports; an empty one reserves none."""
    found = _items(text, "[22, 80]", int)
    for port in found:
        if not 0 < int(str(port)) < 65536:
            raise Malformed(f"{port!r} in the list is not a port")
    return json.dumps([str(port) for port in found])


def pairs(text: str) -> str:
    """A JSON object of texts, as the list of NAME=VALUE that ours takes."""
    found = _json(text)
    if not isinstance(found, dict):
        raise Malformed('not a JSON object as {"name": "value"}')
    for name, value in found.items():
        if not isinstance(value, str):
            raise Malformed(f"the value of {name!r} is not a text")
    return json.dumps([f"{name}={value}" for name, value in found.items()])


def level(text: str) -> str:
    """A level of ECS's agent; its `crit` and `none` are our `error`, the least talkative."""
    found = _LEVELS.get(text.strip().lower())
    if found is None:
        raise Malformed(f"must be one of {', '.join(_LEVELS)}")
    return found


def one_of(*choices: str) -> Form:
    """One of some words."""

    def form(text: str) -> str:
        if text.strip() not in choices:
            raise Malformed(f"must be one of {', '.join(choices)}")
        return text.strip()

    return form


def plain(text: str) -> str:
    """The text as it is."""
    return text.strip()


def cluster(text: str) -> str:
    """A cluster's name, or the name out of its ARN."""
    return text.strip().rpartition(":cluster/")[2]


def _items(text: str, example: str, kind: type) -> list[object]:
    found = _json(text)
    if not isinstance(found, list):
        raise Malformed(f"not a JSON list as {example}")
    for item in found:
        if type(item) is not kind:  # a boolean is an int to isinstance
            raise Malformed(f"{item!r} in the list is not {'a number' if kind is int else 'a text'}")
    return found


def _json(text: str) -> object:
    try:
        return json.loads(text)
    except ValueError:
        return None
