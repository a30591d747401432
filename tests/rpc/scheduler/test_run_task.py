"""RunTask over gRPC, on both engines."""

from typing import TypeAlias

import pytest

from longshore.events import cursor
from longshore.rpc import errors
from longshore.v1 import (
    agent_service_pb2,
    common_pb2,
    container_instance_pb2,
    record_pb2,
    scheduler_service_pb2,
    scheduler_service_pb2_grpc,
    task_pb2,
)
from tests.rpc.scheduler.world import DRAINING, World, definition

Stub: TypeAlias = "scheduler_service_pb2_grpc.SchedulerServiceAsyncStub"


def run_task(**fields: object) -> scheduler_service_pb2.RunTaskRequest:
    return scheduler_service_pb2.RunTaskRequest(**({"cluster": "web", "task_definition": "app"} | fields))  # type: ignore[arg-type]


async def test_a_task_is_placed_stored_told_and_answered(scheduler: Stub, world: World) -> None:
    instance_id = await world.add_instance(attributes=[("ecs.availability-zone", "rack-1")])
    request = run_task(started_by="ci", tags=[common_pb2.Tag(key="k", value="v")])
    answer = await scheduler.RunTask(request)
    assert not answer.failures
    (task,) = answer.tasks
    task_id = task.task_arn.rpartition("/")[2]
    assert task.task_arn == f"arn:aws:ecs:us-east-1:123456789012:task/web/{task_id}"
    assert task.container_instance_arn.endswith(f"container-instance/web/{instance_id}")
    assert task.task_definition_arn.endswith("task-definition/app:1")
    assert (task.last_status, task.desired_status) == (task_pb2.TASK_STATUS_PENDING, task_pb2.DESIRED_STATUS_RUNNING)
    assert (task.group, task.started_by, task.version) == ("family:app", "ci", 1)
    assert task.availability_zone == "rack-1"
    assert [(tag.key, tag.value) for tag in task.tags] == [("k", "v")]
    assert [container.name for container in task.containers] == ["main"]
    events = await world.events()
    assert cursor.decode(answer.cursor, "web") == events[-1].sequence
    assert events[-1].task.task_id == task_id
    assert (events[-1].principal, bool(events[-1].request_id)) == ("local-admin", True)
    assert await world.value("SELECT placed FROM assignments WHERE instance_id = $1", instance_id) == 1
    assert await world.value("SELECT pending_tasks FROM log_head WHERE cluster = 'web'") == 1


async def test_the_commit_is_published_with_the_assignment(scheduler: Stub, world: World) -> None:
    instance_id = await world.add_instance()
    assert world.bus is not None
    overrides = task_pb2.TaskOverride(
        container_overrides=[
            task_pb2.ContainerOverride(name="main", command=common_pb2.StringList(values=["sleep", "1"]))
        ]
    )
    async with world.bus.subscribe("web") as subscription:
        answer = await scheduler.RunTask(run_task(count=2, overrides=overrides))
        payload = await subscription.next(5)
    assert payload is not None
    told = record_pb2.Publication.FromString(payload)
    assert [event.task.last_status for event in told.events] == [task_pb2.TASK_STATUS_PENDING] * 2
    (published,) = told.assignments
    assert (published.container_instance_id, published.base_revision, published.revision) == (instance_id, 0, 1)
    (assignment,) = agent_service_pb2.SessionResponse.FromString(published.payload).assignments
    assert (assignment.base_revision, assignment.revision) == (0, 1)
    assert [one.key for one in assignment.definitions] == ["app:1"]
    assert assignment.definitions[0].task_definition == definition()
    assert [one.task_id for one in assignment.tasks] == [task.task_arn.rpartition("/")[2] for task in answer.tasks]
    assert [one.launch_type for one in assignment.tasks] == [common_pb2.LAUNCH_TYPE_EC2] * 2
    assert assignment.tasks[0].overrides == overrides


async def test_a_refusal_names_each_instance_the_reason_and_the_numbers(scheduler: Stub, world: World) -> None:
    small = await world.add_instance(cpu=128, memory=1024)
    gone = await world.add_instance(connected=False)
    tight = await world.add_instance(cpu=1024, memory=64)
    answer = await scheduler.RunTask(run_task())
    assert not answer.tasks
    assert not answer.HasField("cursor")
    assert {failure.arn.rpartition("/")[2]: (failure.reason, failure.detail) for failure in answer.failures} == {
        small: ("RESOURCE:CPU", "needs 256 CPU units, 128 of 128 free"),
        gone: (
            "AGENT",
            "the agent is not connected. Nearest of 3 instances: 1 AGENT, 1 RESOURCE:CPU, 1 RESOURCE:MEMORY",
        ),
        tight: ("RESOURCE:MEMORY", "needs 128 MiB memory, 64 of 64 free"),
    }


async def test_what_fits_is_placed_and_the_rest_refused(scheduler: Stub, world: World) -> None:
    instance_id = await world.add_instance(cpu=600)
    answer = await scheduler.RunTask(run_task(count=3))
    assert len(answer.tasks) == 2
    (failure,) = answer.failures
    assert failure.arn.endswith(instance_id)
    assert (failure.reason, failure.detail) == ("RESOURCE:CPU", "needs 256 CPU units, 88 of 600 free")


async def test_a_cluster_without_instances_says_so(scheduler: Stub, world: World) -> None:
    with pytest.raises(errors.InvalidParameterException, match="No Container Instances were found in your cluster"):
        await scheduler.RunTask(run_task())
    await world.add_instance(status=DRAINING)
    with pytest.raises(errors.InvalidParameterException, match="1 is DRAINING"):
        await scheduler.RunTask(run_task())


async def test_an_instance_that_registers_or_a_task_that_is_released_makes_room_at_once(
    scheduler: Stub, world: World
) -> None:
    with pytest.raises(errors.InvalidParameterException):
        await scheduler.RunTask(run_task())
    world.bus, bus = None, world.bus  # nothing is published: the log alone tells
    await world.add_instance(cpu=256)
    first = await scheduler.RunTask(run_task())
    assert len(first.tasks) == 1
    assert (await scheduler.RunTask(run_task())).failures[0].reason == "RESOURCE:CPU"
    await world.release(first.tasks[0].task_arn.rpartition("/")[2])
    assert len((await scheduler.RunTask(run_task())).tasks) == 1
    assert await world.value("SELECT COUNT(*) FROM task_intents WHERE settled = 1") == 1
    world.bus = bus


async def test_static_ports_are_held_until_the_release(scheduler: Stub, world: World) -> None:
    await world.register(definition("ports", ports=[8080]))
    await world.add_instance()
    first = await scheduler.RunTask(run_task(task_definition="ports:1"))
    refused = await scheduler.RunTask(run_task(task_definition="ports:1"))
    assert [(failure.reason, failure.detail) for failure in refused.failures] == [
        ("RESOURCE:PORTS", "needs ports that are taken: 8080/tcp")
    ]
    await world.release(first.tasks[0].task_arn.rpartition("/")[2])
    assert len((await scheduler.RunTask(run_task(task_definition="ports:1"))).tasks) == 1


async def test_required_attributes_are_matched_by_name_and_value(scheduler: Stub, world: World) -> None:
    await world.register(definition("gpu", attributes=[("driver", None), ("zone", "b")]))
    wrong = await world.add_instance(attributes=[("driver", "x"), ("zone", "a")])
    right = await world.add_instance(attributes=[("driver", "y"), ("zone", "b")])
    answer = await scheduler.RunTask(run_task(task_definition="gpu", count=2))
    assert {task.container_instance_arn.rpartition("/")[2] for task in answer.tasks} == {right}
    large = scheduler_service_pb2.StartTaskRequest(cluster="web", task_definition="gpu", container_instances=[wrong])
    failure = (await scheduler.StartTask(large)).failures[0]
    assert (failure.reason, failure.detail) == ("ATTRIBUTE", "lacks zone=b")


async def test_strategies_and_distinct_instance_choose(scheduler: Stub, world: World) -> None:
    instances = {await world.add_instance(cpu=4096) for _ in range(3)}
    spread = task_pb2.PlacementStrategy(type=task_pb2.PLACEMENT_STRATEGY_TYPE_SPREAD, field="instanceId")
    answer = await scheduler.RunTask(run_task(count=6, placement_strategy=[spread]))
    placed = [task.container_instance_arn.rpartition("/")[2] for task in answer.tasks]
    assert sorted(placed) == sorted([*instances, *instances])
    distinct = task_pb2.PlacementConstraint(type=task_pb2.PLACEMENT_CONSTRAINT_TYPE_DISTINCT_INSTANCE)
    answer = await scheduler.RunTask(run_task(count=4, group="one-each", placement_constraints=[distinct]))
    assert {task.container_instance_arn.rpartition("/")[2] for task in answer.tasks} == instances
    assert {failure.reason for failure in answer.failures} == {"DistinctInstance placement constraint unsatisfied."}
    assert [failure.detail for failure in answer.failures] == [
        "holds 1 of group one-each already. Nearest of 3 instances: 3 distinctInstance",
        *["holds 1 of group one-each already"] * 2,
    ]


async def test_tags_are_inherited_where_asked_for(scheduler: Stub, world: World) -> None:
    await world.register(definition("tagged"), tags=[("team", "blue"), ("cost", "1")])
    await world.add_instance()
    request = run_task(
        task_definition="tagged",
        propagate_tags=common_pb2.PROPAGATE_TAGS_TASK_DEFINITION,
        enable_ecs_managed_tags=True,
        tags=[common_pb2.Tag(key="cost", value="2")],
    )
    (task,) = (await scheduler.RunTask(request)).tasks
    assert {tag.key: tag.value for tag in task.tags} == {"team": "blue", "cost": "2", "aws:ecs:clusterName": "web"}


@pytest.mark.parametrize(
    ("fields", "kind", "says"),
    [
        ({"task_definition": "nothing"}, errors.ClientException, "TaskDefinition not found"),
        ({"task_definition": "app:7"}, errors.ClientException, "TaskDefinition not found"),
        ({"cluster": "nowhere"}, errors.ClusterNotFoundException, "Cluster not found"),
        ({"count": 11}, errors.InvalidParameterException, "count is 11"),
        ({"launch_type": common_pb2.LAUNCH_TYPE_FARGATE}, errors.InvalidParameterException, "launch_type FARGATE"),
    ],
)
async def test_a_request_that_cannot_be_is_refused_by_name(
    scheduler: Stub, world: World, fields: dict[str, object], kind: type[Exception], says: str
) -> None:
    await world.add_instance()
    with pytest.raises(kind, match=says):
        await scheduler.RunTask(run_task(**fields))


async def test_a_deregistered_definition_is_refused_though_its_body_is_known(scheduler: Stub, world: World) -> None:
    await world.add_instance()
    assert (await scheduler.RunTask(run_task(task_definition="app:1"))).tasks
    await world.deregister("app", 1)
    with pytest.raises(errors.ClientException, match="TaskDefinition is inactive"):
        await scheduler.RunTask(run_task(task_definition="app:1"))
    with pytest.raises(errors.ClientException, match="TaskDefinition not found"):
        await scheduler.RunTask(run_task(task_definition="app"))


async def test_what_the_commit_refuses_leaves_its_room_to_others(scheduler: Stub, world: World) -> None:
    await world.register(definition("other"))
    await world.add_instance(cpu=512)
    assert (await scheduler.RunTask(run_task(task_definition="app:1"))).tasks
    await world.deregister("app", 1)
    for _ in range(3):
        with pytest.raises(errors.ClientException, match="inactive"):
            await scheduler.RunTask(run_task(task_definition="app:1"))
    assert len((await scheduler.RunTask(run_task(task_definition="other"))).tasks) == 1


async def test_a_release_that_is_told_twice_gives_its_room_back_once(scheduler: Stub, world: World) -> None:
    await world.add_instance(cpu=512)
    first, _ = (await scheduler.RunTask(run_task(count=2))).tasks
    task_id = first.task_arn.rpartition("/")[2]
    await world.release(task_id)
    assert len((await scheduler.RunTask(run_task())).tasks) == 1
    await world.tell_again(task_id)
    assert not (await scheduler.RunTask(run_task())).tasks
    assert (await world.reserved()).popitem()[1][0] == 512


async def test_a_deleted_cluster_takes_nothing(scheduler: Stub, world: World) -> None:
    await world.add_instance()
    await world.set_cluster_status(5)
    with pytest.raises(errors.ClusterNotFoundException, match="inactive"):
        await scheduler.RunTask(run_task())


async def test_instances_without_an_agent_and_draining_ones_get_nothing(scheduler: Stub, world: World) -> None:
    silent = await world.add_instance()
    draining = await world.add_instance()
    good = await world.add_instance(cpu=8192, memory=8192)
    await scheduler.RunTask(run_task())
    await world.set_instance(silent, connected=False)
    await world.set_instance(draining, status=DRAINING)
    answers = [await scheduler.RunTask(run_task(count=10)) for _ in range(2)]
    placed = {task.container_instance_arn.rpartition("/")[2] for answer in answers for task in answer.tasks}
    assert placed == {good}
    assert container_instance_pb2.CONTAINER_INSTANCE_STATUS_DRAINING == DRAINING
