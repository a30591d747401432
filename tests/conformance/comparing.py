"""Two answers to the same call, and where they differ. Pure."""

import re
from collections.abc import Iterator, Mapping
from dataclasses import dataclass
from typing import Any

_ID = re.compile(
    r"[0-9a-f]{8}-[0-9a-f]{4}-[0-9a-f]{4}-[0-9a-f]{4}-[0-9a-f]{12}|[0-9a-f]{32}|i-[0-9a-f]{17}|sha256:[0-9a-f]{64}|[0-9a-f]{64}"
)
_TIMES = re.compile(r"(At|lastUpdated|lastStatusChange)$")
_TOKENS = frozenset({"nextToken"})

NOTHING = "nothing"
REFUSED = "!"
"""The path of a refusal, and of the difference that only one side refuses."""


@dataclass(frozen=True, slots=True)
class Difference:
    """One difference: the step, the path in the answer, and what either side has there."""

    step: str
    path: str
    ours: str
    theirs: str


@dataclass(frozen=True, slots=True)
class Outcome:
    """What came of a call: an answer, or a refusal with its name and text."""

    answer: Mapping[str, Any] | None = None
    code: str = ""
    message: str = ""


def differences(step: str, ours: Outcome, theirs: Outcome) -> Iterator[Difference]:
    """Where two outcomes differ. Items of a list share a path, so that a difference of all of them is told once."""
    found: dict[str, Difference] = {}
    for difference in _of_outcomes(step, ours, theirs):
        found.setdefault(difference.path, difference)
    yield from found.values()


def _of_outcomes(step: str, ours: Outcome, theirs: Outcome) -> Iterator[Difference]:
    if ours.answer is not None and theirs.answer is not None:
        for path, mine, other in _of_values("", _plain(ours.answer), _plain(theirs.answer)):
            yield Difference(step, path, mine, other)
    elif ours.answer is None and theirs.answer is None:
        for path, mine, other in (("!code", ours.code, theirs.code), ("!message", ours.message, theirs.message)):
            if _ID.sub("<id>", mine) != _ID.sub("<id>", other):
                yield Difference(step, path, mine, other)
    else:
        yield Difference(step, REFUSED, _told(ours), _told(theirs))


def _told(outcome: Outcome) -> str:
    return "an answer" if outcome.answer is not None else f"{outcome.code}: {outcome.message}"


def _plain(value: Any, name: str = "") -> Any:
    """A value without what differs from run to run, and named items by their names."""
    if isinstance(value, dict):
        return {key: _plain(item, key) for key, item in value.items() if key != "ResponseMetadata"}
    if isinstance(value, list):
        items = [_plain(item) for item in value]
        for key in ("name", "key"):
            names = [item.get(key) for item in items if isinstance(item, dict)]
            if items and len(set(names)) == len(items) and None not in names:
                return dict(zip(names, items, strict=True))
        return items
    if value is not None and (_TIMES.search(name) or name in _TOKENS):
        return "<some>"
    return _ID.sub("<id>", value) if isinstance(value, str) else value


def _of_values(path: str, ours: Any, theirs: Any) -> Iterator[tuple[str, str, str]]:
    if isinstance(ours, dict) and isinstance(theirs, dict):
        for name in sorted(ours.keys() | theirs.keys()):
            inner = f"{path}.{name}".removeprefix(".")
            if name not in ours:
                yield inner, NOTHING, _short(theirs[name])
            elif name not in theirs:
                yield inner, _short(ours[name]), NOTHING
            else:
                yield from _of_values(inner, ours[name], theirs[name])
    elif isinstance(ours, list) and isinstance(theirs, list):
        if len(ours) != len(theirs):
            yield path, f"{len(ours)} items", f"{len(theirs)} items"
        for mine, other in zip(ours, theirs, strict=False):
            yield from _of_values(f"{path}[]", mine, other)
    elif ours != theirs or type(ours) is not type(theirs):
        yield path, _short(ours), _short(theirs)


def _short(value: Any) -> str:
    text = repr(value)
    return text if len(text) <= 60 else f"{text[:60]}…"
