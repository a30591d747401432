"""RunTask to RUNNING, and a burst of tasks on one host, beside the bare Docker API with the same container settings.

Both take turns in one run, so that a machine that slows down slows both. Mode, network, log driver and pull behaviour are those
of the figure's notes; the image is present.
"""

import asyncio
import contextlib
import dataclasses
import time
from collections.abc import Awaitable, Callable, Mapping
from dataclasses import dataclass
from typing import Any

import aiodocker

from benchmarks import bare_docker, figures, hops
from longshore.client import client as clients
from longshore.metrics import instruments
from longshore.v1 import (
    registry_service_pb2,
    scheduler_service_pb2,
    state_tracker_service_pb2,
    task_definition_pb2,
    task_pb2,
)
from tests.e2e import stacks


@dataclass(frozen=True, slots=True)
class Wanted:
    """What is run, without a count. `followed`: a client reads each task's log from the first byte on, over a stream of its own."""

    request: scheduler_service_pb2.RunTaskRequest
    followed: bool = False


TASK_ID_LABEL = "com.longshore.task-id"
COMMAND = ["sh", "-c", "trap 'exit 0' TERM; echo runs; sleep 600 & wait"]
"""Writes a line, and ends at once when told to, so that clearing up costs no stop timeout."""

CHECK = ["CMD", "true"]
"""A health check; the engine runs the first one after its interval of 30 s, and has its timer from the start on."""

PAUSE = "/pause"
"""Program of a pause container."""

RUNS = 30
BURST = 60
PER_CALL = 10
"""Most tasks of one RunTask call."""

CONCURRENCIES = (2, 4, 8, 16)
"""Tried for the bare API; the best counts."""

ROUNDS = 6
"""An even number: who goes first takes turns."""

WATCHED = ", health check and logs followed"
"""What is said of tasks that are checked, and whose logs are read."""

LAUNCH_GOAL = 1.15
BURST_GOAL = 0.95
WAIT_S = 180.0


@dataclass(frozen=True, slots=True)
class Launch:
    """One task from the call to RUNNING at the client."""

    moments: Mapping[str, float]
    """Seconds since the epoch, in the order of their coming."""

    @property
    def took_ms(self) -> float:
        """From the call until the client saw it."""
        return (self.moments["seen by the client"] - self.moments["called"]) * 1000


async def measure(stack: stacks.Stack, *, runs: int = RUNS, burst: int = BURST) -> list[figures.Figure]:
    """The launch figures of a running stack."""
    async with stack.client() as client, bare_docker.engine() as docker:
        wanted = await _register(client)
        (main,) = await _warmed(client, docker, wanted)
        body = await bare_docker.settings_of(docker, main)
        await bare_docker.launch(docker, body)
        watched, watched_body = await _watched(client, docker)
        return [
            await _single(stack, client, docker, wanted, runs, _of_one(body)),
            await _single(stack, client, docker, watched, runs, _of_one(watched_body, watched=True)),
            await _single(stack, client, docker, *await _with_address(client, docker, runs)),
            *await _burst(stack, client, docker, wanted, body, burst),
            *await _burst(stack, client, docker, watched, watched_body, burst),
        ]


@dataclass(frozen=True, slots=True)
class _Peer:
    """What the bare API does of the same, and how the two are told of."""

    launch: Callable[[aiodocker.Docker], Awaitable[float]]
    name: str
    title: str
    notes: str


def _of_one(body: dict[str, object], *, watched: bool = False) -> _Peer:
    notes = "bridge network, json-file log driver, image present, pull behaviour default"
    return _Peer(
        launch=lambda docker: bare_docker.launch(docker, body),
        name="bare Docker create+start",
        title=f"RunTask to RUNNING{WATCHED if watched else ''}",
        notes=f"{notes}; both with the health check, ours with a client that reads each log as it is written"
        if watched
        else notes,
    )


async def _watched(client: clients.Client, docker: aiodocker.Docker) -> tuple[Wanted, dict[str, object]]:
    """A definition with a health check, whose logs are followed, and the container's settings for the bare API."""
    check = task_definition_pb2.HealthCheck(command=CHECK)
    wanted = dataclasses.replace(await _register(client, check), followed=True)
    (main,) = await _warmed(client, docker, wanted)
    return wanted, await bare_docker.settings_of(docker, main)


async def _with_address(client: clients.Client, docker: aiodocker.Docker, runs: int) -> tuple[Wanted, int, _Peer]:
    """A definition in network mode awsvpc, and the same pause and application containers by the bare API, one after the other."""
    wanted = await _register(client, network_mode=task_definition_pb2.NETWORK_MODE_AWSVPC)
    found = {
        str((await (await docker.containers.get(each)).show())["Path"]): each
        for each in await _warmed(client, docker, wanted)
    }
    pause = await bare_docker.settings_of(docker, found.pop(PAUSE))
    (main,) = found.values()
    body = await bare_docker.settings_of(docker, main)
    peer = _Peer(
        launch=lambda docker: bare_docker.launch_pair(docker, pause, body),
        name="bare Docker, the same two create+start",
        title="RunTask to RUNNING, awsvpc",
        notes="pause container on the host's Longshore bridge, then the application in its network; no pool; otherwise as above",
    )
    return wanted, runs, peer


async def _register(
    client: clients.Client, check: task_definition_pb2.HealthCheck | None = None, **members: Any
) -> Wanted:
    container = task_definition_pb2.ContainerDefinition(
        name="main", image="busybox", cpu=2, memory=16, stop_timeout=2, health_check=check
    )
    container.command.values[:] = COMMAND
    request = registry_service_pb2.RegisterTaskDefinitionRequest(
        family=bare_docker.FAMILY, container_definitions=[container], **members
    )
    made = (await client.call(client.registry.RegisterTaskDefinition, request)).task_definition
    wanted = scheduler_service_pb2.RunTaskRequest(task_definition=f"{made.family}:{made.revision}")
    if made.network_mode == task_definition_pb2.NETWORK_MODE_AWSVPC:
        wanted.network_configuration.awsvpc_configuration.SetInParent()
    return Wanted(wanted)


async def _warmed(client: clients.Client, docker: aiodocker.Docker, wanted: Wanted) -> list[str]:
    """Run a task, so that caches, connections and the image's layers are warm; the engine's ids of its containers."""
    _, arns, readers = await _run_burst(client, wanted, 1)
    task_id = arns[0].rpartition("/")[2]
    found = await docker.containers.list(all=True, filters={"label": [f"{TASK_ID_LABEL}={task_id}"]})
    await _stop(client, arns)
    await _end(readers)
    return [str(container.id) for container in found]


async def _single(
    stack: stacks.Stack,
    client: clients.Client,
    docker: aiodocker.Docker,
    wanted: Wanted,
    runs: int,
    with_peer: _Peer,
) -> figures.Figure:
    ours: list[float] = []
    bare: list[float] = []
    split = hops.Hops()
    for _ in range(runs):
        launch = await _one(stack, client, wanted)
        split.add(launch.moments)
        ours.append(launch.took_ms)
        bare.append(await with_peer.launch(docker) * 1000)
        await bare_docker.remove_all(docker)
        await bare_docker.remove_stopped(docker)
    value, peer = figures.median(ours), figures.median(bare)
    return figures.Figure(
        name=f"{with_peer.title} ({stack.name})",
        value=value,
        unit="ms",
        peer=peer,
        peer_name=with_peer.name,
        goal=figures.ratio_at_most(LAUNCH_GOAL),
        samples=ours,
        peer_samples=bare,
        notes=f"median of {runs}; {with_peer.notes}",
        parts=split.medians(),
    )


async def _one(stack: stacks.Stack, client: clients.Client, wanted: Wanted) -> Launch:
    """Run one task to RUNNING, then stop it."""
    before = await hops.scrape(stack)
    watching = client.watch()
    await anext(watching)
    called = time.time()
    answer = await _run(client, wanted, 1)
    if not answer.tasks:
        raise RuntimeError(str(answer.failures))
    arn = answer.tasks[0].task_arn
    readers = _readers(client, wanted, answer)
    task_id = arn.rpartition("/")[2]
    recorded = seen = 0.0
    async with asyncio.timeout(WAIT_S):
        async for batch in watching:
            now = time.time()
            for event in batch.events:
                if event.task.task_id == task_id and event.task.last_status == task_pb2.TASK_STATUS_RUNNING:
                    recorded, seen = event.at.ToNanoseconds() / 1e9, now
            if seen:
                break
    await watching.aclose()
    moments = {
        "called": called,
        **hops.of_scheduler(before, await hops.scrape(stack)),
        **await hops.of_agent(stack, task_id),
        "recorded": recorded,
        "seen by the client": seen,
    }
    await _stop(client, [arn])
    await _end(readers)
    return Launch(moments)


def _readers(
    client: clients.Client, wanted: Wanted, answer: scheduler_service_pb2.RunTaskResponse
) -> list["asyncio.Task[int]"]:
    """Start to read the logs of the tasks, where they are followed."""

    async def read(arn: str) -> int:
        async with contextlib.aclosing(client.logs(arn, follow=True)) as outputs:
            return sum([len(piece.data) async for output in outputs for piece in output.pieces])

    return [asyncio.create_task(read(task.task_arn), name="reader") for task in answer.tasks if wanted.followed]


async def _end(readers: list["asyncio.Task[int]"]) -> None:
    """Wait for readers of tasks that have stopped; what they were there for is a line from each."""
    async with asyncio.timeout(WAIT_S):
        read = await asyncio.gather(*readers)
    if not all(read):
        raise RuntimeError(f"{read.count(0)} of {len(read)} readers have read nothing")


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
    stack: stacks.Stack,
    client: clients.Client,
    docker: aiodocker.Docker,
    wanted: Wanted,
    body: dict[str, object],
    count: int,
) -> list[figures.Figure]:
    best = await _best_concurrency(docker, body, count)
    # Until the longest block so far is forgotten: what follows is the burst's.
    await asyncio.sleep(instruments.WINDOW_S)
    ours: list[float] = []
    bare: list[float] = []
    longest: Mapping[str, Mapping[str, float]] = {}

    async def ours_once() -> None:
        nonlocal longest
        seconds, arns, readers = await _run_burst(client, wanted, count)
        longest = longest or (await hops.scrape(stack)).longest
        await _stop(client, arns)
        await _end(readers)
        await bare_docker.remove_stopped(docker)
        ours.append(count / seconds)

    async def bare_once() -> None:
        bare.append(count / await bare_docker.burst(docker, body, count, best))
        await bare_docker.remove_all(docker)

    for number in range(ROUNDS):
        for turn in (ours_once, bare_once) if number % 2 == 0 else (bare_once, ours_once):
            await turn()
    value, peer = figures.median(ours), figures.median(bare)
    suffix = WATCHED if wanted.followed else ""
    return [
        figures.Figure(
            name=f"burst of {count} on one host{suffix} ({stack.name})",
            value=value,
            unit="containers/s",
            peer=peer,
            peer_name=f"bare Docker, {best} at a time",
            goal=figures.ratio_at_least(BURST_GOAL),
            samples=ours,
            peer_samples=bare,
            notes=f"median of {ROUNDS} rounds, in turns; {PER_CALL} tasks a call, calls at once; until the last is RUNNING at the client",
        ),
        _longest_block(stack, longest, count, suffix),
    ]


def _longest_block(
    stack: stacks.Stack, longest: Mapping[str, Mapping[str, float]], count: int, suffix: str
) -> figures.Figure:
    return figures.Figure(
        name=f"longest block of an event loop, burst of {count}{suffix} ({stack.name})",
        value=max(longest["block"].values()) * 1000,
        unit="ms",
        notes=f"in the first round, after {instruments.WINDOW_S:.0f} s of rest; by the wall, on a machine that starts containers",
        parts={
            f"{process} {what}": seconds * 1000
            for what, by_process in longest.items()
            for process, seconds in by_process.items()
        },
    )


async def _best_concurrency(docker: aiodocker.Docker, body: dict[str, object], count: int) -> int:
    seconds = {}
    for concurrency in CONCURRENCIES:
        seconds[concurrency] = await bare_docker.burst(docker, body, count // 2, concurrency)
        await bare_docker.remove_all(docker)
    return min(seconds, key=lambda concurrency: seconds[concurrency])


async def _run_burst(
    client: clients.Client, wanted: Wanted, count: int
) -> tuple[float, list[str], list["asyncio.Task[int]"]]:
    """Run many tasks at once; seconds from the first call until the client has seen the last RUNNING, their ARNs, their logs' readers."""
    readers: list[asyncio.Task[int]] = []

    async def run(size: int) -> scheduler_service_pb2.RunTaskResponse:
        answer = await _run(client, wanted, size)
        readers.extend(_readers(client, wanted, answer))
        return answer

    watching = client.watch()
    await anext(watching)
    began = time.perf_counter()
    sizes = [min(PER_CALL, count - begun) for begun in range(0, count, PER_CALL)]
    answers = await asyncio.gather(*(run(size) for size in sizes))
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
    return took, arns, readers


async def _run(client: clients.Client, wanted: Wanted, count: int) -> scheduler_service_pb2.RunTaskResponse:
    request = scheduler_service_pb2.RunTaskRequest(count=count)
    request.MergeFrom(wanted.request)
    return await client.call(client.scheduler.RunTask, request)
