"""The guide's back-up and restore, as it stands, against a real PostgreSQL: a stack that is restored goes on with its tasks."""

import asyncio
import contextlib
import functools
import os
import random
import re
import shlex
import subprocess
from collections.abc import AsyncIterator, Callable, Mapping
from pathlib import Path
from typing import Any

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
Scheduling = Callable[[], contextlib.AbstractAsyncContextManager[Any]]
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
async def control_plane(url: str, at: Mapping[str, str], folder: Path) -> AsyncIterator[Scheduling]:
    """Registry and state-tracker over a database; gives what starts the scheduler."""
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
        await stack.enter_async_context(tracker_app.serve(tracker, **on))
        yield lambda: scheduler_app.serve(scheduler, **on)


@contextlib.asynccontextmanager
async def host(folder: Path, at: Mapping[str, str]) -> AsyncIterator[simulated_runtime.SimulatedRuntime]:
    made = simulated_runtime.SimulatedRuntime(
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
        container_runtime=made,
        task_groups=simulated_runtime.SimulatedGroups(),
        source=random.Random(1),
    ):
        yield made


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
        request = scheduler_service_pb2.RunTaskRequest(task_definition="app")
        (task,) = (await self.client.call(self.client.scheduler.RunTask, request)).tasks
        await self.reaches(task.task_arn, RUNNING)
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


async def only(engine: simulated_runtime.SimulatedRuntime, task: task_pb2.Task) -> bool:
    """Whether the host runs this task's container and nothing else."""
    task_id = task.task_arn.rpartition("/")[2]
    there = [found for found in await engine.list_labelled(container_names.TASK_ID, task_id) if found.running]
    return [found.runtime_id for found in there] == [task.containers[0].runtime_id] and await running(engine) == 1


async def running(engine: simulated_runtime.SimulatedRuntime) -> int:
    """How many containers run on the host."""
    homes = await engine.list_labelled(container_names.CLUSTER, "default")
    return sum(found.running for found in homes)


async def until(holds: Callable[[], Any], what: str) -> None:
    """Ask until it holds; every answer takes the service's own time."""
    async with asyncio.timeout(BOUND_S):
        while True:
            with contextlib.suppress(errors.Unavailable):
                if await holds():
                    return
            await asyncio.sleep(0.05)


async def test_a_stack_restored_from_its_backup_goes_on_with_its_tasks(
    tmp_path: Path, postgres_session: postgres.PostgresServer
) -> None:
    url = postgres_session.create_database()
    at = {name: f"127.0.0.1:{ports.free_port()}" for name in ("registry", "scheduler", "state_tracker")}
    where = addresses.Addresses(*((address,) for address in at.values()))
    dump = str(tmp_path / "longshore.dump")
    async with host(tmp_path / "agent", at) as engine, clients.Client(addresses=where) as client:
        world = World(client)
        async with control_plane(url, at, tmp_path) as scheduling, scheduling():
            await world.prepare()
            await world.connected()
            kept, stopped_later = await world.run(), await world.run()
            before = await world.seen(kept)
            await asyncio.to_thread(run, *command("back-up", url=url, file=dump))
            started_later = await world.run()
            await world.stop(stopped_later)
        new = url + "_restored"
        server, _, name = new.rpartition("/")
        for step in ("create", "restore"):
            words = command(step, url=new, server=f"{server}/postgres", name=name, file=dump)
            await asyncio.to_thread(run, *words)
        async with control_plane(new, at, tmp_path) as scheduling:
            # The guide's order: schedulers are started when the agents are back.
            await world.connected()
            async with scheduling():
                after = await world.seen(kept)
                assert before is not None
                assert after is not None
                assert (after.last_status, after.started_at) == (RUNNING, before.started_at)
                assert after.containers[0].runtime_id == before.containers[0].runtime_id
                # What was stopped after the back-up is told by its agent again; what was started then is known to nobody, and ends.
                await world.reaches(stopped_later, STOPPED)
                assert await world.seen(started_later) is None
                kept_alone = functools.partial(only, engine, before)
                await until(kept_alone, "what nobody knows was stopped")
                more = await world.run()
                await world.stop(kept)
                await world.stop(more)
