"""Settings of a simulated fleet."""

from collections.abc import Iterable
from pathlib import Path

from longshore.agent import pulls
from longshore.agent.settings import config
from longshore.agent.simulated import simulated_failures, simulated_sizes, simulated_timing
from longshore.rpc import settings

_DISTRIBUTION = f"; {simulated_timing.FORMS}"
_TIMES = ("pull_time", "check_time", "create_time", "start_time", "stop_time", "run_time")


@settings.config
class Config(settings.Process):
    """Join simulated container instances to a cluster: agents without containers. With --plan FILE: say what would fit where instead."""

    log_level: str = settings.option(
        default="error", help="least level that is logged", choices=("debug", "info", "warning", "error")
    )
    instances: int = settings.option(default=10, help="how many instances", minimum=1)
    cluster: str = settings.option(default="default", help="name of the cluster to join")
    cpu: int = settings.option(default=4096, help="CPU units of each instance", minimum=1)
    memory: int = settings.option(default=16_384, help="MiB of each instance", minimum=1)
    mix: Path | None = settings.option(
        default=None,
        help="JSON file of kinds of instances, instead of --cpu and --memory: cpu, memory, weight, attributes",
    )
    instance_attributes: tuple[str, ...] = settings.option(default=(), help="attributes of every instance, NAME=VALUE")
    name_prefix: str = settings.option(default="simulated-", help="what the instances' host names begin with")
    connections: int = settings.option(
        default=0, help="connections that all instances share; 0 for one each, as real hosts have", minimum=0
    )
    registering: int = settings.option(default=64, help="instances that register at the same time", minimum=1)
    duration: float = settings.option(default=0.0, help="seconds after which it ends; 0 for Ctrl-C", minimum=0)
    keep: bool = settings.option(default=False, help="leave the instances registered at the end")
    failures: Path | None = settings.option(default=None, help="JSON file of what happens to which instances when")
    seed: int = settings.option(default=1, help="of all that is drawn by lot", minimum=0)
    image_pull_behavior: str = settings.option(
        default="default", help="when images are pulled", choices=tuple(behavior.value for behavior in pulls.Behavior)
    )
    pull_time: str = settings.option(default="0.5-2", help=f"a pull of an image{_DISTRIBUTION}")
    check_time: str = settings.option(default="0.02-0.1", help="a pull of an image that is there")
    create_time: str = settings.option(default="0.03-0.06", help="making a container")
    start_time: str = settings.option(default="0.12-0.2", help="starting a container")
    stop_time: str = settings.option(default="0.02-0.05", help="stopping a container")
    run_time: str = settings.option(default="", help="how long a container runs; empty: until it is stopped")
    failing_share: float = settings.option(
        default=0.0, help="share of the containers that end by themselves with exit code 1", minimum=0, maximum=1
    )
    max_launches: int = settings.option(
        default=0, help="containers that an instance creates or starts at a time; 0 chooses by its CPUs", minimum=0
    )
    cleanup_wait: int = settings.option(
        default=60, help="seconds until an instance forgets a task that has stopped", minimum=1
    )
    journal: Path | None = settings.option(
        default=None, help="file to which each start and end of a container is added, one JSON object a line"
    )
    every: float = settings.option(default=1.0, help="seconds from one line of progress to the next", minimum=0.1)
    output: str = settings.option(default="text", help="how progress is told", choices=("text", "json"))

    def faults(self) -> Iterable[str]:
        """Files that cannot be read, and distributions that are none."""
        yield from settings.Process.faults(self)  # super() needs the class before slots were added
        for name in _TIMES:
            if getattr(self, name):
                try:
                    simulated_timing.parse(getattr(self, name))
                except ValueError as error:
                    yield f"{settings.variable(name)} is {getattr(self, name)!r}: {error}"
        for item in self.instance_attributes:
            if not item.partition("=")[0] or "=" not in item:
                yield f"{settings.variable('instance_attributes')}: {item!r} is not NAME=VALUE"
        for name, read in (("mix", sizes), ("failures", script)):
            try:
                read(self)
            except (OSError, ValueError) as error:
                yield f"{settings.variable(name)} ({getattr(self, name)}): {error}"


def sizes(parsed: Config) -> tuple[simulated_sizes.Size, ...]:
    """The kinds of instances. Raises OSError or ValueError."""
    if parsed.mix is None:
        return (simulated_sizes.Size(parsed.cpu, parsed.memory),)
    return simulated_sizes.parse(parsed.mix.read_text())


def script(parsed: Config) -> tuple[simulated_failures.Failure, ...]:
    """What is to happen. Raises OSError or ValueError."""
    return () if parsed.failures is None else simulated_failures.parse(parsed.failures.read_text())


def timing(parsed: Config) -> simulated_timing.Timing:
    """How long things take."""
    parse = simulated_timing.parse
    return simulated_timing.Timing(
        create=parse(parsed.create_time),
        start=parse(parsed.start_time),
        pull=parse(parsed.pull_time),
        check=parse(parsed.check_time),
        stop=parse(parsed.stop_time),
    )


def attributes(parsed: Config) -> dict[str, str]:
    """Attributes of every instance."""
    return config.pairs(parsed.instance_attributes)
