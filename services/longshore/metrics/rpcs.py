"""What a component's gRPC server measures of the calls that it answers."""

from longshore.metrics import declared, exposition, instruments


@declared.metrics
class Rpcs:
    """Calls of one server; those of its health and reflection are among them."""

    ended: dict[tuple[str, str], int] = declared.counter(
        "longshore_rpc_requests_total",
        "gRPC calls that have ended, by method and status code; a stream when it ends.",
        unit="calls",
        label=("method", "code"),
    )
    answered: instruments.Histogram = declared.latency(
        "longshore_rpc_seconds", "A call with one answer: received until answered or refused."
    )

    def observe(self, method: str, code: str, seconds: float | None) -> None:
        """Count a call that has ended; one that is no stream with its time."""
        self.ended[method, code] += 1
        if seconds is not None:
            self.answered.observe(seconds)


def of(component: str, shown: exposition.Sources | None) -> Rpcs:
    """Those of one component, among what is shown where anything is."""
    measured = Rpcs()
    if shown is not None:
        shown.add(measured, component=component)
    return measured
