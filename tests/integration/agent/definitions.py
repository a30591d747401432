"""Task definitions of the tests, as the control plane would send them."""

import itertools
import uuid
from typing import Any

from longshore.v1 import task_definition_pb2 as definition_pb2

IMAGE = "busybox:latest"
FAMILY = "agent-test"
_REVISIONS = itertools.count(1)


def task_id() -> str:
    """A fresh task id."""
    return uuid.uuid4().hex


def container(name: str = "app", *command: str, **members: Any) -> definition_pb2.ContainerDefinition:
    """A busybox container that runs a command, for ever unless told."""
    # The first process of a container ignores SIGTERM unless it says otherwise.
    members.setdefault("stop_timeout", 1)
    made = definition_pb2.ContainerDefinition(name=name, image=IMAGE, memory=64, **members)
    made.command.values.extend(command or ("sleep", "1000"))
    return made


def shell(name: str, script: str, **members: Any) -> definition_pb2.ContainerDefinition:
    """A busybox container that runs a script."""
    return container(name, "sh", "-c", script, **members)


def definition(*containers: definition_pb2.ContainerDefinition, **members: Any) -> definition_pb2.TaskDefinition:
    """A definition of its own family and revision; with no network unless told, which is quicker."""
    members.setdefault("network_mode", definition_pb2.NETWORK_MODE_NONE)
    return definition_pb2.TaskDefinition(
        family=FAMILY, revision=next(_REVISIONS), container_definitions=containers, **members
    )
