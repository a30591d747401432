"""ExplainPlacement over gRPC: the answer of a run that does not take place."""

from typing import TypeAlias

import pytest

from longshore.rpc import errors
from longshore.v1 import scheduler_service_pb2 as pb
from longshore.v1 import scheduler_service_pb2_grpc, task_pb2
from tests.rpc.scheduler.world import World, definition

Stub: TypeAlias = "scheduler_service_pb2_grpc.SchedulerServiceAsyncStub"


def ask(family: str = "app", **fields: object) -> pb.ExplainPlacementRequest:
    run_task = pb.RunTaskRequest(cluster="web", task_definition=family, **fields)  # type: ignore[arg-type]
    return pb.ExplainPlacementRequest(run_task=run_task)


async def test_it_tells_what_would_be_and_places_nothing(scheduler: Stub, world: World) -> None:
    near = await world.add_instance(cpu=300)
    await world.add_instance(cpu=100, memory=64)
    (task,) = (await scheduler.RunTask(pb.RunTaskRequest(cluster="web", task_definition="app"))).tasks
    answer = await scheduler.ExplainPlacement(ask(count=2))
    assert (answer.instances, answer.fitting, list(answer.chosen), answer.cpu, answer.memory) == (2, 0, [], 256, 128)
    assert [(one.reason, one.instances) for one in answer.reasons] == [("RESOURCE:CPU", 2)]
    first, second = answer.verdicts
    assert first.container_instance_arn.endswith(near)
    stop = task.task_arn.rpartition("/")[2]
    assert first.remedy == f"fits if cpu <= 44 or if task {stop} (group family:app) stops"
    assert [miss.detail for miss in second.misses] == [
        "needs 256 CPU units, 100 of 100 free",
        "needs 128 MiB memory, 64 of 64 free",
    ]
    assert answer.summary == f"It fits on none of 2 container instances. The nearest, {near}, {first.remedy}."
    await world.release(stop)
    again = await scheduler.ExplainPlacement(ask(client_token="t"))
    assert (again.summary, [arn.rpartition("/")[2] for arn in again.chosen]) == (
        "It fits on 1 of 2 container instances.",
        [near],
    )
    assert await world.value("SELECT COUNT(*) FROM task_intents") == 1
    assert await world.value("SELECT COUNT(*) FROM client_tokens") == 0


async def test_a_definition_that_is_not_registered_is_explained_too(scheduler: Stub, world: World) -> None:
    await world.add_instance()
    request = pb.ExplainPlacementRequest(
        run_task=pb.RunTaskRequest(cluster="web"), task_definition=definition("new", 0, cpu=512)
    )
    answer = await scheduler.ExplainPlacement(request)
    assert (answer.cpu, answer.fitting) == (512, 1)


async def test_it_refuses_what_a_run_refuses(scheduler: Stub, world: World) -> None:
    await world.add_instance()
    constraint = task_pb2.PlacementConstraint(type=task_pb2.PLACEMENT_CONSTRAINT_TYPE_MEMBER_OF, expression="(")
    with pytest.raises(errors.InvalidParameterException, match="column 2"):
        await scheduler.ExplainPlacement(ask(placement_constraints=[constraint]))
    with pytest.raises(errors.ClientException, match="TaskDefinition not found"):
        await scheduler.ExplainPlacement(ask("nothing"))


async def test_a_cluster_without_instances_says_so(scheduler: Stub) -> None:
    answer = await scheduler.ExplainPlacement(ask())
    assert (answer.summary, answer.instances) == ("The cluster has no container instance.", 0)
