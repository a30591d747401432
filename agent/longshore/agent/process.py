"""The agent's process, from its settings to its exit status. SIGTERM and SIGINT end it and leave every container running, unless it was told to
drain on a stop.
"""

import asyncio
import contextlib
import os
import signal
import sys
from collections.abc import Mapping, Sequence
from importlib import metadata
from pathlib import Path

import structlog

from longshore.agent import app, registration, runtime, state_file, stored
from longshore.agent.metadata import introspection
from longshore.agent.settings import config, config_sources
from longshore.rpc import logs, loops, settings

_log = structlog.get_logger(__name__)

EXIT_OK = 0
EXIT_RESTART = 1
"""Something failed that may work another time: a supervisor should start the agent again."""
EXIT_TERMINAL = 5
"""Starting again is in vain until a person has changed something (ECS's number; RestartPreventExitStatus=5)."""
EXIT_USAGE = 2


def main(argv: Sequence[str] | None = None, environ: Mapping[str, str] | None = None) -> int:
    """Parse, run, and say in words why it ended."""
    variables = os.environ if environ is None else environ
    try:
        loaded = config_sources.load(sys.argv[1:] if argv is None else argv, variables)
        file = config.log_file(loaded.config, loaded.environ)
        _log_to(loaded.config, file)
    except settings.SettingsError as error:
        return _fail(EXIT_USAGE, str(error))
    if loaded.without_effect:
        _log.info("settings_without_effect", names=list(loaded.without_effect))
    if loaded.unknown:
        _log.warning("settings_unknown", names=list(loaded.unknown))
    try:
        asyncio.run(_run(loaded.config, loaded.environ))
    except registration.Refused as error:
        return _fail(EXIT_TERMINAL, str(error))
    except app.Unusable as error:
        return _fail(EXIT_TERMINAL if error.lasting else EXIT_RESTART, str(error))
    except stored.NewerFormat as error:
        return _fail(EXIT_TERMINAL, str(error))
    except (introspection.PortInUseError, state_file.FolderInUseError, stored.StateFileError) as error:
        return _fail(EXIT_RESTART, str(error))
    except runtime.RuntimeFailure as error:
        return _fail(EXIT_RESTART, error.reason)
    except loops.LoopFailedError as error:
        if isinstance(error.__cause__, registration.Refused):
            return _fail(EXIT_TERMINAL, str(error.__cause__))
        return _fail(EXIT_RESTART, f"the agent ended: {error} ({error.__cause__})")
    return EXIT_OK


def _log_to(parsed: config.Config, file: Path | None) -> None:
    try:
        logs.configure_process(parsed, file)
    except OSError as error:
        raise settings.SettingsError(
            [f"the log cannot be written: {error}. Name another file with --log-file, - for standard output."]
        ) from error


async def _run(parsed: config.Config, environ: Mapping[str, str]) -> None:
    """Serve until a signal comes; with --drain-on-stop the first begins the leaving, and the second ends that."""
    signals: asyncio.Queue[int] = asyncio.Queue()
    loop = asyncio.get_running_loop()
    for number in (signal.SIGTERM, signal.SIGINT):
        loop.add_signal_handler(number, signals.put_nowait, number)
    leave = asyncio.Event()
    serving = loop.create_task(_serve(parsed, environ, leave), name="agent")
    for begin in (leave.set, None) if parsed.drain_on_stop else (None,):
        ending = loop.create_task(signals.get(), name="signal")
        await asyncio.wait({serving, ending}, return_when=asyncio.FIRST_COMPLETED)
        ending.cancel()
        if begin is None or serving.done():
            break
        begin()
    # Also while it still starts: an engine that hangs must not keep the agent from ending.
    serving.cancel()
    with contextlib.suppress(asyncio.CancelledError):
        await serving


async def _serve(parsed: config.Config, environ: Mapping[str, str], leave: asyncio.Event) -> None:
    """Serve until a loop dies, or until this agent has left."""
    async with app.serving(parsed, environ=environ, version=metadata.version("longshore")) as agent:
        failing = asyncio.create_task(agent.wait(), name="failure")
        leaving = asyncio.create_task(_left(agent, leave), name="leaving")
        try:
            done, _ = await asyncio.wait({failing, leaving}, return_when=asyncio.FIRST_COMPLETED)
            for ended in done:
                ended.result()
        finally:
            failing.cancel()
            leaving.cancel()


async def _left(agent: app.Agent, leave: asyncio.Event) -> None:
    await leave.wait()
    await agent.leave()


def _fail(status: int, message: str) -> int:
    sys.stderr.write(f"longshore agent: {message}\n")
    return status
