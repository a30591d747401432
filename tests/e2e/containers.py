"""What the Docker Engine itself knows of tasks: the witness against which the control plane's story is checked."""

import json
from dataclasses import dataclass
from typing import Any

from tests.engines import docker

TASK_ID_LABEL = "com.longshore.task-id"


@dataclass(frozen=True, slots=True)
class Witness:
    """One container as the engine tells."""

    container_id: str
    exit_code: int
    running: bool
    started_at: str
    restart_count: int


def of_task(engine: docker.DockerEngine, task_id: str) -> list[Witness]:
    """Every container that was ever made for a task and is still there."""
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
