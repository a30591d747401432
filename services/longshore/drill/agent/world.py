"""The world of an agent's drill: control plane, line, agent and engine, in a folder of its own, and nothing of it left afterwards."""

import contextlib
import os
import secrets
import shutil
import tempfile
from collections.abc import AsyncIterator
from dataclasses import dataclass
from pathlib import Path

from longshore.client import client as clients
from longshore.drill import disk, journal, line, on_host, own_ports, remains
from longshore.drill.agent import config, history, kinds, leftovers, own_agent, own_control_plane, own_engine

CLEANUP_WAIT_S = 5
"""After so long the agent removes what is left of a stopped task: the drill sees it do so all the time."""

_AGENT_DISK_MIB = 8
_ENGINE_DISK_MIB = 192
_ROOM = 0.8
"""The memory that is offered, in parts of what the tasks come to on average: sometimes there is too little for all."""

_MIB = 1024 * 1024


@dataclass(frozen=True, slots=True)
class World:
    """All that there is."""

    engine: own_engine.OwnEngine
    agent: own_agent.OwnAgent
    line: line.Line
    agent_disk: disk.Disk
    engine_disk: disk.Disk
    client: clients.Client
    stories: Path
    home: Path


@contextlib.asynccontextmanager
async def made(options: config.Agent, logs: Path, notes: journal.Journal) -> AsyncIterator[World]:
    """Have it there for the time of the block; the agent is not started yet. Afterwards nothing of it is left."""
    # Short, for the sockets in it, and nobody else's to look into.
    home = Path(tempfile.mkdtemp(prefix=remains.PREFIX, dir=remains.FOLDER))
    async with contextlib.AsyncExitStack() as stack:
        stack.callback(shutil.rmtree, home, ignore_errors=True)
        stack.callback(remains.held(home).close)
        stories = home / "stories"
        stories.mkdir()
        engine_disk = disk.Disk(home / "engine.img", home / "d", _ENGINE_DISK_MIB)
        engine = own_engine.OwnEngine(home, engine_disk, logs)
        notes.write("world", home=str(home), bridge=engine.bridge, engine=engine.url)
        stack.callback(_sweep, home, notes)
        stack.push_async_callback(engine.remove)
        remains.name_bridge(home, engine.bridge)
        await engine.make()
        await engine.start(live_restore=options.live_restore != "off")
        await engine.load()
        agent_disk = disk.Disk(home / "agent.img", home / "agent", _AGENT_DISK_MIB)
        stack.push_async_callback(agent_disk.unmount)
        await agent_disk.mount()
        plane = own_control_plane.OwnControlPlane(home / "plane", logs)
        stack.push_async_callback(plane.stop)
        await plane.start()
        between = line.Line(plane.address("state_tracker"))
        stack.push_async_callback(between.close)
        await between.mend()
        client = await stack.enter_async_context(clients.Client(addresses=plane.addresses))
        agent = own_agent.OwnAgent(_agent_settings(options, plane, between, engine, agent_disk, logs), logs, notes)
        yield World(engine, agent, between, agent_disk, engine_disk, client, stories, home)


def _sweep(home: Path, notes: journal.Journal) -> None:
    if told := on_host.end_forgotten(home):
        notes.write("left", found={history.FORGOTTEN: told})
    leftovers.remove_groups({record["task"] for record in notes.records if record["what"] == "accepted"})


def _agent_settings(
    options: config.Agent,
    plane: own_control_plane.OwnControlPlane,
    between: line.Line,
    engine: own_engine.OwnEngine,
    agent_disk: disk.Disk,
    logs: Path,
) -> dict[str, str]:
    host, port = plane.address("registry")
    metadata_port = plane.spare_port
    # Not the usual address: the machine's own agent may have it, by an interface of another engine.
    metadata = f"169.254.{secrets.choice(range(100, 170))}.2:{metadata_port}"
    return {
        "LONGSHORE_CLUSTER": "default",
        "LONGSHORE_REGISTRY": f"{host}:{port}",
        "LONGSHORE_STATE_TRACKER": f"{own_ports.LOOPBACK}:{between.port}",
        "LONGSHORE_STATE_DIR": str(agent_disk.path),
        "LONGSHORE_DOCKER_HOST": engine.url,
        "LONGSHORE_PUBLISH_ADDRESS": own_ports.LOOPBACK,
        "LONGSHORE_INTROSPECTION_PORT": "0",
        "LONGSHORE_TASK_METADATA_ADDRESS": metadata,
        "LONGSHORE_TASK_METADATA_PORT": str(metadata_port),
        "LONGSHORE_CLEANUP_WAIT": str(CLEANUP_WAIT_S),
        "LONGSHORE_RESERVED_MEMORY": str(max(0, _memory_mib() - _offered_mib(options.tasks))),
        "LONGSHORE_LOG_FILE": str(logs / "agent.log"),
        "LONGSHORE_LOG_LEVEL": "debug",
    }


def _memory_mib() -> int:
    return os.sysconf("SC_PHYS_PAGES") * os.sysconf("SC_PAGE_SIZE") // _MIB


def _offered_mib(tasks: int) -> int:
    weights = sum(kind.weight for kind in kinds.KINDS.values())
    average = sum(kind.weight * kind.memory for kind in kinds.KINDS.values()) / weights
    wanted = max(tasks * average * _ROOM, *(kind.memory for kind in kinds.KINDS.values()))
    # Whatever fills it, a probe still fits.
    return int(wanted) // kinds.GRAIN_MIB * kinds.GRAIN_MIB + kinds.PROBE_MIB
