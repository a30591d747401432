"""The gRPC adapter: a message in, a message out, nothing decided."""
# ruff: noqa: ARG002, N802 - names and arguments of methods are the contract's

from typing import Any

import grpc.aio

from longshore.rpc import neighbours
from longshore.scheduler import directing, operations
from longshore.v1 import scheduler_service_pb2 as messages
from longshore.v1 import scheduler_service_pb2_grpc

Context = grpc.aio.ServicerContext[Any, Any]


class Servicer(scheduler_service_pb2_grpc.SchedulerServiceServicer):
    """SchedulerService over the operations."""

    def __init__(self, does: operations.Operations) -> None:
        self._does = does

    async def RunTask(self, request: messages.RunTaskRequest, context: Context) -> messages.RunTaskResponse:
        """Place and start tasks."""
        return await self._does.run_task(request, _hop(context))

    async def RunTasks(self, request: messages.RunTasksRequest, context: Context) -> messages.RunTasksResponse:
        """Place and start many tasks."""
        return await self._does.run_tasks(request, _hop(context))

    async def StartTask(self, request: messages.StartTaskRequest, context: Context) -> messages.StartTaskResponse:
        """Start tasks on named instances."""
        return await self._does.start_task(request, _hop(context))

    async def StopTask(self, request: messages.StopTaskRequest, context: Context) -> messages.StopTaskResponse:
        """Have a task stopped."""
        return await self._does.stop_task(request, _hop(context))

    async def ExplainPlacement(
        self, request: messages.ExplainPlacementRequest, context: Context
    ) -> messages.ExplainPlacementResponse:
        """Tell where tasks would go and why not elsewhere."""
        return await self._does.explain_placement(request, _hop(context))

    async def TagTask(self, request: messages.TagTaskRequest, context: Context) -> messages.TagTaskResponse:
        """Add tags to a task."""
        return await self._does.tag_task(request)

    async def UntagTask(self, request: messages.UntagTaskRequest, context: Context) -> messages.UntagTaskResponse:
        """Remove tags from a task."""
        return await self._does.untag_task(request)

    async def ListTagsForTask(
        self, request: messages.ListTagsForTaskRequest, context: Context
    ) -> messages.ListTagsForTaskResponse:
        """The tags of a task."""
        return await self._does.list_tags_for_task(request)

    async def DescribeLeaders(
        self, request: messages.DescribeLeadersRequest, context: Context
    ) -> messages.DescribeLeadersResponse:
        """Who leads which cluster."""
        return await self._does.describe_leaders(request)


def _hop(context: Context) -> directing.Hop:
    metadata: Any = context.invocation_metadata() or ()
    return directing.Hop(forwarded=neighbours.was_forwarded(metadata), time_left_s=context.time_remaining())
