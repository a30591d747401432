"""What the Docker Engine itself knows of tasks: the witness against which the control plane's story is checked."""

import json
from dataclasses import dataclass
from typing import Any

from longshore.agent import container_names
from tests.engines import docker

TASK_ID_LABEL = container_names.TASK_ID


@dataclass(frozen=True, slots=True)
class Witness:
    """One container as the engine tells."""

    container_id: str
    exit_code: int
    running: bool
    started_at: str
    restart_count: int


def id_of(arn: str) -> str:
    """The id at the end of an ARN."""
    return arn.rpartition("/")[2]


def of_task(engine: docker.DockerEngine, arn: str) -> list[Witness]:
    """Every container that was ever made for a task and is still there."""
    task_id = id_of(arn)
    ids = engine.docker("ps", "--all", "--quiet", "--no-trunc", "--filter", f"label={TASK_ID_LABEL}={task_id}").split()
    if not ids:
        return []
    inspected: list[dict[str, Any]] = json.loads(engine.docker("inspect", *ids))
    return [
        Witness(
            container_id=found["Id"],
            exit_code=found["State"]["ExitCode"],
            running=found["State"]["Running"],
            started_at=found["State"]["StartedAt"],
            restart_count=found["RestartCount"],
        )
        for found in inspected
    ]
