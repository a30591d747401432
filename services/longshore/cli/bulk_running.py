"""`longshore run --count N` for many tasks: one call, told of and followed as one."""

import time

from longshore.cli import exits, narration, output, telling
from longshore.client import client as clients
from longshore.client import following, waiting
from longshore.v1 import scheduler_service_pb2

MOST_TOLD = 10
"""Tasks of one ECS call, each of which is told of by itself."""
MOST = 10_000
"""Tasks of one RunTasks."""
TOLD_EVERY_S = 1.0


async def run(
    client: clients.Client,
    narrator: telling.Narrator,
    one: scheduler_service_pb2.RunTaskRequest,
    *,
    count: int,
    token: str,
    detach: bool,
) -> int:
    """Place many tasks of one kind, tell how many, and follow them until they run; gives the exit status."""
    request = scheduler_service_pb2.RunTasksRequest(run_task=one, count=count)
    if token:
        request.client_token = token
    began = time.monotonic()
    answer = await client.call(client.scheduler.RunTasks, request)
    taken = time.monotonic() - began
    placed = len(answer.task_ids) - answer.waiting
    narrator.say(narration.line("Placed", f"{placed} of {count} tasks in {taken:.2f} s"))
    if answer.waiting:
        narrator.say(narration.line("Waiting", f"{answer.waiting} of {count} tasks for capacity"))
    for failure in answer.failures:
        narrator.say(narration.line("Refused", _why(failure)))
    if narrator.as_json:
        output.print_json(answer)
    elif answer.task_ids and not detach:
        await _follow(client, narrator, answer, one.cluster, began)
    return exits.FAILED if answer.unplaced else 0


def _why(failure: scheduler_service_pb2.RunTasksFailure) -> str:
    """A reason with the nearest miss."""
    if not failure.instances:
        return f"{failure.reason}: {failure.detail}"
    where = output.short(failure.container_instance_arn)
    return f"{failure.reason} on {failure.instances} instances; the nearest, {where}, {failure.detail}"


async def _follow(
    client: clients.Client,
    narrator: telling.Narrator,
    answer: scheduler_service_pb2.RunTasksResponse,
    cluster: str,
    began: float,
) -> None:
    """Count them as they come to run, until all do or are past that."""
    follower = following.Follower(answer.task_ids)
    told = time.monotonic()

    def on_change(_: following.Followed) -> None:
        nonlocal told
        if narrator.live and time.monotonic() - told >= TOLD_EVERY_S:
            told = time.monotonic()
            narrator.update(_counted(follower, told - began))

    await waiting.follow(
        client,
        follower,
        cluster=cluster,
        until=following.Follower.settled,
        cursor=answer.cursor,
        on_change=on_change,
        on_lost=narrator.lost,
    )
    narrator.say(_counted(follower, time.monotonic() - began))


def _counted(follower: following.Follower, seconds: float) -> str:
    stopped = sum(task.stopped for task in follower.tasks.values())
    running = sum(task.settled for task in follower.tasks.values()) - stopped
    ended = f", {stopped} have stopped" if stopped else ""
    return narration.line("Running", f"{running} of {len(follower.tasks)} after {seconds:.2f} s{ended}")
