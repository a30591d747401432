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
    return of_tasks(engine, [arn])[arn]


def of_tasks(engine: docker.DockerEngine, arns: list[str]) -> dict[str, list[Witness]]:
    """Every container that was ever made for each of these tasks and is still there."""
    found: dict[str, list[Witness]] = {arn: [] for arn in arns}
    by_id = {id_of(arn): arn for arn in arns}
    shown = f'{{{{.ID}}}} {{{{.Label "{TASK_ID_LABEL}"}}}}'
    listed = engine.docker("ps", "--all", "--no-trunc", "--filter", f"label={TASK_ID_LABEL}", "--format", shown)
    ids = [line.split()[0] for line in listed.splitlines() if line.split()[-1] in by_id]
    if not ids:
        return found
    inspected: list[dict[str, Any]] = json.loads(engine.docker("inspect", *ids))
    for container in inspected:
        found[by_id[container["Config"]["Labels"][TASK_ID_LABEL]]].append(
            Witness(
                container_id=container["Id"],
                exit_code=container["State"]["ExitCode"],
                running=container["State"]["Running"],
                started_at=container["State"]["StartedAt"],
                restart_count=container["RestartCount"],
            )
        )
    return found
