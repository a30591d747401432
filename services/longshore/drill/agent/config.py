"""Settings of the drills."""

from collections.abc import Iterable
from pathlib import Path

from longshore.drill.agent import plan
from longshore.rpc import settings

LIVE_RESTORE = ("alternate", "on", "off")


@settings.config
class Agent(settings.Settings):
    """Let everything around one agent go wrong while tasks come and go, on a Docker Engine of the drill's own. Needs root."""

    minutes: float = settings.option(
        default=20.0, help="for how long; every fault comes at least once, however short", minimum=0.1, maximum=1440.0
    )
    seed: int | None = settings.option(default=None, help="of the plan, to repeat one; drawn and printed otherwise")
    tasks: int = settings.option(default=30, help="how many tasks there are at a time", minimum=1, maximum=100)
    faults_: tuple[str, ...] = settings.option(default=tuple(plan.Fault), help="which of the faults")
    pause: float = settings.option(
        default=20.0, help="seconds for which the engine is paused; other faults last a part of it", minimum=1.0
    )
    live_restore: str = settings.option(
        default="alternate",
        help="whether containers outlive their engine; alternate: each start of it changes that",
        choices=LIVE_RESTORE,
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
