"""Names and labels of containers and volumes: how the agent finds again what it made. Pure.

A container's name is a function of its task, so it needs no writing down before the create call, and the engine's refusal of a
second container of the same name is what makes "created once" hold.
"""

import hashlib
import re
from collections.abc import Mapping
from dataclasses import dataclass

from longshore.rpc import arns

INSTANCE = "com.longshore.container-instance"
HOME = "com.longshore.home"
TASK_ID = "com.longshore.task-id"
CONTAINER = "com.longshore.container-name"
CLUSTER = "com.longshore.cluster"
DEFINITION = "com.longshore.task-definition"
METADATA_ADDRESS = "com.longshore.metadata-address"
"""Marks the network that gives the host the address of task metadata. It is the host's, not one agent's."""
INTERNAL = "com.longshore.internal"
"""Marks what belongs to the agent and to no definition: pause containers and their image, the network of tasks."""
PAUSE = "pause"

_ECS = "com.amazonaws.ecs."
_NOT_IN_NAMES = re.compile(r"[^A-Za-z0-9-]")
_HASH_DIGITS = 20


@dataclass(frozen=True, slots=True)
class Owner:
    """Who makes containers here: the registered instance, and the agent's home on this host."""

    instance_id: str
    instance_arn: str
    home: str


@dataclass(frozen=True, slots=True)
class TaskNames:
    """What the names and labels of a task's things are made of."""

    task_id: str
    cluster: str
    family: str
    revision: int


def home_of(hostname: str, state_dir: str) -> str:
    """Hash that tells this agent's containers from those of others on the same engine, also without its state file."""
    return hashlib.sha256(f"{hostname}\0{state_dir}".encode()).hexdigest()[:32]


def container_name(task: TaskNames, container: str) -> str:
    """Name of a container at the engine."""
    return f"ecs-{task.family}-{task.revision}-{_NOT_IN_NAMES.sub('', container)}-{_digits(task.task_id, container)}"


def volume_name(task: TaskNames, volume: str) -> str:
    """Name at the engine of a volume that lives with the task."""
    return (
        f"ecs-{task.family}-{task.revision}-{_NOT_IN_NAMES.sub('', volume)}-{_digits(task.task_id, 'volume:' + volume)}"
    )


def task_labels(owner: Owner, task: TaskNames) -> dict[str, str]:
    """Labels of everything that we make for a task."""
    return {
        INSTANCE: owner.instance_id,
        HOME: owner.home,
        TASK_ID: task.task_id,
        CLUSTER: task.cluster,
        DEFINITION: f"{task.family}:{task.revision}",
    }


def _digits(task_id: str, part: str) -> str:
    return hashlib.sha256(f"{task_id}/{part}".encode()).hexdigest()[:_HASH_DIGITS]


def task_arn(owner: Owner, task: TaskNames) -> str:
    """ARN of a task, in the account and region of the instance's own ARN."""
    prefix = owner.instance_arn.split(":container-instance/", 1)[0]
    return f"{prefix}:task/{task.cluster}/{task.task_id}"


def container_arn(owner: Owner, task: TaskNames, container: str) -> str:
    """ARN of a container, the one that the control plane shows."""
    prefix = owner.instance_arn.split(":container-instance/", 1)[0]
    return f"{prefix}:container/{task.cluster}/{task.task_id}/{arns.container_id(task.task_id, container)}"


def region(owner: Owner) -> str:
    """The region in the instance's ARN; empty before there is one."""
    parts = owner.instance_arn.split(":")
    return parts[3] if len(parts) > 3 else ""


def labels(owner: Owner, task: TaskNames, container: str, given: Mapping[str, str]) -> dict[str, str]:
    """Labels of a container; ours win over the definition's."""
    return {
        **given,
        **task_labels(owner, task),
        CONTAINER: container,
        f"{_ECS}task-arn": task_arn(owner, task),
        f"{_ECS}container-name": container,
        f"{_ECS}task-definition-family": task.family,
        f"{_ECS}task-definition-version": str(task.revision),
        f"{_ECS}cluster": task.cluster,
    }
