"""Settings of a control plane's drill."""

from collections.abc import Iterable
from pathlib import Path

from longshore.drill.control_plane import plan
from longshore.rpc import settings


@settings.config
class ControlPlane(settings.Settings):
    """Let a control plane of two replicas each fail under load, with a PostgreSQL, a Redis and simulated agents of the drill's own."""

    minutes: float = settings.option(
        default=20.0, help="for how long; every fault comes at least once, however short", minimum=0.1, maximum=1440.0
    )
    seed: int | None = settings.option(default=None, help="of the plan, to repeat one; drawn and printed otherwise")
    instances: int = settings.option(default=200, help="how many simulated agents", minimum=4, maximum=5000)
    rate: float = settings.option(default=12.0, help="calls a second that clients try to make", minimum=0.1)
    faults_: tuple[str, ...] = settings.option(default=tuple(plan.Fault), help="which of the faults")
    pause: float = settings.option(
        default=6.0, help="seconds that most of the faults last; each lasts a part or a multiple of it", minimum=0.5
    )
    output: str = settings.option(default="table", help="a table to read or JSON to pipe", choices=("table", "json"))
    record: Path | None = settings.option(
        default=None, help="folder for the journal and the logs; else a temporary one, kept where the drill fails"
    )

    def faults(self) -> Iterable[str]:
        """Faults that there are not."""
        for name in self.faults_:
            if name not in tuple(plan.Fault):
                yield f"{settings.flag('faults')}: {name!r} is none of {', '.join(plan.Fault)}"

    @property
    def chosen(self) -> tuple[plan.Fault, ...]:
        """The faults, each once."""
        return tuple(plan.Fault(name) for name in dict.fromkeys(self.faults_))
