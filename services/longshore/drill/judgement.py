"""How a drill is judged: rules over all that is known of it, each of which tells its breaches as stories. Pure."""

from collections.abc import Callable, Iterable, Iterator, Mapping
from dataclasses import dataclass
from typing import TypeVar

H = TypeVar("H")

Breaches = Iterator[tuple[str, str]]
"""What a rule gives: of whom, and what happened."""

Rules = Mapping[str, Callable[[H], Iterable[tuple[str, str]]]]
"""Rules by their names, which say what always holds."""


@dataclass(frozen=True, slots=True)
class Finding:
    """One breach of a rule."""

    rule: str
    subject: str
    story: str


def judge(rules: Rules[H], found: H) -> list[Finding]:
    """Every breach of every rule."""
    return [Finding(name, subject, story) for name, rule in rules.items() for subject, story in rule(found)]
