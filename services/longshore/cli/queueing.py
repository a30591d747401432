"""Tasks of `longshore run --wait-for-capacity` that wait: followed until each is placed, and told where."""

import socket
from collections.abc import Awaitable, Callable, Iterable

from longshore.cli import endpoints, instances, logs, narration, output
from longshore.client import client as clients
from longshore.client import following, waiting
from longshore.v1 import scheduler_service_pb2, task_pb2

MAX_PRIORITY = 100
"""The highest that RunTask takes."""

Follow = Callable[[Callable[[following.Follower], bool]], Awaitable[None]]
"""Follows tasks until the follower says so."""


def put(request: scheduler_service_pb2.RunTaskRequest, wait: str, priority: int) -> None:
    """Let the tasks of a request wait, where the options say so."""
    if wait:
        request.wait_for_capacity.timeout_seconds = logs.duration(wait, "--wait-for-capacity")
        if priority:
            request.wait_for_capacity.priority = priority


def waiting_ids(tasks: Iterable[task_pb2.Task]) -> set[str]:
    """The tasks of an answer that wait."""
    return {output.short(task.task_arn) for task in tasks if task.HasField("waiting")}


async def follow_to_places(
    client: clients.Client,
    follower: following.Follower,
    queued: set[str],
    *,
    cluster: str,
    follow: Follow,
    say: Callable[[str], None],
    hosts: dict[str, str],
) -> None:
    """Follow until none of these tasks waits any more; says where each was placed, and puts down how to reach its host."""
    left = set(queued)

    def out_of_line(known: following.Follower) -> set[str]:
        return {task_id for task_id in left if known.tasks[task_id].version and not known.tasks[task_id].waits}

    while left:
        await follow(lambda known: bool(out_of_line(known)))
        gone = out_of_line(follower)
        left -= gone
        placed = sorted(task_id for task_id in gone if follower.tasks[task_id].container_instance)
        if not placed:
            continue
        found = await waiting.describe(client, cluster, placed)
        there = await instances.describe_all(
            client, cluster, sorted({task.container_instance_arn for task in found if task.container_instance_arn})
        )
        by_arn = {one.container_instance_arn: one for one in there.container_instances}
        for task in found:
            instance = by_arn.get(task.container_instance_arn)
            hosts[output.short(task.task_arn)] = endpoints.host_of(instance, here=socket.gethostname())
            say(narration.placed(task, instance))
