"""What the gateway is told."""

from collections.abc import Iterable

from longshore.rpc import settings, tls

DEFAULT_LISTEN = f"127.0.0.1:{settings.GATEWAY_PORT}"

ALWAYS = "always"
WHEN_KEYS_EXIST = "when-keys-exist"


@settings.config
class Config(settings.Served):
    """Serve ECS's JSON protocol over HTTP in front of the control plane."""

    listen: str = settings.option(default=DEFAULT_LISTEN, help="host:port to serve on; port 0 takes a free one")
    verify: str = settings.option(
        default=ALWAYS,
        help="which requests' signatures are verified: all, or all once there is an access key",
        choices=(ALWAYS, WHEN_KEYS_EXIST),
    )
    max_connections: int = settings.option(
        default=2_000, help="connections that are served at a time; those beyond are answered 503", minimum=1
    )
    max_body_bytes: int = settings.option(
        default=1024 * 1024, help="largest body of a request", minimum=1024, maximum=64 * 1024 * 1024
    )
    header_timeout_s: float = settings.option(
        default=10.0, help="time within which the head of a request has to arrive", minimum=0.1
    )
    body_timeout_s: float = settings.option(
        default=20.0, help="time within which the body of a request has to arrive after its head", minimum=0.1
    )
    keep_alive_s: float = settings.option(
        default=60.0, help="time for which an idle connection is kept open for its next request", minimum=0.1
    )
    call_timeout_s: float = settings.option(
        default=30.0, help="time within which a component has to answer, repetitions included", minimum=0.1
    )

    def faults(self) -> Iterable[str]:
        """An address without verification that others could reach."""
        yield from settings.Served.faults(self)
        if self.verify == ALWAYS:
            return
        try:
            address = tls.HostPort.parse(self.listen)
        except ValueError:
            return  # told already
        if not address.is_loopback:
            yield (
                f"{settings.variable('verify')} is {self.verify}, and {settings.variable('listen')} is {address}: "
                "without keys anybody who reaches it could do anything, so that is for loopback addresses only"
            )
