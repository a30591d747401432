"""DescribeTasks and ListTasks over a real port and both engines."""

from collections.abc import Awaitable, Callable
from typing import Any

import pytest

from longshore.rpc import errors
from longshore.v1 import (
    common_pb2,
    event_pb2,
    state_tracker_service_pb2,
    task_definition_pb2,
    task_pb2,
)
from tests.rpc.state_tracker.fake_agent import RUNNING, Identity, exited, observed, session
from tests.rpc.state_tracker.world import World, definition

Join = Callable[..., Awaitable[Identity]]
pb = state_tracker_service_pb2


async def described(tracker: Any, *task_ids: str) -> list[task_pb2.Task]:
    answer = await tracker.DescribeTasks(pb.DescribeTasksRequest(cluster="web", tasks=task_ids))
    assert not answer.failures
    return list(answer.tasks)


async def listed(tracker: Any, **filters: Any) -> list[str]:
    answer = await tracker.ListTasks(pb.ListTasksRequest(cluster="web", **filters))
    return [arn[-32:] for arn in answer.task_arns]


async def test_a_placed_task_is_known_before_any_agent_speaks(tracker: Any, world: World, join: Join) -> None:
    identity = await join()
    placed = await world.place(
        identity.instance_id,
        overrides=task_pb2.TaskOverride(container_overrides=[task_pb2.ContainerOverride(name="main", cpu=512)]),
    )
    (task,) = await described(tracker, *placed.task_ids)
    assert (task.last_status, task.desired_status) == (task_pb2.TASK_STATUS_PENDING, task_pb2.DESIRED_STATUS_RUNNING)
    assert task.version == 1
    assert task.task_definition_arn.endswith(":task-definition/app:1")
    assert task.container_instance_arn.endswith(identity.instance_id)
    assert [(c.name, c.image, c.cpu, c.memory) for c in task.containers] == [
        ("main", "busybox", "512", "128"),
        ("side", "alpine", "0", ""),
    ]
    assert [override.name for override in task.overrides.container_overrides] == ["main", "side"]
    assert task.availability_zone == "zone-a"
    assert task.connectivity == task_pb2.CONNECTIVITY_DISCONNECTED
    assert task.attributes[0].value == "x86_64"
    assert task.launch_type == common_pb2.LAUNCH_TYPE_EC2


async def test_a_finished_task_shows_exit_code_cause_and_all_its_times(
    tracker: Any, address: str, world: World, join: Join
) -> None:
    identity = await join()
    (task_id,) = (await world.place(identity.instance_id)).task_ids
    binding = task_pb2.NetworkBinding(
        bind_ip="0.0.0.0", container_port=80, host_port=49153, protocol=task_definition_pb2.TRANSPORT_PROTOCOL_TCP
    )
    running = event_pb2.ContainerObservation(
        name="main",
        runtime_id="c1",
        last_status=task_pb2.CONTAINER_STATUS_RUNNING,
        network_bindings=[binding],
        image_digest="sha256:abc",
    )
    async with session(address, identity) as agent:
        pulled = observed(task_id, RUNNING, running)
        pulled.pull_started_at.seconds, pulled.pull_stopped_at.seconds = 100, 101
        await agent.report(pulled)
        ended = exited(task_id, code=42)
        ended.execution_stopped_at.seconds = 102
        await agent.report(ended)
    (task,) = await described(tracker, task_id)
    assert (task.last_status, task.desired_status) == (task_pb2.TASK_STATUS_STOPPED, task_pb2.DESIRED_STATUS_STOPPED)
    assert task.stop_code == task_pb2.TASK_STOP_CODE_ESSENTIAL_CONTAINER_EXITED
    assert task.stopped_reason == "Essential container in task exited"
    main, side = task.containers
    assert (main.exit_code, main.runtime_id, main.image_digest) == (42, "c1", "sha256:abc")
    assert list(main.network_bindings) == [binding]
    assert side.last_status == task_pb2.CONTAINER_STATUS_STOPPED
    assert not side.HasField("exit_code")
    order = [task.created_at, task.connectivity_at, task.started_at, task.stopping_at, task.stopped_at]
    assert [moment.ToNanoseconds() for moment in order] == sorted(moment.ToNanoseconds() for moment in order)
    assert task.created_at.seconds > 0
    agents = [task.pull_started_at.seconds, task.pull_stopped_at.seconds, task.execution_stopped_at.seconds]
    assert agents == [100, 101, 102]


async def test_the_first_cause_of_a_stop_is_the_one_that_is_shown(
    tracker: Any, address: str, world: World, join: Join
) -> None:
    identity = await join()
    asked, died = (await world.place(identity.instance_id, 2)).task_ids
    async with session(address, identity) as agent:
        await agent.report(observed(asked, RUNNING), observed(died, RUNNING))
        await world.stop(asked, reason="maintenance")
        await agent.report(exited(asked, 143), exited(died, 1))
        await world.stop(died, reason="too late")
    first, second = await described(tracker, asked, died)
    assert (first.stop_code, first.stopped_reason) == (task_pb2.TASK_STOP_CODE_USER_INITIATED, "maintenance")
    assert second.stop_code == task_pb2.TASK_STOP_CODE_ESSENTIAL_CONTAINER_EXITED


async def test_unknown_tasks_are_missing_and_those_of_another_cluster_refused(
    tracker: Any, world: World, join: Join
) -> None:
    identity = await join()
    (task_id,) = (await world.place(identity.instance_id)).task_ids
    answer = await tracker.DescribeTasks(pb.DescribeTasksRequest(cluster="web", tasks=["0" * 32, task_id]))
    assert [(failure.arn[-32:], failure.reason) for failure in answer.failures] == [("0" * 32, "MISSING")]
    assert len(answer.tasks) == 1
    elsewhere = f"arn:aws:ecs:us-east-1:123456789012:task/other/{task_id}"
    with pytest.raises(errors.InvalidParameterException, match="Identifier is for other"):
        await tracker.DescribeTasks(pb.DescribeTasksRequest(cluster="web", tasks=[elsewhere]))
    with pytest.raises(errors.ClusterNotFoundException):
        await tracker.DescribeTasks(pb.DescribeTasksRequest(cluster="nowhere", tasks=[task_id]))
    with pytest.raises(errors.InvalidParameterException):
        await tracker.DescribeTasks(pb.DescribeTasksRequest(cluster="web"))


async def test_the_filters_of_a_list_and_stopped_tasks_that_stay_visible(
    tracker: Any, address: str, world: World, join: Join
) -> None:
    await world.register(definition("batch"))
    here, there = await join(), await join()
    (live,) = (await world.place(here.instance_id)).task_ids
    (done,) = (await world.place(here.instance_id, started_by="ci")).task_ids
    (stopping,) = (await world.place(here.instance_id, group="service:shop")).task_ids
    (other,) = (await world.place(there.instance_id, family="batch")).task_ids
    async with session(address, here) as agent:
        await agent.report(observed(live, RUNNING), exited(done), observed(stopping, RUNNING))
    await world.stop(stopping)
    await world.settle(done)
    assert await listed(tracker) == [live, other]
    assert await listed(tracker, desired_status=task_pb2.DESIRED_STATUS_STOPPED) == [done, stopping]
    assert await listed(tracker, desired_status=task_pb2.DESIRED_STATUS_PENDING) == []
    assert await listed(tracker, family="batch") == [other]
    assert await listed(tracker, container_instance=here.instance_id) == [live]
    assert await listed(tracker, started_by="ci", desired_status=task_pb2.DESIRED_STATUS_STOPPED) == [done]
    assert await listed(tracker, service_name="shop", desired_status=task_pb2.DESIRED_STATUS_STOPPED) == [stopping]
    assert await listed(tracker, launch_type=common_pb2.LAUNCH_TYPE_FARGATE) == []
    with pytest.raises(errors.InvalidParameterException, match="startedBy"):
        await listed(tracker, started_by="ci", family="app")
    with pytest.raises(errors.InvalidParameterException, match="daemon"):
        await listed(tracker, daemon_name="x")


async def test_pages_stay_right_while_tasks_are_placed(tracker: Any, world: World, join: Join) -> None:
    identity = await join()
    expected = list((await world.place(identity.instance_id, 5)).task_ids)
    request = pb.ListTasksRequest(cluster="web", max_results=2)
    seen: list[str] = []
    while True:
        answer = await tracker.ListTasks(request)
        seen += [arn[-32:] for arn in answer.task_arns]
        if not answer.next_token:
            break
        request.next_token = answer.next_token
        if len(expected) == 5:
            expected += (await world.place(identity.instance_id)).task_ids
    assert seen == expected
    request.family = "app"
    request.next_token = (await tracker.ListTasks(pb.ListTasksRequest(cluster="web", max_results=1))).next_token
    with pytest.raises(errors.InvalidParameterException, match="other parameters"):
        await tracker.ListTasks(request)
