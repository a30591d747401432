"""Stops and removes containers that belong to no task known here: of a former identity, or of a task that was forgotten."""

from collections.abc import Container, Iterable

import structlog

from longshore.agent import container_names, runtime
from longshore.rpc import backoff

_log = structlog.get_logger(__name__)

_FIRST_PAUSE_S = 0.2
_LONGEST_PAUSE_S = 10.0


async def end(container_runtime: runtime.ContainerRuntime, runtime_id: str) -> None:
    """Stop and remove a container, however long the engine takes to allow it."""
    pauses = backoff.Backoff(first=_FIRST_PAUSE_S, cap=_LONGEST_PAUSE_S)
    while True:
        try:
            await container_runtime.stop(runtime_id, None)
            await container_runtime.remove(runtime_id)
        except runtime.ContainerMissing:
            return
        except runtime.RuntimeFailure as error:
            _log.warning("container_not_removed", runtime_id=runtime_id, error_reason=error.reason)
            await pauses.sleep()
        else:
            return


async def sweep_volumes(container_runtime: runtime.ContainerRuntime, home: str, known: Container[str]) -> None:
    """Remove the volumes that this agent made for tasks it does not know. One that is in use stays: the engine refuses."""
    try:
        found = await container_runtime.list_volumes(container_names.HOME, home)
    except runtime.RuntimeFailure as error:
        _log.warning("volumes_not_swept", error_reason=error.reason)
        return
    for volume in found:
        if volume.labels.get(container_names.TASK_ID, "") in known:
            continue
        try:
            await container_runtime.remove_volume(volume.name)
        except runtime.RuntimeFailure as error:
            _log.warning("volume_not_removed", volume=volume.name, error_reason=error.reason)
        else:
            _log.info("volume_without_task_removed", volume=volume.name)


class Orphans:
    """Containers of tasks that are not in the state file. Only a full set of assignments can say what they are."""

    def __init__(self, container_runtime: runtime.ContainerRuntime) -> None:
        self._runtime = container_runtime
        self._by_task: dict[str, list[str]] = {}

    def __bool__(self) -> bool:
        return bool(self._by_task)

    def add(self, summaries: Iterable[runtime.ContainerSummary]) -> None:
        """Remember what was found."""
        for summary in summaries:
            _log.warning("container_without_task_found", runtime_id=summary.runtime_id, container=summary.name)
            self._by_task.setdefault(summary.labels.get(container_names.TASK_ID, ""), []).append(summary.runtime_id)

    def claim(self, task_ids: Iterable[str]) -> None:
        """These tasks are to run here after all: their containers are taken over under their names."""
        for task_id in task_ids:
            self._by_task.pop(task_id, None)

    def tasks(self) -> tuple[str, ...]:
        """Tasks whose containers were found and not claimed."""
        return tuple(self._by_task)

    async def end(self, task_id: str) -> None:
        """Stop and remove the containers of a task that is not to run here."""
        for runtime_id in self._by_task.pop(task_id, ()):
            await end(self._runtime, runtime_id)
