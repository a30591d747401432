"""What measurements are kept in, beside plain numbers: cheap enough for every task and every turn of the event loop.

Written by the event loop alone. The page is rendered in another thread and reads without a lock, so whatever belongs together is
replaced whole, or copied in one step of the interpreter.
"""

import bisect
import time
from collections.abc import Callable

LATENCY_BOUNDS = (0.0005, 0.001, 0.0025, 0.005, 0.01, 0.025, 0.05, 0.1, 0.25, 0.5, 1.0, 2.5, 5.0, 10.0)
"""Seconds; the hot path's hops are milliseconds, its troubles seconds."""

SIZE_BOUNDS = (1.0, 2.0, 5.0, 10.0, 25.0, 50.0, 100.0, 250.0, 500.0, 1000.0, 2500.0)
"""Items of one batch."""

WINDOW_S = 60.0
"""What a maximum remembers: as long as the longest usual pause between two scrapes, so that none is missed."""

_PARTS = 6
"""Parts of the window; a maximum is forgotten when it is between five and six of them old."""


class Histogram:
    """Counts of observed values by upper bound; the last bucket has none."""

    __slots__ = ("bounds", "buckets", "total")

    def __init__(self, bounds: tuple[float, ...]) -> None:
        self.bounds = bounds
        self.buckets = [0] * (len(bounds) + 1)
        self.total = 0.0

    @property
    def count(self) -> int:
        """How many values were observed."""
        return sum(self.buckets)

    def observe(self, value: float) -> None:
        """Count one value."""
        self.buckets[bisect.bisect_left(self.bounds, value)] += 1
        self.total += value


class Maximum:
    """The largest value of the last WINDOW_S; zero where there was none."""

    __slots__ = ("_clock", "_part", "_part_s", "_past", "_top")

    def __init__(self, *, window_s: float = WINDOW_S, clock: Callable[[], float] = time.monotonic) -> None:
        self._clock = clock
        self._part_s = window_s / _PARTS
        self._part = 0
        self._top = 0.0
        self._past: tuple[tuple[int, float], ...] = ()

    def observe(self, value: float, now: float) -> None:
        """Take in one value, at `now` by the clock."""
        if now >= (self._part + 1) * self._part_s:
            self._past = (*self._past[2 - _PARTS :], (self._part, self._top))
            self._part, self._top = int(now / self._part_s), 0.0
        if value > self._top:  # noqa: PLR1730 - max() would cost a call on every turn of the event loop
            self._top = value

    @property
    def value(self) -> float:
        """The largest value now."""
        oldest = int(self._clock() / self._part_s) - _PARTS + 1
        # The present part first: one that ends meanwhile is then read among the past ones.
        present = (self._part, self._top)
        return max((top for part, top in (present, *self._past) if part >= oldest), default=0.0)
