"""Many tasks over many simulated instances, every component a process of its own over PostgreSQL and Redis; and the truth about it by SQL.

Used by a test for its correctness, and by `benchmarks/fleet.py` for its figures.
"""

import asyncio
import contextlib
import functools
import json
import sys
import time
from collections import defaultdict
from collections.abc import AsyncIterator, Iterator
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

from longshore.client import addresses
from longshore.client import client as clients
from longshore.rpc import probe
from longshore.storage import database, steps
from longshore.v1 import registry_service_pb2, scheduler_service_pb2, task_definition_pb2, task_pb2
from tests.engines import ports, processes

CPU = 16
"""CPU units of a task."""
BULK = 10_000
COMPONENTS = ("registry", "scheduler", "state_tracker")


@dataclass(frozen=True, slots=True)
class Size:
    """How large it is. Every place of the fleet is taken, so that nothing more fits."""

    instances: int
    tasks: int
    bound_s: float

    @property
    def cpu(self) -> int:
        """CPU units of an instance."""
        return CPU * -(-self.tasks // self.instances)


@dataclass(slots=True)
class Outcome:
    """What was asked for, heard and found."""

    task_ids: list[str] = field(default_factory=list)
    statuses: dict[str, list[int]] = field(default_factory=lambda: defaultdict(list))
    """By task, the statuses that a watcher was told, in order; a change that leaves the status (a pull begins) is none."""
    sequences: list[int] = field(default_factory=list)
    placed_s: float = 0.0
    running_s: float = 0.0
    joined_s: float = 0.0
    fleet: dict[str, Any] = field(default_factory=dict)
    """What `longshore simulate` said last."""
    memory_mib: dict[str, float] = field(default_factory=dict)
    """Most memory of each process."""
    processor_s: dict[str, float] = field(default_factory=dict)


@dataclass(frozen=True, slots=True)
class ControlPlane:
    """Components that serve."""

    addresses: addresses.Addresses
    processes: dict[str, processes.ServerProcess]

    def restart(self, name: str) -> None:
        """Kill a component and start it again; returns once it serves."""
        self.processes[name].kill()
        at = {"registry": self.addresses.registry, "scheduler": self.addresses.scheduler}.get(
            name, self.addresses.state_tracker
        )
        self.processes[name].start(functools.partial(_serves, at[0]))


@contextlib.contextmanager
def control_plane(folder: Path, database_url: str, events_url: str) -> Iterator[ControlPlane]:
    """The components, serving."""
    at = {name: f"127.0.0.1:{ports.free_port()}" for name in COMPONENTS}
    made: dict[str, processes.ServerProcess] = {}
    with contextlib.ExitStack() as stack:
        for name, address in at.items():
            told = ["--database-url", database_url, "--events-url", events_url, "--listen", address]
            told += [word for other, where in at.items() for word in (f"--{other.replace('_', '-')}", where)]
            if name == "registry":
                told += ["--seal-key-file", str(folder / "seal.key"), "--make-seal-key"]
            command = [sys.executable, "-m", f"longshore.{name}", *told]
            made[name] = processes.ServerProcess(name, command, log=folder / f"{name}.log")
            stack.callback(made[name].kill)
            made[name].start(functools.partial(_serves, address))
        where = addresses.Addresses((at["registry"],), (at["scheduler"],), (at["state_tracker"],))
        yield ControlPlane(where, made)


def _serves(address: str) -> bool:
    return asyncio.run(probe.check(address, timeout_s=1.0)) == "SERVING"


async def run(plane: ControlPlane, size: Size) -> Outcome:
    """Join the fleet, fill it to the last place, and wait until a watcher has seen all of it run."""
    outcome = Outcome()
    at = plane.addresses
    async with clients.Client(addresses=at, deadline_s=size.bound_s) as client, asyncio.timeout(size.bound_s):
        await client.call(client.registry.CreateCluster, registry_service_pb2.CreateClusterRequest())
        container = task_definition_pb2.ContainerDefinition(name="main", image="busybox", cpu=CPU, memory=4)
        await client.call(
            client.registry.RegisterTaskDefinition,
            registry_service_pb2.RegisterTaskDefinitionRequest(family="sim", container_definitions=[container]),
        )
        began = time.monotonic()
        async with fleet(at, size, outcome) as pid:
            outcome.joined_s = time.monotonic() - began
            await _fill(client, size, outcome)
            measured = {name: process.pid for name, process in plane.processes.items()} | {"fleet": pid}
            for name, one in measured.items():
                outcome.memory_mib[name], outcome.processor_s[name] = used(one)
            refused = await client.call(client.scheduler.RunTasks, _request(1))
            assert not refused.task_ids
            assert [failure.reason for failure in refused.failures] == ["RESOURCE:CPU"]
    return outcome


async def _fill(client: clients.Client, size: Size, outcome: Outcome) -> None:
    async with contextlib.aclosing(client.watch(cluster="default")) as batches:
        await anext(batches)
        began = time.monotonic()
        placing = asyncio.create_task(_place(client, size, outcome, began))
        running = 0
        while running < size.tasks:
            for event in (await anext(batches)).events:
                outcome.sequences.append(event.sequence)
                if event.HasField("task"):
                    told = outcome.statuses[event.task.task_id]
                    if told[-1:] != [event.task.last_status]:
                        told.append(event.task.last_status)
                        running += event.task.last_status == task_pb2.TASK_STATUS_RUNNING
        outcome.running_s = time.monotonic() - began
        await placing


async def _place(client: clients.Client, size: Size, outcome: Outcome, began: float) -> None:
    for start in range(0, size.tasks, BULK):
        count = min(BULK, size.tasks - start)
        answer = await client.call(client.scheduler.RunTasks, _request(count))
        assert not answer.failures, answer.failures
        outcome.task_ids += answer.task_ids
    outcome.placed_s = time.monotonic() - began


def _request(count: int) -> scheduler_service_pb2.RunTasksRequest:
    one = scheduler_service_pb2.RunTaskRequest(task_definition="sim")
    return scheduler_service_pb2.RunTasksRequest(run_task=one, count=count)


@contextlib.asynccontextmanager
async def fleet(at: addresses.Addresses, size: Size, outcome: Outcome) -> AsyncIterator[int]:
    """`longshore simulate`, joined; its process id."""
    command = [sys.executable, "-m", "longshore.agent.simulated", "--instances", str(size.instances)]
    command += ["--cpu", str(size.cpu), "--memory", "100000", "--output", "json", "--every", "0.5", "--keep"]
    command += ["--registry", at.registry[0], "--state-tracker", at.state_tracker[0]]
    command += ["--image-pull-behavior", "prefer-cached", "--max-launches", "64"]
    process = await asyncio.create_subprocess_exec(*command, stdout=asyncio.subprocess.PIPE)
    assert process.stdout is not None
    joined = asyncio.Event()

    async def listen() -> None:
        assert process.stdout is not None
        async for line in process.stdout:
            outcome.fleet = json.loads(line)
            if outcome.fleet["sessions"] == size.instances:
                joined.set()

    listening = asyncio.create_task(listen())
    try:
        await joined.wait()
        yield process.pid
    finally:
        process.terminate()
        await listening
        await process.wait()


def used(pid: int) -> tuple[float, float]:
    """Most memory of a process in MiB, and its processor time in seconds."""
    status = dict(line.split(":", 1) for line in Path(f"/proc/{pid}/status").read_text().splitlines())
    times = Path(f"/proc/{pid}/stat").read_text().rpartition(")")[2].split()
    ticks = int(times[11]) + int(times[12])
    return int(status["VmHWM"].split()[0]) / 1024, ticks / 100


@dataclass(frozen=True, slots=True)
class Stored:
    """What the tables say."""

    intents: int
    running: int
    unreleased_cpu: tuple[int, ...]
    """CPU units that each instance holds."""
    counted: tuple[int, int]
    """PENDING and RUNNING by the cluster's counters."""
    events: int
    log_mib: float
    """What PostgreSQL has written to its write-ahead log, from its beginning on."""
    tables_mib: float


async def stored(url: str) -> Stored:
    """Count by SQL."""
    opened = await database.open_database(url)
    try:

        async def value(sql: str) -> int:
            return int(await opened.read(lambda _: steps.fetch_value(sql)) or 0)

        held = await opened.read(
            lambda _: steps.fetch(
                "SELECT i.instance_id, CAST(SUM(i.cpu) AS BIGINT) AS cpu FROM task_intents i LEFT JOIN task_observations o"
                " ON o.task_id = i.task_id WHERE COALESCE(o.released, 0) = 0 GROUP BY i.instance_id"
            )
        )
        return Stored(
            intents=await value("SELECT COUNT(*) FROM task_intents"),
            running=await value(
                f"SELECT COUNT(*) FROM task_observations WHERE last_status = {task_pb2.TASK_STATUS_RUNNING}"  # noqa: S608
            ),
            unreleased_cpu=tuple(row["cpu"] for row in held),
            counted=(
                await value("SELECT pending_tasks FROM log_head WHERE cluster = 'default'"),
                await value("SELECT running_tasks FROM log_head WHERE cluster = 'default'"),
            ),
            events=await value("SELECT COUNT(*) FROM events WHERE cluster = 'default'"),
            log_mib=await value("SELECT pg_wal_lsn_diff(pg_current_wal_lsn(), '0/0')::bigint") / 2**20,
            tables_mib=await value("SELECT pg_database_size(current_database())") / 2**20,
        )
    finally:
        await opened.close()
