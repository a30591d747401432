"""Waits of end-to-end tests: driven by the event stream, each within a bound, none by sleeping."""

import asyncio
from collections.abc import Callable, Sequence

from longshore.client import following, waiting
from longshore.v1 import container_instance_pb2, state_tracker_service_pb2
from tests.e2e import stacks

BOUND_S = 60.0


def until_stopped(stack: stacks.Stack, arns: Sequence[str], bound_s: float = BOUND_S) -> None:
    """Return when every task has stopped."""
    _follow(stack, arns, following.Follower.finished, bound_s)


def until_running(stack: stacks.Stack, arns: Sequence[str], bound_s: float = BOUND_S) -> None:
    """Return when every task runs, or is past that."""
    _follow(stack, arns, following.Follower.settled, bound_s)


def until_idle(stack: stacks.Stack, bound_s: float = BOUND_S) -> None:
    """Return when no task runs or waits on any instance, and nothing is held for one."""

    async def follow() -> None:
        async with stack.client() as client, asyncio.timeout(bound_s):
            async for _ in client.watch():
                listing = state_tracker_service_pb2.ListContainerInstancesRequest()
                arns = (await client.call(client.state_tracker.ListContainerInstances, listing)).container_instance_arns
                request = state_tracker_service_pb2.DescribeContainerInstancesRequest(container_instances=arns)
                described = await client.call(client.state_tracker.DescribeContainerInstances, request)
                if all(_idle(instance) for instance in described.container_instances):
                    return

    asyncio.run(follow())


def _idle(instance: container_instance_pb2.ContainerInstance) -> bool:
    busy = instance.running_tasks_count + instance.pending_tasks_count
    return not busy and list(instance.remaining_resources) == list(instance.registered_resources)


def _follow(
    stack: stacks.Stack, arns: Sequence[str], until: Callable[[following.Follower], bool], bound_s: float
) -> None:
    async def follow() -> None:
        follower = following.Follower(arn.rpartition("/")[2] for arn in arns)
        async with stack.client() as client, asyncio.timeout(bound_s):
            await waiting.follow(client, follower, cluster="default", until=until)

    asyncio.run(follow())
