"""What is wrong with a JSON document, and where: the vocabulary of the codec's refusals.

Pure. A reader collects faults instead of stopping at the first, so that one answer names all that has to be mended. Values are
quoted only where they cannot be secret: a number or an enum's word in the wrong place, never the text of a string field, which
may be an environment value.
"""

import difflib
import json
from collections.abc import Iterable
from dataclasses import dataclass
from typing import Any

from longshore.rpc import errors

MAX_FAULTS = 20
"""Faults collected before reading stops: more than a person mends in one go, and a bound on work for hostile documents."""

MAX_QUOTED = 60
"""Characters of a document's own text repeated in a message."""

MAX_SUGGESTED = 64
"""Longest unknown name for which a near one is looked for: the search is quadratic in the length, and no member is longer."""

Path = tuple[Any, ...]
"""Where a value sits, innermost last, as nested pairs: `()` is the document, `(parent, "name")` a member, `(parent, 0)` an item."""

ROOT: Path = ()


@dataclass(frozen=True, slots=True)
class Fault:
    """One thing wrong: `path` as ECS users write it (empty for the document itself), the problem, the name probably meant."""

    path: str
    problem: str
    suggestion: str | None = None

    def __str__(self) -> str:
        return f"{self.path}: {self.problem}" if self.path else self.problem


class CodecError(errors.ClientException):
    """A document that cannot be read as the message it should be. `faults` lists what is wrong, one to a line of the message.

    It is a ClientException, so that it reaches a gRPC caller as one; a gateway that speaks ECS's wire protocol catches it first
    and answers ECS's SerializationException.
    """

    def __init__(self, faults: Iterable[Fault], *, more: bool = False) -> None:
        self.faults = tuple(faults)
        told = [str(fault) for fault in self.faults]
        if more:
            told.append("and more")
        meant = [fault.suggestion for fault in self.faults if fault.suggestion]
        metadata = {"did_you_mean": ", ".join(meant)} if meant else {}
        super().__init__("\n".join(told), **metadata)


class Enough(Exception):  # noqa: N818 - control flow: reading ends, the faults speak
    """Raised inside a reader when as many faults as wanted are collected."""


class Collector:
    """Gathers faults up to a limit."""

    __slots__ = ("_faults", "_limit")

    def __init__(self, limit: int = MAX_FAULTS) -> None:
        self._faults: list[Fault] = []
        self._limit = limit

    def add(self, path: Path, problem: str, suggestion: str | None = None) -> None:
        """Record a fault; raises Enough when the limit is reached."""
        if len(self._faults) >= self._limit:
            raise Enough
        self._faults.append(Fault(render(path), problem, suggestion))

    def finish(self, *, more: bool = False) -> None:
        """Raise CodecError if anything was recorded."""
        if self._faults:
            raise CodecError(self._faults, more=more)


def render(path: Path) -> str:
    """Write a path as `containerDefinitions[0].dockerLabels["a.b"]`."""
    segments: list[str] = []
    while path:
        path, segment = path
        segments.append(_segment(segment))
    return "".join(reversed(segments)).removeprefix(".")


def _segment(segment: str | int) -> str:
    if isinstance(segment, int):
        return f"[{segment}]"
    if segment.isascii() and segment.isidentifier() and len(segment) <= MAX_QUOTED:
        return f".{segment}"
    return f"[{quoted(segment)}]"


def quoted(text: str) -> str:
    """Quote a document's own text for a message: ASCII, escaped, cut."""
    cut = text if len(text) <= MAX_QUOTED else f"{text[:MAX_QUOTED]}..."
    return json.dumps(cut)


def named(name: str) -> str:
    """Quote a member's name for a message."""
    return f"'{quoted(name)[1:-1]}'"


_KINDS = {bool: "a boolean", int: "a number", float: "a number", str: "a string", list: "a list", dict: "an object"}


def kind_of(value: object) -> str:
    """Name a JSON value's type in words, without its content."""
    return "null" if value is None else _KINDS.get(type(value), f"a Python {type(value).__name__}")


def shown(value: object) -> str:
    """Name a JSON value's type with its content where that is short: for places where no secret belongs."""
    if isinstance(value, str):
        return f"a string {quoted(value)}"
    if isinstance(value, bool):
        return "true" if value else "false"
    if isinstance(value, int | float):
        return f"the number {_number(value)}"
    return kind_of(value)


def _number(value: float) -> str:
    try:
        text = str(value)
    except ValueError:  # more digits than Python converts
        return "beyond all bounds"
    return text if len(text) <= MAX_QUOTED else f"{text[:MAX_QUOTED]}..."


def nearest(name: str, known: Iterable[str]) -> str | None:
    """Find the known name that was probably meant; letter case and underscores do not count."""
    if len(name) > MAX_SUGGESTED:
        return None
    by_folded = {candidate.replace("_", "").lower(): candidate for candidate in known}
    matches = difflib.get_close_matches(name.replace("_", "").lower(), by_folded, n=1, cutoff=0.6)
    return by_folded[matches[0]] if matches else None
