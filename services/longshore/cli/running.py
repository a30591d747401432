"""`longshore run` and `longshore start`: register if it is a file, place, and with --wait follow to the exit code."""

import json
import time
from dataclasses import dataclass
from pathlib import Path
from typing import Annotated

import typer

from longshore.cli import arguments, connection, narration, output, task_definitions
from longshore.client import client as clients
from longshore.client import following
from longshore.rpc import codec, errors
from longshore.v1 import (
    common_pb2,
    container_instance_pb2,
    registry_service_pb2,
    scheduler_service_pb2,
    state_tracker_service_pb2,
    task_definition_pb2,
    task_pb2,
)

Target = Annotated[
    str, typer.Argument(metavar="FILE|FAMILY[:REVISION]", help="A task-definition file, or one that is registered.")
]
Container = Annotated[
    str,
    typer.Option("--container", help="The container that --env, --command … are for; needed where there are several."),
]
Env = Annotated[
    list[str] | None, typer.Option("--env", "-e", metavar="NAME=VALUE", help="Set a variable; several times.")
]
Command = Annotated[str, typer.Option("--command", help="Another command, as a JSON list or as words.")]
Overrides = Annotated[str, typer.Option("--overrides", metavar="JSON", help="ECS's overrides object, whole.")]
StartedBy = Annotated[str, typer.Option(help="Who starts it; `task list --started-by` finds it again.")]
Group = Annotated[str, typer.Option(help="Group of the tasks; family:FAMILY where none is given.")]
Family = Annotated[str | None, typer.Option(help="The family, where FILE has none.")]
Wait = Annotated[
    bool, typer.Option("--wait", help="Follow the tasks to their end; exit with the container's exit code.")
]


@dataclass(frozen=True, slots=True)
class Wish:
    """What the options ask of every task of this run."""

    container: str
    env: list[str]
    command: str
    overrides: str


@dataclass(frozen=True, slots=True)
class Started:
    """Tasks that a call placed, and where to watch from."""

    tasks: list[task_pb2.Task]
    failures: list[common_pb2.Failure]
    cursor: str
    began: float


def run(
    context: typer.Context,
    target: Target,
    count: Annotated[int, typer.Option(min=1, max=10, help="How many tasks.")] = 1,
    cluster: arguments.Cluster = arguments.DEFAULT_CLUSTER,
    container: Container = "",
    env: Env = None,
    command: Command = "",
    overrides: Overrides = "",
    started_by: StartedBy = "",
    group: Group = "",
    tag: arguments.Tags = (),
    client_token: Annotated[str, typer.Option(help="Repeating a run under one token places nothing twice.")] = "",
    family: Family = None,
    *,
    wait: Wait = False,
) -> None:
    """Run tasks wherever they fit."""
    document = task_definitions.read_document(target, family) if is_file(target) else None
    wish = Wish(container, env or [], command, overrides)

    async def work(client: clients.Client) -> int:
        narrator = Narrator(context)
        definition = await _definition(client, target, document.request if document else None, narrator)
        request = scheduler_service_pb2.RunTaskRequest(
            cluster=cluster, task_definition=reference(definition), count=count, tags=arguments.tags(tag)
        )
        for name, value in (("started_by", started_by), ("group", group), ("client_token", client_token)):
            if value:
                setattr(request, name, value)
        merged = merged_overrides(definition, wish)
        if merged is not None:
            request.overrides.CopyFrom(merged)
        began = time.monotonic()
        answer = await client.call(client.scheduler.RunTask, request)
        started = Started(list(answer.tasks), list(answer.failures), answer.cursor, began)
        return await _narrate(client, narrator, cluster, definition, started, answer, wait=wait)

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
    tag: arguments.Tags = (),
    family: Family = None,
    *,
    wait: Wait = False,
) -> None:
    """Start a task on each of the given container instances: your own scheduler decides."""
    document = task_definitions.read_document(target, family) if is_file(target) else None
    wish = Wish(container, env or [], command, overrides)

    async def work(client: clients.Client) -> int:
        narrator = Narrator(context)
        definition = await _definition(client, target, document.request if document else None, narrator)
        request = scheduler_service_pb2.StartTaskRequest(
            cluster=cluster,
            task_definition=reference(definition),
            container_instances=instance,
            tags=arguments.tags(tag),
        )
        for name, value in (("started_by", started_by), ("group", group)):
            if value:
                setattr(request, name, value)
        merged = merged_overrides(definition, wish)
        if merged is not None:
            request.overrides.CopyFrom(merged)
        began = time.monotonic()
        answer = await client.call(client.scheduler.StartTask, request)
        started = Started(list(answer.tasks), list(answer.failures), answer.cursor, began)
        return await _narrate(client, narrator, cluster, definition, started, answer, wait=wait)

    raise typer.Exit(connection.run(context, work))


class Narrator:
    """Prints the sentences: on standard error where the answer is JSON, so that a pipe gets JSON alone."""

    def __init__(self, context: typer.Context) -> None:
        """For one command."""
        self.json = connection.options(context).format is output.Format.JSON
        self._console = output.err if self.json else output.out

    def say(self, text: str) -> None:
        """Print one line as it is."""
        self._console.print(text, markup=False)


def is_file(target: str) -> bool:
    """Whether a target names a file rather than a family: `-`, a path with a slash or .json, or something that exists."""
    if target.startswith("arn:"):
        return False
    return target == "-" or target.endswith(".json") or "/" in target or Path(target).is_file()


def reference(definition: task_definition_pb2.TaskDefinition) -> str:
    """family:revision."""
    return f"{definition.family}:{definition.revision}"


def merged_overrides(definition: task_definition_pb2.TaskDefinition, wish: Wish) -> task_pb2.TaskOverride | None:
    """ECS's overrides from the options; None where none was given. Raises ClientException for what cannot be meant."""
    result = task_pb2.TaskOverride()
    if wish.overrides:
        codec.from_json(result, wish.overrides)
    if not (wish.env or wish.command):
        return result if wish.overrides else None
    names = [container.name for container in definition.container_definitions]
    name = wish.container or (names[0] if len(names) == 1 else "")
    if name not in names:
        message = f"--env and --command need --container, one of: {', '.join(names)}"
        raise errors.ClientException(message)
    found = next((item for item in result.container_overrides if item.name == name), None)
    container = found if found is not None else result.container_overrides.add(name=name)
    for text in wish.env:
        variable, value = arguments.pair(text, "--env")
        container.environment.add(name=variable, value=value)
    if wish.command:
        container.command.values[:] = words(wish.command)
    return result


def words(command: str) -> list[str]:
    """The words of a command: a JSON list of strings as it is, anything else split at white space."""
    if command.lstrip().startswith("["):
        listed = json.loads(command)
        if not isinstance(listed, list) or not all(isinstance(word, str) for word in listed):
            message = "--command as JSON is a list of strings"
            raise errors.ClientException(message)
        return listed
    return command.split()


async def _definition(
    client: clients.Client,
    target: str,
    registration: registry_service_pb2.RegisterTaskDefinitionRequest | None,
    narrator: Narrator,
) -> task_definition_pb2.TaskDefinition:
    """The definition to run: registered now from a file, or described."""
    if registration is None:
        describe = registry_service_pb2.DescribeTaskDefinitionRequest(task_definition=target)
        return (await client.call(client.registry.DescribeTaskDefinition, describe)).task_definition
    registered = (await client.call(client.registry.RegisterTaskDefinition, registration)).task_definition
    narrator.say(narration.line("Registered", reference(registered)))
    return registered


async def _narrate(
    client: clients.Client,
    narrator: Narrator,
    cluster: str,
    definition: task_definition_pb2.TaskDefinition,
    started: Started,
    answer: scheduler_service_pb2.RunTaskResponse | scheduler_service_pb2.StartTaskResponse,
    *,
    wait: bool,
) -> int:
    """Tell what was placed and refused, follow if asked to, and give the exit status."""
    instances = await _instances(client, cluster, started.tasks) if not narrator.json else {}
    for task in started.tasks:
        narrator.say(narration.placed(task, instances.get(task.container_instance_arn)))
    for text in narration.refused((failure.arn, failure.reason, failure.detail) for failure in started.failures):
        narrator.say(text)
    if narrator.json and not wait:
        output.print_json(answer)
    if not started.tasks:
        return connection.FAILED
    if not wait:
        return connection.FAILED if started.failures else 0
    return await _follow(client, narrator, cluster, definition, started)


async def _instances(
    client: clients.Client, cluster: str, tasks: list[task_pb2.Task]
) -> dict[str, container_instance_pb2.ContainerInstance]:
    """The instances that tasks were placed on, by ARN."""
    arns = sorted({task.container_instance_arn for task in tasks})
    if not arns:
        return {}
    request = state_tracker_service_pb2.DescribeContainerInstancesRequest(cluster=cluster, container_instances=arns)
    answer = await client.call(client.state_tracker.DescribeContainerInstances, request)
    return {instance.container_instance_arn: instance for instance in answer.container_instances}


async def _follow(
    client: clients.Client,
    narrator: Narrator,
    cluster: str,
    definition: task_definition_pb2.TaskDefinition,
    started: Started,
) -> int:
    """Follow tasks from the commit that placed them to their end: nothing can be missed, however short they live."""
    ids = [output.short(task.task_arn) for task in started.tasks]
    follower = following.Follower(ids)
    before: dict[str, task_pb2.TaskStatus.ValueType] = dict.fromkeys(ids, task_pb2.TASK_STATUS_PENDING)
    async for batch in client.watch(cluster=cluster, cursor=started.cursor, tasks=ids):
        for event in batch.events:
            task = follower.apply(event)
            if task is None:
                continue
            for text in narration.changed(task, before[task.task_id], time.monotonic() - started.began):
                narrator.say(text)
            before[task.task_id] = task.last_status
        if follower.finished():
            break
    if narrator.json:
        request = state_tracker_service_pb2.DescribeTasksRequest(cluster=cluster, tasks=ids)
        output.print_json(await client.call(client.state_tracker.DescribeTasks, request))
    essential = frozenset(
        container.name
        for container in definition.container_definitions
        if not container.HasField("essential") or container.essential
    )
    return follower.exit_code(essential)
