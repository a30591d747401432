"""Two of each component, a host's after the other's restarted under clients that never stop asking: no call fails."""

import asyncio
import contextlib
import json
import os
import socket
import sys
from collections.abc import AsyncIterator, Callable
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

import pytest

from longshore.client import addresses as client_addresses
from longshore.client import client as clients
from longshore.registry import seal_file
from longshore.v1 import (
    registry_service_pb2,
    scheduler_service_pb2,
    state_tracker_service_pb2,
)
from tests.engines import processes
from tests.rpc.scheduler.world import World

PATIENCE_S = 60.0
COMPONENTS = ("registry", "scheduler", "state_tracker")
CALLERS = 4


@dataclass
class Replica:
    """One process of a component."""

    component: str
    address: str
    server: processes.ServerProcess

    def start(self) -> None:
        self.server.start(self._listens)

    def restart(self) -> None:
        self.server.stop()
        self.start()

    def _listens(self) -> bool:
        host, _, port = self.address.rpartition(":")
        with socket.socket(socket.AF_INET, socket.SOCK_STREAM) as probe:
            return probe.connect_ex((host, int(port))) == 0


@dataclass
class Asked:
    """What the clients were told."""

    tasks: list[str] = field(default_factory=list)
    described: int = 0
    answers: int = 0


@pytest.fixture
async def replicas(
    url: str, redis_url: str, free_port: Callable[[], int], tmp_path: Path
) -> AsyncIterator[list[Replica]]:
    made: list[Replica] = []
    key = tmp_path / "seal.key"
    seal_file.make(key)
    with contextlib.ExitStack() as stack:
        for component in COMPONENTS:
            for _ in range(2):
                address = f"127.0.0.1:{free_port()}"
                command = [sys.executable, "-m", f"longshore.{component}", "--listen", address]
                command += ["--database-url", url, "--events-url", redis_url]
                if component == "registry":
                    command += ["--seal-key-file", str(key)]
                log = tmp_path / f"{component}-{len(made)}.log"
                server = processes.ServerProcess(component, command, log=log)
                stack.callback(server.kill)
                made.append(Replica(component, address, server))
        await asyncio.gather(*(asyncio.to_thread(replica.start) for replica in made))
        yield made


async def test_no_call_of_a_client_that_repeats_fails(replicas: list[Replica], world: World) -> None:
    await world.add_instance(cpu=1 << 24, memory=1 << 24)
    addresses = client_addresses.Addresses(
        **{component: tuple(one.address for one in replicas if one.component == component) for component in COMPONENTS}
    )
    asked, over = Asked(), asyncio.Event()
    async with asyncio.TaskGroup() as group, asyncio.timeout(PATIENCE_S):
        for number in range(CALLERS):
            group.create_task(ask(addresses, asked, over, number))
        for host in (replicas[::2], replicas[1::2]):  # one of each component, as an upgrade goes
            await some_more(asked)
            await asyncio.gather(*(asyncio.to_thread(replica.restart) for replica in host))
        await some_more(asked)
        schedulers = [replica for replica in replicas if replica.component == "scheduler"]
        schedulers[0].server.kill()
        await some_more(asked)
        shown = await status(addresses)
        over.set()
    states = {one["address"]: one["state"].partition(":")[0] for one in shown["components"]}
    assert [states[one.address] for one in schedulers] == ["UNREACHABLE", "SERVING"]
    (web,) = shown["clusters"]
    assert web["leader"] == schedulers[1].address
    assert web["epoch"] == await world.value("SELECT epoch FROM leases")
    stored = await world.value("SELECT COUNT(*) FROM task_intents")
    assert stored == len(set(asked.tasks)) == len(asked.tasks) > 0
    assert asked.described == len(asked.tasks)


async def ask(addresses: client_addresses.Addresses, asked: Asked, over: asyncio.Event, number: int) -> None:
    """Run a task, look at it, look at its cluster; again and again. A call that fails fails the test."""
    async with clients.Client(addresses=addresses) as client:
        while not over.is_set():
            run = scheduler_service_pb2.RunTaskRequest(cluster="web", task_definition="app:1")
            (task,) = (await client.call(client.scheduler.RunTask, run)).tasks
            asked.tasks.append(task.task_arn)
            describe = state_tracker_service_pb2.DescribeTasksRequest(cluster="web", tasks=[task.task_arn])
            described = (await client.call(client.state_tracker.DescribeTasks, describe)).tasks
            asked.described += len(described)
            clusters = registry_service_pb2.DescribeClustersRequest(clusters=["web"])
            assert (await client.call(client.registry.DescribeClusters, clusters)).clusters
            asked.answers += 1


async def status(addresses: client_addresses.Addresses) -> Any:
    """What `longshore status` shows."""
    told_by = {f"LONGSHORE_{component.upper()}": ",".join(getattr(addresses, component)) for component in COMPONENTS}
    process = await asyncio.create_subprocess_exec(
        *(sys.executable, "-m", "longshore.cli", "--output", "json", "status"),
        stdout=asyncio.subprocess.PIPE,
        env=os.environ | told_by,
    )
    told, _ = await process.communicate()
    assert process.returncode == 1  # something is away
    return json.loads(told)


async def some_more(asked: Asked) -> None:
    """Return when the callers have gone round a few times more."""
    before = asked.answers
    while asked.answers <= before + 3 * CALLERS:  # noqa: ASYNC110 - the callers count, and tell nobody
        await asyncio.sleep(0.01)
