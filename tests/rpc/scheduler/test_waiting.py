"""Waiting for capacity over gRPC, on both engines: placed the moment something frees, in order, cancelled, out of time, after a restart."""

import asyncio
from collections.abc import AsyncIterator, Callable
from contextlib import asynccontextmanager
from typing import TypeAlias

import pytest

from longshore.events import bus as buses
from longshore.rpc import channels, errors
from longshore.scheduler import app, config, waiting, waiting_news
from longshore.storage import waiting as queued
from longshore.v1 import (
    agent_service_pb2,
    common_pb2,
    event_pb2,
    record_pb2,
    scheduler_service_pb2,
    scheduler_service_pb2_grpc,
    task_pb2,
)
from tests.rpc.scheduler.world import DRAINING, World, definition

Stub: TypeAlias = "scheduler_service_pb2_grpc.SchedulerServiceAsyncStub"

PATIENCE_S = 20.0


def run_task(
    *, priority: int | None = None, timeout_s: int | None = None, **fields: object
) -> scheduler_service_pb2.RunTaskRequest:
    wait = scheduler_service_pb2.WaitForCapacity(timeout_seconds=timeout_s, priority=priority)
    given = {"cluster": "web", "task_definition": "app", "wait_for_capacity": wait} | fields
    return scheduler_service_pb2.RunTaskRequest(**given)  # type: ignore[arg-type]


def ids(answer: scheduler_service_pb2.RunTaskResponse) -> list[str]:
    return [task.task_arn.rpartition("/")[2] for task in answer.tasks]


async def told(world: World, which: Callable[[event_pb2.TaskEvent], bool]) -> event_pb2.TaskEvent:
    """The first event of the log that is meant, as soon as it is there."""
    assert world.bus is not None
    async with asyncio.timeout(PATIENCE_S), world.bus.subscribe(world.cluster) as subscription:
        while True:
            for event in await world.events():
                if event.HasField("task") and which(event.task):
                    return event.task
            await subscription.next(1)


async def placed(world: World, task_id: str) -> event_pb2.TaskEvent:
    return await told(world, lambda task: task.task_id == task_id and task.last_status == task_pb2.TASK_STATUS_PENDING)


async def stopped(world: World, task_id: str) -> event_pb2.TaskEvent:
    return await told(world, lambda task: task.task_id == task_id and task.last_status == task_pb2.TASK_STATUS_STOPPED)


async def assigned(subscription: buses.Subscription) -> record_pb2.PublishedAssignment:
    """The next assignment that is published."""
    while True:
        told = record_pb2.Publication.FromString(await subscription.next(PATIENCE_S) or b"")
        for published in told.assignments:
            return published


async def waits(world: World) -> int:
    return (await world.database.read(lambda dialect: queued.counts(dialect, [world.cluster]))).get(world.cluster, 0)


@asynccontextmanager
async def another(world: World) -> AsyncIterator[Stub]:
    """A scheduler of the test's own on the same database and bus."""
    assert world.bus is not None
    options = config.Config(listen="127.0.0.1:0", leader_lease_ms=1_000, standby_interval_ms=50)
    async with (
        app.serve(options, database=world.database, bus=world.bus) as serving,
        channels.connect(serving.address) as channel,
    ):
        yield scheduler_service_pb2_grpc.SchedulerServiceStub(channel)


async def test_what_finds_no_room_waits_and_says_for_what(scheduler: Stub, world: World) -> None:
    await world.add_instance(cpu=256)
    answer = await scheduler.RunTask(run_task(count=2, priority=3, timeout_s=60, started_by="ci"))
    assert not answer.failures
    here, later = answer.tasks
    assert here.last_status == task_pb2.TASK_STATUS_PENDING
    assert not here.HasField("waiting")
    assert (later.last_status, later.desired_status) == (
        task_pb2.TASK_STATUS_PROVISIONING,
        task_pb2.DESIRED_STATUS_RUNNING,
    )
    assert not later.HasField("container_instance_arn")
    assert later.waiting.priority == 3
    assert later.waiting.deadline.seconds - later.waiting.since.seconds == 60
    assert later.waiting.reason.startswith("needs 256 CPU units, 0 of 256 free")
    event = (await world.events())[-1].task
    assert (event.last_status, event.waiting.reason) == (task_pb2.TASK_STATUS_PROVISIONING, later.waiting.reason)
    assert await world.value("SELECT pending_tasks FROM log_head WHERE cluster = 'web'") == 1
    place = (await world.database.read(lambda dialect: queued.places(dialect, "web", ids(answer))))[ids(answer)[1]]
    assert (place.position, place.length) == (1, 1)


async def test_it_is_placed_the_moment_something_frees_and_the_agent_is_told(scheduler: Stub, world: World) -> None:
    instance_id = await world.add_instance(cpu=256)
    overrides = task_pb2.TaskOverride(
        container_overrides=[
            task_pb2.ContainerOverride(name="main", command=common_pb2.StringList(values=["sleep", "1"]))
        ]
    )
    (here,) = ids(await scheduler.RunTask(run_task()))
    (later,) = ids(await scheduler.RunTask(run_task(overrides=overrides, tags=[common_pb2.Tag(key="k", value="v")])))
    assert world.bus is not None
    async with world.bus.subscribe("web") as subscription:
        await world.release(here)
        event = await placed(world, later)
        assert event.container_instance_id == instance_id
        assert event.placed
        published = await assigned(subscription)
    assert (published.container_instance_id, published.revision) == (instance_id, 2)
    (assignment,) = agent_service_pb2.SessionResponse.FromString(published.payload).assignments
    (task,) = assignment.tasks
    assert (task.task_id, task.definition_key) == (later, "app:1")
    assert list(task.overrides.container_overrides[0].command.values) == ["sleep", "1"]
    assert await waits(world) == 0
    assert await world.value("SELECT COUNT(*) FROM waiting_requests") == 0
    assert await world.value("SELECT pending_tasks FROM log_head WHERE cluster = 'web'") == 2
    shown = await scheduler.StopTask(scheduler_service_pb2.StopTaskRequest(cluster="web", task=later))
    assert [(tag.key, tag.value) for tag in shown.task.tags] == [("k", "v")]


async def test_without_it_a_request_is_refused_at_once(scheduler: Stub, world: World) -> None:
    await world.add_instance(cpu=256)
    await scheduler.RunTask(run_task(count=2))
    plain = scheduler_service_pb2.RunTaskRequest(cluster="web", task_definition="app")
    answer = await scheduler.RunTask(plain)
    assert not answer.tasks
    assert [failure.reason for failure in answer.failures] == ["RESOURCE:CPU"]


async def test_a_cluster_without_instances_is_waited_for_too(scheduler: Stub, world: World) -> None:
    answer = await scheduler.RunTask(run_task(count=2))
    assert [task.waiting.reason for task in answer.tasks] == ["the cluster has no ACTIVE container instance"] * 2
    instance_id = await world.add_instance()
    for task_id in ids(answer):
        assert (await placed(world, task_id)).container_instance_id == instance_id


async def test_priority_goes_before_age_and_age_before_coming_later(scheduler: Stub, world: World) -> None:
    await world.add_instance(cpu=256)
    (running,) = ids(await scheduler.RunTask(run_task()))
    first, second, urgent = [ids(await scheduler.RunTask(run_task(priority=priority)))[0] for priority in (0, 0, 5)]
    standing = await world.database.read(lambda dialect: queued.places(dialect, "web", [first, second, urgent]))
    assert [standing[task_id].position for task_id in (urgent, first, second)] == [1, 2, 3]
    for following in (urgent, first, second):
        await world.release(running)
        await placed(world, following)
        running = following
    assert await waits(world) == 0


async def test_what_comes_later_takes_nothing_from_those_who_wait(scheduler: Stub, world: World) -> None:
    await world.add_instance(cpu=256)
    (running,) = ids(await scheduler.RunTask(run_task()))
    (later,) = ids(await scheduler.RunTask(run_task()))
    plain = scheduler_service_pb2.RunTaskRequest(cluster="web", task_definition="app")
    await world.release(running)
    answer = await scheduler.RunTask(plain)
    assert not answer.tasks
    await placed(world, later)


async def test_a_stop_takes_it_out_of_the_queue(scheduler: Stub, world: World) -> None:
    await world.add_instance(cpu=256)
    (running,) = ids(await scheduler.RunTask(run_task()))
    first, second = ids(await scheduler.RunTask(run_task(count=2)))
    answer = await scheduler.StopTask(
        scheduler_service_pb2.StopTaskRequest(cluster="web", task=first, reason="no longer wanted")
    )
    assert answer.task.last_status == task_pb2.TASK_STATUS_STOPPED
    assert (answer.task.stop_code, answer.task.stopped_reason) == (
        task_pb2.TASK_STOP_CODE_USER_INITIATED,
        "no longer wanted",
    )
    assert answer.task.stopped_at == answer.task.stopping_at
    assert not answer.task.HasField("waiting")
    event = await stopped(world, first)
    assert event.released
    assert await world.value("SELECT settled FROM task_intents WHERE task_id = $1", first) == 1
    assert await world.value("SELECT stopped_tasks FROM log_head WHERE cluster = 'web'") == 1
    await world.release(running)
    await placed(world, second)
    again = await scheduler.StopTask(scheduler_service_pb2.StopTaskRequest(cluster="web", task=first))
    assert again.task.stopped_reason == "no longer wanted"


async def test_what_is_out_of_time_stops_with_the_last_numbers(scheduler: Stub, world: World) -> None:
    await world.add_instance(cpu=256)
    await scheduler.RunTask(run_task())
    (late,) = ids(await scheduler.RunTask(run_task(timeout_s=1)))
    event = await stopped(world, late)
    assert event.stop_code == task_pb2.TASK_STOP_CODE_TASK_FAILED_TO_START
    assert event.stopped_reason.startswith("No capacity became available in time: needs 256 CPU units, 0 of 256 free")
    assert event.released
    assert await waits(world) == 0


async def test_many_tasks_wait_in_parts_and_a_repetition_is_answered_alike(scheduler: Stub, world: World) -> None:
    await world.add_instance(cpu=256 * 3)
    request = scheduler_service_pb2.RunTasksRequest(run_task=run_task(), count=1_500, client_token="once")
    answer = await scheduler.RunTasks(request)
    assert (len(answer.task_ids), answer.waiting, answer.unplaced) == (1_500, 1_497, 0)
    assert not answer.failures
    again = await scheduler.RunTasks(request)
    assert (again.task_ids, again.waiting) == (answer.task_ids, 1_497)
    assert await waits(world) == 1_497
    await world.add_instance(cpu=256 * 1_497, memory=1 << 30)
    await placed(world, answer.task_ids[-1])
    assert await waits(world) == 0


async def test_a_full_queue_refuses_whole_requests_with_a_delay(
    scheduler: Stub, world: World, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(waiting, "MAX_WAITING_TASKS", 3)
    await world.add_instance(cpu=256)
    await scheduler.RunTask(run_task(count=3))
    with pytest.raises(errors.ResourceExhausted, match="2 tasks wait for capacity, 3 may") as refused:
        await scheduler.RunTask(run_task(count=2))
    assert refused.value.metadata["retry_after_ms"] == "5000"
    assert await waits(world) == 2
    assert len((await scheduler.RunTask(run_task())).tasks) == 1


async def test_a_definition_that_is_deregistered_meanwhile_still_runs(scheduler: Stub, world: World) -> None:
    (later,) = ids(await scheduler.RunTask(run_task()))
    await world.deregister("app", 1)
    await world.add_instance()
    await placed(world, later)


async def test_a_draining_instance_is_no_capacity_until_it_is_active_again(scheduler: Stub, world: World) -> None:
    instance_id = await world.add_instance(status=DRAINING)
    (later,) = ids(await scheduler.RunTask(run_task()))
    await world.set_instance(instance_id)
    await placed(world, later)


async def test_a_tag_that_was_put_on_it_while_it_waited_stays(scheduler: Stub, world: World) -> None:
    gpu = common_pb2.Resource(name="GPU", type="STRINGSET", string_set_value=["gpu-0", "gpu-1"])
    await world.register(definition("render", gpus=2))
    (later,) = ids(await scheduler.RunTask(run_task(task_definition="render")))
    await scheduler.TagTask(
        scheduler_service_pb2.TagTaskRequest(cluster="web", task=later, tags=[common_pb2.Tag(key="a", value="b")])
    )
    await world.add_instance(resources=[gpu])
    await placed(world, later)
    body = await world.value("SELECT body FROM task_intents WHERE task_id = $1", later)
    assert isinstance(body, bytes)
    record = record_pb2.TaskIntentRecord.FromString(body)
    assert [(tag.key, tag.value) for tag in record.tags] == [("a", "b")]
    assert [list(given.ids) for given in record.container_resources] == [["gpu-0", "gpu-1"]]


async def test_the_queue_outlives_its_scheduler(world: World) -> None:
    instance_id = await world.add_instance(cpu=512)
    await world.register(definition("large", cpu=512))
    async with another(world) as first:
        running = ids(await first.RunTask(run_task(count=2)))
        (late,) = ids(await first.RunTask(run_task(timeout_s=1)))
        (large,) = ids(await first.RunTask(run_task(task_definition="large", priority=9)))
        (small,) = ids(await first.RunTask(run_task()))
    assert await waits(world) == 3
    async with another(world):
        await stopped(world, late)
        await world.release(running[0])
        await world.release(running[1])
        event = await told(
            world,
            lambda task: task.task_id in {large, small} and task.last_status == task_pb2.TASK_STATUS_PENDING,
        )
        assert event.container_instance_id == instance_id
        reserved = await world.reserved()
        assert reserved[instance_id][0] <= 512


async def test_those_in_front_are_told_as_they_move(
    scheduler: Stub, world: World, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(waiting_news, "INTERVAL_S", 0.05)
    await world.add_instance(cpu=256)
    (running,) = ids(await scheduler.RunTask(run_task()))
    (first,) = ids(await scheduler.RunTask(run_task()))
    (second,) = ids(await scheduler.RunTask(run_task(priority=1, timeout_s=60)))
    event = await told(world, lambda task: task.task_id == first and task.waiting.position == 2)
    assert event.waiting.queue_length == 2
    assert event.last_status == task_pb2.TASK_STATUS_PROVISIONING
    await world.release(running)
    await placed(world, second)
    event = await told(world, lambda task: task.task_id == first and task.waiting.position == 1)
    assert event.waiting.queue_length == 1
    assert event.waiting.reason.startswith("needs 256 CPU units, 0 of 256 free")
    (leader,) = (await scheduler.DescribeLeaders(scheduler_service_pb2.DescribeLeadersRequest())).leaders
    assert leader.waiting_tasks == 1


async def test_nobody_need_ask_for_a_cluster_whose_tasks_wait(world: World) -> None:
    """An embedded scheduler, alone on its database, leads only what it is asked for: and where tasks wait."""
    async with another(world) as first:
        (later,) = ids(await first.RunTask(run_task()))
    await world.add_instance()
    async with another(world):
        await placed(world, later)
