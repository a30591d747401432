"""What a tracker counts about itself: cheap numbers that a page of metrics can show. One `Metrics` per process."""

import bisect
from dataclasses import dataclass, field

# Seconds; the hot path's hops are milliseconds, its troubles seconds.
LATENCY_BOUNDS = (0.001, 0.0025, 0.005, 0.01, 0.025, 0.05, 0.1, 0.25, 0.5, 1.0, 2.5, 5.0, 10.0)
# Items of one batch.
SIZE_BOUNDS = (1.0, 2.0, 5.0, 10.0, 25.0, 50.0, 100.0, 250.0, 500.0, 1000.0, 2500.0)


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


def _latency() -> Histogram:
    return Histogram(LATENCY_BOUNDS)


def _size() -> Histogram:
    return Histogram(SIZE_BOUNDS)


@dataclass(slots=True)
class Metrics:
    """Counters only grow; gauges are set; histograms are in seconds or items."""

    sessions: int = 0
    sessions_opened: int = 0
    sessions_contested: int = 0
    sessions_refused: int = 0
    reports_recorded: int = 0
    reports_repeated: int = 0
    reports_fenced: int = 0
    observations_dropped: int = 0
    events_appended: int = 0
    assignments_forwarded: int = 0
    assignments_read: int = 0
    disconnections: int = 0
    tasks_given_up: int = 0
    watchers: int = 0
    watchers_behind: int = 0
    report_to_commit_s: Histogram = field(default_factory=_latency)
    report_batch: Histogram = field(default_factory=_size)
    opening_batch: Histogram = field(default_factory=_size)
