"""Where the time of a placement goes, and how full the queue is: counters and histograms, cheap enough for every task.

Hops of one request, each from the one before: `queued` (accepted to taken into a batch), `decided`, `committed`, `published`.
"""

from dataclasses import dataclass, field

import prometheus_client

_HOP_BUCKETS = (0.0005, 0.001, 0.002, 0.005, 0.01, 0.02, 0.05, 0.1, 0.2, 0.5, 1.0, 2.0, 5.0)
_BATCH_BUCKETS = (1, 2, 5, 10, 20, 50, 100, 200, 500, 1_000)


@dataclass(frozen=True, slots=True)
class Hops:
    """Moments of one request, by the event loop's clock."""

    accepted: float
    taken: float
    decided: float
    committed: float
    published: float


@dataclass(slots=True)
class Metrics:
    """The scheduler's metrics, in a registry of their own, so that several can live in one process."""

    registry: prometheus_client.CollectorRegistry = field(default_factory=prometheus_client.CollectorRegistry)

    worst_block: float = 0.0
    hop: prometheus_client.Histogram = field(init=False)
    batch: prometheus_client.Histogram = field(init=False)
    placed: prometheus_client.Counter = field(init=False)
    refused: prometheus_client.Counter = field(init=False)
    deferred: prometheus_client.Counter = field(init=False)
    queued: prometheus_client.Gauge = field(init=False)
    leading: prometheus_client.Gauge = field(init=False)
    longest_block: prometheus_client.Gauge = field(init=False)

    def __post_init__(self) -> None:
        """Make the collectors."""
        kept = self.registry
        self.hop = prometheus_client.Histogram(
            "longshore_scheduler_hop_seconds",
            "Time of a request at each hop.",
            ("hop",),
            registry=kept,
            buckets=_HOP_BUCKETS,
        )
        self.batch = prometheus_client.Histogram(
            "longshore_scheduler_batch_tasks", "Tasks of one commit.", registry=kept, buckets=_BATCH_BUCKETS
        )
        self.placed = prometheus_client.Counter("longshore_scheduler_placed_tasks", "Tasks placed.", registry=kept)
        self.refused = prometheus_client.Counter(
            "longshore_scheduler_refusals", "Instances that refused a task, by reason.", ("reason",), registry=kept
        )
        self.deferred = prometheus_client.Counter(
            "longshore_scheduler_deferred_requests",
            "Requests decided again because an instance changed.",
            registry=kept,
        )
        self.queued = prometheus_client.Gauge("longshore_scheduler_queued_tasks", "Tasks that wait.", registry=kept)
        self.leading = prometheus_client.Gauge("longshore_scheduler_led_clusters", "Clusters led.", registry=kept)
        self.longest_block = prometheus_client.Gauge(
            "longshore_scheduler_longest_block_seconds",
            "Longest time for which the placement loop kept the event loop to itself.",
            registry=kept,
        )

    def passed(self, hops: Hops) -> None:
        """Count one request's way."""
        self.hop.labels("queued").observe(hops.taken - hops.accepted)
        self.hop.labels("decided").observe(hops.decided - hops.taken)
        self.hop.labels("committed").observe(hops.committed - hops.decided)
        self.hop.labels("published").observe(hops.published - hops.committed)

    def blocked(self, seconds: float) -> None:
        """Note for how long the event loop was kept."""
        if seconds > self.worst_block:
            self.worst_block = seconds
            self.longest_block.set(seconds)
