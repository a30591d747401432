"""What the state-tracker is told."""

from collections.abc import Iterable

from longshore.rpc import settings

DEFAULT_LISTEN = f"127.0.0.1:{settings.STATE_TRACKER_PORT}"


@settings.config
class Config(settings.Component):
    """Serve container instances, agents' sessions, tasks as they are, and everybody who watches."""

    listen: str = settings.option(default=DEFAULT_LISTEN, help="host:port to serve on; port 0 takes a free one")
    agent_heartbeat: float = settings.option(
        default=1.0, help="seconds between two messages of an agent that has nothing to say", minimum=0.05
    )
    agent_lease: float = settings.option(
        default=5.0, help="seconds of silence after which an instance is disconnected", minimum=0.1
    )
    agent_give_up: float = settings.option(
        default=600.0, help="seconds after which a disconnected instance's tasks are declared stopped", minimum=1.0
    )
    agent_openings: int = settings.option(
        default=500,
        help="sessions that are being opened at the same time; other agents are told when to come again",
        minimum=1,
    )
    keep_tasks_days: float = settings.option(
        default=14.0, help="days for which stopped tasks can be described", minimum=0.01
    )
    keep_tasks: int = settings.option(
        default=10_000_000,
        help="most stopped tasks that are kept of a cluster, the latest hour's aside",
        minimum=0,
    )
    keep_events_days: float = settings.option(
        default=7.0, help="days for which a watcher can resume from an old cursor", minimum=0.01
    )
    keep_events: int = settings.option(
        default=10_000_000, help="most events that are kept of a cluster, however young", minimum=1000
    )

    def faults(self) -> Iterable[str]:
        """A lease that a single late heartbeat would break, or a give-up before the lease."""
        yield from settings.Component.faults(self)
        if self.agent_lease < 2 * self.agent_heartbeat:
            yield (
                f"{settings.variable('agent_lease')} is {self.agent_lease:g}: it must be at least twice "
                f"{settings.variable('agent_heartbeat')} ({self.agent_heartbeat:g})"
            )
        if self.agent_give_up < self.agent_lease:
            yield f"{settings.variable('agent_give_up')} must not be below {settings.variable('agent_lease')}"
