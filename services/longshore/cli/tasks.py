"""`longshore task` (list, describe) and `longshore stop`."""

import socket
from collections.abc import Sequence
from typing import Annotated

import typer

from longshore.cli import arguments, connection, endpoints, instances, last_lines, output
from longshore.client import client as clients
from longshore.v1 import common_pb2, scheduler_service_pb2, state_tracker_service_pb2, task_pb2

app = typer.Typer(no_args_is_help=True, help="Tasks: what runs, and what has run.")

COLUMNS = ["TASK", "STATUS", "DEFINITION", "INSTANCE", "STARTED BY", "CREATED", "EXIT", "WHY"]
CONTAINER_COLUMNS = ["CONTAINER", "STATUS", "IMAGE", "DOCKER ID", "EXIT", "URL", "WHY"]

SHORT_ID = 12
"""Digits of an id where the whole would crowd a table out."""


@app.command("list")
def list_tasks(
    context: typer.Context,
    cluster: arguments.Cluster = arguments.DEFAULT_CLUSTER,
    family: Annotated[str, typer.Option(help="Only of this family.")] = "",
    instance: Annotated[str, typer.Option(help="Only on this container instance.")] = "",
    started_by: Annotated[str, typer.Option(help="Only with this startedBy.")] = "",
    *,
    stopped: Annotated[bool, typer.Option("--stopped", help="The stopped ones instead.")] = False,
    quiet: arguments.Quiet = False,
) -> None:
    """List tasks: those that should run, or with --stopped those that have ended."""
    status = task_pb2.DESIRED_STATUS_STOPPED if stopped else task_pb2.DESIRED_STATUS_RUNNING
    request = state_tracker_service_pb2.ListTasksRequest(cluster=cluster, desired_status=status)
    for name, value in (("family", family), ("container_instance", instance), ("started_by", started_by)):
        if value:
            setattr(request, name, value)
    as_json = connection.options(context).as_json
    arns_alone = as_json or quiet

    async def work(client: clients.Client) -> tuple[list[str], list[task_pb2.Task]]:
        pages = client.pages(client.state_tracker.ListTasks, request)
        arns = [arn async for page in pages for arn in page.task_arns]
        return arns, [] if arns_alone else list((await describe_all(client, cluster, arns)).tasks)

    arns, found = connection.run(context, work)
    if as_json:
        output.print_json({"taskArns": arns})
    elif quiet:
        output.print_ids(arns)
    else:
        _print(found, f"No {'stopped' if stopped else 'running'} tasks in cluster {cluster}.")


@app.command()
def describe(
    context: typer.Context,
    tasks: Annotated[list[str], typer.Argument(metavar="TASK...", help="Ids or ARNs of tasks.")],
    cluster: arguments.Cluster = arguments.DEFAULT_CLUSTER,
) -> None:
    """Describe tasks: containers, exit codes, URLs, times, reasons, the last lines of what failed."""
    as_json = connection.options(context).as_json

    async def work(
        client: clients.Client,
    ) -> tuple[state_tracker_service_pb2.DescribeTasksResponse, dict[str, str], last_lines.Lines]:
        answer = await describe_all(client, cluster, tasks)
        if as_json:
            return answer, {}, {}
        return (
            answer,
            await _hosts(client, cluster, answer.tasks),
            await last_lines.of_failed(client, cluster, answer.tasks),
        )

    answer, hosts, lines = connection.run(context, work)
    if as_json:
        output.print_json(answer)
    else:
        for task in answer.tasks:
            _print_one(task, host=hosts.get(task.container_instance_arn, ""))
            last_lines.show(task, lines)
    arguments.fail_on(answer.failures)


def stop(
    context: typer.Context,
    task: Annotated[str, typer.Argument(help="Id or ARN of the task.")],
    cluster: arguments.Cluster = arguments.DEFAULT_CLUSTER,
    reason: Annotated[str, typer.Option(help="Why; kept with the task.")] = "",
) -> None:
    """Stop a task: its containers get SIGTERM, after their stop timeout SIGKILL."""
    request = scheduler_service_pb2.StopTaskRequest(cluster=cluster, task=task)
    if reason:
        request.reason = reason
    answer = connection.run(context, lambda client: client.call(client.scheduler.StopTask, request))
    if connection.options(context).as_json:
        output.print_json(answer)
    else:
        _print([answer.task])


async def describe_all(
    client: clients.Client, cluster: str, tasks: Sequence[str]
) -> state_tracker_service_pb2.DescribeTasksResponse:
    """Describe any number of tasks, tags included."""
    request = state_tracker_service_pb2.DescribeTasksRequest(
        cluster=cluster, include=[state_tracker_service_pb2.TASK_FIELD_TAGS]
    )
    if not tasks:
        return state_tracker_service_pb2.DescribeTasksResponse()
    return await client.whole(client.state_tracker.DescribeTasks, request, "tasks", tasks)


async def _hosts(client: clients.Client, cluster: str, found: Sequence[task_pb2.Task]) -> dict[str, str]:
    """How to reach the hosts of tasks that publish a port on every address, by instance; the others need none."""
    wanted = {
        task.container_instance_arn
        for task in found
        for container in task.containers
        for binding in container.network_bindings
        if binding.bind_ip in endpoints.EVERYWHERE
    }
    answer = await instances.describe_all(client, cluster, sorted(wanted))
    here = socket.gethostname()
    return {item.container_instance_arn: endpoints.host_of(item, here=here) for item in answer.container_instances}


def exit_codes(task: task_pb2.Task) -> str:
    """The exit codes of a task's containers, in the definition's order; empty while none is known."""
    return ", ".join(str(container.exit_code) for container in task.containers if container.HasField("exit_code"))


def address(task: task_pb2.Task) -> str:
    """The task's own address; empty where it has none, or not yet."""
    details = (pair for attachment in task.attachments for pair in attachment.details)
    return next((pair.value for pair in details if pair.name == "privateIPv4Address"), "")


def _print(found: Sequence[task_pb2.Task], empty: str = "") -> None:
    rows = [
        (
            output.short(task.task_arn),
            arguments.spelled(task_pb2.TaskStatus, task.last_status),
            output.short(task.task_definition_arn),
            output.short(task.container_instance_arn)[:SHORT_ID],
            task.started_by,
            output.when(task.created_at),
            exit_codes(task),
            task.stopped_reason or _waits(task),
        )
        for task in found
    ]
    output.print_table(COLUMNS, rows, empty=empty)


def _print_one(task: task_pb2.Task, *, host: str) -> None:
    output.print_fields(
        [
            ("Task", task.task_arn),
            ("Status", arguments.spelled(task_pb2.TaskStatus, task.last_status)),
            ("Health", _health(task.health_status)),
            ("Desired", arguments.spelled(task_pb2.DesiredStatus, task.desired_status)),
            ("Definition", output.short(task.task_definition_arn)),
            ("Instance", output.short(task.container_instance_arn)),
            ("Address", address(task)),
            ("Group", task.group),
            ("Started by", task.started_by),
            ("CPU units", task.cpu),
            ("Memory", f"{task.memory} MiB" if task.memory else ""),
            ("Created", output.when(task.created_at)),
            ("Pull", _span(task)),
            ("Started", output.when(task.started_at)),
            ("Stopping", output.when(task.stopping_at)),
            ("Stopped", output.when(task.stopped_at)),
            ("Stop code", arguments.spelled(task_pb2.TaskStopCode, task.stop_code)),
            ("Why", task.stopped_reason),
            ("Waiting", _waits(task)),
            ("Until", output.when(task.waiting.deadline)),
            ("Priority", task.waiting.priority or ""),
            ("Tags", ", ".join(f"{tag.key}={tag.value}" for tag in task.tags)),
            ("Version", task.version),
        ]
    )
    rows = [
        (
            container.name,
            _status(container),
            container.image,
            container.runtime_id[:SHORT_ID],
            container.exit_code if container.HasField("exit_code") else "",
            "  ".join(endpoints.urls(container.network_bindings, host=host or "127.0.0.1")),
            container.reason or _restarts(container),
        )
        for container in task.containers
    ]
    output.say("")
    output.print_table(CONTAINER_COLUMNS, rows)


def _waits(task: task_pb2.Task) -> str:
    """For what a task waits; empty where it does not."""
    if not task.HasField("waiting"):
        return ""
    place = f"position {task.waiting.position} of {task.waiting.queue_length}" if task.waiting.position else "in line"
    return f"{place}: {task.waiting.reason}"


def _health(status: common_pb2.HealthStatus.ValueType) -> str:
    """What a health check says; empty where there is none, or it has not said anything yet."""
    return "" if status == common_pb2.HEALTH_STATUS_UNKNOWN else arguments.spelled(common_pb2.HealthStatus, status)


def _status(container: task_pb2.Container) -> str:
    """A container's status, and while it runs its health."""
    status = arguments.spelled(task_pb2.ContainerStatus, container.last_status)
    health = _health(container.health_status)
    return f"{status}, {health}" if health and container.last_status == task_pb2.CONTAINER_STATUS_RUNNING else status


def _restarts(container: task_pb2.Container) -> str:
    """How often its restart policy has started it again, and why the last time; empty where it never has."""
    return f"{container.restart_reason} (restart {container.restart_count})" if container.restart_count else ""


def _span(task: task_pb2.Task) -> str:
    """When pulling began and ended; empty where nothing was pulled."""
    if not task.HasField("pull_started_at"):
        return ""
    return f"{output.when(task.pull_started_at)} to {output.when(task.pull_stopped_at) or 'now'}"
