"""Tags of what the registry does not own: passed on to the component that does."""

from collections.abc import Awaitable, Sequence
from typing import TypeVar

import grpc.aio

from longshore.rpc import arns, errors
from longshore.v1 import (
    common_pb2,
    scheduler_service_pb2,
    scheduler_service_pb2_grpc,
    state_tracker_service_pb2,
    state_tracker_service_pb2_grpc,
)

T = TypeVar("T")

TIMEOUT_S = 10.0
"""Deadline of a call passed on: it changes one row; longer than a change of leader takes."""


class TaskTags:
    """The tags of tasks, kept by the scheduler."""

    def __init__(self, channel: grpc.aio.Channel) -> None:
        self._scheduler = scheduler_service_pb2_grpc.SchedulerServiceStub(channel)

    async def add(self, task: arns.Reference, tags: Sequence[common_pb2.Tag]) -> None:
        """Add tags to a task."""
        request = scheduler_service_pb2.TagTaskRequest(cluster=task.cluster, task=task.name, tags=tags)
        await self._scheduler.TagTask(request, timeout=TIMEOUT_S)

    async def remove(self, task: arns.Reference, keys: Sequence[str]) -> None:
        """Remove tags from a task."""
        request = scheduler_service_pb2.UntagTaskRequest(cluster=task.cluster, task=task.name, tag_keys=keys)
        await self._scheduler.UntagTask(request, timeout=TIMEOUT_S)

    async def list_(self, task: arns.Reference) -> Sequence[common_pb2.Tag]:
        """The tags of a task."""
        request = scheduler_service_pb2.ListTagsForTaskRequest(cluster=task.cluster, task=task.name)
        answer = await self._scheduler.ListTagsForTask(request, timeout=TIMEOUT_S)
        return answer.tags


class InstanceTags:
    """The tags of container instances, kept by the state-tracker."""

    def __init__(self, channel: grpc.aio.Channel) -> None:
        self._tracker = state_tracker_service_pb2_grpc.StateTrackerServiceStub(channel)

    async def add(self, instance: arns.Reference, tags: Sequence[common_pb2.Tag]) -> None:
        """Add tags to an instance."""
        request = state_tracker_service_pb2.TagContainerInstanceRequest(
            cluster=instance.cluster, container_instance=instance.name, tags=tags
        )
        await _there(self._tracker.TagContainerInstance(request, timeout=TIMEOUT_S))

    async def remove(self, instance: arns.Reference, keys: Sequence[str]) -> None:
        """Remove tags from an instance."""
        request = state_tracker_service_pb2.UntagContainerInstanceRequest(
            cluster=instance.cluster, container_instance=instance.name, tag_keys=keys
        )
        await _there(self._tracker.UntagContainerInstance(request, timeout=TIMEOUT_S))

    async def list_(self, instance: arns.Reference) -> Sequence[common_pb2.Tag]:
        """The tags of an instance."""
        request = state_tracker_service_pb2.ListTagsForContainerInstanceRequest(
            cluster=instance.cluster, container_instance=instance.name
        )
        answer = await _there(self._tracker.ListTagsForContainerInstance(request, timeout=TIMEOUT_S))
        return answer.tags


async def _there(call: Awaitable[T]) -> T:
    """An answer, or ECS's name for a resource that is not there: to the owner it is the target of a change."""
    try:
        return await call
    except errors.TargetNotFoundException as error:
        raise errors.ResourceNotFoundException(f"The specified resource does not exist: {error.message}") from error
