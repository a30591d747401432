"""Carries out Stop and Kill, and asks the engine how a container ended. A stop is repeated until the engine confirms it."""

from collections.abc import Awaitable, Callable

import structlog

from longshore.agent import effects, launching, runtime, states, task_commands, task_events, task_record
from longshore.rpc import backoff

_log = structlog.get_logger(__name__)

_FIRST_PAUSE_S = 1.0
_LONGEST_PAUSE_S = 5.0
_FACTOR = 1.3
"""ECS's pauses between attempts to stop."""


class Stopper:
    """Brings containers down."""

    def __init__(self, host: launching.Host, calls: effects.Effects) -> None:
        self._host = host
        self._calls = calls

    def stop(self, record: task_record.TaskRecord, command: task_commands.Stop) -> None:
        """Ask a container to end, have it killed after its timeout."""
        call = self._host.runtime.stop
        self._calls.spawn("stop", self._end(record, command, lambda: call(command.runtime_id, command.timeout_s)))

    def kill(self, record: task_record.TaskRecord, command: task_commands.Kill) -> None:
        """End a container at once."""
        call = self._host.runtime.kill
        self._calls.spawn("kill", self._end(record, command, lambda: call(command.runtime_id)))

    async def _end(
        self,
        record: task_record.TaskRecord,
        command: task_commands.Stop | task_commands.Kill,
        call: Callable[[], Awaitable[None]],
    ) -> None:
        if command.attempt:
            await _paused(command.attempt)
        container = command.container
        try:
            await call()
            if record.state.container(container).phase is states.ContainerPhase.STOPPED:
                return  # the engine's event was faster
            event = _outcome(container, await self._host.runtime.inspect(command.runtime_id))
        except runtime.ContainerMissing:
            event = task_events.ContainerVanished(container)
        except runtime.DockerTimeoutError as error:
            _log.warning("stop_timed_out", task_id=record.task_id, container=container, error_reason=error.reason)
            event = task_events.StopTimedOut(container)
        except runtime.RuntimeFailure as error:
            _log.warning("stop_failed", task_id=record.task_id, container=container, error_reason=error.reason)
            event = task_events.StopFailed(container)
        self._host.post(record, event)


def _outcome(container: str, found: runtime.ContainerSnapshot) -> task_events.Event:
    match found.found:
        case task_events.Found.RUNNING:
            return task_events.StopFailed(container)
        case task_events.Found.EXITED:
            return launching.died(container, found)
        case _:
            return task_events.ContainerDied(container, None)


async def _paused(attempt: int) -> None:
    pauses = backoff.Backoff(first=_FIRST_PAUSE_S, cap=_LONGEST_PAUSE_S, factor=_FACTOR)
    for _ in range(attempt - 1):
        pauses.next()
    await pauses.sleep()
