"""Schedulers as processes of their own: the leader is killed or frozen under load, and another goes on."""

import asyncio
import contextlib
import socket
import sys
from collections.abc import AsyncIterator, Awaitable, Callable
from dataclasses import dataclass
from pathlib import Path

import pytest

from longshore.rpc import channels, errors, neighbours
from longshore.v1 import scheduler_service_pb2, scheduler_service_pb2_grpc
from tests.engines import processes
from tests.integration.scheduler.conftest import Stub
from tests.rpc.scheduler.world import World

LEASE_MS = 1_000
PATIENCE_S = 20.0
"""For a busy machine; the bound that is stated is a lease and a look of the standby."""


@dataclass
class Process:
    """A scheduler process."""

    address: str
    server: processes.ServerProcess
    stub: Stub


@pytest.fixture
async def spawn(
    url: str, free_port: Callable[[], int], tmp_path: Path
) -> AsyncIterator[Callable[[], Awaitable[Process]]]:
    async with contextlib.AsyncExitStack() as stack:

        async def make() -> Process:
            port = free_port()
            address = f"127.0.0.1:{port}"
            flags = ["--listen", address, "--database-url", url, "--leader-lease-ms", str(LEASE_MS)]
            command = [sys.executable, "-m", "longshore.scheduler", *flags, "--standby-interval-ms", "200"]
            server = processes.ServerProcess("scheduler", command, log=tmp_path / f"{port}.log")
            stack.callback(server.kill)
            await asyncio.to_thread(server.start, lambda: _listens(port))
            channel = await stack.enter_async_context(channels.connect(address, timeout_s=5.0))
            stub: Stub = scheduler_service_pb2_grpc.SchedulerServiceStub(channel)
            return Process(address, server, stub)

        yield make


def _listens(port: int) -> bool:
    with socket.socket(socket.AF_INET, socket.SOCK_STREAM) as probe:
        return probe.connect_ex(("127.0.0.1", port)) == 0


def run_task(token: str) -> scheduler_service_pb2.RunTaskRequest:
    return scheduler_service_pb2.RunTaskRequest(cluster="web", task_definition="app:1", client_token=token)


async def answered(stubs: list[Stub], request: scheduler_service_pb2.RunTaskRequest) -> list[str]:
    """What a client does: repeat under the token, at one replica after the other, while nobody can say."""
    async with asyncio.timeout(PATIENCE_S):
        while True:
            for stub in stubs:
                try:
                    answer = await stub.RunTask(request, timeout=3.0)
                except (errors.Unavailable, errors.DeadlineExceeded):
                    await asyncio.sleep(0.05)
                else:
                    return [task.task_arn.rpartition("/")[2] for task in answer.tasks]


async def answered_in_bulk(stubs: list[Stub], request: scheduler_service_pb2.RunTasksRequest) -> list[str]:
    """The same for many tasks."""
    async with asyncio.timeout(PATIENCE_S):
        while True:
            for stub in stubs:
                try:
                    return list((await stub.RunTasks(request, timeout=5.0)).task_ids)
                except (errors.Unavailable, errors.DeadlineExceeded):
                    await asyncio.sleep(0.05)


async def leader(world: World) -> tuple[str, int]:
    address = await world.value("SELECT address FROM leases WHERE cluster = 'web'")
    epoch = await world.value("SELECT epoch FROM leases WHERE cluster = 'web'")
    return str(address), int(str(epoch))


@pytest.mark.parametrize("how", ["killed", "frozen"])
async def test_another_goes_on_and_every_answer_holds(
    spawn: Callable[[], Awaitable[Process]], world: World, how: str
) -> None:
    await world.add_instance(cpu=256 * 30, memory=1 << 20)
    first, second = await spawn(), await spawn()
    answers = {f"a{n}": await answered([first.stub], run_task(f"a{n}")) for n in range(5)}
    assert await leader(world) == (first.address, 1)

    async def client(number: int) -> None:
        token = f"b{number}"
        answers[token] = await answered([first.stub, second.stub], run_task(token))

    async with asyncio.TaskGroup() as group:
        for number in range(10):
            group.create_task(client(number))
        first.server.kill() if how == "killed" else first.server.pause()
    assert (await leader(world))[1] in {1, 2}  # the answers may all have come before the signal did
    answers["c"] = await answered([second.stub], run_task("c"))
    assert await leader(world) == (second.address, 2)

    if how == "frozen":
        # The deposed one wakes up: it passes on, or says that it cannot where it may not; nothing that it does counts.
        first.server.resume()
        with pytest.raises(errors.Unavailable):
            await first.stub.RunTask(run_task("x"), metadata=neighbours.FORWARDED)
        answers["d"] = await answered([first.stub], run_task("d"))
        assert await leader(world) == (second.address, 2)

    assert all(len(tasks) == 1 for tasks in answers.values())
    told = {task for tasks in answers.values() for task in tasks}
    assert len(told) == len(answers)
    stored = {event.task.task_id for event in await world.events() if event.HasField("task")}
    assert stored == told  # each answer once, and nothing that was not answered: every client has repeated to the end
    for token, tasks in answers.items():
        assert await answered([second.stub], run_task(token)) == tasks
    refused = scheduler_service_pb2.RunTaskRequest(cluster="web", task_definition="app:1", count=10)
    filled = [len((await second.stub.RunTask(refused)).tasks) for _ in range(3)]
    assert sum(filled) == 30 - len(told)
    assert (await world.reserved()).popitem()[1][0] == 256 * 30


@pytest.mark.parametrize("how", ["killed", "frozen"])
async def test_many_tasks_survive_their_leader_in_the_middle_of_the_call(
    spawn: Callable[[], Awaitable[Process]], world: World, how: str
) -> None:
    many = 10_000
    await world.add_instance(cpu=256 * 2 * many, memory=1 << 30)
    first, second = await spawn(), await spawn()
    await answered([first.stub], run_task("warm"))
    assert await leader(world) == (first.address, 1)
    request = scheduler_service_pb2.RunTasksRequest(
        run_task=scheduler_service_pb2.RunTaskRequest(cluster="web", task_definition="app:1"),
        count=many,
        client_token="bulk",
    )
    asking = asyncio.create_task(answered_in_bulk([first.stub, second.stub], request))
    async with asyncio.timeout(PATIENCE_S):
        while (begun := await placed(world)) <= 1_000:  # noqa: ASYNC110 - the tables are asked, who tell nobody
            await asyncio.sleep(0.01)
    first.server.kill() if how == "killed" else first.server.pause()
    assert begun < many
    told = await asking
    assert len(set(told)) == many
    assert await leader(world) == (second.address, 2)
    if how == "frozen":
        first.server.resume()
    assert await answered_in_bulk([second.stub, first.stub], request) == told
    assert await placed(world) == many + 1
    assert (await world.reserved()).popitem()[1][0] == 256 * (many + 1)


async def placed(world: World) -> int:
    """Tasks that are committed."""
    return int(str(await world.value("SELECT COUNT(*) FROM task_intents")))
