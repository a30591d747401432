"""What a drill's tasks have left on the host, beyond what the engine has of its own."""

import asyncio
import contextlib
import os
from collections.abc import Collection
from pathlib import Path

from longshore.drill.agent import own_engine

WAIT_S = 90.0
"""Well above the agent's wait before it removes things, and its pause after a removal that failed."""

_POLL_S = 0.5
_CGROUPS = Path("/sys/fs/cgroup")
_INTERNAL, _NETWORK = "com.longshore.internal", "network"


async def on_engine(engine: own_engine.OwnEngine, task_ids: Collection[str]) -> dict[str, list[str]]:
    """Containers and volumes that are there, and control groups of these tasks."""
    found = {
        "containers": (await engine.docker("ps", "--all", "--format", "{{.Names}}")).split(),
        "volumes": (await engine.docker("volume", "ls", "--quiet")).split(),
        "control groups": [str(group) for group in groups(task_ids)],
    }
    return {kind: names for kind, names in found.items() if names}


async def at_last(engine: own_engine.OwnEngine, task_ids: Collection[str]) -> dict[str, list[str]]:
    """What is still there when the agent had its time to remove it."""
    loop = asyncio.get_running_loop()
    deadline = loop.time() + WAIT_S
    while (found := await on_engine(engine, task_ids)) and loop.time() < deadline:  # noqa: ASYNC110 - nothing tells
        await asyncio.sleep(_POLL_S)
    return found


async def networks(engine: own_engine.OwnEngine) -> dict[str, list[str]]:
    """Networks that neither the engine nor an agent keeps for tasks to come; that of the task metadata goes with the agent."""
    template = f'{{{{.Name}}}} {{{{.Label "{_INTERNAL}"}}}}'
    listed = (await engine.docker("network", "ls", "--filter", "type=custom", "--format", template)).splitlines()
    found = [name for name, _, label in (line.partition(" ") for line in listed) if label != _NETWORK]
    return {"networks": found} if found else {}


def groups(task_ids: Collection[str]) -> list[Path]:
    """Control groups of these tasks, in each hierarchy; whoever their agent is, their ids are nobody else's."""
    homes = (*_CGROUPS.glob("longshore/*"), *_CGROUPS.glob("*/longshore/*"))
    return sorted(group for home in homes for task_id in task_ids if (group := home / task_id).is_dir())


def remove_groups(task_ids: Collection[str]) -> None:
    """Remove them, with what is in them and the group above: their agent is gone."""
    for group in groups(task_ids):
        for folder, _, _ in os.walk(group, topdown=False):
            with contextlib.suppress(OSError):  # still used: whoever looks afterwards tells
                os.rmdir(folder)  # noqa: PTH106 - os.walk gives names
        with contextlib.suppress(OSError):  # others are in it
            group.parent.rmdir()
