"""StopTask, StartTask and the tags of tasks over gRPC, on both engines."""

from typing import TypeAlias

import pytest

from longshore.events import cursor
from longshore.rpc import errors
from longshore.v1 import (
    agent_service_pb2,
    common_pb2,
    record_pb2,
    scheduler_service_pb2,
    scheduler_service_pb2_grpc,
    task_pb2,
)
from tests.rpc.scheduler.world import World

Stub: TypeAlias = "scheduler_service_pb2_grpc.SchedulerServiceAsyncStub"


async def placed(scheduler: Stub, count: int = 1) -> list[str]:
    request = scheduler_service_pb2.RunTaskRequest(cluster="web", task_definition="app", count=count)
    return [task.task_arn for task in (await scheduler.RunTask(request)).tasks]


async def test_a_stop_moves_the_intent_tells_the_agent_and_is_answered(scheduler: Stub, world: World) -> None:
    instance_id = await world.add_instance()
    (arn,) = await placed(scheduler)
    task_id = arn.rpartition("/")[2]
    assert world.bus is not None
    async with world.bus.subscribe("web") as subscription:
        answer = await scheduler.StopTask(
            scheduler_service_pb2.StopTaskRequest(cluster="web", task=arn, reason="no longer wanted")
        )
        payload = await subscription.next(5)
    assert (answer.task.task_arn, answer.task.version) == (arn, 2)
    assert answer.task.last_status == task_pb2.TASK_STATUS_STOPPING
    assert answer.task.desired_status == task_pb2.DESIRED_STATUS_STOPPED
    assert answer.task.stop_code == task_pb2.TASK_STOP_CODE_USER_INITIATED
    assert answer.task.stopped_reason == "no longer wanted"
    assert answer.task.HasField("stopping_at")
    last = (await world.events())[-1]
    assert cursor.decode(answer.cursor, "web") == last.sequence
    assert (last.task.task_id, last.task.version) == (task_id, 2)
    assert last.task.last_status == task_pb2.TASK_STATUS_STOPPING
    told = record_pb2.Publication.FromString(payload or b"")
    (published,) = told.assignments
    assert (published.container_instance_id, published.base_revision, published.revision) == (instance_id, 1, 2)
    (assignment,) = agent_service_pb2.SessionResponse.FromString(published.payload).assignments
    assert [stop.task_id for stop in assignment.stops] == [task_id]
    assert not assignment.tasks
    assert await world.value("SELECT assignment_revision FROM task_intents WHERE task_id = $1", task_id) == 2


async def test_a_second_stop_changes_nothing_and_keeps_the_first_reason(scheduler: Stub, world: World) -> None:
    await world.add_instance()
    (arn,) = await placed(scheduler)
    await scheduler.StopTask(scheduler_service_pb2.StopTaskRequest(cluster="web", task=arn))
    before = len(await world.events())
    again = await scheduler.StopTask(scheduler_service_pb2.StopTaskRequest(cluster="web", task=arn, reason="other"))
    assert again.task.stopped_reason == "Task stopped by user"
    assert not again.HasField("cursor")
    assert len(await world.events()) == before


async def test_a_task_that_has_stopped_by_itself_is_shown_as_it_is(scheduler: Stub, world: World) -> None:
    await world.add_instance()
    (arn,) = await placed(scheduler)
    await world.release(arn.rpartition("/")[2])
    answer = await scheduler.StopTask(scheduler_service_pb2.StopTaskRequest(cluster="web", task=arn))
    assert answer.task.last_status == task_pb2.TASK_STATUS_STOPPED
    assert answer.task.stop_code == task_pb2.TASK_STOP_CODE_ESSENTIAL_CONTAINER_EXITED
    assert not answer.HasField("cursor")


@pytest.mark.parametrize(
    ("task", "says"),
    [("f" * 32, "The referenced task was not found."), ("", "not the id of a task"), ("a b", "not the id of a task")],
)
async def test_a_task_that_is_not_there_cannot_be_stopped(scheduler: Stub, world: World, task: str, says: str) -> None:
    with pytest.raises(errors.InvalidParameterException, match=says):
        await scheduler.StopTask(scheduler_service_pb2.StopTaskRequest(cluster="web", task=task))


async def test_a_task_of_another_cluster_is_not_found(scheduler: Stub, world: World) -> None:
    await world.add_instance()
    (arn,) = await placed(scheduler)
    await world.create_cluster("other")
    with pytest.raises(errors.InvalidParameterException, match="was not found"):
        await scheduler.StopTask(scheduler_service_pb2.StopTaskRequest(cluster="other", task=arn.rpartition("/")[2]))
    with pytest.raises(errors.InvalidParameterException, match="Identifier is for web"):
        await scheduler.StopTask(scheduler_service_pb2.StopTaskRequest(cluster="other", task=arn))


async def test_start_task_takes_the_instances_it_is_told_and_says_why_not_the_others(
    scheduler: Stub, world: World
) -> None:
    good, full, silent = (
        await world.add_instance(),
        await world.add_instance(cpu=10),
        await world.add_instance(connected=False),
    )
    gone = await world.add_instance(status=6)
    unknown = "e" * 32
    request = scheduler_service_pb2.StartTaskRequest(
        cluster="web",
        task_definition="app",
        container_instances=[good, full, silent, gone, unknown],
        started_by="own-scheduler",
    )
    answer = await scheduler.StartTask(request)
    (task,) = answer.tasks
    assert task.container_instance_arn.endswith(good)
    assert task.started_by == "own-scheduler"
    assert {failure.arn.rpartition("/")[2]: failure.reason for failure in answer.failures} == {
        full: "RESOURCE:CPU",
        silent: "AGENT",
        gone: "INACTIVE",
        unknown: "MISSING",
    }
    assert answer.HasField("cursor")


async def test_an_instance_that_leaves_while_the_scheduler_leads_is_inactive_to_start_task(
    scheduler: Stub, world: World
) -> None:
    instance_id = await world.add_instance()
    await placed(scheduler)
    await world.set_instance(instance_id, status=6)
    request = scheduler_service_pb2.StartTaskRequest(
        cluster="web", task_definition="app", container_instances=[instance_id]
    )
    (failure,) = (await scheduler.StartTask(request)).failures
    assert (failure.reason, failure.detail) == ("INACTIVE", "the container instance is INACTIVE, not ACTIVE")


async def test_tags_of_a_task_are_added_overwritten_listed_and_removed(scheduler: Stub, world: World) -> None:
    await world.add_instance()
    (arn,) = await placed(scheduler)

    async def tags() -> dict[str, str]:
        request = scheduler_service_pb2.ListTagsForTaskRequest(cluster="web", task=arn)
        return {tag.key: tag.value for tag in (await scheduler.ListTagsForTask(request)).tags}

    def add(**values: str) -> scheduler_service_pb2.TagTaskRequest:
        given = [common_pb2.Tag(key=key, value=value) for key, value in values.items()]
        return scheduler_service_pb2.TagTaskRequest(cluster="web", task=arn, tags=given)

    await scheduler.TagTask(add(a="1", b="2"))
    await scheduler.TagTask(add(b="3"))
    assert await tags() == {"a": "1", "b": "3"}
    await scheduler.UntagTask(
        scheduler_service_pb2.UntagTaskRequest(cluster="web", task=arn, tag_keys=["a", "unknown"])
    )
    assert await tags() == {"b": "3"}
    with pytest.raises(errors.LimitExceededException, match="51 tags, 50 are allowed"):
        await scheduler.TagTask(add(**{f"k{number}": "" for number in range(50)}))
    with pytest.raises(errors.InvalidParameterException, match="reserved"):
        await scheduler.TagTask(add(**{"aws:x": "1"}))
    with pytest.raises(errors.InvalidParameterException, match="was not found"):
        await scheduler.ListTagsForTask(scheduler_service_pb2.ListTagsForTaskRequest(cluster="web", task="f" * 32))
    assert await tags() == {"b": "3"}


async def test_the_leaders_are_told_to_operators(scheduler: Stub, world: World) -> None:
    assert not (await scheduler.DescribeLeaders(scheduler_service_pb2.DescribeLeadersRequest())).leaders
    await world.add_instance()
    await placed(scheduler)
    request = scheduler_service_pb2.DescribeLeadersRequest(clusters=["web", "none"])
    (leader,) = (await scheduler.DescribeLeaders(request)).leaders
    assert (leader.cluster, leader.epoch, leader.expired) == ("web", 1, False)
    assert leader.address.startswith("127.0.0.1:")
