"""`python -m longshore.agent.simulated`: what `longshore simulate` becomes. A fleet without containers, until Ctrl-C."""

import asyncio
import json
import os
import random
import resource
import signal
import sys
from collections.abc import Callable, Mapping, Sequence
from contextlib import AsyncExitStack
from dataclasses import asdict
from importlib import metadata
from pathlib import Path
from typing import Any

from longshore.agent import engine, pulls, registration
from longshore.agent.simulated import (
    simulated_fleet,
    simulated_instance,
    simulated_journal,
    simulated_runtime,
    simulated_sizes,
    simulated_timing,
    simulation_config,
)
from longshore.rpc import logs, loops, settings

EXIT_OK, EXIT_FAILED, EXIT_USAGE = 0, 1, 2
_LAUNCHES = 8
_KIB = 1024
_OPEN_FILES_BESIDE = 256
"""Files that a process has open beside the connections of its hosts."""


def main(argv: Sequence[str], environ: Mapping[str, str]) -> int:
    """Simulate, and say in words why it ended."""
    try:
        parsed = settings.parse(simulation_config.Config, argv, environ, prog="longshore simulate")
    except settings.SettingsError as error:
        return _fail(EXIT_USAGE, str(error))
    logs.configure(level=parsed.log_level, file=parsed.log_file, stream=sys.stderr)
    try:
        _allow_connections(parsed)
        return asyncio.run(_run(parsed))
    except loops.LoopFailedError as error:
        cause = error.__cause__
        told = str(cause) if isinstance(cause, registration.Refused) else f"a simulated agent ended: {error} ({cause})"
        return _fail(EXIT_FAILED, told)
    except _TooFewFiles as error:
        return _fail(EXIT_FAILED, str(error))


class _TooFewFiles(Exception):  # noqa: N818 - named by what is wrong
    """The system lets this process open fewer files than it has connections."""


def _allow_connections(parsed: simulation_config.Config) -> None:
    """Have as many files open as there are connections: a shell gives a thousand unless it is asked."""
    wanted = (parsed.connections or parsed.instances) + _OPEN_FILES_BESIDE
    soft, hard = resource.getrlimit(resource.RLIMIT_NOFILE)
    if soft != resource.RLIM_INFINITY and soft < wanted:
        if hard != resource.RLIM_INFINITY and hard < wanted:
            raise _TooFewFiles(
                f"{parsed.instances} instances need {wanted} open files, and {hard} are allowed (ulimit -Hn): "
                "raise that, or let them share with --connections"
            )
        resource.setrlimit(resource.RLIMIT_NOFILE, (wanted, hard))


async def _run(parsed: simulation_config.Config) -> int:
    ending = asyncio.Event()
    loop = asyncio.get_running_loop()
    for number in (signal.SIGTERM, signal.SIGINT):
        loop.add_signal_handler(number, ending.set)
    if parsed.duration:
        loop.call_later(parsed.duration, ending.set)
    async with AsyncExitStack() as stack:
        fleet = made(parsed, _journal(parsed, stack))
        faults: list[str] = []
        try:
            async with loops.supervised() as supervisor:
                supervisor.spawn("coming up", fleet.come_up(stack))
                supervisor.spawn("failures", fleet.fail(simulation_config.script(parsed), supervisor))
                await _tell(fleet, parsed, ending, supervisor)
        finally:
            await fleet.switch_off()
            if not parsed.keep:
                faults = await fleet.deregister()
    for fault in faults:
        sys.stderr.write(f"not deregistered: {fault}\n")
    return EXIT_FAILED if faults else EXIT_OK


def _journal(parsed: simulation_config.Config, stack: AsyncExitStack) -> Callable[[str], simulated_journal.News]:
    """Whom each host tells what its containers do: the journal, where one is wanted."""
    if parsed.journal is None:
        return lambda _: simulated_journal.unheard
    journal = simulated_journal.Journal(parsed.journal)
    stack.callback(journal.close)
    return journal.of


def made(
    parsed: simulation_config.Config,
    news: Callable[[str], simulated_journal.News] = lambda _: simulated_journal.unheard,
) -> simulated_fleet.Fleet:
    """The fleet that the settings describe, not yet switched on. Made inside a running event loop."""
    return simulated_fleet.Fleet(
        simulated_sizes.spread(simulation_config.sizes(parsed), parsed.instances),
        _terms(parsed, news),
        simulated_fleet.Line(parsed.state_tracker_addresses, parsed.registry_addresses, parsed.tls, parsed.connections),
        seed=parsed.seed,
        prefix=parsed.name_prefix,
    )


def _terms(parsed: simulation_config.Config, news: Callable[[str], simulated_journal.News]) -> simulated_instance.Terms:
    return simulated_instance.Terms(
        cluster=parsed.cluster,
        version=metadata.version("longshore"),
        limits=engine.Limits(
            max_launches=parsed.max_launches or _LAUNCHES,
            cleanup_wait_s=parsed.cleanup_wait,
            pull_behavior=pulls.Behavior(parsed.image_pull_behavior),
        ),
        timing=simulation_config.timing(parsed),
        life=_lives(parsed),
        images=simulated_fleet.AnyImage(),
        attributes=simulation_config.attributes(parsed),
        wheel=simulated_timing.Wheel(),
        tally=simulated_instance.Tally(),
        admission=asyncio.Semaphore(parsed.registering),
        files=parsed.tls,
        news=news,
    )


def _lives(parsed: simulation_config.Config) -> Callable[[Mapping[str, Any]], simulated_runtime.Life]:
    """What containers do, by lot."""
    endless = simulated_runtime.Life()
    if not parsed.run_time:
        return lambda _: endless
    spread = simulated_timing.parse(parsed.run_time)
    source = random.Random(parsed.seed)  # noqa: S311 - chance, no secret

    def live(_: Mapping[str, Any]) -> simulated_runtime.Life:
        return simulated_runtime.Life(runs_s=spread.draw(source), exit_code=int(source.random() < parsed.failing_share))

    return live


async def _tell(
    fleet: simulated_fleet.Fleet, parsed: simulation_config.Config, ending: asyncio.Event, supervisor: loops.Supervisor
) -> None:
    """Tell how it is going until it is to end. Raises what an agent has died of."""
    loop = asyncio.get_running_loop()
    began = last = loop.time()
    started = 0
    while True:
        ended = await loops.sleep_until_event(ending, parsed.every)
        if supervisor.failure is not None:
            raise supervisor.failure
        count = fleet.count()
        now = loop.time()
        told = {
            "seconds": round(now - began, 1),
            **asdict(count),
            "startedPerSecond": round((count.started - started) / max(now - last, 0.001)),
            "residentMiB": _resident_mib(),
        }
        last, started = now, count.started
        _show(told, parsed.output)
        if ended:
            return


def _show(told: Mapping[str, Any], output: str) -> None:
    if output == "json":
        sys.stdout.write(json.dumps(told) + "\n")
    else:
        line = (
            f"{told['seconds']:8.1f} s  instances {told['registered']}/{told['instances']}  sessions {told['sessions']}"
            f"  failing {told['failing']}  pending {told['pending']}  running {told['running']}"
            f"  stopped {told['stopped']}  started {told['startedPerSecond']}/s  {told['residentMiB']} MiB"
        )
        # On a terminal one line that changes; elsewhere one after the other.
        sys.stdout.write(f"\r{line}\x1b[K" if sys.stdout.isatty() else f"{line}\n")
    sys.stdout.flush()


def _resident_mib() -> int:
    """Memory of this process; its most so far where the system does not tell it as it is now."""
    try:
        return int(Path("/proc/self/statm").read_text().split()[1]) * resource.getpagesize() // _KIB**2
    except OSError:
        return resource.getrusage(resource.RUSAGE_SELF).ru_maxrss // _KIB


def _fail(status: int, message: str) -> int:
    sys.stderr.write(f"longshore simulate: {message}\n")
    return status


if __name__ == "__main__":
    sys.exit(main(sys.argv[1:], os.environ))
