"""Reports without a session: taken while nobody speaks for the host, refused while somebody does; over both engines."""

import asyncio
from collections.abc import Awaitable, Callable
from typing import Any

import pytest

from longshore.rpc import channels, errors
from longshore.v1 import state_tracker_service_pb2, task_pb2
from tests.rpc.state_tracker import fake_agent
from tests.rpc.state_tracker.conftest import Stub
from tests.rpc.state_tracker.fake_agent import RUNNING, STOPPED, Identity, observed, session
from tests.rpc.state_tracker.world import World

Join = Callable[..., Awaitable[Identity]]
pb = state_tracker_service_pb2


def said(task_id: str, status: str, *containers: pb.ContainerStateChange, **fields: Any) -> Any:
    return pb.SubmitTaskStateChangeRequest(cluster="web", task=task_id, status=status, containers=containers, **fields)


def container(name: str, status: str, **fields: Any) -> pb.ContainerStateChange:
    return pb.ContainerStateChange(container_name=name, status=status, **fields)


async def shown(tracker: Any, task_id: str) -> task_pb2.Task:
    answer = await tracker.DescribeTasks(pb.DescribeTasksRequest(cluster="web", tasks=[task_id]))
    (task,) = answer.tasks
    assert isinstance(task, task_pb2.Task)
    return task


async def unspoken_for(tracker: Any, identity: Identity) -> None:
    """Wait until the tables say, too, that nobody speaks for an instance: its session ends a commit earlier."""
    asked = pb.DescribeContainerInstancesRequest(cluster="web", container_instances=[identity.instance_id])
    async with asyncio.timeout(fake_agent.TIMEOUT_S):
        while (await tracker.DescribeContainerInstances(asked)).container_instances[0].agent_connected:
            pass


async def test_a_task_goes_all_its_way_by_calls_alone(tracker: Any, world: World, join: Join) -> None:
    identity = await join()
    (task_id,) = (await world.place(identity.instance_id)).task_ids
    for status in ("PENDING", "RUNNING", "RUNNING"):
        answer = await tracker.SubmitTaskStateChange(said(task_id, status, container("main", status)))
        assert answer.acknowledgment == "ACK"
    assert await world.counted() == (0, 1)
    answer = await tracker.SubmitContainerStateChange(
        pb.SubmitContainerStateChangeRequest(
            cluster="web", task=task_id, container_name="side", status="STOPPED", exit_code=4, runtime_id="abc"
        )
    )
    assert answer.acknowledgment == "ACK"
    task = await shown(tracker, task_id)
    assert (task.last_status, task.desired_status) == (task_pb2.TASK_STATUS_STOPPING, task_pb2.DESIRED_STATUS_STOPPED)
    assert [(c.name, c.exit_code, c.runtime_id) for c in task.containers if c.HasField("exit_code")] == [
        ("side", 4, "abc")
    ]
    await tracker.SubmitTaskStateChange(said(task_id, "STOPPED", reason="the host says so"))
    task = await shown(tracker, task_id)
    assert (task.last_status, task.stopped_reason) == (STOPPED, "Essential container in task exited")
    assert {c.last_status for c in task.containers} == {task_pb2.CONTAINER_STATUS_STOPPED}
    assert await world.counted() == await world.recounted() == (0, 0)
    events = [event for event in await world.events() if event.HasField("task")]
    assert [event.task.last_status for event in events[1:]] == [
        task_pb2.TASK_STATUS_PENDING,
        RUNNING,
        task_pb2.TASK_STATUS_STOPPING,
        STOPPED,
    ]
    assert events[-1].task.released
    assert (events[-1].principal, bool(events[-1].request_id)) == ("local-admin", True)


async def test_what_is_behind_is_acknowledged_and_changes_nothing(tracker: Any, world: World, join: Join) -> None:
    identity = await join()
    (task_id,) = (await world.place(identity.instance_id)).task_ids
    await tracker.SubmitTaskStateChange(said(task_id, "STOPPED"))
    count = len(await world.events())
    for status in ("PENDING", "RUNNING", "STOPPED"):
        assert (await tracker.SubmitTaskStateChange(said(task_id, status))).acknowledgment == "ACK"
    assert len(await world.events()) == count
    assert (await shown(tracker, task_id)).last_status == STOPPED


async def test_a_session_alone_is_believed_whichever_tracker_holds_it(
    tracker: Any, start: Callable[..., Awaitable[str]], world: World, join: Join
) -> None:
    identity = await join()
    (task_id,) = (await world.place(identity.instance_id)).task_ids
    elsewhere = await start(agent_heartbeat=5.0, agent_lease=60.0)
    async with session(elsewhere, identity) as speaking:
        await speaking.assigned()
        await speaking.report(observed(task_id, RUNNING))
        with pytest.raises(errors.ClientException, match=f"container instance {identity.instance_id} is connected"):
            await tracker.SubmitTaskStateChange(said(task_id, "STOPPED"))
        with pytest.raises(errors.ClientException):
            await tracker.SubmitContainerStateChange(
                pb.SubmitContainerStateChangeRequest(
                    cluster="web", task=task_id, container_name="main", status="STOPPED"
                )
            )
    assert (await shown(tracker, task_id)).last_status == RUNNING


async def test_the_next_session_begins_with_everything_so_that_nothing_goes_on_that_was_declared_stopped(
    start: Callable[..., Awaitable[str]], world: World
) -> None:
    address = await start(agent_heartbeat=0.1, agent_lease=0.4)
    async with channels.connect(address) as channel:
        tracker: Any = Stub(channel)
        made = await tracker.RegisterContainerInstance(fake_agent.registration())
        identity = Identity(made.container_instance.container_instance_arn[-32:], made.instance_credential)
        first, second = (await world.place(identity.instance_id, 2)).task_ids
        async with session(address, identity) as speaking:
            revision = (await speaking.assigned()).revision
            await speaking.report(observed(first, RUNNING), observed(second, RUNNING))
            assert isinstance(await speaking.ended(), errors.Unavailable)  # silent: the lease runs out
        await unspoken_for(tracker, identity)
        await tracker.SubmitTaskStateChange(said(first, "STOPPED"))
        async with session(address, identity, revision=revision) as again:
            assignment = await again.assigned()
            assert assignment.base_revision == 0
            assert [task.task_id for task in assignment.tasks] == [second]
        async with session(address, identity, revision=revision) as third:
            # Nobody spoke between the two sessions: increments, and there are none.
            (newer,) = (await world.place(identity.instance_id)).task_ids
            assignment = await third.assigned()
            assert (assignment.base_revision, [task.task_id for task in assignment.tasks]) == (revision, [newer])


async def test_reports_of_one_task_that_come_together_all_count(tracker: Any, world: World, join: Join) -> None:
    identity = await join()
    task_ids = (await world.place(identity.instance_id, 8)).task_ids
    calls = []
    for task_id in task_ids:
        calls += [
            tracker.SubmitTaskStateChange(said(task_id, "RUNNING", container("main", "RUNNING"))),
            tracker.SubmitContainerStateChange(
                pb.SubmitContainerStateChangeRequest(
                    cluster="web", task=task_id, container_name="side", status="STOPPED", exit_code=3
                )
            ),
        ]
    answers = await asyncio.gather(*calls)
    assert {answer.acknowledgment for answer in answers} == {"ACK"}
    assert await world.counted() == await world.recounted() == (0, 8)
    for task_id in task_ids:
        body = (await world.halves(task_id)).observation
        assert body is not None
        assert {c.name: c.last_status for c in body.record().containers} == {
            "main": task_pb2.CONTAINER_STATUS_RUNNING,
            "side": task_pb2.CONTAINER_STATUS_STOPPED,
        }


async def test_what_is_not_there_is_refused_by_name(tracker: Any, world: World, join: Join) -> None:
    identity = await join()
    (task_id,) = (await world.place(identity.instance_id)).task_ids
    await world.create_cluster("other")
    with pytest.raises(errors.ClusterNotFoundException):
        await tracker.SubmitTaskStateChange(pb.SubmitTaskStateChangeRequest(task=task_id, status="RUNNING"))
    with pytest.raises(errors.ClientException, match="The referenced task was not found"):
        await tracker.SubmitTaskStateChange(said("0" * 32, "RUNNING"))
    with pytest.raises(errors.ClientException, match="The referenced task was not found"):
        await tracker.SubmitTaskStateChange(
            pb.SubmitTaskStateChangeRequest(cluster="other", task=task_id, status="RUNNING")
        )
    arn = f"arn:aws:ecs:us-east-1:123456789012:task/other/{task_id}"
    with pytest.raises(errors.InvalidParameterException, match=r"Identifier is for other\. Your cluster is web"):
        await tracker.SubmitTaskStateChange(said(arn, "RUNNING"))
    with pytest.raises(errors.InvalidParameterException, match="Task can not be empty"):
        await tracker.SubmitTaskStateChange(said("", "RUNNING"))
    with pytest.raises(errors.InvalidParameterException, match="has no container nginx; it has main, side"):
        await tracker.SubmitTaskStateChange(said(task_id, "RUNNING", container("nginx", "RUNNING")))
    attachment = pb.AttachmentStateChange(attachment_arn="arn:of:none", status="ATTACHED")
    with pytest.raises(errors.InvalidParameterException, match="no such attachment: arn:of:none"):
        await tracker.SubmitTaskStateChange(said(task_id, "RUNNING", attachments=[attachment]))
    with pytest.raises(errors.InvalidParameterException, match="no such attachment: arn:of:none"):
        await tracker.SubmitAttachmentStateChanges(
            pb.SubmitAttachmentStateChangesRequest(cluster="web", attachments=[attachment])
        )
    with pytest.raises(errors.InvalidParameterException, match="attachments can not be empty"):
        await tracker.SubmitAttachmentStateChanges(pb.SubmitAttachmentStateChangesRequest(cluster="web"))
    assert (await world.halves(task_id)).observation is None


async def test_the_poll_endpoint_is_the_tracker_that_answers(
    start: Callable[..., Awaitable[str]], world: World
) -> None:
    plain = await start()
    advertised = await start(advertise="tracker-1.example:8703")
    for address, url in ((plain, f"http://{plain}/"), (advertised, "http://tracker-1.example:8703/")):
        async with channels.connect(address) as channel:
            tracker: Any = Stub(channel)
            answer = await tracker.DiscoverPollEndpoint(pb.DiscoverPollEndpointRequest(cluster="web"))
            assert (answer.endpoint, answer.telemetry_endpoint) == (url, url)
            assert not answer.HasField("service_connect_endpoint")
            assert (await tracker.DiscoverPollEndpoint(pb.DiscoverPollEndpointRequest())).endpoint == url
            with pytest.raises(errors.ClusterNotFoundException):
                await tracker.DiscoverPollEndpoint(pb.DiscoverPollEndpointRequest(cluster="nowhere"))


async def test_an_agent_is_not_updated_from_here_and_the_refusal_says_how(
    tracker: Any, world: World, join: Join
) -> None:
    identity = await join()  # version 1.0

    async def refused(instance: str) -> errors.ServiceError:
        with pytest.raises(errors.ServiceError) as error:
            await tracker.UpdateContainerAgent(
                pb.UpdateContainerAgentRequest(cluster="web", container_instance=instance)
            )
        return error.value

    assert isinstance(await refused(identity.instance_id), errors.NoUpdateAvailableException)
    unknown = await join(version_info=None)
    assert isinstance(await refused(unknown.instance_id), errors.MissingVersionException)
    old = await join(version_info={"agent_version": "0.0.1"})
    assert isinstance(await refused(old.instance_id), errors.ClientException)
    assert isinstance(await refused("0" * 32), errors.InvalidParameterException)
