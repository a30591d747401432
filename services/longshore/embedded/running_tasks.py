"""The tasks of a stack: which run, and how they are stopped."""

import asyncio
import contextlib
from collections.abc import Mapping, Sequence
from dataclasses import dataclass

from longshore.client import client as clients
from longshore.client import waiting
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
    for cluster in await _clusters(client):
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


async def stop_all(client: clients.Client) -> int:
    """Stop every task, and wait until nothing runs, also of what others had told to stop; how many were told now."""
    tasks = await running(client)
    turns = asyncio.Semaphore(STOPS_AT_ONCE)
    await asyncio.gather(*(_stop(client, turns, task) for task in tasks))
    for cluster in await _clusters(client):
        await _until_idle(client, cluster)
    return len(tasks)


async def _until_idle(client: clients.Client, cluster: str) -> None:
    """Wait until a cluster counts no task; looked at whenever something has happened there."""
    request = registry_service_pb2.DescribeClustersRequest(clusters=[cluster])
    async with contextlib.aclosing(client.watch(cluster=cluster)) as batches:
        async for _ in batches:
            (found,) = (await client.call(client.registry.DescribeClusters, request)).clusters
            if not found.running_tasks_count + found.pending_tasks_count:
                return


async def _clusters(client: clients.Client) -> list[str]:
    listing = client.pages(client.registry.ListClusters, registry_service_pb2.ListClustersRequest())
    return [_short(arn) async for page in listing for arn in page.cluster_arns]


def by_cluster(tasks: Sequence[RunningTask]) -> Mapping[str, list[str]]:
    """Task ids by cluster."""
    found: dict[str, list[str]] = {}
    for task in tasks:
        found.setdefault(task.cluster, []).append(task.task_id)
    return found


def counted(count: int) -> str:
    """`1 task`, `3 tasks`."""
    return f"{count} task" if count == 1 else f"{count} tasks"


async def _stop(client: clients.Client, turns: asyncio.Semaphore, task: RunningTask) -> None:
    request = scheduler_service_pb2.StopTaskRequest(cluster=task.cluster, task=task.task_id, reason="longshore down")
    async with turns:
        await client.call(client.scheduler.StopTask, request)


def _short(arn: str) -> str:
    return arn.rpartition("/")[2]
