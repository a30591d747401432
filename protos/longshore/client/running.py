"""How a program runs tasks: what it names becomes a definition, a request is filled, and the answer becomes a typed result."""

import os
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any, TypeAlias, TypeVar

from longshore.client import connection, documents, following, results
from longshore.rpc import codec, errors
from longshore.v1 import (
    common_pb2,
    registry_service_pb2,
    scheduler_service_pb2,
    task_definition_pb2,
    task_pb2,
)

Request = TypeVar("Request", scheduler_service_pb2.RunTaskRequest, scheduler_service_pb2.StartTaskRequest)

Target: TypeAlias = "str | os.PathLike[str] | Mapping[str, Any] | registry_service_pb2.RegisterTaskDefinitionRequest"
"""What to run: a task-definition file, a family, family:revision or ARN that is registered, or a definition as ECS's JSON has it."""

MOST_OF_RUN_TASK = 10
"""Tasks of one RunTask, ECS's rule; more go by RunTasks."""


@dataclass(frozen=True, slots=True)
class Options:
    """How tasks are run. Empty or None: as the definition says, or ECS does by itself."""

    cluster: str = ""
    env: Mapping[str, str] | None = None
    command: Sequence[str] = ()
    container: str = ""
    overrides: task_pb2.TaskOverride | Mapping[str, Any] | None = None
    started_by: str = ""
    group: str = ""
    tags: Mapping[str, str] | None = None


def is_file(target: str) -> bool:
    """Whether a target names a file rather than a family: a path with a slash or .json, or something that exists."""
    if target.startswith("arn:"):
        return False
    return target.endswith(".json") or "/" in target or Path(target).is_file()


def registration(target: Target) -> registry_service_pb2.RegisterTaskDefinitionRequest | None:
    """What is to be registered for a target; None where it names what is registered already.

    Raises ClientException for what is no task definition, OSError for a file that cannot be read.
    """
    if isinstance(target, registry_service_pb2.RegisterTaskDefinitionRequest):
        return target
    if isinstance(target, Mapping):
        return documents.read(dict(target)).request
    if isinstance(target, str) and not is_file(target):
        return None
    try:
        return documents.parse(Path(target).read_text(encoding="utf-8")).request
    except errors.ServiceError as error:
        raise errors.ClientException(f"{os.fspath(target)} is not a task definition. {error.message}") from error


async def definition(client: connection.Connection, target: Target) -> task_definition_pb2.TaskDefinition:
    """The definition that a target is about, registered now where it is not yet."""
    document = registration(target)
    if document is not None:
        return (await client.call(client.registry.RegisterTaskDefinition, document)).task_definition
    assert isinstance(target, str)  # noqa: S101 - all else is registered
    return await described(client, target)


async def described(client: connection.Connection, target: str) -> task_definition_pb2.TaskDefinition:
    """A definition that is registered; ECS's words for one that is not name nothing, so this does."""
    request = registry_service_pb2.DescribeTaskDefinitionRequest(task_definition=target)
    try:
        return (await client.call(client.registry.DescribeTaskDefinition, request)).task_definition
    except errors.ClientException as error:
        refined = errors.ClientException(f"{error.message} {target!r} is neither a file nor registered.")
        refined.request_id = error.request_id
        raise refined from error


def fill(request: Request, definition: task_definition_pb2.TaskDefinition, options: Options) -> Request:
    """Say in a request what to run and how. Raises InvalidParameterException for what cannot be meant."""
    request.task_definition = reference(definition)
    if definition.network_mode == task_definition_pb2.NETWORK_MODE_AWSVPC:
        # Required of such a run, and without effect here: there is one network, the host's.
        request.network_configuration.awsvpc_configuration.SetInParent()
    for name, value in (("cluster", options.cluster), ("started_by", options.started_by), ("group", options.group)):
        if value:
            setattr(request, name, value)
    request.tags.extend(common_pb2.Tag(key=key, value=value) for key, value in (options.tags or {}).items())
    overrides = overridden((container.name for container in definition.container_definitions), options)
    if overrides is not None:
        request.overrides.CopyFrom(overrides)
    return request


def overridden(containers: Iterable[str], options: Options) -> task_pb2.TaskOverride | None:
    """What differs from the definition: `env` and `command` laid over `overrides`; None where nothing does."""
    whole = task_pb2.TaskOverride()
    if isinstance(options.overrides, task_pb2.TaskOverride):
        whole.CopyFrom(options.overrides)
    elif options.overrides:
        codec.from_json(whole, dict(options.overrides))
    if options.env or options.command:
        lay_over(whole, chosen(list(containers), options.container), options.env or {}, options.command)
    return whole if options.overrides is not None or options.env or options.command else None


def chosen(containers: Sequence[str], name: str) -> str:
    """The container that is meant. Raises InvalidParameterException where none, or more than one, can be."""
    if name in containers:
        return name
    if not name and len(containers) == 1:
        return containers[0]
    raise errors.InvalidParameterException(
        f"env and command need a container, one of: {', '.join(containers)}" + (f"; not {name}." if name else ".")
    )


def lay_over(overrides: task_pb2.TaskOverride, name: str, env: Mapping[str, str], command: Sequence[str]) -> None:
    """Set variables and the command of one container, beside what is there."""
    found = next((item for item in overrides.container_overrides if item.name == name), None)
    container = found if found is not None else overrides.container_overrides.add(name=name)
    for variable, value in env.items():
        container.environment.add(name=variable, value=value)
    if command:
        container.command.values[:] = command


def reference(definition: task_definition_pb2.TaskDefinition) -> str:
    """family:revision."""
    return f"{definition.family}:{definition.revision}"


async def run(
    client: connection.Connection, target: Target, options: Options, *, count: int, client_token: str
) -> results.Run:
    """Run tasks wherever they fit. Raises NotPlacedError where none does."""
    found = await definition(client, target)
    request = fill(scheduler_service_pb2.RunTaskRequest(), found, options)
    if count > MOST_OF_RUN_TASK:
        many = scheduler_service_pb2.RunTasksRequest(run_task=request, count=count, client_token=client_token or None)
        return _many(found, options.cluster, await client.call(client.scheduler.RunTasks, many))
    request.count = count
    if client_token:
        request.client_token = client_token
    answer = await client.call(client.scheduler.RunTask, request)
    return placed(found, options.cluster, answer)


async def start(
    client: connection.Connection, target: Target, options: Options, *, container_instances: Sequence[str]
) -> results.Run:
    """Start a task on each of the instances. Raises NotPlacedError where none can be."""
    found = await definition(client, target)
    request = scheduler_service_pb2.StartTaskRequest(container_instances=container_instances)
    answer = await client.call(client.scheduler.StartTask, fill(request, found, options))
    return placed(found, options.cluster, answer)


def placed(
    definition: task_definition_pb2.TaskDefinition,
    cluster: str,
    answer: scheduler_service_pb2.RunTaskResponse | scheduler_service_pb2.StartTaskResponse,
) -> results.Run:
    """What was placed, as a result. Raises NotPlacedError where nothing was."""
    essential = following.essential_names(definition)
    follower = following.Follower((task.task_arn.rpartition("/")[2] for task in answer.tasks), essential=essential)
    for task in answer.tasks:
        follower.apply_description(task)
    return _result(definition, cluster, follower, results.failures(answer.failures), answer.cursor)


def _many(
    definition: task_definition_pb2.TaskDefinition, cluster: str, answer: scheduler_service_pb2.RunTasksResponse
) -> results.Run:
    follower = following.Follower(answer.task_ids, essential=following.essential_names(definition))
    for task in follower.tasks.values():
        task.last_status = task_pb2.TASK_STATUS_PENDING
    failures = tuple(
        results.Failure(one.container_instance_arn, one.reason, f"{one.instances} instances; {one.detail}")
        for one in answer.failures
    )
    return _result(definition, cluster, follower, failures, answer.cursor)


def _result(
    definition: task_definition_pb2.TaskDefinition,
    cluster: str,
    follower: following.Follower,
    failures: tuple[results.Failure, ...],
    cursor: str,
) -> results.Run:
    if not follower.tasks:
        raise results.NotPlacedError(failures)
    return results.Run(
        cluster=cluster,
        task_definition=reference(definition),
        essential=following.essential_names(definition),
        tasks=tuple(results.task(task, cluster) for task in follower.tasks.values()),
        failures=failures,
        cursor=cursor,
    )
