"""What a task holds beside CPU and memory: GPUs by id, and the ports that its agent reports, over a change of leaders too."""

from typing import TypeAlias

import pytest

from longshore.rpc import channels
from longshore.scheduler import app, config
from longshore.storage import held
from longshore.v1 import (
    agent_service_pb2,
    common_pb2,
    record_pb2,
    scheduler_service_pb2,
    scheduler_service_pb2_grpc,
    task_pb2,
)
from tests.rpc.scheduler.world import World, definition

Stub: TypeAlias = "scheduler_service_pb2_grpc.SchedulerServiceAsyncStub"

GPUS = common_pb2.Resource(name="GPU", type="STRINGSET", string_set_value=["g0", "g1", "g2"])


def run(family: str, **fields: object) -> scheduler_service_pb2.RunTaskRequest:
    return scheduler_service_pb2.RunTaskRequest(cluster="web", task_definition=family, **fields)  # type: ignore[arg-type]


def id_of(task: task_pb2.Task) -> str:
    return task.task_arn.rpartition("/")[2]


async def another(world: World, request: scheduler_service_pb2.RunTaskRequest) -> scheduler_service_pb2.RunTaskResponse:
    """What the next leader answers, which knows only what the database says. The first one must have ended."""
    assert world.bus is not None
    async with (
        app.serve(config.Config(listen="127.0.0.1:0"), database=world.database, bus=world.bus) as serving,
        channels.connect(serving.address) as channel,
    ):
        stub: Stub = scheduler_service_pb2_grpc.SchedulerServiceStub(channel)
        return await stub.RunTask(request)


async def test_gpus_are_given_by_id_told_to_the_agent_and_shown(scheduler: Stub, world: World) -> None:
    await world.add_instance(resources=[GPUS])
    await world.register(definition("gpu", gpus=2))
    assert world.bus is not None
    async with world.bus.subscribe("web") as subscription:
        (task,) = (await scheduler.RunTask(run("gpu"))).tasks
        payload = await subscription.next(5)
    assert list(task.containers[0].gpu_ids) == ["g0", "g1"]
    assert payload is not None
    (published,) = record_pb2.Publication.FromString(payload).assignments
    (assignment,) = agent_service_pb2.SessionResponse.FromString(published.payload).assignments
    (given,) = assignment.tasks[0].container_resources
    assert (given.container_name, given.type, list(given.ids)) == ("main", "GPU", ["g0", "g1"])
    column = await world.value("SELECT resources FROM task_intents WHERE task_id = $1", id_of(task))
    assert held.from_column(str(column)) == (("GPU", ("g0", "g1")),)
    refused = await scheduler.RunTask(run("gpu"))
    assert [(failure.reason, failure.detail) for failure in refused.failures] == [
        ("RESOURCE:GPU", "needs 2 GPU, 1 of 3 free")
    ]
    await world.release(id_of(task))
    (task,) = (await scheduler.RunTask(run("gpu"))).tasks
    assert list(task.containers[0].gpu_ids) == ["g0", "g1"]


async def test_the_next_leader_knows_which_gpus_are_taken(world: World) -> None:
    await world.add_instance(resources=[GPUS])
    await world.register(definition("gpu", gpus=1))
    (first,) = (await another(world, run("gpu"))).tasks
    answer = await another(world, run("gpu", count=3))
    assert sorted(task.containers[0].gpu_ids[0] for task in answer.tasks) == ["g1", "g2"]
    assert [failure.reason for failure in answer.failures] == ["RESOURCE:GPU"]
    await world.release(id_of(first))
    (task,) = (await another(world, run("gpu"))).tasks
    assert list(task.containers[0].gpu_ids) == ["g0"]


DYNAMIC = task_pb2.NetworkBinding(host_port=50_000, container_port=80)
RANGE = task_pb2.NetworkBinding(host_port_range="50100-50102", container_port_range="90-92")


@pytest.mark.parametrize("publication", ["told", "lost"])
async def test_a_port_that_an_agent_reports_is_taken_until_the_release(
    scheduler: Stub, world: World, publication: str
) -> None:
    await world.add_instance()
    (task,) = (await scheduler.RunTask(run("app"))).tasks
    await world.observe(id_of(task), [DYNAMIC, RANGE], told=publication == "told")
    for port in (50_000, 50_102):
        await world.register(definition(f"on-{port}", ports=[port]))
        (failure,) = (await scheduler.RunTask(run(f"on-{port}"))).failures
        assert (failure.reason, failure.detail) == ("RESOURCE:PORTS", f"needs ports that are taken: {port}/tcp")
    await world.register(definition("on-50103", ports=[50_103]))
    assert (await scheduler.RunTask(run("on-50103"))).tasks
    await world.release(id_of(task))
    assert (await scheduler.RunTask(run("on-50000"))).tasks


@pytest.mark.parametrize("column", ["known", "written by a release that did not know it"])
async def test_the_next_leader_knows_which_ports_agents_have_reported(world: World, column: str) -> None:
    await world.add_instance()
    (task,) = (await another(world, run("app"))).tasks
    await world.observe(id_of(task), [DYNAMIC])
    if column != "known":
        await world.forget_ports()
    await world.register(definition("static", ports=[50_000]))
    (failure,) = (await another(world, run("static"))).failures
    assert failure.reason == "RESOURCE:PORTS"
    await world.release(id_of(task))
    assert (await another(world, run("static"))).tasks
