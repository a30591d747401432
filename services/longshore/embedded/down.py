"""`longshore down`: stop what `up` started. Tasks go on unless told otherwise.

What is asked of tasks needs the control plane and its agent: where they do not run, they are started for as long as it takes.
"""

import asyncio
import contextlib
import os
import signal
import time
from collections.abc import Mapping

from longshore.client import client as clients
from longshore.embedded import config, control_plane, detached, holder, purging, running_tasks
from longshore.embedded.saying import say
from longshore.rpc import errors

STOP_TIMEOUT_S = 40.0
"""An orderly end takes a few seconds: grace of the servers, then the agent's."""

TASKS_TIMEOUT_S = 150.0
"""Tasks stop within their stop timeout (30 s unless defined otherwise), several at a time."""

COUNT_TIMEOUT_S = 5.0
"""How long it may take to say how many tasks are left running."""

POLL_S = 0.05
"""The end of a process that is not our child cannot be awaited."""

FAILED = 1


class NotDoneError(Exception):
    """Something asked for was not done; the message says what, and how things stand."""


def run(options: config.Down) -> int:
    """Stop the stack of a state folder; the exit code."""
    folders = config.folders(options.state_dir)
    try:
        if options.purge:
            _purge(folders)
        elif options.stop_tasks:
            _stop_with_tasks(folders)
        else:
            _stop(folders)
    except NotDoneError as error:
        say(str(error))
        return FAILED
    except PermissionError as error:
        say(f"Not allowed: {error.strerror}{f' ({error.filename})' if error.filename else ''}. Who ran `up`?")
        return FAILED
    return 0


def _stop(folders: config.Folders) -> None:
    running = holder.read(folders.state)
    if running is None:
        say(f"Nothing runs on {folders.state}.")
        return
    left = _count(running)
    _terminate(running)
    say("Longshore has stopped.")
    if left:
        say(f"{running_tasks.counted(left)} left running; `longshore up` finds them again.")
        say(f"To stop them: longshore down --stop-tasks{folders.option()}")


def _stop_with_tasks(folders: config.Folders) -> None:
    if not _may_have_tasks(folders):
        say(f"Nothing runs on {folders.state}.")
        return
    running = holder.read(folders.state) or _start(folders, "stop its tasks", {})
    _stop_tasks(running)
    _terminate(running)
    say("Longshore has stopped.")


def _purge(folders: config.Folders) -> None:
    running = holder.read(folders.state)
    if running is None and not folders.database.exists():
        purging.delete(folders)
        say(f"Nothing is left in {folders.state}.")
        return
    known = purging.agent_tasks(running.port_base) if running else None
    if running is None or (running.agent and known != 0):
        # Anew, with an agent that removes containers at once instead of in hours.
        if running is not None:
            _terminate(running)
        running = _start(folders, "remove its containers", purging.AT_ONCE)
    _stop_tasks(running)
    if running.agent and not purging.wait_until_removed(running.port_base):
        raise NotDoneError(f"Containers are left. Longshore goes on, to remove them; see {folders.agent_log}.")
    purging.say_that_it_is_the_last(folders)
    _terminate(running)
    purging.delete(folders)
    say(f"Longshore has stopped; containers, state and logs of {folders.state} are gone.")


def _may_have_tasks(folders: config.Folders) -> bool:
    """Whether a stack runs, or ended otherwise than in order with nothing left."""
    last = holder.last(folders.state)
    return folders.database.exists() and not (last is not None and not last.alive() and last.left == 0)


def _start(folders: config.Folders, purpose: str, environ: Mapping[str, str]) -> holder.Holder:
    """Start the stack as it was last started, for as long as the purpose takes."""
    last = holder.last(folders.state)
    words = ["--state-dir", str(folders.state)]
    if last is not None:
        words += ["--port-base", str(last.port_base)] + ([] if last.agent else ["--no-agent"])
    say(f"Starting Longshore once more, to {purpose}.")
    failed = detached.start(words, folders, environ=environ, quiet=True)
    running = None if failed else holder.read(folders.state)
    if running is None:
        raise NotDoneError("It does not start, so its tasks are left as they are.")
    return running


def _stop_tasks(running: holder.Holder) -> None:
    """Stop every task and wait until each has stopped."""

    async def stop() -> int:
        async with asyncio.timeout(TASKS_TIMEOUT_S), _client(running) as client:
            return await running_tasks.stop_all(client)

    try:
        count = asyncio.run(stop())
    except errors.ServiceError as error:
        raise NotDoneError(f"Not every task has stopped ({error.message}). Longshore is left running.") from error
    except TimeoutError as error:
        raise NotDoneError(
            f"Not every task has stopped within {TASKS_TIMEOUT_S:.0f} s. Longshore is left running."
        ) from error
    if count:
        say(f"Stopped {running_tasks.counted(count)}.")


def _count(running: holder.Holder) -> int:
    """How many tasks run; zero where it cannot be told."""

    async def count() -> int:
        async with asyncio.timeout(COUNT_TIMEOUT_S), _client(running) as client:
            return len(await running_tasks.running(client))

    with contextlib.suppress(errors.ServiceError, TimeoutError):
        return asyncio.run(count())
    return 0


def _client(running: holder.Holder) -> clients.Client:
    return clients.Client(addresses=control_plane.client_addresses(running.port_base))


def _terminate(running: holder.Holder) -> None:
    """Ask the process to end, and wait for it."""
    with contextlib.suppress(ProcessLookupError):
        os.kill(running.pid, signal.SIGTERM)
    end = time.monotonic() + STOP_TIMEOUT_S
    while running.alive():
        if time.monotonic() > end:
            raise NotDoneError(f"pid {running.pid} has not ended after {STOP_TIMEOUT_S:.0f} s.")
        time.sleep(POLL_S)
