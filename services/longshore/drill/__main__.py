"""`python -m longshore.drill NAME`: what `longshore drill` becomes."""

import asyncio
import json
import os
import secrets
import shutil
import signal
import sys
import tempfile
from collections.abc import Awaitable, Callable, Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from longshore.drill import programs
from longshore.drill.agent import config as agent_config
from longshore.drill.agent import course as agent_course
from longshore.drill.agent import own_engine
from longshore.drill.agent import report as agent_report
from longshore.drill.control_plane import config as control_plane_config
from longshore.drill.control_plane import course as control_plane_course
from longshore.drill.control_plane import report as control_plane_report
from longshore.drill.control_plane import servers
from longshore.rpc import logs, settings

FAILED, USAGE, INTERRUPTED = 1, 2, 130
_SEEDS = 1_000_000
_USAGE = """usage: longshore drill agent|control-plane [--flag VALUE ...]

Let things go wrong on purpose, in a world of its own, and judge what came of it.

  agent           on one host: its agent, its Docker Engine, its network, its disks
  control-plane   two of each component, PostgreSQL, Redis, the network between all of them, simulated agents
"""

Options = agent_config.Agent | control_plane_config.ControlPlane


@dataclass(frozen=True, slots=True)
class Drill:
    """A kind of drill."""

    options: type[Any]
    run: Callable[[Any, int, Path, Callable[[str], None]], Awaitable[dict[str, Any]]]
    text: Callable[[dict[str, Any]], str]
    missing: Callable[[], str]
    """What it lacks here, as a sentence; empty where nothing."""
    again: Callable[[Any], str]
    """The flags that make another one like it, beside the seed."""


def main(argv: Sequence[str], environ: Mapping[str, str]) -> int:
    """Hold a drill; the exit code: 0 passed, 1 failed or could not be held, 2 wrong usage, 130 Ctrl-C."""
    name, *words = argv or ("",)
    if name not in DRILLS:
        asked = name in {"--help", "-h"}
        (sys.stdout if asked else sys.stderr).write(_USAGE)
        return 0 if asked else USAGE
    drill, prog = DRILLS[name], f"longshore drill {name}"
    try:
        options = settings.parse(drill.options, words, environ, prog=prog)
    except settings.SettingsError as error:
        sys.stderr.write(f"{error}\n")
        return USAGE
    if missing := drill.missing():
        sys.stderr.write(f"{prog}: {missing}\n")
        return FAILED
    return _held(drill, options, prog)


def _missing_for_agent() -> str:
    if sys.platform != "linux":
        return "it mounts, freezes and kills as Linux does; this is another system."
    if os.geteuid() != 0:
        return "it starts a Docker Engine of its own and mounts file systems, so it needs root."
    return _absent(programs.absent(programs.BY_AGENT))


def _missing_for_control_plane() -> str:
    if sys.platform != "linux":
        return "it freezes and kills as Linux does; this is another system."
    return _absent(servers.absent())


def _absent(packages: Sequence[str]) -> str:
    return f"missing here (Debian's package): {', '.join(packages)}." if packages else ""


def _held(drill: Drill, options: Options, prog: str) -> int:
    seed = options.seed if options.seed is not None else secrets.randbelow(_SEEDS)
    folder = options.record.absolute() if options.record else Path(tempfile.mkdtemp(prefix="longshore-drill-"))
    folder.mkdir(parents=True, exist_ok=True)
    logs.configure(level="warning", file=folder / "drill.log")
    try:
        _say(f"Seed {seed}; what happens is written to {folder}.")
        outcome = asyncio.run(_until_signalled(drill, options, seed, folder))
    except (KeyboardInterrupt, asyncio.CancelledError):
        _say("Ended before its time; nothing was judged.")
        _drop(options, folder)
        return INTERRUPTED
    except (programs.Failed, own_engine.WrongEngine, TimeoutError, ExceptionGroup) as error:
        _say(f"The drill could not go on: {_why(error)} (journal and logs: {folder})")
        return FAILED
    if options.output == "json":
        sys.stdout.write(json.dumps(outcome, indent=2) + "\n")
    else:
        sys.stdout.write(drill.text(outcome) + "\n")
    if outcome["passed"]:
        _drop(options, folder)
        return 0
    again = f"{prog} --minutes {options.minutes:g} --seed {seed} {drill.again(options)}"
    _say(f"Journal and logs: {folder}. To do it again: {again}")
    return FAILED


def _drop(options: Options, folder: Path) -> None:
    """Keep nothing, unless told to."""
    if options.record is None:
        shutil.rmtree(folder, ignore_errors=True)


def _why(error: Exception) -> str:
    """The cause: what failed first of what was done at the same time."""
    while isinstance(error, ExceptionGroup):
        error = error.exceptions[0]
    return str(error) or type(error).__name__


async def _until_signalled(drill: Drill, options: Options, seed: int, folder: Path) -> dict[str, Any]:
    """SIGTERM ends a drill as Ctrl-C does: with everything put back."""
    holding = asyncio.current_task()
    assert holding is not None  # noqa: S101 - this is a task's coroutine
    asyncio.get_running_loop().add_signal_handler(signal.SIGTERM, holding.cancel)
    return await drill.run(options, seed, folder, _say)


def _say(text: str) -> None:
    """Beside the outcome, which a program may read."""
    sys.stderr.write(text + "\n")
    sys.stderr.flush()


def _again_for_agent(options: agent_config.Agent) -> str:
    words = [f"--tasks {options.tasks}", f"--pause {options.pause:g}", f"--live-restore {options.live_restore}"]
    return " ".join([*words, f"--faults {','.join(options.chosen)}"])


def _again_for_control_plane(options: control_plane_config.ControlPlane) -> str:
    words = [f"--instances {options.instances}", f"--rate {options.rate:g}", f"--pause {options.pause:g}"]
    return " ".join([*words, f"--faults {','.join(options.chosen)}"])


DRILLS = {
    "agent": Drill(agent_config.Agent, agent_course.run, agent_report.text, _missing_for_agent, _again_for_agent),
    "control-plane": Drill(
        control_plane_config.ControlPlane,
        control_plane_course.run,
        control_plane_report.text,
        _missing_for_control_plane,
        _again_for_control_plane,
    ),
}
"""By the names that `longshore drill` is given."""


if __name__ == "__main__":
    sys.exit(main(sys.argv[1:], os.environ))
