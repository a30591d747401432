"""A control plane of any region shows everybody its own: the same cluster, instance, definition and task under each region's ARNs."""

from collections.abc import AsyncIterator

import pytest

from longshore.rpc import errors
from longshore.storage.database import Database
from longshore.v1 import (
    common_pb2,
    registry_service_pb2,
    scheduler_service_pb2,
    state_tracker_service_pb2,
    task_definition_pb2,
    task_pb2,
)
from tests.rpc.state_tracker import fake_agent, plane
from tests.rpc.state_tracker.fake_agent import Identity, session
from tests.rpc.state_tracker.plane import Addresses, View

HOME, ABROAD = "us-east-1", "eu-central-1"


@pytest.fixture
async def addresses(db: Database) -> AsyncIterator[Addresses]:
    async with plane.serving(db, any_region=True, agent_lease=60.0) as served:
        yield served


@pytest.fixture
async def views(addresses: Addresses) -> AsyncIterator[tuple[View, View]]:
    async with plane.seen_from(HOME, addresses) as home, plane.seen_from(ABROAD, addresses) as abroad:
        yield home, abroad


async def test_two_regions_see_the_same_under_arns_of_their_own(views: tuple[View, View], addresses: Addresses) -> None:
    home, abroad = views
    made = await home.registry.CreateCluster(registry_service_pb2.CreateClusterRequest(cluster_name="web"))
    assert made.cluster.cluster_arn == home.arn("cluster/web")
    registered = await abroad.registry.RegisterTaskDefinition(
        registry_service_pb2.RegisterTaskDefinitionRequest(
            family="app",
            container_definitions=[task_definition_pb2.ContainerDefinition(name="main", image="busybox", memory=32)],
        )
    )
    assert registered.task_definition.task_definition_arn == abroad.arn("task-definition/app:1")
    joined = await home.tracker.RegisterContainerInstance(
        fake_agent.registration(
            attributes=[
                common_pb2.Attribute(name=needed.name) for needed in registered.task_definition.requires_attributes
            ]
        )
    )
    instance = joined.container_instance.container_instance_arn.rpartition("/")[2]
    async with session(addresses.tracker, Identity(instance, joined.instance_credential)):
        # Everything is named by ARNs of the other region, and answered in the caller's own.
        ran = await abroad.scheduler.StartTask(
            scheduler_service_pb2.StartTaskRequest(
                cluster=home.arn("cluster/web"),
                container_instances=[home.arn(f"container-instance/web/{instance}")],
                task_definition=home.arn("task-definition/app:1"),
            )
        )
        assert not ran.failures
        (task,) = ran.tasks
        task_id = task.task_arn.rpartition("/")[2]
        for view, other in ((home, abroad), (abroad, home)):
            described = await view.tracker.DescribeTasks(
                state_tracker_service_pb2.DescribeTasksRequest(
                    cluster=other.arn("cluster/web"), tasks=[other.arn(f"task/web/{task_id}"), "0" * 32]
                )
            )
            (seen,) = described.tasks
            assert seen.task_arn == view.arn(f"task/web/{task_id}")
            assert seen.cluster_arn == view.arn("cluster/web")
            assert seen.task_definition_arn == view.arn("task-definition/app:1")
            assert seen.container_instance_arn == view.arn(f"container-instance/web/{instance}")
            assert {c.task_arn for c in seen.containers} == {view.arn(f"task/web/{task_id}")}
            assert [failure.arn for failure in described.failures] == [view.arn(f"task/web/{'0' * 32}")]
            listed = await view.tracker.ListTasks(
                state_tracker_service_pb2.ListTasksRequest(
                    cluster="web", container_instance=other.arn(f"container-instance/web/{instance}")
                )
            )
            assert list(listed.task_arns) == [view.arn(f"task/web/{task_id}")]
            instances = await view.tracker.ListContainerInstances(
                state_tracker_service_pb2.ListContainerInstancesRequest(cluster="web")
            )
            assert list(instances.container_instance_arns) == [view.arn(f"container-instance/web/{instance}")]
        stopped = await home.scheduler.StopTask(
            scheduler_service_pb2.StopTaskRequest(cluster="web", task=abroad.arn(f"task/web/{task_id}"))
        )
        assert stopped.task.desired_status == task_pb2.DESIRED_STATUS_STOPPED


async def test_tags_reach_their_owners_whichever_regions_arn_names_the_resource(views: tuple[View, View]) -> None:
    home, abroad = views
    await home.registry.CreateCluster(registry_service_pb2.CreateClusterRequest(cluster_name="web"))
    joined = await abroad.tracker.RegisterContainerInstance(fake_agent.registration())
    instance = joined.container_instance.container_instance_arn.rpartition("/")[2]
    await home.registry.TagResource(
        registry_service_pb2.TagResourceRequest(
            resource_arn=abroad.arn(f"container-instance/web/{instance}"), tags=[common_pb2.Tag(key="rack", value="7")]
        )
    )
    for view in views:
        tags = await view.registry.ListTagsForResource(
            registry_service_pb2.ListTagsForResourceRequest(resource_arn=home.arn(f"container-instance/web/{instance}"))
        )
        assert [(tag.key, tag.value) for tag in tags.tags] == [("rack", "7")]


async def test_watchers_filter_by_either_regions_arn(views: tuple[View, View]) -> None:
    home, abroad = views
    await home.registry.CreateCluster(registry_service_pb2.CreateClusterRequest(cluster_name="web"))
    joined = await home.tracker.RegisterContainerInstance(fake_agent.registration())
    arn = joined.container_instance.container_instance_arn.replace(HOME, ABROAD)
    watching = home.tracker.WatchEvents(
        state_tracker_service_pb2.WatchEventsRequest(cluster=abroad.arn("cluster/web"), container_instances=[arn])
    ).__aiter__()
    assert not (await anext(watching)).events
    await abroad.tracker.PutAttributes(
        state_tracker_service_pb2.PutAttributesRequest(
            cluster="web", attributes=[common_pb2.Attribute(name="rack", value="7", target_id=arn)]
        )
    )
    (event,) = (await anext(watching)).events
    assert arn.endswith(event.container_instance.container_instance_id)
    await watching.aclose()


async def test_another_account_is_refused_in_every_region(views: tuple[View, View]) -> None:
    for view in views:
        with pytest.raises(errors.InvalidParameterException, match="Your accountId is 123456789012"):
            await view.tracker.ListTasks(
                state_tracker_service_pb2.ListTasksRequest(
                    cluster=f"arn:aws:ecs:{view.region}:210987654321:cluster/web"
                )
            )
