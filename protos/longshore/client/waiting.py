"""Follow tasks by the event stream to where one wants them: nothing polls, and nothing is missed, however short a task lives."""

import contextlib
from collections.abc import Callable, Sequence

from longshore.client import client as clients
from longshore.client import following
from longshore.rpc import errors
from longshore.v1 import state_tracker_service_pb2, task_pb2

DESCRIBED_AT_ONCE = 100
"""Most tasks that one DescribeTasks takes."""


def _untold(task: following.Followed) -> None:
    """Tell nobody of a change."""


def _unnoticed(error: errors.Unavailable) -> None:
    """Take no notice of a watch that was lost."""


async def follow(
    client: clients.Client,
    follower: following.Follower,
    *,
    cluster: str,
    until: Callable[[following.Follower], bool] = following.Follower.finished,
    cursor: str = "",
    on_change: Callable[[following.Followed], None] = _untold,
    on_lost: Callable[[errors.Unavailable], None] = _unnoticed,
) -> None:
    """Feed a follower until it says so.

    With the cursor that RunTask, StartTask or StopTask answered, the events from there on are the whole story. Without one, or where
    its events were pruned, the watch is opened first and the tasks are described beside it, so that no change falls between the two.
    """
    ids = sorted(follower.tasks)
    while not until(follower):
        try:
            async with contextlib.aclosing(
                client.watch(cluster=cluster, cursor=cursor, tasks=ids, on_lost=on_lost)
            ) as batches:
                if not cursor:
                    await anext(batches)
                    for task in await describe(client, cluster, ids):
                        _tell(follower.apply_description(task), on_change)
                await _feed(follower, batches, until, on_change)
        except errors.OutOfRange:
            cursor = ""


async def describe(client: clients.Client, cluster: str, tasks: Sequence[str]) -> list[task_pb2.Task]:
    """Any number of tasks, described. Raises ResourceNotFoundException for those that there are not."""
    found: list[task_pb2.Task] = []
    for start in range(0, len(tasks), DESCRIBED_AT_ONCE):
        some = tasks[start : start + DESCRIBED_AT_ONCE]
        request = state_tracker_service_pb2.DescribeTasksRequest(cluster=cluster, tasks=some)
        answer = await client.call(client.state_tracker.DescribeTasks, request)
        if answer.failures:
            names = ", ".join(failure.arn for failure in answer.failures)
            raise errors.ResourceNotFoundException(f"There is no task {names} in cluster {cluster or 'default'}.")
        found.extend(answer.tasks)
    return found


async def _feed(
    follower: following.Follower,
    batches: "clients.Watching",
    until: Callable[[following.Follower], bool],
    on_change: Callable[[following.Followed], None],
) -> None:
    """Feed until it is enough. Looked at before each wait as well: a description may have told all there is."""
    while not until(follower):
        for event in (await anext(batches)).events:
            _tell(follower.apply(event), on_change)


def _tell(task: following.Followed | None, on_change: Callable[[following.Followed], None]) -> None:
    if task is not None:
        on_change(task)
