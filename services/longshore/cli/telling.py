"""Tell what becomes of tasks that were placed, and follow them: the part of `run` and `start` that talks to the control plane."""

import asyncio
import contextlib
import socket
import sys
import time
from collections.abc import Callable
from dataclasses import dataclass

from longshore.cli import endpoints, exits, log_following, log_output, narration, output, pull_lines, queueing
from longshore.client import client as clients
from longshore.client import following, waiting
from longshore.rpc import errors
from longshore.v1 import (
    container_instance_pb2,
    scheduler_service_pb2,
    state_tracker_service_pb2,
    task_definition_pb2,
    task_pb2,
)


@dataclass(frozen=True, slots=True)
class Started:
    """What RunTask or StartTask answered, to which request about which definition."""

    cluster: str
    definition: task_definition_pb2.TaskDefinition
    answer: scheduler_service_pb2.RunTaskResponse | scheduler_service_pb2.StartTaskResponse
    began: float
    """When it was asked, by the monotonic clock."""

    @property
    def task_ids(self) -> list[str]:
        """Ids of the tasks that were placed."""
        return [output.short(task.task_arn) for task in self.answer.tasks]


class Narrator:
    """Prints the sentences: on standard error where standard output is JSON's, or the containers', so that a pipe gets that alone."""

    def __init__(self, *, as_json: bool, aside: bool = False) -> None:
        """For one command. `aside`: standard output is the containers'."""
        self.as_json = as_json
        self._console = output.err if as_json or aside else output.out
        self._away = False
        self._open = False

    @property
    def live(self) -> bool:
        """Whether a line can be changed: on a terminal."""
        return self._console.is_terminal

    def say(self, text: str) -> None:
        """Print one line as it is."""
        self._away = False
        self._close()
        self._console.print(text, markup=False)

    def update(self, text: str) -> None:
        """Print a line that the next one may take the place of."""
        self._console.file.write(f"\r{text[: self._console.width - 1]}\x1b[K")
        self._console.file.flush()
        self._open = True

    def _close(self) -> None:
        """Leave the line that was changed as it is now."""
        if self._open:
            self._console.file.write("\n")
        self._open = False

    def lost(self, error: errors.Unavailable) -> None:
        """Say once that the event stream is away; it is sought again."""
        self._close()
        if not self._away:
            output.notice(f"The control plane is away ({error.message}); the tasks go on, and this waits for it.")
        self._away = True


async def tell(client: clients.Client, narrator: Narrator, started: Started, *, detach: bool, wait: bool) -> int:
    """Tell what was placed and refused, follow as far as asked for, and give the exit status."""
    answer = started.answer
    instances = await _instances(client, started)
    for task in answer.tasks:
        if task.HasField("waiting"):
            narrator.say(narration.waits(output.short(task.task_arn), task.waiting))
        else:
            narrator.say(narration.placed(task, instances.get(task.container_instance_arn)))
    for text in narration.refused(answer.failures):
        narrator.say(text)
    refused = exits.FAILED if answer.failures or not answer.tasks else 0
    if narrator.as_json and not wait:
        output.print_json(answer)
    elif answer.tasks and not detach:
        refused = await _follow(client, narrator, started, instances, wait=wait) or refused
    return refused


async def _follow(
    client: clients.Client,
    narrator: Narrator,
    started: Started,
    instances: dict[str, container_instance_pb2.ContainerInstance],
    *,
    wait: bool,
) -> int:
    """Follow tasks from the commit that placed them, until they run or, with `wait`, to their end."""
    ids = started.task_ids
    follower = following.Follower(ids, essential=following.essential_names(started.definition))
    until = following.Follower.finished if wait else following.Follower.settled
    here = socket.gethostname()
    hosts = {
        output.short(task.task_arn): endpoints.host_of(instances.get(task.container_instance_arn), here=here)
        for task in started.answer.tasks
    }
    queued = queueing.waiting_ids(started.answer.tasks)
    printed = _printed(client, narrator, started) if wait else None
    try:
        async with contextlib.AsyncExitStack() as stack:
            if printed is not None:
                await stack.enter_async_context(printed.of(ids, queued))
            on_change = _teller(narrator, started, hosts, printed)

            async def follow(until: Callable[[following.Follower], bool]) -> None:
                await waiting.follow(
                    client,
                    follower,
                    cluster=started.cluster,
                    until=until,
                    cursor=started.answer.cursor,
                    on_change=on_change,
                    on_lost=narrator.lost,
                )

            await queueing.follow_to_places(
                client, follower, queued, cluster=started.cluster, follow=follow, say=narrator.say, hosts=hosts
            )
            await follow(until)
    except asyncio.CancelledError:  # Ctrl-C
        left = [task_id for task_id in ids if not follower.tasks[task_id].stopped]
        for text in narration.goes_on(left, started.cluster):
            output.notice(text)
        raise
    if wait and narrator.as_json:
        request = state_tracker_service_pb2.DescribeTasksRequest(cluster=started.cluster, tasks=ids)
        output.print_json(await client.call(client.state_tracker.DescribeTasks, request))
    if wait:
        return follower.exit_code()
    return 0 if all(task.ran for task in follower.tasks.values()) else exits.FAILED


def _printed(client: clients.Client, narrator: Narrator, started: Started) -> log_following.Following:
    """The containers' output: on standard error altogether where standard output is JSON's."""
    out = sys.stderr.buffer if narrator.as_json else sys.stdout.buffer
    several = len(started.task_ids) > 1
    return log_following.Following(
        client,
        started.cluster,
        printer=log_output.Printer(as_json=False, out=out),
        say=narrator.say,
        prefixed=several or len(started.definition.container_definitions) > 1,
        named=several,
    )


def _teller(
    narrator: Narrator, started: Started, hosts: dict[str, str], printed: log_following.Following | None
) -> Callable[[following.Followed], None]:
    """Prints how far pulls are, and each change of a task's status, its end after its last output."""
    before = dict.fromkeys(hosts, task_pb2.TASK_STATUS_PENDING)
    pulls = pull_lines.PullLines(narrator, started.definition)

    def tell_change(task: following.Followed) -> None:
        seconds = time.monotonic() - started.began
        pulls.tell(task)
        lines = list(narration.changed(task, before[task.task_id], seconds, host=hosts[task.task_id]))
        if printed is not None and task.stopped:
            printed.stopped(task.task_id, lines, placed=bool(task.container_instance))
        else:
            for text in lines:
                narrator.say(text)
            if printed is not None and task.settled:
                printed.running(task.task_id)
        before[task.task_id] = task.last_status

    return tell_change


async def _instances(client: clients.Client, started: Started) -> dict[str, container_instance_pb2.ContainerInstance]:
    """The instances that tasks were placed on, by ARN."""
    arns = sorted({task.container_instance_arn for task in started.answer.tasks if task.container_instance_arn})
    if not arns:
        return {}
    request = state_tracker_service_pb2.DescribeContainerInstancesRequest(
        cluster=started.cluster, container_instances=arns
    )
    answer = await client.call(client.state_tracker.DescribeContainerInstances, request)
    return {instance.container_instance_arn: instance for instance in answer.container_instances}
