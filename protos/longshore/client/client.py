"""The client: everything that a program does with Longshore, in a line each.

    async with Client() as longshore:
        run = await longshore.run("hello.json", wait=True)
        print(run.exit_code, run.reason)

What has no line of its own here goes by `call`, with the messages of the contract. `blocking.Client` is the same without `await`.
"""

import contextlib
import dataclasses
from collections.abc import AsyncGenerator, Callable, Mapping, Sequence
from datetime import datetime
from typing import Any, TypeAlias

from longshore.client import connection, lines, listing, results, running, waiting
from longshore.client import logs as reading
from longshore.rpc import errors
from longshore.v1 import (
    cluster_pb2,
    container_instance_pb2,
    event_pb2,
    scheduler_service_pb2,
    task_definition_pb2,
    task_pb2,
)

# What a reader of batches needs beside the client.
Batch = connection.Batch
Watching: TypeAlias = connection.Watching


class Client(connection.Connection):
    """A client of one Longshore. Use it as an asynchronous context manager; calls may run concurrently.

    Every method raises the errors that `docs/api` names for the calls it makes, as classes of `longshore.rpc.errors`.
    """

    async def register(self, target: running.Target) -> task_definition_pb2.TaskDefinition:
        """Register a task definition (a file, or one as ECS's JSON has it): the next revision of its family.

        What is registered already, and named by its family, family:revision or ARN, is described.
        """
        return await running.definition(self, target)

    async def run(
        self,
        target: running.Target,
        *,
        cluster: str = "",
        count: int = 1,
        wait: bool = False,
        deadline_s: float | None = None,
        env: Mapping[str, str] | None = None,
        command: Sequence[str] = (),
        container: str = "",
        overrides: task_pb2.TaskOverride | Mapping[str, Any] | None = None,
        started_by: str = "",
        group: str = "",
        tags: Mapping[str, str] | None = None,
        client_token: str = "",
    ) -> results.Run:
        """Run tasks wherever they fit; a target that is not registered yet is registered first.

        Returns once they are placed, or with `wait` once all have stopped. The wait may be given up at any time, by cancelling or by
        `deadline_s`: the tasks go on.

        Args:
            target: a task-definition file, a family, family:revision or ARN, or a definition as ECS's JSON has it.
            cluster: its name or ARN; empty means `default`.
            count: how many, up to 10,000.
            wait: until all have stopped.
            deadline_s: of the wait; then DeadlineExceeded is raised, which says how the tasks are.
            env: variables of the container, beside those of the definition.
            command: another command of the container.
            container: the one that `env` and `command` are for, where there are several.
            overrides: ECS's overrides whole, as a message or as JSON.
            started_by: who starts them; `tasks(started_by=…)` finds them again.
            group: their group; empty means `family:<family>`.
            tags: their tags.
            client_token: a second run under the same one places nothing, and gives the same answer.

        Raises NotPlacedError where no task was placed; where some were, the others are in `failures`.
        """
        options = running.Options(cluster, env, command, container, overrides, started_by, group, tags)
        made = await running.run(self, target, options, count=count, client_token=client_token)
        return await self._stopped(made, deadline_s) if wait else made

    async def start(
        self,
        target: running.Target,
        container_instances: Sequence[str],
        *,
        cluster: str = "",
        wait: bool = False,
        deadline_s: float | None = None,
        env: Mapping[str, str] | None = None,
        command: Sequence[str] = (),
        container: str = "",
        overrides: task_pb2.TaskOverride | Mapping[str, Any] | None = None,
        started_by: str = "",
        group: str = "",
        tags: Mapping[str, str] | None = None,
    ) -> results.Run:
        """Start a task on each of up to ten container instances, by their ids or ARNs; otherwise as `run`.

        It has no client token in ECS, and is never repeated: after Unavailable look whether it was carried out.
        """
        options = running.Options(cluster, env, command, container, overrides, started_by, group, tags)
        made = await running.start(self, target, options, container_instances=container_instances)
        return await self._stopped(made, deadline_s) if wait else made

    async def stop(
        self, task: "results.Run | results.Task | str", *, cluster: str = "", reason: str = ""
    ) -> task_pb2.Task:
        """Stop a task: its containers get SIGTERM, after their stop timeout SIGKILL. `wait_tasks_stopped` waits for it."""
        request = scheduler_service_pb2.StopTaskRequest(task=task if isinstance(task, str) else waiting.one(task))
        if cluster := cluster or waiting.cluster_of(task):
            request.cluster = cluster
        if reason:
            request.reason = reason
        return (await self.call(self.scheduler.StopTask, request)).task

    async def wait_tasks_running(
        self,
        tasks: waiting.Tasks,
        *,
        cluster: str = "",
        deadline_s: float | None = None,
        on_change: Callable[[results.Task], None] | None = None,
    ) -> tuple[results.Task, ...]:
        """Wait until each of the tasks has come to run; `on_change` is told of each change meanwhile.

        Raises NeverRanError as soon as one has stopped without having run, ResourceNotFoundException for a task that there is not, and
        DeadlineExceeded, which says how the tasks are.
        """
        found = await waiting.reached(
            self, tasks, cluster=cluster, until=waiting.running, deadline_s=deadline_s, on_change=on_change
        )
        failed = [task for task in found if task.stopped and not task.ran]
        if failed:
            raise results.NeverRanError(failed)
        return found

    async def wait_tasks_stopped(
        self,
        tasks: waiting.Tasks,
        *,
        cluster: str = "",
        deadline_s: float | None = None,
        on_change: Callable[[results.Task], None] | None = None,
    ) -> tuple[results.Task, ...]:
        """Wait until all of the tasks have stopped; `on_change` is told of each change meanwhile.

        Raises ResourceNotFoundException for a task that there is not, and DeadlineExceeded, which says how the tasks are.
        """
        return await waiting.reached(
            self, tasks, cluster=cluster, until=waiting.stopped, deadline_s=deadline_s, on_change=on_change
        )

    async def events(
        self,
        tasks: waiting.Tasks = (),
        *,
        cluster: str = "",
        cursor: str = "",
        container_instances: Sequence[str] = (),
        family: str = "",
        on_lost: Callable[[errors.Unavailable], None] = connection.unnoticed,
    ) -> AsyncGenerator[event_pb2.Event, None]:
        """What happens, one event after the other, in commit order, none missing and none twice, whatever connection is lost.

        Of what `run` gave, from the moment that placed it until all of it has stopped; of anything else, from now or from a cursor on, for
        ever. `watch` tells the cursor too. Raises OutOfRange when the cursor's events were pruned, and Unavailable when nobody answers
        within the client's deadline at first; later it is sought for as long as it takes.
        """
        if isinstance(tasks, results.Run):
            cursor = cursor or tasks.cursor
        names = waiting.ids(tasks)
        left = set(names) if isinstance(tasks, results.Run) else None
        watch = self.watch(
            cluster=cluster or waiting.cluster_of(tasks),
            cursor=cursor,
            tasks=names,
            container_instances=container_instances,
            family=family,
            on_lost=on_lost,
            first_within_s=self.deadline_s,
        )
        async with contextlib.aclosing(watch) as batches:
            async for batch in batches:
                for event in batch.events:
                    yield event
                    if left is not None and event.task.last_status == task_pb2.TASK_STATUS_STOPPED:
                        left.discard(event.task.task_id)
                if left is not None and not left:
                    return

    async def lines(
        self,
        task: "results.Task | results.Run | str",
        *,
        cluster: str = "",
        containers: Sequence[str] = (),
        follow: bool = False,
        since: datetime | None = None,
        until: datetime | None = None,
        tail: int | None = None,
        timestamps: bool = False,
        on_lost: Callable[[errors.Unavailable], None] = connection.unnoticed,
    ) -> AsyncGenerator[lines.Line, None]:
        """What a task's containers wrote, line by line, from the first on: none missing, none twice, whatever connection is lost.

        Ends at what there is, or with `follow` once the task has stopped and everything came. `logs` gives the bytes, and cursors.
        """
        name = waiting.one(task)
        put_together = lines.Lines()
        output: reading.Reading = self.logs(
            name,
            cluster=cluster or waiting.cluster_of(task),
            containers=containers,
            follow=follow,
            since=since,
            until=until,
            tail=tail,
            timestamps=timestamps,
            on_lost=on_lost,
        )
        async with contextlib.aclosing(output) as outputs:
            async for found in outputs:
                for line in lines.of(found, put_together):
                    yield line
        for line in lines.last(put_together):
            yield line

    async def tasks(
        self,
        *,
        cluster: str = "",
        family: str = "",
        container_instance: str = "",
        started_by: str = "",
        stopped: bool = False,
    ) -> AsyncGenerator[task_pb2.Task, None]:
        """A cluster's tasks, described, however many pages they are: those that should run, or the stopped ones."""
        request = listing.tasks(cluster, family, container_instance, started_by, stopped=stopped)
        async for page in self.pages(self.state_tracker.ListTasks, request):
            for task in await waiting.describe(self, cluster, page.task_arns, missing_ok=True):
                yield task

    async def describe_tasks(self, tasks: waiting.Tasks, *, cluster: str = "") -> list[task_pb2.Task]:
        """Any number of tasks, described. Raises ResourceNotFoundException for those that there are not."""
        return await waiting.describe(self, cluster or waiting.cluster_of(tasks), waiting.ids(tasks))

    async def container_instances(
        self, *, cluster: str = "", filter_: str = ""
    ) -> AsyncGenerator[container_instance_pb2.ContainerInstance, None]:
        """A cluster's container instances, described; `filter_` is an expression of ECS's cluster query language."""
        request = listing.container_instances(cluster, filter_)
        async for page in self.pages(self.state_tracker.ListContainerInstances, request):
            for instance in await listing.described_instances(self, cluster, page.container_instance_arns):
                yield instance

    async def clusters(self) -> AsyncGenerator[cluster_pb2.Cluster, None]:
        """Every cluster, described."""
        async for page in self.pages(self.registry.ListClusters, listing.clusters()):
            for cluster in await listing.described_clusters(self, page.cluster_arns):
                yield cluster

    async def task_definitions(self, *, family: str = "", inactive: bool = False) -> AsyncGenerator[str, None]:
        """The ARNs of task definitions: of one family or of all, the ACTIVE ones or the INACTIVE."""
        request = listing.task_definitions(family, inactive=inactive)
        async for page in self.pages(self.registry.ListTaskDefinitions, request):
            for arn in page.task_definition_arns:
                yield arn

    async def _stopped(self, run: results.Run, deadline_s: float | None) -> results.Run:
        return dataclasses.replace(run, tasks=await self.wait_tasks_stopped(run, deadline_s=deadline_s))
