"""Values of the cluster query language: versions, moments, counts, regular expressions. Each raises ValueError with what is wrong."""

import datetime as dt
import re
from collections.abc import Callable

import re2

_VERSION = re.compile(r"[0-9]{1,9}(\.[0-9]{1,9}){0,5}")
_LEADING_VERSION = re.compile(r"[^0-9]*(?P<version>[0-9]{1,9}(\.[0-9]{1,9}){0,5})")
_MOMENT = re.compile(r"\d{4}-\d{2}-\d{2}(T\d{2}:\d{2}(:\d{2}(\.\d{1,6})?)?(Z|[+-]\d{2}:\d{2})?)?", re.ASCII)
_EPOCH = dt.datetime(1970, 1, 1, tzinfo=dt.UTC)
_MICROSECOND = dt.timedelta(microseconds=1)

_PATTERN_MEMORY = 1 << 20
"""Bytes that one pattern's automaton may take."""


def version(text: str) -> tuple[int, ...]:
    """`1.40.0`, so that 1.9 is before 1.10 and 1.4 is 1.4.0."""
    if not _VERSION.fullmatch(text):
        raise ValueError(f"'{text}' is no version such as 1.40.0")
    return _trimmed(text)


def version_of(text: str) -> tuple[int, ...] | None:
    """The version that an agent tells of itself (`1.40.0-dev`); None where there is none in it."""
    found = _LEADING_VERSION.match(text)
    return None if found is None else _trimmed(found["version"])


def _trimmed(text: str) -> tuple[int, ...]:
    numbers = [int(part) for part in text.split(".")]
    while numbers and not numbers[-1]:
        numbers.pop()
    return tuple(numbers)


def moment(text: str) -> int:
    """Microseconds since the epoch of `2018-06-18`, `2018-06-18T22:28` and so on; without a zone it is UTC."""
    if not _MOMENT.fullmatch(text):
        raise ValueError(f"'{text}' is no moment such as 2018-06-18 or 2018-06-18T22:28:28+00:00")
    try:
        read = dt.datetime.fromisoformat(text)
    except ValueError as error:
        raise ValueError(f"'{text}' is no moment: {error}") from None
    aware = read if read.tzinfo is not None else read.replace(tzinfo=dt.UTC)
    return (aware - _EPOCH) // _MICROSECOND


def count(text: str) -> int:
    """A number of tasks."""
    if not (text.isascii() and text.isdigit() and len(text) <= 9):
        raise ValueError(f"'{text}' is no number")
    return int(text)


def flag(text: str) -> bool:
    """`true` or `false`."""
    if text.lower() not in {"true", "false"}:
        raise ValueError(f"'{text}' is neither true nor false")
    return text.lower() == "true"


def number(text: str) -> float | None:
    """A decimal number; None where it is none."""
    return float(text) if re.fullmatch(r"[+-]?\d{1,15}(\.\d{1,15})?", text, re.ASCII) else None


def pattern(text: str) -> Callable[[str], bool]:
    """A regular expression that the whole of a value must match. What would need backtracking is refused: its time has no bound."""
    options = re2.Options()
    options.max_mem = _PATTERN_MEMORY
    options.log_errors = False
    try:
        compiled = re2.compile(text, options)
    except re2.error as error:
        told = error.args[0]
        reason = told.decode("utf-8", "replace") if isinstance(told, bytes) else str(told)
        raise ValueError(f"'{text}' is no regular expression of this language: {reason}") from None
    return lambda value: compiled.fullmatch(value) is not None
