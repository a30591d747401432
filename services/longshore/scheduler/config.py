"""What the scheduler is told."""

from longshore.rpc import settings

DEFAULT_LISTEN = f"127.0.0.1:{settings.SCHEDULER_PORT}"


@settings.config
class Config(settings.Component):
    """Decide what runs where: RunTask, StartTask, StopTask."""

    listen: str = settings.option(default=DEFAULT_LISTEN, help="host:port to serve on; port 0 takes a free one")
    leader_lease_ms: int = settings.option(
        default=1_500, help="silence of a leading scheduler after which another takes over", minimum=200
    )
    standby_interval_ms: int = settings.option(
        default=500, help="mean pause between looks for clusters whose leader is gone", minimum=20
    )
    warm_standbys: int = settings.option(
        default=200, help="clusters led by others that are followed, so that one is taken over at once", minimum=0
    )
