"""What `longshore down --purge` takes away: containers of stopped tasks, state, logs. Only what `up` has made."""

import json
import shutil
import time
import urllib.error
import urllib.request
from pathlib import Path

from longshore.embedded import config, holder

AT_ONCE = {"LONGSHORE_CLEANUP_WAIT": "1"}
"""Settings of a stack whose agent removes the containers of stopped tasks without the usual hours of patience."""

LAST_FILE = "last"
"""What the agent looks for in its state folder when it ends."""

REMOVED_TIMEOUT_S = 60.0
"""Removing some dozens of containers on a busy disk."""

HTTP_TIMEOUT_S = 5.0
POLL_S = 0.1
"""The agent's introspection has no events."""


def agent_tasks(port_base: int) -> int | None:
    """How many tasks the agent still knows, stopped ones included; None where it does not answer."""
    url = f"http://127.0.0.1:{config.introspection_port(port_base)}/v1/tasks"
    try:
        with urllib.request.urlopen(url, timeout=HTTP_TIMEOUT_S) as answer:
            return len(json.load(answer)["Tasks"] or ())
    except (OSError, ValueError, urllib.error.URLError):
        return None


def wait_until_removed(port_base: int) -> bool:
    """Wait until the agent has removed what belongs to stopped tasks; False where it takes too long."""
    end = time.monotonic() + REMOVED_TIMEOUT_S
    while agent_tasks(port_base) != 0:
        if time.monotonic() > end:
            return False
        time.sleep(POLL_S)
    return True


def say_that_it_is_the_last(folders: config.Folders) -> None:
    """Tell the agent, by a file beside its state, that nothing of it is to stay on the host once it ends: the network of tasks."""
    if folders.agent.is_dir():
        (folders.agent / LAST_FILE).touch()


def delete(folders: config.Folders) -> None:
    """Delete a stack's files, by name: a folder that a person named may hold other things."""
    for pattern in (f"{folders.database.name}*", f"{Path(holder.NAME).stem}.*"):
        for path in folders.state.glob(pattern):
            path.unlink(missing_ok=True)
    folders.seal_key.unlink(missing_ok=True)
    shutil.rmtree(folders.agent, ignore_errors=True)
    for log in (folders.control_plane_log, folders.agent_log, folders.agent_output, folders.up_output):
        for path in log.parent.glob(f"{log.name}*"):
            path.unlink(missing_ok=True)
    for folder in (folders.logs, folders.state):
        try:
            folder.rmdir()
        except OSError:
            continue  # not there, or others keep files in it
