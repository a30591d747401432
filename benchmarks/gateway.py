"""What ECS's wire costs: the same calls over gRPC beside it, and the emulator that a user would pick instead.

`longshore up` without containers (its agent is simulated) and the moto server are processes of their own, and so is this client. All calls
take turns in one run, so that a machine that slows down slows them all. The client is as lean as can be (`exchanges`): it reads answers
and does not parse them, for either side; the gRPC client does parse, as there is no other way to read its answers.
"""

import argparse
import asyncio
import contextlib
import time
from collections.abc import Awaitable, Callable, Iterator, Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from benchmarks import catalogue, exchanges, figures
from longshore.client import client as clients
from longshore.embedded import config, control_plane, holder
from longshore.rpc import codec
from longshore.v1 import scheduler_service_pb2, state_tracker_service_pb2
from tests.conformance import emulator
from tests.e2e import stacks
from tests.engines import docker, ports

TURNS = 200
"""Of each call, for what the gateway adds."""

WARM_TURNS = 30
"""Before, not counted."""

ADDED_GOAL_MS = 3.0
RATE_GOAL = 600

TASKS = 100
"""Described by one call: the most that ECS takes."""

PER_RUN = 10
"""Tasks of one RunTask: the most that ECS takes."""

CONCURRENCIES = (1, 2, 4, 8, 16)
TRIAL_S = 0.7
"""Of one concurrency; the best counts."""

ROUNDS = 8
"""An even number: who goes first takes turns."""

ROUND_S = 1.0

DEFINITION: Mapping[str, Any] = {
    "family": "benchmark",
    "containerDefinitions": [
        {
            "name": "main",
            "image": "busybox",
            "cpu": 1,
            "memory": 4,
            "essential": True,
            "command": ["sleep", "600"],
            "environment": [{"name": "STAGE", "value": "benchmark"}],
            "portMappings": [{"containerPort": 80, "protocol": "tcp"}],
        }
    ],
}
"""A service of some use."""

RUN: dict[str, Any] = {"cluster": "default", "taskDefinition": "benchmark", "count": 1}

Ask = Callable[[], Awaitable[Any]]


@dataclass(frozen=True, slots=True)
class Side:
    """Somebody who speaks ECS's wire, with what the calls are about."""

    port: int
    tasks: Sequence[str]

    def request(self, operation: str, document: Mapping[str, Any]) -> bytes:
        """A request to it."""
        return exchanges.request(operation, document, port=self.port)


@dataclass(frozen=True, slots=True, eq=False)
class Cycle:
    """What is done again and again on a connection to one side."""

    port: int
    once: Callable[[exchanges.Connection], Awaitable[None]]


def measure(folder: Path, _options: argparse.Namespace) -> list[figures.Figure]:
    """Start both sides and measure."""
    with _longshore(folder) as stack, emulator.running(folder) as url:
        return asyncio.run(_measure(stack, int(url.rpartition(":")[2])))


@contextlib.contextmanager
def _longshore(folder: Path) -> Iterator[stacks.Stack]:
    """`longshore up --no-agent`, and an instance on which everything runs at once."""
    base = ports.free_range(len(holder.ports(0)))
    # No container is run: any engine will do.
    engine: docker.DockerEngine = docker.DockerEngine("unix:///nonexistent")
    stack = stacks.Stack("embedded", folder, control_plane.client_addresses(base), engine, gateway_port=base)
    folders = config.folders(folder / "state")
    up = ["-m", "longshore.embedded", "up", "--no-agent", "--state-dir", str(folders.state), "--port-base", str(base)]

    def ready() -> bool:
        running = holder.read(folders.state)
        return running is not None and running.ready

    stack.add("up", up, {}, ready)
    agent = ["-m", "benchmarks.simulated_agent", stack.addresses.state_tracker[0], "default"]
    root = str(Path(__file__).parents[1])
    stack.add("agent", agent, {"PYTHONPATH": root}, lambda: stacks.joined(stack))
    try:
        stack.start()
        yield stack
    finally:
        stack.stop()


async def _measure(stack: stacks.Stack, emulator_port: int) -> list[figures.Figure]:
    gateway_port = int(stack.gateway.rpartition(":")[2])
    async with stack.client() as client:
        ours = await _side(gateway_port)
        theirs = await _side(emulator_port)
        return [
            *[await _added(stack, operation, ours, ask) for operation, ask in _over_grpc(client, ours).items()],
            await _rate(
                "DescribeTasks of 1 task",
                _asking(ours, "DescribeTasks"),
                _asking(theirs, "DescribeTasks"),
                goal=RATE_GOAL,
            ),
            await _rate("ListTasks", _asking(ours, "ListTasks"), _asking(theirs, "ListTasks")),
            await _rate("RunTask, StopTask", _running(ours), _running(theirs)),
        ]


async def _side(port: int) -> Side:
    """Register the definition and run what is described."""
    connection = exchanges.Connection(port)
    with contextlib.closing(connection):

        async def ask(operation: str, document: Mapping[str, Any]) -> Any:
            return (await connection.ask(exchanges.request(operation, document, port=port))).document()

        await ask("RegisterTaskDefinition", DEFINITION)
        answers = [await ask("RunTask", RUN | {"count": PER_RUN}) for _ in range(TASKS // PER_RUN)]
    return Side(port, [task["taskArn"] for answer in answers for task in answer["tasks"]])


def _document(operation: str, side: Side, *, tasks: int) -> Mapping[str, Any]:
    documents: Mapping[str, Mapping[str, Any]] = {
        "ListTasks": {"cluster": "default", "maxResults": 100},
        "DescribeTasks": {"cluster": "default", "tasks": side.tasks[:tasks]},
        "RunTask": RUN,
    }
    return documents[operation]


# ------------------------------------------------------------------------------------------- what it adds


def _over_grpc(client: clients.Client, side: Side) -> dict[str, Ask]:
    """The calls by the public client library, as any program makes them."""
    tracker = client.state_tracker

    def ask(method: Any, kind: type[Any], operation: str) -> Ask:
        request = codec.from_json(kind, _document(operation, side, tasks=TASKS))
        return lambda: client.call(method, request)

    return {
        "ListTasks": ask(tracker.ListTasks, state_tracker_service_pb2.ListTasksRequest, "ListTasks"),
        "DescribeTasks": ask(tracker.DescribeTasks, state_tracker_service_pb2.DescribeTasksRequest, "DescribeTasks"),
        "RunTask": ask(client.scheduler.RunTask, scheduler_service_pb2.RunTaskRequest, "RunTask"),
    }


async def _added(stack: stacks.Stack, operation: str, side: Side, over_grpc: Ask) -> figures.Figure:
    """One call both ways, in turns."""
    asked = side.request(operation, _document(operation, side, tasks=TASKS))
    wire: list[float] = []
    bare: list[float] = []
    with contextlib.closing(exchanges.Connection(side.port)) as connection:

        async def over_wire() -> None:
            answer = await connection.ask(asked)
            if answer.status != 200:
                answer.document()

        for turn in range(WARM_TURNS + TURNS):
            ways = ((over_wire, wire), (over_grpc, bare))
            for ask, kept in ways if turn % 2 else reversed(ways):
                took = await _timed(ask)
                if turn >= WARM_TURNS:
                    kept.append(took)
    added = [ours - theirs for ours, theirs in zip(wire, bare, strict=True)]
    typical = figures.median(added)
    what = f"{operation} of {TASKS} tasks" if operation == "DescribeTasks" else operation
    return figures.Figure(
        name=f"{what} over the gateway ({stack.name})",
        value=figures.median(wire),
        unit="ms",
        peer=figures.median(bare),
        peer_name="the gRPC call",
        goal=figures.Goal(f"≤ {ADDED_GOAL_MS:g} ms more", lambda _: typical <= ADDED_GOAL_MS),
        samples=wire,
        peer_samples=bare,
        parts={
            "added": typical,
            "added p95": _percentile(added, 95),
            "p95": _percentile(wire, 95),
            "p95 of gRPC": _percentile(bare, 95),
        },
        notes=f"{TURNS} turns, one call at a time",
    )


async def _timed(ask: Ask) -> float:
    began = time.perf_counter()
    await ask()
    return (time.perf_counter() - began) * 1000


def _percentile(samples: Sequence[float], percent: int) -> float:
    return sorted(samples)[min(len(samples) - 1, len(samples) * percent // 100)]


# ------------------------------------------------------------------------------------------- beside the emulator


async def _rate(name: str, ours: Cycle, theirs: Cycle, *, goal: int = 0) -> figures.Figure:
    """Cycles a second of both sides, each at its best concurrency, in turns."""
    best = {cycle: await _best(cycle) for cycle in (ours, theirs)}
    rates: dict[Cycle, list[float]] = {ours: [], theirs: []}
    for number in range(ROUNDS):
        for cycle in (ours, theirs) if number % 2 == 0 else (theirs, ours):
            rates[cycle].append(await _a_second(cycle, best[cycle], ROUND_S))
    return figures.Figure(
        name=f"{name} over HTTP",
        value=figures.median(rates[ours]),
        unit="/s",
        peer=figures.median(rates[theirs]),
        peer_name=f"moto server, {best[theirs]} at a time",
        goal=figures.Goal(
            f"≥ {goal}, > 1 x" if goal else "> 1 x", lambda figure: _ahead(figure) and figure.value >= goal
        ),
        samples=rates[ours],
        peer_samples=rates[theirs],
        notes=f"{ROUNDS} rounds of {ROUND_S:g} s in turns, {best[ours]} at a time; client, gateway and components share the cores",
    )


async def _best(cycle: Cycle) -> int:
    rates = {concurrency: await _a_second(cycle, concurrency, TRIAL_S) for concurrency in CONCURRENCIES}
    return max(rates, key=lambda concurrency: rates[concurrency])


async def _a_second(cycle: Cycle, concurrency: int, seconds: float) -> float:
    end = time.perf_counter() + seconds

    async def go_on() -> int:
        count = 0
        with contextlib.closing(exchanges.Connection(cycle.port)) as connection:
            while time.perf_counter() < end:
                await cycle.once(connection)
                count += 1
        return count

    began = time.perf_counter()
    counts = await asyncio.gather(*(go_on() for _ in range(concurrency)))
    return sum(counts) / (time.perf_counter() - began)


def _asking(side: Side, operation: str) -> Cycle:
    """One call, again and again."""
    asked = side.request(operation, _document(operation, side, tasks=1))

    async def once(connection: exchanges.Connection) -> None:
        answer = await connection.ask(asked)
        if answer.status != 200:
            answer.document()

    return Cycle(side.port, once)


def _running(side: Side) -> Cycle:
    """A task is run and stopped: the emulator's one machine is small, and has room again only for what was stopped."""
    asked = side.request("RunTask", RUN)

    async def once(connection: exchanges.Connection) -> None:
        answer = (await connection.ask(asked)).document()
        if len(answer["tasks"]) != 1:
            raise RuntimeError(f"one task was to be run: {answer}")
        stop = side.request("StopTask", {"cluster": "default", "task": answer["tasks"][0]["taskArn"]})
        (await connection.ask(stop)).document()

    return Cycle(side.port, once)


def _ahead(figure: figures.Figure) -> bool:
    return figure.ratio is not None and figure.ratio > 1


BENCHMARK = catalogue.Benchmark("gateway", "ECS's wire", measure, catalogue.HOSTS)
