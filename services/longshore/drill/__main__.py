"""`python -m longshore.drill agent`: what `longshore drill` becomes."""

import asyncio
import json
import os
import secrets
import shutil
import signal
import sys
import tempfile
from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import Any

from longshore.drill import config, course, own_engine, programs, report
from longshore.rpc import logs, settings

FAILED, USAGE, INTERRUPTED = 1, 2, 130
_SEEDS = 1_000_000
_USAGE = """usage: longshore drill agent [--flag VALUE ...]

Let things go wrong on purpose, in a world of its own, and judge what came of it.

  agent   on one host: its agent, its Docker Engine, its network, its disks
"""


def main(argv: Sequence[str], environ: Mapping[str, str]) -> int:
    """Hold a drill; the exit code: 0 passed, 1 failed or could not be held, 2 wrong usage, 130 Ctrl-C."""
    name, *words = argv or ("",)
    if name != "agent":
        asked = name in {"--help", "-h"}
        (sys.stdout if asked else sys.stderr).write(_USAGE)
        return 0 if asked else USAGE
    try:
        options = settings.parse(config.Agent, words, environ, prog="longshore drill agent")
    except settings.SettingsError as error:
        sys.stderr.write(f"{error}\n")
        return USAGE
    if missing := _missing():
        sys.stderr.write(f"longshore drill agent: {missing}\n")
        return FAILED
    return _held(options)


def _missing() -> str:
    """What a drill lacks here, as a sentence; empty where nothing."""
    if sys.platform != "linux":
        return "it mounts, freezes and kills as Linux does; this is another system."
    if os.geteuid() != 0:
        return "it starts a Docker Engine of its own and mounts file systems, so it needs root."
    absent = programs.absent()
    return f"missing here (Debian's package): {', '.join(absent)}." if absent else ""


def _held(options: config.Agent) -> int:
    seed = options.seed if options.seed is not None else secrets.randbelow(_SEEDS)
    folder = options.record.absolute() if options.record else Path(tempfile.mkdtemp(prefix="longshore-drill-"))
    folder.mkdir(parents=True, exist_ok=True)
    logs.configure(level="warning", file=folder / "drill.log")
    try:
        _say(f"Seed {seed}; what happens is written to {folder}.")
        outcome = asyncio.run(_until_signalled(options, seed, folder))
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
        sys.stdout.write(report.text(outcome) + "\n")
    if outcome["passed"]:
        _drop(options, folder)
        return 0
    _say(f"Journal and logs: {folder}. To do it again: {_again(options, seed)}")
    return FAILED


def _drop(options: config.Agent, folder: Path) -> None:
    """Keep nothing, unless told to."""
    if options.record is None:
        shutil.rmtree(folder, ignore_errors=True)


def _why(error: Exception) -> str:
    """The cause: what failed first of what was done at the same time."""
    while isinstance(error, ExceptionGroup):
        error = error.exceptions[0]
    return str(error) or type(error).__name__


async def _until_signalled(options: config.Agent, seed: int, folder: Path) -> dict[str, Any]:
    """SIGTERM ends a drill as Ctrl-C does: with everything put back."""
    holding = asyncio.current_task()
    assert holding is not None  # noqa: S101 - this is a task's coroutine
    asyncio.get_running_loop().add_signal_handler(signal.SIGTERM, holding.cancel)
    return await course.run(options, seed, folder, _say)


def _say(text: str) -> None:
    """Beside the outcome, which a program may read."""
    sys.stderr.write(text + "\n")
    sys.stderr.flush()


def _again(options: config.Agent, seed: int) -> str:
    words = [
        f"--minutes {options.minutes:g}",
        f"--seed {seed}",
        f"--tasks {options.tasks}",
        f"--pause {options.pause:g}",
    ]
    words += [f"--live-restore {options.live_restore}", f"--faults {','.join(options.chosen)}"]
    return f"longshore drill agent {' '.join(words)}"


if __name__ == "__main__":
    sys.exit(main(sys.argv[1:], os.environ))
