"""What a rule is: a row with a name, where it comes from, a check and its words. Pure.

A check looks at one subject (a container, a volume, the whole definition) and yields what it found wrong. Most checks are made by
`each`: the path of a field and a test of its value.
"""

from collections.abc import Callable, Iterable, Iterator, Mapping
from dataclasses import dataclass, field
from typing import Generic, Protocol, TypeVar

from google.protobuf.message import Message

from longshore.registry import faults, paths


class Subject(Protocol):
    """What rules are about."""

    @property
    def message(self) -> Message:
        """The message that fields are looked up in."""

    @property
    def label(self) -> str:
        """What a fault calls it: `container 'web'`."""

    @property
    def path(self) -> str:
        """Where it is in the request, with a trailing dot where it is not the request itself."""


S = TypeVar("S", bound=Subject)
S_contra = TypeVar("S_contra", bound=Subject, contravariant=True)


@dataclass(frozen=True, slots=True)
class Found:
    """One breach: the field below the subject, its value, and whatever else the rule's words name."""

    where: str
    value: object
    words: Mapping[str, object] = field(default_factory=dict)


Check = Callable[[S], Iterable[Found]]
Test = Callable[[object], bool]


@dataclass(frozen=True, slots=True)
class Rule(Generic[S]):
    """One rule. `must` ends the usual sentence; `text` replaces the whole of it, where ECS's own words are known.

    Both may name `{subject}`, `{field}`, `{value}` and the words of what was found.
    """

    name: str
    source: str
    check: Check[S]
    must: str = ""
    text: str = "Invalid setting for {subject}: {field} is {value}; it {must}."

    def faults(self, subject: S) -> Iterator[faults.Fault]:
        """The breaches of this rule by a subject."""
        for found in self.check(subject):
            given = {
                "subject": subject.label,
                "field": found.where,
                "value": faults.shown(found.value),
                **found.words,
            }
            message = self.text.format_map({**given, "must": self.must.format_map(given)})
            yield faults.Fault(self.name, subject.label, f"{subject.path}{found.where}", message)


@dataclass(frozen=True, slots=True)
class Table(Generic[S]):
    """Rules about one kind of subject."""

    rules: tuple[Rule[S], ...]

    def faults(self, subjects: Iterable[S]) -> Iterator[faults.Fault]:
        """The breaches, subject by subject."""
        for subject in subjects:
            for each_rule in self.rules:
                yield from each_rule.faults(subject)


# ------------------------------------------------------------------------------------------- checks


def each(path: str, holds: Test) -> Callable[[Subject], Iterator[Found]]:
    """A check: every value that was given at the path passes the test."""

    def check(subject: Subject) -> Iterator[Found]:
        for place in paths.values(subject.message, path):
            if place.value is not None and not holds(place.value):
                yield Found(place.where, place.value)

    return check


def required(path: str) -> Callable[[Subject], Iterator[Found]]:
    """A check: a value was given at the path (in each parent that is there), and no empty text or list."""

    def check(subject: Subject) -> Iterator[Found]:
        for place in paths.values(subject.message, path):
            if place.value in (None, "", []):
                yield Found(place.where, place.value)

    return check


def unique(path: str) -> Callable[[Subject], Iterator[Found]]:
    """A check: no value comes twice at the path. The second and later ones are reported."""

    def check(subject: Subject) -> Iterator[Found]:
        seen: set[object] = set()
        for place in paths.values(subject.message, path):
            if place.value is None:
                continue
            if place.value in seen:
                yield Found(place.where, place.value)
            seen.add(place.value)

    return check


def at_most(path: str, limit: int) -> Callable[[Subject], Iterator[Found]]:
    """A check: the list at the path has no more items than the limit."""

    def check(subject: Subject) -> Iterator[Found]:
        for place in paths.values(subject.message, path):
            if len(place.value or ()) > limit:
                yield Found(place.where, place.value)

    return check


def absent(path: str) -> Callable[[Subject], Iterator[Found]]:
    """A check: nothing is given at the path."""

    def check(subject: Subject) -> Iterator[Found]:
        for place in paths.values(subject.message, path):
            if place.value not in (None, [], {}):
                yield Found(place.where, place.value)

    return check


# ------------------------------------------------------------------------------------------- tests of a value


def between(low: int, high: int) -> Test:
    """A number within bounds, both included."""
    return lambda value: isinstance(value, int) and low <= value <= high


def at_least(low: int) -> Test:
    """A number that is not too small."""
    return lambda value: isinstance(value, int) and value >= low


def one_of(allowed: Iterable[object]) -> Test:
    """One of some values."""
    known = frozenset(allowed)
    return lambda value: value in known


def no_longer_than(limit: int) -> Test:
    """A text of at most so many characters."""
    return lambda value: isinstance(value, str) and len(value) <= limit
