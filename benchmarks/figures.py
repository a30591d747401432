"""One figure: what was measured, its goal, what it is compared with, and how it is printed."""

import statistics
from collections.abc import Callable, Iterable, Mapping, Sequence
from dataclasses import dataclass, field
from typing import Any

from rich import box
from rich.console import Console
from rich.table import Table


@dataclass(frozen=True, slots=True)
class Goal:
    """What a figure should reach. `text` is what the table shows; `reached` looks at the figure."""

    text: str
    reached: Callable[["Figure"], bool]


def at_least(limit: float, unit: str) -> Goal:
    """A value of so much or more."""
    return Goal(f"≥ {number(limit)} {unit}", lambda figure: figure.value >= limit)


def at_most(limit: float, unit: str) -> Goal:
    """A value of so much or less."""
    return Goal(f"≤ {number(limit)} {unit}", lambda figure: figure.value <= limit)


def ratio_at_least(limit: float) -> Goal:
    """So many times the peer's or more."""
    return Goal(f"≥ {limit:g} x", lambda figure: figure.ratio is not None and figure.ratio >= limit)


def ratio_at_most(limit: float) -> Goal:
    """So many times the peer's or less."""
    return Goal(f"≤ {limit:g} x", lambda figure: figure.ratio is not None and figure.ratio <= limit)


def more_at_most(limit: float, unit: str) -> Goal:
    """No more than so much above the peer's value."""
    return Goal(f"≤ peer + {limit:g} {unit}", lambda figure: figure.value <= (figure.peer or 0) + limit)


@dataclass(frozen=True, slots=True)
class Figure:
    """A measurement. `value` and `peer` have the same unit; `ratio` is value to peer; samples are single measurements."""

    name: str
    value: float
    unit: str
    peer: float | None = None
    peer_name: str = ""
    goal: Goal | None = None
    samples: Sequence[float] = field(default=())
    peer_samples: Sequence[float] = field(default=())
    notes: str = ""
    parts: dict[str, float] = field(default_factory=dict)
    """Where the value goes, or what stands beside it, in the same unit."""

    @property
    def ratio(self) -> float | None:
        """Value to peer; None where there is no peer.

        Where the two were measured in turns it is the median of each turn's ratio: a machine that slows down for a while slows
        both halves of a turn, and so leaves it alone.
        """
        if self.samples and len(self.samples) == len(self.peer_samples):
            return median(ours / theirs for ours, theirs in zip(self.samples, self.peer_samples, strict=True))
        return None if not self.peer else self.value / self.peer

    @property
    def met(self) -> bool | None:
        """Whether the goal is reached; None where there is none."""
        return None if self.goal is None else self.goal.reached(self)

    def as_json(self) -> dict[str, Any]:
        """All of it, the ratio included."""
        fields = {name: getattr(self, name) for name in self.__slots__}
        goal = None if self.goal is None else self.goal.text
        return fields | {"goal": goal, "ratio": self.ratio, "met": self.met}


def median(samples: Iterable[float]) -> float:
    """The median; these machines are noisy, so nothing else is quoted."""
    return statistics.median(samples)


def print_tables(by_subject: Mapping[str, Sequence[Figure]]) -> None:
    """Print figures for people, a table a subject."""
    console = Console(highlight=False, width=140)
    for subject, found in by_subject.items():
        table = Table(
            "FIGURE", "GOAL", "MEASURED", "", "PEER", "RATIO", title=subject, box=box.SIMPLE_HEAD, pad_edge=False
        )
        for figure in found:
            table.add_row(*_cells(figure))
        console.print(table)
        for figure in found:
            if figure.parts:
                parts = ", ".join(f"{name} {value:,.1f}" for name, value in figure.parts.items())
                console.print(f"{figure.name}, in parts ({figure.unit}): {parts}")
            if figure.notes:
                console.print(f"{figure.name}: {figure.notes}")


def _cells(figure: Figure) -> tuple[str, ...]:
    return (
        figure.name,
        "" if figure.goal is None else figure.goal.text,
        f"{number(figure.value)} {figure.unit}",
        "" if figure.met is None else ("met" if figure.met else "missed"),
        "" if figure.peer is None else f"{number(figure.peer)} {figure.unit} ({figure.peer_name})",
        "" if figure.ratio is None else f"{figure.ratio:.2f}",
    )


def number(value: float) -> str:
    """With thousands apart, and four digits where it is small."""
    return f"{value:,.0f}" if abs(value) >= 1000 else f"{value:.4g}"
