"""The tasks of a stack: which run, and how they are stopped."""

import asyncio
from collections.abc import Mapping, Sequence
from dataclasses import dataclass

from longshore.client import client as clients
from longshore.client import following, waiting
from longshore.v1 import registry_service_pb2, scheduler_service_pb2, state_tracker_service_pb2, task_pb2

STOPS_AT_ONCE = 16
"""StopTask calls under way at the same time."""

LISTED = 10
"""Tasks that are named to a person; the rest is counted."""


@dataclass(frozen=True, slots=True)
class RunningTask:
    """A task that should run."""

    cluster: str
    task_id: str


async def running(client: clients.Client) -> list[RunningTask]:
    """Every task that should run, of every cluster."""
    found: list[RunningTask] = []
    listing = client.pages(client.registry.ListClusters, registry_service_pb2.ListClustersRequest())
    for cluster in [_short(arn) async for page in listing for arn in page.cluster_arns]:
        request = state_tracker_service_pb2.ListTasksRequest(
            cluster=cluster, desired_status=task_pb2.DESIRED_STATUS_RUNNING
        )
        pages = client.pages(client.state_tracker.ListTasks, request)
        found += [RunningTask(cluster, _short(arn)) async for page in pages for arn in page.task_arns]
    return found


async def described(client: clients.Client, tasks: Sequence[RunningTask]) -> list[str]:
    """A line for each of the first tasks: what it is, and its id."""
    lines: list[str] = []
    for cluster, ids in by_cluster(tasks[:LISTED]).items():
        for task in await waiting.describe(client, cluster, ids):
            where = "" if cluster == "default" else f" in cluster {cluster}"
            lines.append(f"  {_short(task.task_definition_arn)}  {_short(task.task_arn)}{where}")
    if len(tasks) > LISTED:
        lines.append(f"  and {len(tasks) - LISTED} more")
    return lines


async def stop(client: clients.Client, tasks: Sequence[RunningTask]) -> None:
    """Stop tasks and wait until each has stopped."""
    for cluster, ids in by_cluster(tasks).items():
        turns = asyncio.Semaphore(STOPS_AT_ONCE)
        await asyncio.gather(*(_stop(client, turns, cluster, task_id) for task_id in ids))
        await waiting.follow(client, following.Follower(ids), cluster=cluster)


def by_cluster(tasks: Sequence[RunningTask]) -> Mapping[str, list[str]]:
    """Task ids by cluster."""
    found: dict[str, list[str]] = {}
    for task in tasks:
        found.setdefault(task.cluster, []).append(task.task_id)
    return found


def counted(count: int) -> str:
    """`1 task`, `3 tasks`."""
    return f"{count} task" if count == 1 else f"{count} tasks"


async def _stop(client: clients.Client, turns: asyncio.Semaphore, cluster: str, task_id: str) -> None:
    request = scheduler_service_pb2.StopTaskRequest(cluster=cluster, task=task_id, reason="longshore down")
    async with turns:
        await client.call(client.scheduler.StopTask, request)


def _short(arn: str) -> str:
    return arn.rpartition("/")[2]
