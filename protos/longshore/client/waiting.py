"""Follow tasks by the event stream to where one wants them: nothing polls, and nothing is missed, however short a task lives."""

import asyncio
import contextlib
from collections.abc import Callable, Sequence
from typing import TypeAlias

from longshore.client import connection, following, results
from longshore.rpc import errors
from longshore.v1 import registry_service_pb2, state_tracker_service_pb2, task_pb2

Tasks: TypeAlias = "results.Run | results.Task | str | Sequence[results.Task | str]"
"""Tasks by what `run` gave, or by their ids or ARNs."""

Until: TypeAlias = Callable[[following.Follower], bool]
"""Whether what was waited for has come."""


def _untold(task: following.Followed) -> None:
    """Tell nobody of a change."""


def running(follower: following.Follower) -> bool:
    """Whether every task has come to run, or one never will."""
    tasks = follower.tasks.values()
    return all(task.came_to_run for task in tasks) or any(task.stopped and not task.came_to_run for task in tasks)


stopped: Until = following.Follower.finished
"""Whether every task has stopped."""


async def follow(
    client: connection.Connection,
    follower: following.Follower,
    *,
    cluster: str,
    until: Until = following.Follower.finished,
    cursor: str = "",
    on_change: Callable[[following.Followed], None] = _untold,
    on_lost: Callable[[errors.Unavailable], None] = connection.unnoticed,
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


async def describe(
    client: connection.Connection, cluster: str, tasks: Sequence[str], *, missing_ok: bool = False
) -> list[task_pb2.Task]:
    """Any number of tasks, described. Raises ResourceNotFoundException for those that there are not, unless that is well."""
    if not tasks:
        return []
    request = state_tracker_service_pb2.DescribeTasksRequest(
        cluster=cluster, include=[state_tracker_service_pb2.TASK_FIELD_TAGS]
    )
    answer = await client.whole(client.state_tracker.DescribeTasks, request, "tasks", tasks)
    if answer.failures and not missing_ok:
        names = ", ".join(failure.arn for failure in answer.failures)
        raise errors.ResourceNotFoundException(f"There is no task {names} in cluster {cluster or 'default'}.")
    return list(answer.tasks)


async def reached(
    client: connection.Connection,
    tasks: Tasks,
    *,
    cluster: str = "",
    until: Until,
    deadline_s: float | None = None,
    on_change: Callable[[results.Task], None] | None = None,
) -> tuple[results.Task, ...]:
    """The tasks as they are once `until` says so. Raises DeadlineExceeded, which says how they are then."""
    cluster = cluster or cluster_of(tasks)
    follower = await _follower(client, tasks, cluster)
    cursor = tasks.cursor if isinstance(tasks, results.Run) else ""

    def tell(task: following.Followed) -> None:
        if on_change is not None:
            on_change(results.task(task, cluster))

    try:
        async with asyncio.timeout(deadline_s):
            await follow(client, follower, cluster=cluster, until=until, cursor=cursor, on_change=tell)
    except TimeoutError as error:
        standing = " ".join(str(task) for task in _results(follower, tasks, cluster) if not task.stopped)
        raise errors.DeadlineExceeded(f"After {deadline_s:g} s this has not come yet. {standing}") from error
    return _results(follower, tasks, cluster)


def ids(tasks: Tasks) -> list[str]:
    """The ids of tasks, each once, in their order. Pure."""
    given: Sequence[results.Task | str]
    if isinstance(tasks, results.Run):
        given = tasks.tasks
    else:
        given = [tasks] if isinstance(tasks, str | results.Task) else tasks
    names = (one.task_id if isinstance(one, results.Task) else one.rpartition("/")[2] for one in given)
    return list(dict.fromkeys(names))


def one(task: "results.Run | results.Task | str") -> str:
    """The id of the only task. Raises ValueError where a run has several. Pure."""
    names = ids(task)
    if len(names) != 1:
        raise ValueError(f"one task is meant, and the run has {len(names)}: name one of run.tasks")
    return names[0]


def cluster_of(tasks: Tasks) -> str:
    """The cluster that tasks tell of themselves; empty where they tell of none. Pure."""
    if isinstance(tasks, results.Run | results.Task):
        return tasks.cluster
    first = tasks if isinstance(tasks, str) else next(iter(tasks), "")
    if isinstance(first, results.Task):
        return first.cluster
    parts = first.split("/")
    return parts[1] if first.startswith("arn:") and len(parts) > 2 else ""


async def _follower(client: connection.Connection, tasks: Tasks, cluster: str) -> following.Follower:
    """A follower that knows which containers are essential: of tasks that were not run here, by their definitions."""
    if isinstance(tasks, results.Run):
        return following.Follower(ids(tasks), essential=tasks.essential)
    described = await describe(client, cluster, ids(tasks))
    named = {task.task_definition_arn for task in described}
    essential = {arn: await _essential(client, arn) for arn in sorted(named)}
    follower = following.Follower.of_several(
        {
            task.task_arn.rpartition("/")[2]: essential[task.task_definition_arn]
            # Of a definition that was deleted meanwhile every container counts.
            or frozenset(container.name for container in task.containers)
            for task in described
        }
    )
    for task in described:
        follower.apply_description(task)
    return follower


async def _essential(client: connection.Connection, definition: str) -> frozenset[str]:
    request = registry_service_pb2.DescribeTaskDefinitionRequest(task_definition=definition)
    try:
        answer = await client.call(client.registry.DescribeTaskDefinition, request)
    except errors.ClientException:
        return frozenset()
    return following.essential_names(answer.task_definition)


def _results(follower: following.Follower, tasks: Tasks, cluster: str) -> tuple[results.Task, ...]:
    """How the tasks are; those of a run of which nothing was heard since are as it has them."""
    before = {task.task_id: task for task in tasks.tasks} if isinstance(tasks, results.Run) else {}
    return tuple(
        before[task.task_id] if not task.version and task.task_id in before else results.task(task, cluster)
        for task in follower.tasks.values()
    )


async def _feed(
    follower: following.Follower,
    batches: "connection.Watching",
    until: Until,
    on_change: Callable[[following.Followed], None],
) -> None:
    """Feed until it is enough. Looked at before each wait as well: a description may have told all there is."""
    while not until(follower):
        for event in (await anext(batches)).events:
            _tell(follower.apply(event), on_change)


def _tell(task: following.Followed | None, on_change: Callable[[following.Followed], None]) -> None:
    if task is not None:
        on_change(task)
