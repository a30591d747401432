"""Agents that lose their state-tracker all at once: how soon all of them hold a session again, and what that costs.

    make bench ARGS='--only reconnection --agents 10000'

Registry, scheduler, state-tracker and `longshore simulate` are a process each over PostgreSQL with fsync and Redis, one connection an
instance; all instances run tasks. The tracker is killed with -9 and started again, and all agents come to it; then a second one is started,
the first is killed, and all agents go to the second. What is stored must be what it was before.
"""

import argparse
import asyncio
import contextlib
import functools
import json
import re
import sys
import time
import urllib.request
from collections.abc import AsyncIterator, Iterator
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

from benchmarks import catalogue, figures, machine
from longshore.client import addresses
from longshore.client import client as clients
from longshore.rpc import probe
from longshore.storage import database, steps
from longshore.v1 import registry_service_pb2, scheduler_service_pb2, task_definition_pb2, task_pb2
from tests.engines import ports, processes
from tests.integration.fleet import large

AGENTS = 10_000
TASKS_EACH = 4
GOAL_S = 30.0
BOUND_S = 900.0
_METRIC = re.compile(r"^longshore_state_tracker_(\w+) ([0-9.e+]+)$", re.MULTILINE)


@dataclass(slots=True)
class Tracker:
    """A state-tracker process with its page of metrics."""

    address: str
    page: str
    process: processes.ServerProcess

    def start(self) -> None:
        """Start it, and wait until it serves."""
        self.process.start(functools.partial(_serves, self.address))

    def counts(self) -> dict[str, float]:
        """Its counters and gauges; all zero while it cannot say."""
        try:
            with urllib.request.urlopen(f"http://{self.page}/metrics", timeout=10) as answer:
                return {name: float(value) for name, value in _METRIC.findall(answer.read().decode())}
        except OSError:
            return {}


@dataclass(slots=True)
class Fleet:
    """`longshore simulate`, and what it said last."""

    pid: int = 0
    said: dict[str, Any] = field(default_factory=dict)
    heard: asyncio.Event = field(default_factory=asyncio.Event)

    async def until_sessions(self, count: int) -> None:
        """Wait until so many hold a session by a line that was not there before."""
        self.heard.clear()
        while True:
            await self.heard.wait()
            self.heard.clear()
            if self.said["sessions"] == count:
                return


@dataclass(frozen=True, slots=True)
class Truth:
    """What the tables say. A reconnection changes none of it."""

    running: int
    unreleased: int
    observed: int
    """Sum of the revisions of all observations."""
    changes: int
    """Sum of the versions of all instances: registered, connected, disconnected."""


@dataclass(frozen=True, slots=True)
class Return:
    """How all came back."""

    seconds: float
    opened: float
    full_sets: float
    postponed: float
    memory_mib: float
    processor_s: float
    fleet_processor_s: float


def measure(folder: Path, options: argparse.Namespace) -> list[figures.Figure]:
    """Kill, start, wait; and again with another to go to."""
    agents: int = options.agents
    tasks = agents * TASKS_EACH
    with machine.servers() as (postgres, redis), contextlib.ExitStack() as stack:
        url = postgres.create_database()
        first, second, at = _planes(stack, folder, url, redis.fresh_url())
        joined_s, back, moved, before, after = asyncio.run(_run(url, first, second, at, agents))
    if before != after:
        raise AssertionError(f"the tables say something else than before: {before}, now {after}")
    what = f"{agents:,} agents, {tasks:,} tasks running"
    return [
        figures.Figure(f"{what}: all joined, the first time", joined_s, "s"),
        *_told(f"{what}: tracker killed and started again", back),
        *_told(f"{what}: one of two trackers killed", moved),
    ]


def _told(what: str, back: Return) -> Iterator[figures.Figure]:
    notes = (
        f"{back.opened:,.0f} sessions opened, {back.full_sets:,.0f} full sets sent, {back.postponed:,.0f} told to come later; processor "
        f"time: tracker {back.processor_s:.1f} s, fleet {back.fleet_processor_s:.1f} s"
    )
    yield figures.Figure(
        f"{what}: all sessions open again", back.seconds, "s", goal=figures.at_most(GOAL_S, "s"), notes=notes
    )
    yield figures.Figure(f"{what}: most memory of the tracker", back.memory_mib, "MiB")


def _planes(
    stack: contextlib.ExitStack, folder: Path, url: str, events: str
) -> tuple[Tracker, Tracker, addresses.Addresses]:
    """Registry and scheduler, serving, and two trackers that are not started yet."""
    free = [f"127.0.0.1:{ports.free_port()}" for _ in range(6)]
    registry, scheduler, *trackers = free[:4]
    told = ["--database-url", url, "--events-url", events, "--registry", registry, "--scheduler", scheduler]
    told += ["--state-tracker", ",".join(trackers)]

    def process(name: str, component: str, *words: str) -> processes.ServerProcess:
        command = [sys.executable, "-m", f"longshore.{component}", *told, *words]
        made = processes.ServerProcess(name, command, log=folder / f"{name}.log")
        stack.callback(made.kill)
        return made

    keys = ["--seal-key-file", str(folder / "seal.key"), "--make-seal-key"]
    process("registry", "registry", "--listen", registry, *keys).start(functools.partial(_serves, registry))
    process("scheduler", "scheduler", "--listen", scheduler).start(functools.partial(_serves, scheduler))
    first, second = (
        Tracker(address, page, process(name, "state_tracker", "--listen", address, "--metrics-listen", page))
        for name, address, page in zip(("first", "second"), trackers, free[4:], strict=True)
    )
    return first, second, addresses.Addresses((registry,), (scheduler,), tuple(trackers))


def _serves(address: str) -> bool:
    return asyncio.run(probe.check(address, timeout_s=1.0)) == "SERVING"


async def _run(
    url: str, first: Tracker, second: Tracker, at: addresses.Addresses, agents: int
) -> tuple[float, Return, Return, Truth, Truth]:
    await asyncio.to_thread(first.start)
    async with clients.Client(addresses=at, deadline_s=BOUND_S) as client, asyncio.timeout(BOUND_S):
        await client.call(client.registry.CreateCluster, registry_service_pb2.CreateClusterRequest())
        container = task_definition_pb2.ContainerDefinition(name="main", image="busybox", cpu=large.CPU, memory=4)
        definition = registry_service_pb2.RegisterTaskDefinitionRequest(family="sim", container_definitions=[container])
        await client.call(client.registry.RegisterTaskDefinition, definition)
        began = time.monotonic()
        async with _fleet(at, agents) as fleet:
            await fleet.until_sessions(agents)
            joined_s = time.monotonic() - began
            await _fill(client, agents * TASKS_EACH)
            before = await _settled(url, agents * TASKS_EACH)
            first.process.kill()
            began = time.monotonic()
            await asyncio.to_thread(first.start)
            back = await _returned(first, fleet, agents, began)
            await asyncio.to_thread(second.start)
            first.process.kill()
            began = time.monotonic()
            moved = await _returned(second, fleet, agents, began)
            return joined_s, back, moved, before, await _settled(url, agents * TASKS_EACH)


async def _fill(client: clients.Client, tasks: int) -> None:
    for start in range(0, tasks, large.BULK):
        one = scheduler_service_pb2.RunTaskRequest(task_definition="sim")
        request = scheduler_service_pb2.RunTasksRequest(run_task=one, count=min(large.BULK, tasks - start))
        answer = await client.call(client.scheduler.RunTasks, request)
        if answer.failures:
            raise AssertionError(f"not placed: {answer.failures[0]}")


async def _returned(tracker: Tracker, fleet: Fleet, agents: int, began: float) -> Return:
    """Wait until the tracker holds all sessions, and the agents know it."""
    memory, processor, fleet_before = 0.0, 0.0, large.used(fleet.pid)[1]
    while True:
        counts = await asyncio.to_thread(tracker.counts)
        memory, processor = large.used(tracker.process.pid)
        if counts.get("sessions") == agents and fleet.said["sessions"] == agents:
            return Return(
                time.monotonic() - began,
                counts["sessions_opened_total"],
                counts["full_sets_total"],
                counts["sessions_postponed_total"],
                memory,
                processor,
                large.used(fleet.pid)[1] - fleet_before,
            )
        await asyncio.sleep(0.2)


@contextlib.asynccontextmanager
async def _fleet(at: addresses.Addresses, agents: int) -> AsyncIterator[Fleet]:
    command = [sys.executable, "-m", "longshore.agent.simulated", "--instances", str(agents), "--keep"]
    command += ["--cpu", str(2 * TASKS_EACH * large.CPU), "--output", "json", "--every", "0.25"]
    command += ["--registry", ",".join(at.registry), "--state-tracker", ",".join(at.state_tracker)]
    command += ["--image-pull-behavior", "prefer-cached", "--max-launches", "64"]
    process = await asyncio.create_subprocess_exec(*command, stdout=asyncio.subprocess.PIPE)
    fleet = Fleet(process.pid)

    async def listen() -> None:
        assert process.stdout is not None
        async for line in process.stdout:
            fleet.said = json.loads(line)
            fleet.heard.set()

    listening = asyncio.create_task(listen())
    try:
        yield fleet
    finally:
        process.kill()  # thousands of instances would take their time to leave, and nobody measures that
        await listening
        await process.wait()


async def _settled(url: str, tasks: int) -> Truth:
    """What is stored, once all tasks run."""
    opened = await database.open_database(url)
    try:
        while True:
            found = await opened.read(lambda _: _truth())
            if found.running == tasks:
                return found
            await asyncio.sleep(1.0)
    finally:
        await opened.close()


def _truth() -> steps.Step[Truth]:
    tasks = yield from steps.fetch_row(
        f"SELECT COUNT(*) FILTER (WHERE last_status = {task_pb2.TASK_STATUS_RUNNING}) AS running,"  # noqa: S608 - a number
        " COUNT(*) FILTER (WHERE released = 0) AS unreleased, CAST(COALESCE(SUM(revision), 0) AS BIGINT) AS observed"
        " FROM task_observations"
    )
    changes = yield from steps.fetch_value("SELECT CAST(SUM(version) AS BIGINT) FROM container_instances")
    assert tasks is not None
    return Truth(tasks["running"], tasks["unreleased"], tasks["observed"], changes)


def _flags(parser: argparse.ArgumentParser) -> None:
    parser.add_argument("--agents", type=int, default=AGENTS, help="reconnection: simulated instances")


BENCHMARK = catalogue.Benchmark("reconnection", "agents that lose their state-tracker at once", measure, flags=_flags)
