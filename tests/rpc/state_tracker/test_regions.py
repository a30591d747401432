"""A control plane of any region shows everybody its own: the same cluster, instance, definition and task under each region's ARNs."""

from collections.abc import AsyncIterator
from contextlib import AsyncExitStack
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import pytest

from longshore.events import memory_bus
from longshore.registry import app as registry_app
from longshore.registry import config as registry_config
from longshore.rpc import caller, channels, errors
from longshore.scheduler import app as scheduler_app
from longshore.scheduler import config as scheduler_config
from longshore.state_tracker import app as tracker_app
from longshore.state_tracker import config as tracker_config
from longshore.storage import database
from longshore.v1 import (
    common_pb2,
    registry_service_pb2,
    registry_service_pb2_grpc,
    scheduler_service_pb2,
    scheduler_service_pb2_grpc,
    state_tracker_service_pb2,
    state_tracker_service_pb2_grpc,
    task_definition_pb2,
    task_pb2,
)
from tests.rpc.state_tracker import fake_agent
from tests.rpc.state_tracker.fake_agent import Identity, session

HOME, ABROAD = "us-east-1", "eu-central-1"


@dataclass(frozen=True)
class View:
    """The control plane as callers of one region see it."""

    region: str
    registry: Any
    scheduler: Any
    tracker: Any

    def arn(self, rest: str) -> str:
        return f"arn:aws:ecs:{self.region}:123456789012:{rest}"


@pytest.fixture
async def addresses(tmp_path: Path) -> AsyncIterator[tuple[str, str, str]]:
    shared: dict[str, Any] = {"listen": "127.0.0.1:0", "any_region": True}
    async with AsyncExitStack() as stack:
        opened = await database.open_database(f"sqlite://{tmp_path}/state.db")
        stack.push_async_callback(opened.close)
        bus = memory_bus.MemoryBus()
        scheduler = await stack.enter_async_context(
            scheduler_app.serve(scheduler_config.Config(**shared), database=opened, bus=bus)
        )
        tracker = await stack.enter_async_context(
            tracker_app.serve(tracker_config.Config(agent_lease=60.0, **shared), database=opened, bus=bus)
        )
        told = registry_config.Config(scheduler=(scheduler.address,), state_tracker=(tracker.address,), **shared)
        registry = await stack.enter_async_context(registry_app.serve(told, database=opened, bus=bus))
        yield registry.address, scheduler.address, tracker.address


@pytest.fixture
async def views(addresses: tuple[str, str, str]) -> AsyncIterator[tuple[View, View]]:
    stubs = (
        registry_service_pb2_grpc.RegistryServiceStub,
        scheduler_service_pb2_grpc.SchedulerServiceStub,
        state_tracker_service_pb2_grpc.StateTrackerServiceStub,
    )
    async with AsyncExitStack() as stack:

        async def view(region: str) -> View:
            metadata = ((caller.REGION_KEY, region),)
            opened = [
                stub(await stack.enter_async_context(channels.connect(address, metadata=metadata)))
                for stub, address in zip(stubs, addresses, strict=True)
            ]
            return View(region, *opened)

        yield await view(HOME), await view(ABROAD)


async def test_two_regions_see_the_same_under_arns_of_their_own(
    views: tuple[View, View], addresses: tuple[str, str, str]
) -> None:
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
    async with session(addresses[2], Identity(instance, joined.instance_credential)):
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
