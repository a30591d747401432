"""Where the time of a placement goes, and how full the queue is: plain numbers, cheap enough for every task.

Hops of one request, each from the one before: `queueing` (accepted to taken into a batch), `decision`, `commit`, `publication`.
"""

from dataclasses import dataclass

from longshore.metrics import declared, instruments


@dataclass(frozen=True, slots=True)
class Hops:
    """Moments of one request, by the event loop's clock."""

    accepted: float
    taken: float
    decided: float
    committed: float
    published: float


@declared.metrics
class Metrics:
    """What one scheduler measures, over all clusters that it leads."""

    queued: int = declared.gauge("longshore_scheduler_queue_depth", "Tasks that wait for placement.", unit="tasks")
    waiting: dict[str, int] = declared.gauge(
        "longshore_scheduler_waiting_tasks",
        "Tasks of a led cluster that wait for capacity (docs/design/waiting.md).",
        unit="tasks",
        label="cluster",
    )
    oldest_waiting: dict[str, float] = declared.gauge(
        "longshore_scheduler_oldest_waiting_timestamp_seconds",
        "Since when the oldest of them waits, in seconds since 1970; not there while none does. Its age is time() less this.",
        unit="seconds",
        label="cluster",
    )
    filled: int = declared.counter(
        "longshore_scheduler_waiting_placed_tasks_total",
        "Tasks placed after they had waited for capacity.",
        unit="tasks",
    )
    out_of_time: int = declared.counter(
        "longshore_scheduler_waiting_expired_tasks_total",
        "Tasks that waited for capacity until their deadline.",
        unit="tasks",
    )
    led: int = declared.gauge("longshore_scheduler_led_clusters", "Clusters that this process leads.", unit="clusters")
    standing_by: int = declared.gauge(
        "longshore_scheduler_standby_clusters",
        "Clusters led by others whose view is kept up here, ready to be taken over.",
        unit="clusters",
    )
    epochs: dict[str, int] = declared.gauge(
        "longshore_scheduler_leader_epoch",
        "Fencing epoch under which this process leads a cluster; not there for those that it does not lead.",
        unit="epochs",
        label="cluster",
    )
    taken: int = declared.counter(
        "longshore_scheduler_leaderships_taken_total", "Times this process became a cluster's leader.", unit="times"
    )
    lost: int = declared.counter(
        "longshore_scheduler_leaderships_lost_total",
        "Times it found that another leads, or that it could not go on leading.",
        unit="times",
    )
    tokens: dict[str, int] = declared.counter(
        "longshore_scheduler_client_tokens_total",
        "Requests under a client token: new, joined (the same was under way), repeated (answered as before), conflict.",
        unit="requests",
        label="outcome",
    )
    event_lag: dict[str, int] = declared.gauge(
        "longshore_scheduler_event_lag",
        "Events of a led cluster's log that this process had not taken in when it last looked, every 5 s.",
        unit="events",
        label="cluster",
    )
    placed: int = declared.counter("longshore_scheduler_placed_tasks_total", "Tasks placed.", unit="tasks")
    stopped: int = declared.counter(
        "longshore_scheduler_stopped_tasks_total", "Tasks whose stop was committed.", unit="tasks"
    )
    refused: dict[str, int] = declared.counter(
        "longshore_scheduler_refusals_total",
        "Container instances that refused a task, by the reason shown.",
        unit="instances",
        label="reason",
    )
    deferred: int = declared.counter(
        "longshore_scheduler_deferred_requests_total",
        "Requests decided again because an instance changed under them.",
        unit="requests",
    )
    last_published: float = declared.gauge(
        "longshore_scheduler_last_publication_timestamp_seconds",
        "When the last batch was published, in seconds since 1970; 0 before the first.",
        unit="seconds",
    )
    batch: instruments.Histogram = declared.sizes(
        "longshore_scheduler_batch_size", "Tasks placed or stopped by one commit.", unit="tasks"
    )
    queueing: instruments.Histogram = declared.latency(
        "longshore_scheduler_queue_seconds", "Hop of a request: accepted until taken into a batch."
    )
    decision: instruments.Histogram = declared.latency(
        "longshore_scheduler_decision_seconds", "Hop of a request: taken until its batch was decided."
    )
    commit: instruments.Histogram = declared.latency(
        "longshore_scheduler_commit_seconds", "Hop of a request: decided until committed."
    )
    publication: instruments.Histogram = declared.latency(
        "longshore_scheduler_publish_seconds", "Hop of a request: committed until published to the state-trackers."
    )

    def passed(self, hops: Hops) -> None:
        """Count one request's way."""
        self.queueing.observe(hops.taken - hops.accepted)
        self.decision.observe(hops.decided - hops.taken)
        self.commit.observe(hops.committed - hops.decided)
        self.publication.observe(hops.published - hops.committed)
