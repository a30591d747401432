"""`longshore run` and `longshore start`: register if it is a file, place, and follow."""

import time
from dataclasses import dataclass
from typing import Annotated, TypeVar

import typer

from longshore.cli import (
    arguments,
    bulk_running,
    connection,
    narration,
    overriding,
    queueing,
    task_definitions,
    telling,
)
from longshore.client import client as clients
from longshore.client import documents, running
from longshore.v1 import scheduler_service_pb2, task_definition_pb2

Request = TypeVar("Request", scheduler_service_pb2.RunTaskRequest, scheduler_service_pb2.StartTaskRequest)

Target = Annotated[
    str, typer.Argument(metavar="FILE|FAMILY[:REVISION]", help="A task-definition file, or one that is registered.")
]
Container = Annotated[
    str, typer.Option("--container", help="The container that --env and --command are for, where there are several.")
]
Env = Annotated[
    list[str] | None, typer.Option("--env", "-e", metavar="NAME=VALUE", help="Set a variable; several times.")
]
Command = Annotated[str, typer.Option("--command", help="Another command: words as in a shell, or a JSON list.")]
Overrides = Annotated[str, typer.Option("--overrides", metavar="JSON", help="ECS's overrides object, whole.")]
StartedBy = Annotated[str, typer.Option(help="Who starts it; `task list --started-by` finds it again.")]
Group = Annotated[str, typer.Option(help="Group of the tasks; family:FAMILY where none is given.")]
Family = Annotated[str | None, typer.Option(help="The family, where FILE has none or another is wanted.")]
Wait = Annotated[
    bool,
    typer.Option(
        "--wait", help="Stream the containers' output to the tasks' end; exit with the container's exit code."
    ),
]
Detach = Annotated[bool, typer.Option("--detach", "-d", help="Return once placed, before they run.")]


@dataclass(frozen=True, slots=True)
class Wanted:
    """What the options ask for, of either command."""

    target: str
    document: documents.Document | None
    cluster: str
    wish: overriding.Wish
    started_by: str
    group: str
    tags: tuple[str, ...]


def run(
    context: typer.Context,
    target: Target,
    count: Annotated[
        int, typer.Option(min=1, max=bulk_running.MOST, help="How many tasks; more than 10 are told of together.")
    ] = 1,
    cluster: arguments.Cluster = arguments.DEFAULT_CLUSTER,
    container: Container = "",
    env: Env = None,
    command: Command = "",
    overrides: Overrides = "",
    started_by: StartedBy = "",
    group: Group = "",
    tag: arguments.Tags = None,
    client_token: Annotated[str, typer.Option(help="Repeating a run under one token places nothing twice.")] = "",
    family: Family = None,
    wait_for_capacity: Annotated[
        str,
        typer.Option(
            metavar="[=TIME]",
            help="Let what finds no room wait for it, so long at most (90s, 10m, 1h30m; =10m where none is given), instead of refusing it.",
        ),
    ] = "",
    priority: Annotated[
        int,
        typer.Option(
            min=0,
            max=queueing.MAX_PRIORITY,
            help="With --wait-for-capacity: each point counts for a minute of waiting.",
        ),
    ] = 0,
    *,
    wait: Wait = False,
    detach: Detach = False,
) -> None:
    """Run tasks wherever they fit, and follow them until they run."""
    if priority and not wait_for_capacity:
        raise typer.BadParameter("--priority goes with --wait-for-capacity")
    wish = overriding.Wish(container, pairs(env), command, overrides)
    wanted = Wanted(target, read(target, family), cluster, wish, started_by, group, tuple(tag or ()))

    if wait and count > bulk_running.MOST_TOLD:
        raise typer.BadParameter(
            f"--wait streams the output of up to {bulk_running.MOST_TOLD} tasks, {count} are asked for"
        )

    async def work(client: clients.Client) -> int:
        narrator = telling.Narrator(as_json=connection.options(context).as_json, aside=wait)
        if count > bulk_running.MOST_TOLD:
            one = scheduler_service_pb2.RunTaskRequest()
            queueing.put(one, wait_for_capacity, priority)
            await prepare(client, narrator, wanted, one)
            return await bulk_running.run(client, narrator, one, count=count, token=client_token, detach=detach)
        request = scheduler_service_pb2.RunTaskRequest(count=count)
        queueing.put(request, wait_for_capacity, priority)
        if client_token:
            request.client_token = client_token
        definition = await prepare(client, narrator, wanted, request)
        began = time.monotonic()
        answer = await client.call(client.scheduler.RunTask, request)
        started = telling.Started(cluster, definition, answer, began)
        return await telling.tell(client, narrator, started, detach=detach, wait=wait)

    raise typer.Exit(connection.run(context, work))


def start(
    context: typer.Context,
    target: Target,
    instance: Annotated[list[str], typer.Option("--instance", help="Where: id or ARN; several times.")],
    cluster: arguments.Cluster = arguments.DEFAULT_CLUSTER,
    container: Container = "",
    env: Env = None,
    command: Command = "",
    overrides: Overrides = "",
    started_by: StartedBy = "",
    group: Group = "",
    tag: arguments.Tags = None,
    family: Family = None,
    *,
    wait: Wait = False,
    detach: Detach = False,
) -> None:
    """Start a task on each of the given container instances: your own scheduler decides."""
    wish = overriding.Wish(container, pairs(env), command, overrides)
    wanted = Wanted(target, read(target, family), cluster, wish, started_by, group, tuple(tag or ()))

    async def work(client: clients.Client) -> int:
        narrator = telling.Narrator(as_json=connection.options(context).as_json, aside=wait)
        request = scheduler_service_pb2.StartTaskRequest(container_instances=instance)
        definition = await prepare(client, narrator, wanted, request)
        began = time.monotonic()
        answer = await client.call(client.scheduler.StartTask, request)
        started = telling.Started(cluster, definition, answer, began)
        return await telling.tell(client, narrator, started, detach=detach, wait=wait)

    raise typer.Exit(connection.run(context, work))


def pairs(env: list[str] | None) -> tuple[tuple[str, str], ...]:
    """The variables that --env options gave."""
    return tuple(arguments.pair(text, "--env") for text in env or ())


def read(target: str, family: str | None) -> documents.Document | None:
    """The document that a target names; None where it names a family."""
    return task_definitions.read_document(target, family) if target == "-" or running.is_file(target) else None


async def prepare(
    client: clients.Client, narrator: telling.Narrator, wanted: Wanted, request: Request
) -> task_definition_pb2.TaskDefinition:
    """Fill in a request; the definition it is about, registered now where it comes from a file.

    The overrides are looked at first: a run that cannot be meant leaves no revision behind.
    """
    if wanted.document is None:
        definition = await running.described(client, wanted.target)
        overrides = overriding.merged(names(definition.container_definitions), wanted.wish)
    else:
        registration = wanted.document.request
        overrides = overriding.merged(names(registration.container_definitions), wanted.wish)
        definition = (await client.call(client.registry.RegisterTaskDefinition, registration)).task_definition
        narrator.say(narration.line("Registered", running.reference(definition)))
    options = running.Options(
        cluster=wanted.cluster,
        overrides=overrides,
        started_by=wanted.started_by,
        group=wanted.group,
    )
    running.fill(request, definition, options)
    request.tags.extend(arguments.tags(wanted.tags))
    return definition


def names(containers: "task_definitions.Containers") -> list[str]:
    """The containers' names."""
    return [container.name for container in containers]
