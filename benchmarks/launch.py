"""RunTask to RUNNING, and a burst of tasks on one host, beside the bare Docker API with the same container settings.

Both take turns in one run, so that a machine that slows down slows both. Mode, network, log driver and pull behaviour are those
of the figure's notes; the image is present.
"""

import asyncio
import contextlib
import time
from dataclasses import dataclass, field
from datetime import datetime

import aiodocker

from benchmarks import bare_docker, figures
from longshore.client import client as clients
from longshore.v1 import (
    registry_service_pb2,
    scheduler_service_pb2,
    state_tracker_service_pb2,
    task_definition_pb2,
    task_pb2,
)
from tests.e2e import stacks

TASK_ID_LABEL = "com.longshore.task-id"
COMMAND = ["sh", "-c", "trap 'exit 0' TERM; sleep 600 & wait"]
"""Ends at once when told to, so that clearing up costs no stop timeout."""

RUNS = 30
BURST = 60
PER_CALL = 10
"""Most tasks of one RunTask call."""

CONCURRENCIES = (2, 4, 8, 16)
"""Tried for the bare API; the best counts."""

ROUNDS = 3
WAIT_S = 180.0


@dataclass(slots=True)
class Launch:
    """One task from the call to RUNNING; times are seconds since the epoch, by this machine's one clock."""

    called: float
    answered: float
    committed: float
    created: float
    started: float
    recorded: float
    seen: float


@dataclass(slots=True)
class Hops:
    """Milliseconds by hop, over all launches."""

    samples: dict[str, list[float]] = field(default_factory=dict)

    def add(self, launch: Launch) -> None:
        """Split one launch."""
        for name, begin, end in (
            ("called to committed", launch.called, launch.committed),
            ("committed to created by Docker", launch.committed, launch.created),
            ("created to started by Docker", launch.created, launch.started),
            ("started to recorded", launch.started, launch.recorded),
            ("recorded to seen by the client", launch.recorded, launch.seen),
        ):
            self.samples.setdefault(name, []).append((end - begin) * 1000)

    def medians(self) -> dict[str, float]:
        """The median of each hop."""
        return {name: figures.median(values) for name, values in self.samples.items()}


async def measure(stack: stacks.Stack, *, runs: int = RUNS, burst: int = BURST) -> list[figures.Figure]:
    """Both launch figures of a running stack."""
    async with stack.client() as client, bare_docker.engine() as docker:
        name = await _register(client)
        await _one(client, docker, name)  # warm: caches, connections, the image's layers
        body = await bare_docker.settings_of(docker, await _container_of_last(docker))
        await bare_docker.launch(docker, body)
        return [
            await _single(client, docker, name, body, stack.name, runs),
            await _burst(client, docker, name, body, stack.name, burst),
        ]


async def _register(client: clients.Client) -> str:
    container = task_definition_pb2.ContainerDefinition(name="main", image="busybox", cpu=2, memory=16, stop_timeout=2)
    container.command.values[:] = COMMAND
    request = registry_service_pb2.RegisterTaskDefinitionRequest(family="benchmark", container_definitions=[container])
    made = (await client.call(client.registry.RegisterTaskDefinition, request)).task_definition
    return f"{made.family}:{made.revision}"


async def _single(
    client: clients.Client, docker: aiodocker.Docker, name: str, body: dict[str, object], mode: str, runs: int
) -> figures.Figure:
    ours: list[float] = []
    bare: list[float] = []
    hops = Hops()
    for _ in range(runs):
        launch = await _one(client, docker, name)
        hops.add(launch)
        ours.append((launch.seen - launch.called) * 1000)
        bare.append(await bare_docker.launch(docker, body) * 1000)
        await bare_docker.remove_all(docker)
    value, peer = figures.median(ours), figures.median(bare)
    return figures.Figure(
        name=f"RunTask to RUNNING ({mode})",
        value=value,
        unit="ms",
        peer=peer,
        peer_name="bare Docker create+start",
        goal="<= 1.15 x",
        met=value <= 1.15 * peer,
        samples=ours,
        peer_samples=bare,
        notes=f"median of {runs}; bridge network, json-file log driver, image present, pull behaviour default",
        parts=hops.medians(),
    )


async def _one(client: clients.Client, docker: aiodocker.Docker, name: str) -> Launch:
    """Run one task to RUNNING, then stop it."""
    watching = client.watch()
    cursor = (await anext(watching)).cursor
    called = time.time()
    request = scheduler_service_pb2.RunTaskRequest(task_definition=name)
    answer = await client.call(client.scheduler.RunTask, request)
    answered = time.time()
    if not answer.tasks:
        raise RuntimeError(str(answer.failures))
    task_id = answer.tasks[0].task_arn.rpartition("/")[2]
    committed = recorded = seen = 0.0
    async with asyncio.timeout(WAIT_S):
        async for batch in watching:
            now = time.time()
            for event in batch.events:
                if event.task.task_id == task_id:
                    committed = committed or event.at.ToNanoseconds() / 1e9
                    if event.task.last_status == task_pb2.TASK_STATUS_RUNNING:
                        recorded, seen = event.at.ToNanoseconds() / 1e9, now
            if seen:
                break
    await watching.aclose()
    created, started = await _docker_times(docker, task_id)
    await _stop(client, [answer.tasks[0].task_arn])
    assert cursor
    return Launch(called, answered, committed, created, started, recorded, seen)


async def _docker_times(docker: aiodocker.Docker, task_id: str) -> tuple[float, float]:
    (container,) = await docker.containers.list(all=True, filters={"label": [f"{TASK_ID_LABEL}={task_id}"]})
    found = await container.show()
    return _seconds(found["Created"]), _seconds(found["State"]["StartedAt"])


def _seconds(stamp: str) -> float:
    """Docker's nanosecond RFC 3339 as seconds since the epoch."""
    whole, _, fraction = stamp.rstrip("Z").partition(".")
    return datetime.fromisoformat(whole + "+00:00").timestamp() + float(f"0.{fraction or 0}")


async def _container_of_last(docker: aiodocker.Docker) -> str:
    """The engine's id of the newest container that the agent made."""
    made = await docker.containers.list(all=True, filters={"label": [TASK_ID_LABEL]})
    return str(max(made, key=lambda container: container["Created"]).id)


async def _stop(client: clients.Client, arns: list[str]) -> None:
    """Stop tasks and wait until they have stopped."""
    for arn in arns:
        await client.call(client.scheduler.StopTask, scheduler_service_pb2.StopTaskRequest(task=arn))
    async with asyncio.timeout(WAIT_S), contextlib.aclosing(client.watch(tasks=arns)) as watching:
        async for _ in watching:
            request = state_tracker_service_pb2.DescribeTasksRequest(tasks=arns)
            found = (await client.call(client.state_tracker.DescribeTasks, request)).tasks
            if all(task.last_status == task_pb2.TASK_STATUS_STOPPED for task in found):
                return


async def _burst(
    client: clients.Client, docker: aiodocker.Docker, name: str, body: dict[str, object], mode: str, count: int
) -> figures.Figure:
    best = await _best_concurrency(docker, body, count)
    ours: list[float] = []
    bare: list[float] = []
    for _ in range(ROUNDS):
        ours.append(count / await _run_burst(client, name, count))
        bare.append(count / await bare_docker.burst(docker, body, count, best))
        await bare_docker.remove_all(docker)
    value, peer = figures.median(ours), figures.median(bare)
    return figures.Figure(
        name=f"burst of {count} on one host ({mode})",
        value=value,
        unit="containers/s",
        peer=peer,
        peer_name=f"bare Docker, {best} at a time",
        goal=">= 0.95 x",
        met=value >= 0.95 * peer,
        samples=ours,
        peer_samples=bare,
        notes=f"median of {ROUNDS} rounds; {PER_CALL} tasks a call, calls at once; until the last is RUNNING at the client",
    )


async def _best_concurrency(docker: aiodocker.Docker, body: dict[str, object], count: int) -> int:
    seconds = {}
    for concurrency in CONCURRENCIES:
        seconds[concurrency] = await bare_docker.burst(docker, body, count // 2, concurrency)
        await bare_docker.remove_all(docker)
    return min(seconds, key=lambda concurrency: seconds[concurrency])


async def _run_burst(client: clients.Client, name: str, count: int) -> float:
    """Run many tasks at once; seconds from the first call until the client has seen the last RUNNING."""
    watching = client.watch()
    await anext(watching)
    began = time.perf_counter()
    request = scheduler_service_pb2.RunTaskRequest(task_definition=name, count=PER_CALL)
    answers = await asyncio.gather(*(client.call(client.scheduler.RunTask, request) for _ in range(count // PER_CALL)))
    arns = [task.task_arn for answer in answers for task in answer.tasks]
    if len(arns) != count:
        raise RuntimeError(f"placed {len(arns)} of {count}")
    waiting = {arn.rpartition("/")[2] for arn in arns}
    async with asyncio.timeout(WAIT_S):
        async for batch in watching:
            for event in batch.events:
                if event.task.last_status == task_pb2.TASK_STATUS_RUNNING:
                    waiting.discard(event.task.task_id)
            if not waiting:
                break
    took = time.perf_counter() - began
    await watching.aclose()
    await _stop(client, arns)
    return took
