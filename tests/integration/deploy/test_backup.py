"""The guide's back-up and restore, as it stands, against a real PostgreSQL: a stack that is restored goes on with its tasks."""

import asyncio
import contextlib
import os
import random
import re
import shlex
import subprocess
from collections.abc import AsyncIterator, Callable, Mapping
from pathlib import Path
from typing import Any

import pytest

from longshore.agent import app as agent_app
from longshore.agent import container_names, pulls, runtime
from longshore.agent.settings import config as agent_config
from longshore.agent.simulated import simulated_runtime, simulated_timing
from longshore.client import addresses
from longshore.client import client as clients
from longshore.events import memory_bus
from longshore.registry import app as registry_app
from longshore.registry import config as registry_config
from longshore.rpc import errors
from longshore.scheduler import app as scheduler_app
from longshore.scheduler import config as scheduler_config
from longshore.state_tracker import app as tracker_app
from longshore.state_tracker import config as tracker_config
from longshore.storage import database as databases
from longshore.v1 import (
    registry_service_pb2,
    scheduler_service_pb2,
    state_tracker_service_pb2,
    task_definition_pb2,
    task_pb2,
)
from tests.engines import ports, postgres

GUIDE = Path(__file__).parents[3] / "docs/guides/five-hosts.md"
IMAGE = "app:1"
Starting = Callable[[], contextlib.AbstractAsyncContextManager[Any]]
BOUND_S = 60.0
RUNNING, STOPPED = task_pb2.TASK_STATUS_RUNNING, task_pb2.TASK_STATUS_STOPPED


def command(marker: str, **values: str) -> list[str]:
    """The guide's command under a marker, with what an operator puts in."""
    found = re.search(rf"<!-- command: {marker} -->\n *```sh\n(.*?)\n *```", GUIDE.read_text(), re.DOTALL)
    assert found is not None, f"the guide has no command {marker}"
    return shlex.split(found[1].replace("\\\n", " ").format(**values))


def run(*words: str) -> None:
    programs = postgres.installation()
    environ = os.environ | {"PATH": f"{programs}:{os.environ['PATH']}"}
    done = subprocess.run(words, env=environ, capture_output=True, text=True, timeout=BOUND_S, check=False)
    assert done.returncode == 0, f"{words}\n{done.stdout}{done.stderr}"


@contextlib.asynccontextmanager
async def control_plane(url: str, at: Mapping[str, str], folder: Path) -> AsyncIterator[tuple[Starting, Starting]]:
    """A registry over a database; gives what starts the scheduler, and what starts the state-tracker."""
    told: dict[str, Any] = {name: (address,) for name, address in at.items()}
    kept = told | {"database_url": url, "state_dir": folder}
    async with contextlib.AsyncExitStack() as stack:
        database = await databases.open_database(url)
        stack.push_async_callback(database.close)
        on: dict[str, Any] = {"database": database, "bus": memory_bus.MemoryBus()}
        seal: dict[str, Any] = {"seal_key_file": folder / "seal.key", "make_seal_key": True}
        registry = registry_config.Config(listen=at["registry"], **kept, **seal)
        await stack.enter_async_context(registry_app.serve(registry, **on))
        scheduler = scheduler_config.Config(listen=at["scheduler"], **kept)
        tracker = tracker_config.Config(listen=at["state_tracker"], agent_give_up=5.0, **kept)
        yield lambda: scheduler_app.serve(scheduler, **on), lambda: tracker_app.serve(tracker, **on)


def simulated() -> simulated_runtime.SimulatedRuntime:
    """An engine, which outlives the agents that use it."""
    return simulated_runtime.SimulatedRuntime(
        info=runtime.EngineInfo(
            engine_id="simulated",
            name="host",
            version="27.3.1",
            api_version=(1, 47),
            cpus=4,
            memory_bytes=16 * 1024**3,
            os_type="linux",
            architecture="x86_64",
            logging_drivers=frozenset({"json-file"}),
        ),
        images={IMAGE: pulls.CachedImage(f"sha256:{'1' * 64}", f"sha256:{'2' * 64}")},
        source=random.Random(1),
        clock=agent_app.now_us,
        timing=simulated_timing.INSTANT,
        life=lambda _: simulated_runtime.Life(),
    )


@contextlib.asynccontextmanager
async def host(folder: Path, at: Mapping[str, str], engine: simulated_runtime.SimulatedRuntime) -> AsyncIterator[None]:
    """An agent on that engine."""
    settings = agent_config.Config(
        state_dir=folder,
        image_pull_behavior="prefer-cached",
        introspection_port=0,
        task_metadata_address="none",
        registry=(at["registry"],),
        state_tracker=(at["state_tracker"],),
    )
    async with agent_app.serving(
        settings,
        environ={},
        version="1.2.3",
        container_runtime=engine,
        task_groups=simulated_runtime.SimulatedGroups(),
        source=random.Random(1),
    ):
        yield


class World:
    """What an operator does and sees."""

    def __init__(self, client: clients.Client) -> None:
        self.client = client

    async def prepare(self) -> None:
        registry = self.client.registry
        await self.client.call(registry.CreateCluster, registry_service_pb2.CreateClusterRequest())
        container = task_definition_pb2.ContainerDefinition(name="app", image=IMAGE, memory=64)
        request = registry_service_pb2.RegisterTaskDefinitionRequest(family="app", container_definitions=[container])
        await self.client.call(registry.RegisterTaskDefinition, request)

    async def connected(self) -> None:
        tracker = self.client.state_tracker

        async def holds() -> bool:
            listing = state_tracker_service_pb2.ListContainerInstancesRequest()
            arns = (await self.client.call(tracker.ListContainerInstances, listing)).container_instance_arns
            if not arns:
                return False
            asked = state_tracker_service_pb2.DescribeContainerInstancesRequest(container_instances=arns)
            found = (await self.client.call(tracker.DescribeContainerInstances, asked)).container_instances
            return all(instance.agent_connected for instance in found)

        await until(holds, "the agent is connected")

    async def run(self) -> str:
        arn = await self.place()
        await self.reaches(arn, RUNNING)
        return arn

    async def place(self) -> str:
        request = scheduler_service_pb2.RunTaskRequest(task_definition="app")
        (task,) = (await self.client.call(self.client.scheduler.RunTask, request)).tasks
        return str(task.task_arn)

    async def stop(self, arn: str) -> None:
        await self.client.call(self.client.scheduler.StopTask, scheduler_service_pb2.StopTaskRequest(task=arn))
        await self.reaches(arn, STOPPED)

    async def seen(self, arn: str) -> task_pb2.Task | None:
        request = state_tracker_service_pb2.DescribeTasksRequest(tasks=[arn])
        found = (await self.client.call(self.client.state_tracker.DescribeTasks, request)).tasks
        return found[0] if found else None

    async def reaches(self, arn: str, status: "task_pb2.TaskStatus.ValueType") -> None:
        async def holds() -> bool:
            task = await self.seen(arn)
            return task is not None and task.last_status == status

        await until(holds, f"{arn} reaches {status}")


async def running(engine: simulated_runtime.SimulatedRuntime) -> list[str]:
    """The tasks of the containers that run on the host, each as often as it has one."""
    found = await engine.list_labelled(container_names.CLUSTER, "default")
    return sorted(each.labels[container_names.TASK_ID] for each in found if each.running)


def ids(*arns: str) -> list[str]:
    return sorted(arn.rpartition("/")[2] for arn in arns)


async def restored(url: str, dump: str) -> str:
    """Restore as the guide says; gives the new database."""
    new = url + "_restored"
    server, _, name = new.rpartition("/")
    for step in ("create", "restore"):
        words = command(step, url=new, server=f"{server}/postgres", name=name, file=dump)
        await asyncio.to_thread(run, *words)
    return new


async def until(holds: Callable[[], Any], what: str) -> None:
    """Ask until it holds; every answer takes the service's own time."""
    async with asyncio.timeout(BOUND_S):
        while True:
            with contextlib.suppress(errors.Unavailable):
                if await holds():
                    return
            await asyncio.sleep(0.05)


@pytest.mark.parametrize("agent_restarts", [False, True], ids=["agent stays", "agent restarts"])
async def test_a_stack_restored_from_its_backup_runs_exactly_what_it_says(
    tmp_path: Path, postgres_session: postgres.PostgresServer, *, agent_restarts: bool
) -> None:
    """Also where the numbers of assignments and reports meet those that the agent knows from after the back-up."""
    url = postgres_session.create_database()
    at = {name: f"127.0.0.1:{ports.free_port()}" for name in ("registry", "scheduler", "state_tracker")}
    where = addresses.Addresses(*((address,) for address in at.values()))
    dump = str(tmp_path / "longshore.dump")
    async with contextlib.AsyncExitStack() as stack, clients.Client(addresses=where) as client:
        agent = await stack.enter_async_context(contextlib.AsyncExitStack())
        engine = simulated()
        await agent.enter_async_context(host(tmp_path / "agent", at, engine))
        world = World(client)
        async with control_plane(url, at, tmp_path) as (scheduling, tracking), scheduling(), tracking():
            await world.prepare()
            await world.connected()
            kept, stopped_later, ended_later = [await world.run() for _ in range(3)]
            before = await world.seen(kept)
            await asyncio.to_thread(run, *command("back-up", url=url, file=dump))
            started_later = await world.run()
            await world.stop(stopped_later)
            ended = await world.seen(ended_later)
            assert ended is not None
            await engine.kill(ended.containers[0].runtime_id)
            await world.reaches(ended_later, STOPPED)
        if agent_restarts:
            await agent.aclose()
        new = await restored(url, dump)
        async with control_plane(new, at, tmp_path) as (scheduling, tracking), scheduling():
            # Placed before the agent has said a word: the revisions that it knows are given a second time.
            placed = [await world.place() for _ in range(4)]
            if agent_restarts:
                await stack.enter_async_context(host(tmp_path / "agent", at, engine))
            async with tracking():
                for arn in placed:
                    await world.reaches(arn, RUNNING)
                # What ended after the back-up is told by its agent again; what was started then is known to nobody, and ends.
                await world.reaches(stopped_later, STOPPED)
                await world.reaches(ended_later, STOPPED)
                assert await world.seen(started_later) is None

                async def exactly() -> bool:
                    return await running(engine) == ids(kept, *placed)

                await until(exactly, "the host runs what the tables say, and nothing else")
                after = await world.seen(kept)
                assert before is not None
                assert after is not None
                assert (after.last_status, after.started_at) == (RUNNING, before.started_at)
                assert after.containers[0].runtime_id == before.containers[0].runtime_id
                more = await world.run()
                for arn in (kept, *placed, more):
                    await world.stop(arn)
                assert await running(engine) == []


async def test_what_only_was_reported_after_the_backup_is_reported_again(
    tmp_path: Path, postgres_session: postgres.PostgresServer
) -> None:
    """The assignment is what it was, so nothing but the number of its last report tells the agent that something was forgotten."""
    url = postgres_session.create_database()
    at = {name: f"127.0.0.1:{ports.free_port()}" for name in ("registry", "scheduler", "state_tracker")}
    where = addresses.Addresses(*((address,) for address in at.values()))
    dump = str(tmp_path / "longshore.dump")
    engine = simulated()
    async with host(tmp_path / "agent", at, engine), clients.Client(addresses=where) as client:
        world = World(client)
        async with control_plane(url, at, tmp_path) as (scheduling, tracking), scheduling(), tracking():
            await world.prepare()
            await world.connected()
            arn = await world.run()
            await asyncio.to_thread(run, *command("back-up", url=url, file=dump))
            task = await world.seen(arn)
            assert task is not None
            await engine.kill(task.containers[0].runtime_id)
            await world.reaches(arn, STOPPED)
        new = await restored(url, dump)
        async with control_plane(new, at, tmp_path) as (scheduling, tracking), scheduling(), tracking():
            await world.reaches(arn, STOPPED)
            await world.run()
