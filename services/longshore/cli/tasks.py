"""`longshore task` (list, describe) and `longshore stop`."""

from collections.abc import Sequence
from typing import Annotated

import typer

from longshore.cli import arguments, connection, endpoints, output
from longshore.client import client as clients
from longshore.v1 import scheduler_service_pb2, state_tracker_service_pb2, task_pb2

app = typer.Typer(no_args_is_help=True, help="Tasks: what runs, and what has run.")

COLUMNS = ["TASK", "STATUS", "DEFINITION", "INSTANCE", "STARTED BY", "CREATED", "EXIT", "WHY"]

BATCH = 100
"""Most tasks that one describe takes."""


@app.command("list")
def list_tasks(
    context: typer.Context,
    cluster: arguments.Cluster = arguments.DEFAULT_CLUSTER,
    family: Annotated[str, typer.Option(help="Only of this family.")] = "",
    instance: Annotated[str, typer.Option(help="Only on this container instance.")] = "",
    started_by: Annotated[str, typer.Option(help="Only with this startedBy.")] = "",
    *,
    stopped: Annotated[bool, typer.Option("--stopped", help="The stopped ones instead.")] = False,
) -> None:
    """List tasks: those that should run, or with --stopped those that have ended."""
    status = task_pb2.DESIRED_STATUS_STOPPED if stopped else task_pb2.DESIRED_STATUS_RUNNING
    filters = {"family": family, "container_instance": instance, "started_by": started_by}
    request = state_tracker_service_pb2.ListTasksRequest(cluster=cluster, desired_status=status)
    for name, value in filters.items():
        if value:
            setattr(request, name, value)

    async def work(client: clients.Client) -> tuple[list[str], list[task_pb2.Task]]:
        pages = client.pages(client.state_tracker.ListTasks, request)
        arns = [arn async for page in pages for arn in page.task_arns]
        if connection.options(context).format is output.Format.JSON:
            return arns, []
        found: list[task_pb2.Task] = []
        for start in range(0, len(arns), BATCH):
            found.extend((await describe_tasks(client, cluster, arns[start : start + BATCH])).tasks)
        return arns, found

    arns, found = connection.run(context, work)
    if connection.options(context).format is output.Format.JSON:
        output.print_json({"taskArns": arns})
    else:
        _print(found, f"No {'stopped' if stopped else 'running'} tasks in cluster {cluster}.")


@app.command()
def describe(
    context: typer.Context,
    tasks: Annotated[list[str], typer.Argument(metavar="TASK...", help="Ids or ARNs of tasks.")],
    cluster: arguments.Cluster = arguments.DEFAULT_CLUSTER,
) -> None:
    """Describe tasks: containers, exit codes, ports, times, reasons."""
    answer = connection.run(context, lambda client: describe_tasks(client, cluster, tasks))
    if connection.options(context).format is output.Format.JSON:
        output.print_json(answer)
    else:
        for task in answer.tasks:
            _print_one(task)
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
    if connection.options(context).format is output.Format.JSON:
        output.print_json(answer)
    else:
        _print([answer.task], "")


async def describe_tasks(
    client: clients.Client, cluster: str, tasks: Sequence[str]
) -> state_tracker_service_pb2.DescribeTasksResponse:
    """Describe up to BATCH tasks, tags included."""
    request = state_tracker_service_pb2.DescribeTasksRequest(
        cluster=cluster, tasks=tasks, include=[state_tracker_service_pb2.TASK_FIELD_TAGS]
    )
    return await client.call(client.state_tracker.DescribeTasks, request)


def exit_codes(task: task_pb2.Task) -> str:
    """The exit codes of a task's containers, in the definition's order; empty while none is known."""
    return ", ".join(str(container.exit_code) for container in task.containers if container.HasField("exit_code"))


def _print(found: Sequence[task_pb2.Task], empty: str) -> None:
    rows = [
        (
            output.short(task.task_arn),
            arguments.spelled(task_pb2.TaskStatus, task.last_status),
            output.short(task.task_definition_arn),
            output.short(task.container_instance_arn)[:12],
            task.started_by,
            output.when(task.created_at),
            exit_codes(task),
            task.stopped_reason,
        )
        for task in found
    ]
    output.print_table(COLUMNS, rows, empty=empty)


def _print_one(task: task_pb2.Task) -> None:
    output.print_fields(
        [
            ("Task", task.task_arn),
            ("Status", arguments.spelled(task_pb2.TaskStatus, task.last_status)),
            ("Desired", arguments.spelled(task_pb2.DesiredStatus, task.desired_status)),
            ("Definition", output.short(task.task_definition_arn)),
            ("Instance", output.short(task.container_instance_arn)),
            ("Group", task.group),
            ("Started by", task.started_by),
            ("CPU units", task.cpu),
            ("Memory", f"{task.memory} MiB" if task.memory else ""),
            ("Created", output.when(task.created_at)),
            ("Pull", _span(task)),
            ("Started", output.when(task.started_at)),
            ("Stopped", output.when(task.stopped_at)),
            ("Stop code", arguments.spelled(task_pb2.TaskStopCode, task.stop_code)),
            ("Why", task.stopped_reason),
            ("Tags", ", ".join(f"{tag.key}={tag.value}" for tag in task.tags)),
            ("Version", task.version),
        ]
    )
    rows = [
        (
            container.name,
            arguments.spelled(task_pb2.ContainerStatus, container.last_status),
            container.image,
            container.runtime_id[:12],
            container.exit_code if container.HasField("exit_code") else "",
            "  ".join(endpoints.urls(container.network_bindings)),
            container.reason,
        )
        for container in task.containers
    ]
    output.print_table(["CONTAINER", "STATUS", "IMAGE", "DOCKER ID", "EXIT", "URL", "WHY"], rows, empty="")


def _span(task: task_pb2.Task) -> str:
    """When pulling began and ended; empty where nothing was pulled."""
    if not task.HasField("pull_started_at"):
        return ""
    return f"{output.when(task.pull_started_at)} to {output.when(task.pull_stopped_at) or 'now'}"
