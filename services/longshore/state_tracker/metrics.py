"""What a tracker counts about itself: plain numbers, cheap enough for every report. One `Metrics` per process."""

from longshore.metrics import declared, instruments


@declared.metrics
class Metrics:
    """Counters only grow; gauges are set; histograms are in seconds or items."""

    sessions: int = declared.gauge(
        "longshore_state_tracker_sessions", "Agents' sessions that this process holds.", unit="sessions"
    )
    watchers: int = declared.gauge(
        "longshore_state_tracker_watchers", "Callers of WatchEvents that are being served.", unit="callers"
    )
    host_streams: int = declared.gauge(
        "longshore_state_tracker_host_streams", "Streams from agents that are being read here.", unit="streams"
    )
    sessions_opened: int = declared.counter(
        "longshore_state_tracker_sessions_opened_total", "Sessions that were welcomed.", unit="sessions"
    )
    sessions_contested: int = declared.counter(
        "longshore_state_tracker_sessions_contested_total",
        "Sessions replaced by another agent process of the same identity.",
        unit="sessions",
    )
    sessions_refused: int = declared.counter(
        "longshore_state_tracker_sessions_refused_total", "Hellos that were not welcomed.", unit="sessions"
    )
    sessions_postponed: int = declared.counter(
        "longshore_state_tracker_sessions_postponed_total",
        "Hellos that were told when to come again, because too many sessions were being opened.",
        unit="sessions",
    )
    sessions_moved: int = declared.counter(
        "longshore_state_tracker_sessions_moved_total",
        "Sessions whose agents were asked to go to another tracker, because this one had more than its share.",
        unit="sessions",
    )
    reports_recorded: int = declared.counter(
        "longshore_state_tracker_reports_recorded_total", "Reports of agents that were committed.", unit="reports"
    )
    reports_repeated: int = declared.counter(
        "longshore_state_tracker_reports_repeated_total", "Reports that had been committed before.", unit="reports"
    )
    reports_fenced: int = declared.counter(
        "longshore_state_tracker_reports_fenced_total", "Reports of sessions that were over.", unit="reports"
    )
    submissions_recorded: int = declared.counter(
        "longshore_state_tracker_submissions_recorded_total",
        "Reports of hosts without a session that were committed.",
        unit="reports",
    )
    observations_dropped: int = declared.counter(
        "longshore_state_tracker_observations_dropped_total",
        "Observations of tasks that are unknown or of another instance.",
        unit="tasks",
    )
    events_appended: int = declared.counter(
        "longshore_state_tracker_events_appended_total", "Events that reports added to the log.", unit="events"
    )
    event_lag: dict[str, int] = declared.gauge(
        "longshore_state_tracker_event_lag",
        "Events of a followed cluster's log that this process had not taken in when it last looked, every 5 s.",
        unit="events",
        label="cluster",
    )
    assignments_forwarded: int = declared.counter(
        "longshore_state_tracker_assignments_forwarded_total",
        "Published assignments handed to a session as they are.",
        unit="assignments",
    )
    assignments_read: int = declared.counter(
        "longshore_state_tracker_assignments_read_total",
        "Times a session's assignment was read from the tables.",
        unit="assignments",
    )
    full_sets: int = declared.counter(
        "longshore_state_tracker_full_sets_total",
        "Full sets sent to agents whose assignment could not go on from the revision that they know.",
        unit="assignments",
    )
    disconnections: int = declared.counter(
        "longshore_state_tracker_disconnections_total", "Instances whose agent fell silent.", unit="instances"
    )
    tasks_given_up: int = declared.counter(
        "longshore_state_tracker_tasks_given_up_total", "Tasks of lost hosts declared stopped.", unit="tasks"
    )
    watchers_behind: int = declared.counter(
        "longshore_state_tracker_watchers_behind_total",
        "Times a watcher was overtaken by the events kept in memory, and read on in the log.",
        unit="times",
    )
    report_to_commit: instruments.Histogram = declared.latency(
        "longshore_state_tracker_record_seconds", "Hop of a report: received until committed."
    )
    report_batch: instruments.Histogram = declared.sizes(
        "longshore_state_tracker_report_batch_size", "Reports recorded by one commit.", unit="reports"
    )
    opening_batch: instruments.Histogram = declared.sizes(
        "longshore_state_tracker_opening_batch_size", "Sessions opened by one commit.", unit="sessions"
    )
