"""Tasks show the capacity provider that they were placed through, wherever tasks are shown."""

from collections.abc import AsyncIterator
from contextlib import AsyncExitStack
from typing import Any

import pytest

from longshore.rpc import codec, errors
from longshore.storage.database import Database
from longshore.v1 import common_pb2, registry_service_pb2, scheduler_service_pb2, state_tracker_service_pb2
from tests.rpc.state_tracker import fake_agent, plane
from tests.rpc.state_tracker.fake_agent import Identity, session
from tests.rpc.state_tracker.plane import View

FARGATE = common_pb2.LAUNCH_TYPE_FARGATE


@pytest.fixture
async def view(db: Database) -> AsyncIterator[View]:
    """A cluster with a default strategy, a definition, and an instance whose agent is connected."""
    async with AsyncExitStack() as stack:
        addresses = await stack.enter_async_context(plane.serving(db, agent_lease=60.0))
        seen = await stack.enter_async_context(plane.seen_from("us-east-1", addresses))
        await seen.registry.CreateCluster(
            codec.from_json(
                registry_service_pb2.CreateClusterRequest,
                {
                    "clusterName": "web",
                    "capacityProviders": ["FARGATE", "FARGATE_SPOT"],
                    "defaultCapacityProviderStrategy": [
                        {"capacityProvider": "FARGATE", "weight": 1, "base": 1},
                        {"capacityProvider": "FARGATE_SPOT", "weight": 1},
                    ],
                },
            )
        )
        made = await seen.registry.RegisterTaskDefinition(
            codec.from_json(
                registry_service_pb2.RegisterTaskDefinitionRequest,
                {"family": "app", "containerDefinitions": [{"name": "main", "image": "busybox", "memory": 16}]},
            )
        )
        attributes = [common_pb2.Attribute(name=needed.name) for needed in made.task_definition.requires_attributes]
        joined = await seen.tracker.RegisterContainerInstance(fake_agent.registration(attributes=attributes))
        identity = Identity(joined.container_instance.container_instance_arn[-32:], joined.instance_credential)
        await stack.enter_async_context(session(addresses.tracker, identity))
        yield seen


async def ran(view: View, **given: Any) -> list[tuple[str, int]]:
    request = codec.from_json(scheduler_service_pb2.RunTaskRequest, {"cluster": "web", "taskDefinition": "app"} | given)
    answer = await view.scheduler.RunTask(request)
    assert not answer.failures
    described = await view.tracker.DescribeTasks(
        state_tracker_service_pb2.DescribeTasksRequest(cluster="web", tasks=[t.task_arn for t in answer.tasks])
    )
    shown = [(task.capacity_provider_name, task.launch_type) for task in described.tasks]
    assert shown == [(task.capacity_provider_name, task.launch_type) for task in answer.tasks]
    return shown


async def test_without_a_launch_type_the_clusters_default_strategy_counts(view: View) -> None:
    assert await ran(view, count=3) == [("FARGATE", FARGATE), ("FARGATE", FARGATE), ("FARGATE_SPOT", FARGATE)]
    assert await ran(view, launchType="EC2") == [("", common_pb2.LAUNCH_TYPE_EC2)]
    listed = await view.tracker.ListTasks(
        state_tracker_service_pb2.ListTasksRequest(cluster="web", launch_type=FARGATE)
    )
    assert len(listed.task_arns) == 3


async def test_a_strategy_of_the_request_counts_before_the_default(view: View) -> None:
    strategy = [{"capacityProvider": "FARGATE_SPOT", "weight": 1}]
    assert await ran(view, capacityProviderStrategy=strategy, clientToken="t") == [("FARGATE_SPOT", FARGATE)]
    assert await ran(view, capacityProviderStrategy=strategy, clientToken="t") == [("FARGATE_SPOT", FARGATE)]


async def test_a_provider_that_is_not_the_clusters_is_refused_and_nothing_is_placed(view: View) -> None:
    with pytest.raises(errors.InvalidParameterException, match="not associated with the cluster"):
        await ran(view, capacityProviderStrategy=[{"capacityProvider": "mine", "weight": 1}])
    listed = await view.tracker.ListTasks(state_tracker_service_pb2.ListTasksRequest(cluster="web"))
    assert not listed.task_arns


async def test_what_the_cluster_is_given_counts_for_the_next_task(view: View) -> None:
    await view.registry.PutClusterCapacityProviders(
        codec.from_json(
            registry_service_pb2.PutClusterCapacityProvidersRequest,
            {"cluster": "web", "capacityProviders": [], "defaultCapacityProviderStrategy": []},
        )
    )
    assert await ran(view) == [("", common_pb2.LAUNCH_TYPE_EC2)]
