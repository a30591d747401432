"""One figure: what was measured, what it is compared with, and how it is printed."""

import statistics
from collections.abc import Iterable, Sequence
from dataclasses import asdict, dataclass, field
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
    met: bool | None = None
    samples: Sequence[float] = field(default=())
    peer_samples: Sequence[float] = field(default=())
    notes: str = ""
    parts: dict[str, float] = field(default_factory=dict)
    """Where the value goes, or what stands beside it, in the same unit."""

    @property
    def ratio(self) -> float | None:
        """Value to peer; None where there is no peer."""
        return None if not self.peer else self.value / self.peer

    def as_json(self) -> dict[str, Any]:
        """All of it, the ratio included."""
        return asdict(self) | {"ratio": self.ratio}


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
