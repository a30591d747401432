"""What the gateway measures of itself."""

from longshore.metrics import declared, instruments


@declared.metrics
class Metrics:
    """Numbers of one gateway."""

    requests: dict[tuple[str, str], int] = declared.counter(
        "longshore_gateway_requests_total",
        "Requests answered, by operation (empty where it is not known) and status.",
        unit="requests",
        label=("operation", "status"),
    )
    under_way: int = declared.gauge(
        "longshore_gateway_requests_under_way", "Requests of operations that are being answered.", unit="requests"
    )
    request: instruments.Histogram = declared.latency(
        "longshore_gateway_request_seconds", "A request of an operation: read whole until its answer is written."
    )
    call: instruments.Histogram = declared.latency(
        "longshore_gateway_call_seconds", "The part of it that a component took to answer, repetitions included."
    )
    connections: int = declared.gauge("longshore_gateway_connections", "Connections that are open.", unit="connections")
    buffered: int = declared.gauge(
        "longshore_gateway_buffered_bytes", "Bodies of requests that are not answered.", unit="bytes"
    )
    event_streams: int = declared.gauge(
        "longshore_gateway_event_streams", "Callers of /events that are being served.", unit="callers"
    )
    turned_away: int = declared.counter(
        "longshore_gateway_connections_turned_away_total",
        "Connections refused because the bound on connections or on buffered bytes was reached.",
        unit="connections",
    )
    timed_out: dict[str, int] = declared.counter(
        "longshore_gateway_timeouts_total",
        "Connections closed because something did not arrive in time: a head, a body, or the reading of an answer.",
        unit="connections",
        label="awaited",
    )
    malformed: int = declared.counter(
        "longshore_gateway_malformed_requests_total",
        "Connections closed over what is no HTTP, or beyond its bounds.",
        unit="connections",
    )
