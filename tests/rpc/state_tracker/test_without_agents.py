"""An instance that a tool registered, as ECS's own call does it: there for ever, and nothing runs on it until an agent takes it over."""

import json
from collections.abc import AsyncIterator
from typing import Any

import pytest

from longshore.rpc import codec, errors
from longshore.state_tracker import giving_up
from longshore.storage.database import Database
from longshore.v1 import (
    common_pb2,
    container_instance_pb2,
    registry_service_pb2,
    scheduler_service_pb2,
    state_tracker_service_pb2,
    task_definition_pb2,
    task_pb2,
)
from tests.rpc.state_tracker import fake_agent, plane
from tests.rpc.state_tracker.fake_agent import Identity, observed, session
from tests.rpc.state_tracker.plane import Addresses, View
from tests.rpc.state_tracker.test_lost_hosts import instance_event
from tests.rpc.state_tracker.test_watch import Watcher

pb = state_tracker_service_pb2

REQUEST: dict[str, Any] = {
    "cluster": "web",
    "instanceIdentityDocument": json.dumps({"instanceId": "i-0123456789abcdef0", "region": "us-east-1"}),
    "instanceIdentityDocumentSignature": "c2lnbmF0dXJl",
    "totalResources": [
        # As ECS's agent and the aws cli's skeleton send it: every value, of which the type says which one counts.
        {"name": "CPU", "type": "INTEGER", "doubleValue": 0.0, "longValue": 0, "integerValue": 2048},
        {"name": "MEMORY", "type": "INTEGER", "doubleValue": 0.0, "longValue": 0, "integerValue": 4096},
        {"name": "PORTS", "type": "STRINGSET", "integerValue": 0, "stringSetValue": ["22", "51678"]},
        {"name": "PORTS_UDP", "type": "STRINGSET", "stringSetValue": []},
    ],
    "versionInfo": {"agentVersion": "1.80.0", "agentHash": "abc", "dockerVersion": "DockerVersion: 27.0"},
    "attributes": [{"name": "stack", "value": "blue"}, {"name": "ecs.os-type", "value": "linux"}],
    "tags": [{"key": "rack", "value": "7"}],
}


@pytest.fixture
async def addresses(db: Database) -> AsyncIterator[Addresses]:
    async with plane.serving(db, agent_heartbeat=0.2, agent_lease=0.8, agent_give_up=600.0) as served:
        yield served


@pytest.fixture
async def view(addresses: Addresses) -> AsyncIterator[View]:
    async with plane.seen_from("us-east-1", addresses) as seen:
        await seen.registry.CreateCluster(registry_service_pb2.CreateClusterRequest(cluster_name="web"))
        await seen.registry.RegisterTaskDefinition(
            registry_service_pb2.RegisterTaskDefinitionRequest(
                family="app",
                container_definitions=[
                    task_definition_pb2.ContainerDefinition(name="main", image="busybox", memory=32)
                ],
            )
        )
        yield seen


async def registered(view: View, **more: Any) -> pb.RegisterContainerInstanceResponse:
    answer = await view.tracker.RegisterContainerInstance(
        codec.from_json(pb.RegisterContainerInstanceRequest, REQUEST | more)
    )
    assert isinstance(answer, pb.RegisterContainerInstanceResponse)
    return answer


async def described(view: View, arn: str) -> container_instance_pb2.ContainerInstance:
    answer = await view.tracker.DescribeContainerInstances(
        pb.DescribeContainerInstancesRequest(cluster="web", container_instances=[arn])
    )
    (instance,) = answer.container_instances
    assert isinstance(instance, container_instance_pb2.ContainerInstance)
    return instance


async def test_the_answer_has_what_was_sent_and_no_agent(view: View) -> None:
    instance = (await registered(view)).container_instance
    assert instance.status == container_instance_pb2.CONTAINER_INSTANCE_STATUS_ACTIVE
    assert not instance.agent_connected
    assert instance.ec2_instance_id == "i-0123456789abcdef0"
    assert instance.version_info.agent_version == "1.80.0"
    assert {a.name: a.value for a in instance.attributes} == {"stack": "blue", "ecs.os-type": "linux"}
    amounts = {r.name: r.integer_value for r in instance.remaining_resources if r.type == "INTEGER"}
    assert amounts == {"CPU": 2048, "MEMORY": 4096}
    assert [(tag.key, tag.value) for tag in instance.tags] == [("rack", "7")]


@pytest.mark.parametrize("document", ["", "not json", "[]", '{"instanceId": 7}', '{"instanceId": "%s"}' % ("x" * 300)])
async def test_an_identity_document_that_is_none_is_refused(view: View, document: str) -> None:
    if not document:
        answer = await registered(view, instanceIdentityDocument=document)
        assert not answer.container_instance.ec2_instance_id
        return
    with pytest.raises(errors.InvalidParameterException, match="instanceIdentityDocument"):
        await registered(view, instanceIdentityDocument=document)


async def test_it_is_never_among_the_lost_while_one_whose_agent_has_gone_is(
    view: View, addresses: Addresses, db: Database
) -> None:
    arn = (await registered(view)).container_instance.container_instance_arn
    made = await registered(view)
    other = Identity(made.container_instance.container_instance_arn[-32:], made.instance_credential)
    watcher = Watcher(view.tracker.WatchEvents(pb.WatchEventsRequest(cluster="web")))
    await watcher.batch()
    async with session(addresses.tracker, other):
        await instance_event(watcher, connected=False)  # silent: the lease runs out
    lost = await db.read(lambda dialect: giving_up.lost_instances(dialect, 0.0))
    assert [found.instance_id for found in lost] == [other.instance_id]
    assert (await described(view, arn)).status == container_instance_pb2.CONTAINER_INSTANCE_STATUS_ACTIVE


async def test_nothing_is_placed_on_it(view: View) -> None:
    arn = (await registered(view)).container_instance.container_instance_arn
    ran = await view.scheduler.RunTask(scheduler_service_pb2.RunTaskRequest(cluster="web", task_definition="app"))
    started = await view.scheduler.StartTask(
        scheduler_service_pb2.StartTaskRequest(cluster="web", task_definition="app", container_instances=[arn])
    )
    for answer in (ran, started):
        assert not answer.tasks
        (failure,) = answer.failures
        assert (failure.arn, failure.reason) == (arn, "AGENT")
        assert "connected" in failure.detail


async def test_whatever_can_be_done_with_an_instance_can_be_done_with_it(view: View) -> None:
    arn = (await registered(view)).container_instance.container_instance_arn
    await view.tracker.PutAttributes(
        pb.PutAttributesRequest(cluster="web", attributes=[common_pb2.Attribute(name="zone", value="a", target_id=arn)])
    )
    tag = common_pb2.Tag(key="floor", value="3")
    await view.registry.TagResource(registry_service_pb2.TagResourceRequest(resource_arn=arn, tags=[tag]))
    drained = await view.tracker.UpdateContainerInstancesState(
        pb.UpdateContainerInstancesStateRequest(
            cluster="web",
            container_instances=[arn],
            status=container_instance_pb2.CONTAINER_INSTANCE_STATUS_DRAINING,
        )
    )
    (instance,) = drained.container_instances
    assert instance.status == container_instance_pb2.CONTAINER_INSTANCE_STATUS_DRAINING
    assert {a.name for a in instance.attributes} == {"stack", "ecs.os-type", "zone"}
    assert {(t.key, t.value) for t in instance.tags} == {("rack", "7"), ("floor", "3")}
    listed = await view.tracker.ListContainerInstances(
        pb.ListContainerInstancesRequest(
            cluster="web", status=container_instance_pb2.CONTAINER_INSTANCE_STATUS_DRAINING
        )
    )
    assert list(listed.container_instance_arns) == [arn]
    gone = await view.tracker.DeregisterContainerInstance(
        pb.DeregisterContainerInstanceRequest(cluster="web", container_instance=arn)
    )
    assert gone.container_instance.status == container_instance_pb2.CONTAINER_INSTANCE_STATUS_INACTIVE
    listed = await view.tracker.ListContainerInstances(pb.ListContainerInstancesRequest(cluster="web"))
    assert not listed.container_instance_arns


async def test_an_agent_with_its_arn_and_credential_takes_it_over(view: View, addresses: Addresses) -> None:
    made = await registered(view)
    arn = made.container_instance.container_instance_arn
    again = await view.tracker.RegisterContainerInstance(
        fake_agent.registration(
            container_instance_arn=arn,
            instance_credential=made.instance_credential,
            attributes=[common_pb2.Attribute(name="com.amazonaws.ecs.capability.docker-remote-api.1.17")],
        )
    )
    assert not again.instance_credential
    assert again.container_instance.container_instance_arn == arn
    assert {a.name for a in again.container_instance.attributes} == {
        "stack",
        "com.amazonaws.ecs.capability.docker-remote-api.1.17",
    }
    identity = Identity(arn.rpartition("/")[2], made.instance_credential)
    async with session(addresses.tracker, identity) as speaking:
        assert (await described(view, arn)).agent_connected
        ran = await view.scheduler.RunTask(scheduler_service_pb2.RunTaskRequest(cluster="web", task_definition="app"))
        (task,) = ran.tasks
        assert task.container_instance_arn == arn
        assigned = await speaking.assigned()
        while not assigned.tasks:
            assigned = await speaking.assigned()
        await speaking.report(observed(assigned.tasks[0].task_id, task_pb2.TASK_STATUS_RUNNING))


async def test_nobody_registers_it_again_without_its_credential(view: View) -> None:
    arn = (await registered(view)).container_instance.container_instance_arn
    with pytest.raises(errors.Unauthenticated, match="credential"):
        await registered(view, containerInstanceArn=arn)
