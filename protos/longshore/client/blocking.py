"""The client without `await`: for programs that have no event loop. Everything is as in `client`, which it runs on a thread of its own.

    with Client() as longshore:
        run = longshore.run("hello.json", wait=True)
        print(run.exit_code, run.reason)

Written by `make blocking` from `client` and `connection`; do not edit. Callbacks (`on_change`, `on_lost`) run on the client's thread.
"""

import random
import uuid
from collections.abc import Callable, Generator, Mapping, Sequence
from datetime import datetime
from types import TracebackType
from typing import Any, Self

from longshore.client import addresses as resolving
from longshore.client import client, connection, lines, portal, results, running, waiting
from longshore.client import logs as reading
from longshore.rpc import errors, tls
from longshore.v1 import (
    cluster_pb2,
    container_instance_pb2,
    event_pb2,
    registry_service_pb2_grpc,
    scheduler_service_pb2_grpc,
    state_tracker_service_pb2_grpc,
    task_definition_pb2,
    task_pb2,
)


class Client:
    """A client of one Longshore. Use it as a context manager; threads may share it, and each may be interrupted by Ctrl-C."""

    def __init__(
        self,
        server: str | None = None,
        *,
        addresses: resolving.Addresses | None = None,
        files: tls.Files | None = None,
        deadline_s: float = connection.DEADLINE_S,
        source: random.Random | None = None,
        new_token: Callable[[], str] = lambda: uuid.uuid4().hex,
        on_retry: Callable[[errors.Unavailable], None] = connection.unnoticed,
    ) -> None:
        """Prepare; the arguments are those of `client.Client`. Raises addresses.AddressError for what is none."""
        self._portal = portal.Portal()
        self._client = client.Client(
            server,
            addresses=addresses,
            files=files,
            deadline_s=deadline_s,
            source=source,
            new_token=new_token,
            on_retry=on_retry,
        )

    def __enter__(self) -> Self:
        """Open the channels. Nothing is sent yet: a component that is away shows at the first call."""
        self._portal.open()
        self._portal.run(self._client.__aenter__())
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        """Close the channels; calls under way are cancelled."""
        try:
            self._portal.run(self._client.__aexit__(kind, error, trace))
        finally:
            self._portal.close()

    @property
    def registry(self) -> "registry_service_pb2_grpc.RegistryServiceAsyncStub":
        """Methods of the component, for `call` and `pages`."""
        return self._client.registry

    @property
    def scheduler(self) -> "scheduler_service_pb2_grpc.SchedulerServiceAsyncStub":
        """Methods of the component, for `call` and `pages`."""
        return self._client.scheduler

    @property
    def state_tracker(self) -> "state_tracker_service_pb2_grpc.StateTrackerServiceAsyncStub":
        """Methods of the component, for `call` and `pages`."""
        return self._client.state_tracker

    def call(
        self,
        method: connection.Unary[connection.Q, connection.R],
        request: connection.Q,
        *,
        deadline_s: float | None = None,
        request_id: str = "",
    ) -> connection.R:
        """Call, and repeat while the answer is UNAVAILABLE. Raises a ServiceError named as ECS names it.

        A request that has a client token and names none gets one, the same for each repetition. So does the id of the request, which is
        in the logs of whoever has to do with it, in the events that it causes and in the error that is raised; see `context`.
        """
        return self._portal.run(self._client.call(method, request, deadline_s=deadline_s, request_id=request_id))

    def pages(
        self, method: connection.Unary[connection.Q, connection.R], request: connection.Q
    ) -> Generator[connection.R, None, None]:
        """Every page of a list operation, until there is no next one."""
        return self._portal.iterate(self._client.pages(method, request))

    def whole(
        self,
        method: connection.Unary[connection.Q, connection.R],
        request: connection.Q,
        field: str,
        items: Sequence[str],
        *,
        at_once: int = connection.NAMED_AT_ONCE,
    ) -> connection.R:
        """The same call for any number of named things, put together to one answer. `field` takes them, `at_once` to a call."""
        return self._portal.run(self._client.whole(method, request, field, items, at_once=at_once))

    def watch(
        self,
        *,
        cluster: str = "",
        cursor: str = "",
        tasks: Sequence[str] = (),
        container_instances: Sequence[str] = (),
        family: str = "",
        on_lost: Callable[[errors.Unavailable], None] = connection.unnoticed,
        first_within_s: float | None = None,
    ) -> Generator[connection.Batch, None, None]:
        """Batches of events from a cursor on, in commit order, none missing and none twice, whatever connection is lost.

        The first batch comes at once and is empty where nothing has happened yet. Without a cursor the watch starts now. It goes on
        for ever; each time the connection is lost `on_lost` is told, before it is sought again. Raises errors.OutOfRange when the
        cursor's events were pruned, and Unavailable when the first batch does not come within `first_within_s` seconds.
        """
        return self._portal.iterate(
            self._client.watch(
                cluster=cluster,
                cursor=cursor,
                tasks=tasks,
                container_instances=container_instances,
                family=family,
                on_lost=on_lost,
                first_within_s=first_within_s,
            )
        )

    def logs(
        self,
        task: str,
        *,
        cluster: str = "",
        containers: Sequence[str] = (),
        follow: bool = False,
        since: datetime | None = None,
        until: datetime | None = None,
        tail: int | None = None,
        timestamps: bool = False,
        cursor: str = "",
        on_lost: Callable[[errors.Unavailable], None] = connection.unnoticed,
    ) -> Generator[reading.Output, None, None]:
        """What a task's containers wrote, from the first byte or from a cursor on: none missing, none twice, whatever connection is lost.

        Ends by itself: at what there is, or with `follow` once the task has stopped and everything came. Each time the connection is lost
        `on_lost` is told, before it is resumed; without `follow` that is given up when nothing has come for the client's deadline. Raises
        ResourceNotFoundException for an unknown task, ClientException for what cannot be read. To be closed by who opened it.
        """
        return self._portal.iterate(
            self._client.logs(
                task,
                cluster=cluster,
                containers=containers,
                follow=follow,
                since=since,
                until=until,
                tail=tail,
                timestamps=timestamps,
                cursor=cursor,
                on_lost=on_lost,
            )
        )

    def register(self, target: running.Target) -> task_definition_pb2.TaskDefinition:
        """Register a task definition (a file, or one as ECS's JSON has it): the next revision of its family.

        What is registered already, and named by its family, family:revision or ARN, is described.
        """
        return self._portal.run(self._client.register(target))

    def run(
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
        return self._portal.run(
            self._client.run(
                target,
                cluster=cluster,
                count=count,
                wait=wait,
                deadline_s=deadline_s,
                env=env,
                command=command,
                container=container,
                overrides=overrides,
                started_by=started_by,
                group=group,
                tags=tags,
                client_token=client_token,
            )
        )

    def start(
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
        return self._portal.run(
            self._client.start(
                target,
                container_instances,
                cluster=cluster,
                wait=wait,
                deadline_s=deadline_s,
                env=env,
                command=command,
                container=container,
                overrides=overrides,
                started_by=started_by,
                group=group,
                tags=tags,
            )
        )

    def stop(self, task: "results.Run | results.Task | str", *, cluster: str = "", reason: str = "") -> task_pb2.Task:
        """Stop a task: its containers get SIGTERM, after their stop timeout SIGKILL. `wait_tasks_stopped` waits for it."""
        return self._portal.run(self._client.stop(task, cluster=cluster, reason=reason))

    def wait_tasks_running(
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
        return self._portal.run(
            self._client.wait_tasks_running(tasks, cluster=cluster, deadline_s=deadline_s, on_change=on_change)
        )

    def wait_tasks_stopped(
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
        return self._portal.run(
            self._client.wait_tasks_stopped(tasks, cluster=cluster, deadline_s=deadline_s, on_change=on_change)
        )

    def events(
        self,
        tasks: waiting.Tasks = (),
        *,
        cluster: str = "",
        cursor: str = "",
        container_instances: Sequence[str] = (),
        family: str = "",
        on_lost: Callable[[errors.Unavailable], None] = connection.unnoticed,
    ) -> Generator[event_pb2.Event, None, None]:
        """What happens, one event after the other, in commit order, none missing and none twice, whatever connection is lost.

        Of what `run` gave, from the moment that placed it until all of it has stopped; of anything else, from now or from a cursor on, for
        ever. `watch` tells the cursor too. Raises OutOfRange when the cursor's events were pruned, and Unavailable when nobody answers
        within the client's deadline at first; later it is sought for as long as it takes.
        """
        return self._portal.iterate(
            self._client.events(
                tasks,
                cluster=cluster,
                cursor=cursor,
                container_instances=container_instances,
                family=family,
                on_lost=on_lost,
            )
        )

    def lines(
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
    ) -> Generator[lines.Line, None, None]:
        """What a task's containers wrote, line by line, from the first on: none missing, none twice, whatever connection is lost.

        Ends at what there is, or with `follow` once the task has stopped and everything came. `logs` gives the bytes, and cursors.
        """
        return self._portal.iterate(
            self._client.lines(
                task,
                cluster=cluster,
                containers=containers,
                follow=follow,
                since=since,
                until=until,
                tail=tail,
                timestamps=timestamps,
                on_lost=on_lost,
            )
        )

    def tasks(
        self,
        *,
        cluster: str = "",
        family: str = "",
        container_instance: str = "",
        started_by: str = "",
        stopped: bool = False,
    ) -> Generator[task_pb2.Task, None, None]:
        """A cluster's tasks, described, however many pages they are: those that should run, or the stopped ones."""
        return self._portal.iterate(
            self._client.tasks(
                cluster=cluster,
                family=family,
                container_instance=container_instance,
                started_by=started_by,
                stopped=stopped,
            )
        )

    def describe_tasks(self, tasks: waiting.Tasks, *, cluster: str = "") -> list[task_pb2.Task]:
        """Any number of tasks, described. Raises ResourceNotFoundException for those that there are not."""
        return self._portal.run(self._client.describe_tasks(tasks, cluster=cluster))

    def container_instances(
        self, *, cluster: str = "", filter_: str = ""
    ) -> Generator[container_instance_pb2.ContainerInstance, None, None]:
        """A cluster's container instances, described; `filter_` is an expression of ECS's cluster query language."""
        return self._portal.iterate(self._client.container_instances(cluster=cluster, filter_=filter_))

    def clusters(self) -> Generator[cluster_pb2.Cluster, None, None]:
        """Every cluster, described."""
        return self._portal.iterate(self._client.clusters())

    def task_definitions(self, *, family: str = "", inactive: bool = False) -> Generator[str, None, None]:
        """The ARNs of task definitions: of one family or of all, the ACTIVE ones or the INACTIVE."""
        return self._portal.iterate(self._client.task_definitions(family=family, inactive=inactive))
