"""Calls of end-to-end tests, by the public library."""

import json
from typing import Any

from longshore.client import client as clients
from longshore.v1 import registry_service_pb2, scheduler_service_pb2, task_definition_pb2, task_pb2
from tests.e2e import stacks

NETWORK_MODE_NONE = task_definition_pb2.NETWORK_MODE_NONE


def definition(family: str, command: str, **container: object) -> registry_service_pb2.RegisterTaskDefinitionRequest:
    """A definition of one small busybox container."""
    described = {"name": "main", "image": "busybox", "cpu": 16, "memory": 16, **container}
    made = task_definition_pb2.ContainerDefinition(**described)  # type: ignore[arg-type]
    made.command.values[:] = ["sh", "-c", command]
    return registry_service_pb2.RegisterTaskDefinitionRequest(family=family, container_definitions=[made])


async def register(client: clients.Client, request: registry_service_pb2.RegisterTaskDefinitionRequest) -> str:
    """Register; family:revision."""
    made = (await client.call(client.registry.RegisterTaskDefinition, request)).task_definition
    return f"{made.family}:{made.revision}"


async def run_one(client: clients.Client, name: str) -> task_pb2.Task:
    """Run one task."""
    answer = await client.call(client.scheduler.RunTask, scheduler_service_pb2.RunTaskRequest(task_definition=name))
    assert not answer.failures, answer.failures
    return answer.tasks[0]


def run_json(stack: stacks.Stack, *words: str, check: bool = True, stdin: str = "") -> dict[str, Any]:
    """Run a command and read the JSON it prints."""
    found: dict[str, Any] = json.loads(stack.command(*words, "--output", "json", check=check, stdin=stdin).stdout)
    return found


def only_instance(stack: stacks.Stack) -> dict[str, Any]:
    """The description of the only instance there is."""
    (arn,) = run_json(stack, "instance", "list")["containerInstanceArns"]
    (instance,) = run_json(stack, "instance", "describe", arn)["containerInstances"]
    described: dict[str, Any] = instance
    return described


def task(stack: stacks.Stack, arn: str) -> dict[str, Any]:
    """The description of a task."""
    (found,) = run_json(stack, "task", "describe", arn)["tasks"]
    described: dict[str, Any] = found
    return described
