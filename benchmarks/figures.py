"""One figure: what was measured, what it is compared with, and how it is printed."""

import statistics
from collections.abc import Callable, Iterable, Sequence
from dataclasses import dataclass, field
from typing import Any

from rich import box
from rich.console import Console
from rich.table import Table


@dataclass(frozen=True, slots=True)
class Figure:
    """A measurement. `value` and `peer` have the same unit; `ratio` is value to peer; samples are single measurements."""

    name: str
    value: float
    unit: str
    peer: float | None = None
    peer_name: str = ""
    goal: str = ""
    reaches: Callable[[float], bool] | None = None
    """Whether a ratio is the goal's or better; None where the figure has no goal."""
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
        return None if self.ratio is None or self.reaches is None else self.reaches(self.ratio)

    def as_json(self) -> dict[str, Any]:
        """All of it, the ratio included."""
        fields = {name: getattr(self, name) for name in self.__slots__ if name != "reaches"}
        return fields | {"ratio": self.ratio, "met": self.met}


def median(samples: Iterable[float]) -> float:
    """The median; these machines are noisy, so nothing else is quoted."""
    return statistics.median(samples)


def print_table(found: Sequence[Figure]) -> None:
    """Print figures for people."""
    table = Table("FIGURE", "MEASURED", "PEER", "RATIO", "GOAL", "", box=box.SIMPLE_HEAD, pad_edge=False)
    for figure in found:
        peer = "" if figure.peer is None else f"{figure.peer:.4g} {figure.unit} ({figure.peer_name})"
        ratio = "" if figure.ratio is None else f"{figure.ratio:.2f}"
        verdict = "" if figure.met is None else ("met" if figure.met else "missed")
        table.add_row(figure.name, f"{figure.value:.4g} {figure.unit}", peer, ratio, figure.goal, verdict)
    console = Console(highlight=False, width=140)
    console.print(table)
    for figure in found:
        if figure.parts:
            parts = ", ".join(f"{name} {value:.1f}" for name, value in figure.parts.items())
            console.print(f"{figure.name}, in parts ({figure.unit}): {parts}")
        if figure.notes:
            console.print(f"{figure.name}: {figure.notes}")
