"""Carries out Start and Restart: turns the engine's answers, refusals and silences into events.

What must not happen here is a second start. So a start is repeated only after an inspection has said that the first did not take place.
"""

import structlog

from longshore.agent import (
    creating,
    effects,
    launching,
    namespaces,
    ports,
    runtime,
    slots,
    states,
    task_commands,
    task_events,
    task_record,
    task_state,
)
from longshore.rpc import backoff

_log = structlog.get_logger(__name__)

_PORT_TRIES = 5
"""How often a dynamic port that turned out to be taken is replaced by another."""
_STARTING = frozenset({states.ContainerPhase.STARTING, states.ContainerPhase.RESTARTING})


class Starter:
    """Starts containers."""

    def __init__(
        self, host: launching.Host, calls: effects.Effects, places: slots.Slots, creator: creating.Creator
    ) -> None:
        self._host = host
        self._calls = calls
        self._slots = places
        self._creator = creator

    def start(self, record: task_record.TaskRecord, command: task_commands.Start) -> None:
        """Start a container."""
        self._calls.spawn("start", self._start(record, command.container, command.runtime_id))

    def restart(self, record: task_record.TaskRecord, command: task_commands.Restart) -> None:
        """Start a container again, in place."""
        start = self._start(record, command.container, command.runtime_id, former_end=command.finished_at)
        self._calls.spawn("restart", start)

    async def _start(
        self, record: task_record.TaskRecord, container: str, runtime_id: str, *, former_end: int | None = None
    ) -> None:
        """Start a container. `former_end`: it has run before and ended then."""
        pauses = backoff.Backoff(first=launching.FIRST_PAUSE_S, cap=launching.LONGEST_PAUSE_S)
        bindings: tuple[task_state.Binding, ...] = ()
        tries = 1
        while True:
            event: task_events.Event | None
            try:
                if not record.limited:
                    # Made by a former process, perhaps before a reboot: the engine would make the group anew, without limits.
                    await self._creator.limit(record)
                async with self._slots.held(first=True):
                    await self._started(record, container, runtime_id)
            except runtime.PortTaken as error:
                may_move = tries < _PORT_TRIES and former_end is None
                moved = await self._elsewhere(record, container, runtime_id) if may_move else None
                tries += 1
                if moved is None:
                    event = task_events.StartFailed(container, error.reason)
                else:
                    runtime_id, bindings = moved
                    continue
            except runtime.RuntimeFailure as error:
                event = await self._after(error, record, container, runtime_id, former_end)
            else:
                event = await self._running(record, container, runtime_id, bindings)
            if event is not None:
                self._host.post(record, event)
                if bindings and record.state.container(container).bindings != bindings:
                    self._host.ports.release(bindings)  # chosen in vain
                return
            await pauses.sleep()
            if record.state.container(container).phase not in _STARTING:
                return  # something else has told its end

    async def _started(self, record: task_record.TaskRecord, container: str, runtime_id: str) -> None:
        """Start a container; the network of a hidden one is made where somebody has removed it."""
        try:
            await self._host.runtime.start(runtime_id)
        except runtime.NetworkMissing:
            if not record.is_hidden(container):
                raise
            await self._host.pausing.provide_network()
            await self._host.runtime.start(runtime_id)

    async def _running(
        self,
        record: task_record.TaskRecord,
        container: str,
        runtime_id: str,
        bindings: tuple[task_state.Binding, ...] = (),
    ) -> task_events.Event:
        """A start that has succeeded. A task must not say that it runs without its address, so that is asked for here."""
        if not (record.is_hidden(container) and namespaces.has_address(record.definition.message)):
            return task_events.ContainerStarted(container, runtime_id, bindings)
        try:
            found = await launching.retried(lambda: self._host.runtime.inspect(runtime_id))
        except runtime.ContainerMissing:
            return task_events.ContainerVanished(container)
        except runtime.RuntimeFailure as error:
            return task_events.StartFailed(container, error.reason, uncertain=True)
        if found.found is task_events.Found.EXITED:
            return launching.died(container, found)
        return task_events.ContainerStarted(container, runtime_id, interface=namespaces.interface(found))

    async def _after(
        self,
        error: runtime.RuntimeFailure,
        record: task_record.TaskRecord,
        container: str,
        runtime_id: str,
        former_end: int | None,
    ) -> task_events.Event | None:
        """What a failed start means; None if it certainly has not happened and may be tried again."""
        if isinstance(error, runtime.ContainerMissing):
            return task_events.ContainerVanished(container)
        if isinstance(error, runtime.DockerTimeoutError):
            return task_events.StartFailed(container, error.reason, uncertain=True)
        if not error.retriable:
            return task_events.StartFailed(container, error.reason)
        _log.warning("start_unanswered", task_id=record.task_id, container=container, error_reason=error.reason)
        try:
            found = await launching.retried(lambda: self._host.runtime.inspect(runtime_id))
        except runtime.ContainerMissing:
            return task_events.ContainerVanished(container)
        except runtime.RuntimeFailure as failure:
            return task_events.StartFailed(container, failure.reason, uncertain=True)
        if found.found is task_events.Found.RUNNING:
            return await self._running(record, container, runtime_id)
        if found.found is task_events.Found.EXITED and (former_end is None or found.finished_at > former_end):
            return launching.died(container, found)
        if found.error:
            return task_events.StartFailed(container, runtime.CannotStartContainerError(found.error).reason)
        if former_end is not None:
            # The end that is found is the former one, so the start did not happen.
            return task_events.StartFailed(container, error.reason) if record.state.stop_cause is not None else None
        return task_events.ContainerDied(container, None) if record.state.stop_cause is not None else None

    async def _elsewhere(
        self, record: task_record.TaskRecord, container: str, runtime_id: str
    ) -> tuple[str, tuple[task_state.Binding, ...]] | None:
        """Make the container again with other dynamic ports; None where its ports are fixed, or that fails too."""
        wanted = ports.wanted(record.parts[container], record.definition.message.network_mode)
        if all(mapping.host_port for mapping in wanted) or record.state.stop_cause is not None:
            return None
        # The ports that failed stay taken until the container runs with others, so that they are not chosen again.
        try:
            bindings = self._host.ports.bind(wanted)
        except ports.NoPortFree:
            return None
        self._host.unlink(runtime_id)
        try:
            await launching.retried(lambda: self._host.runtime.remove(runtime_id))
            return await self._creator.made(record, container, bindings), bindings
        except runtime.RuntimeFailure as error:
            _log.warning("port_not_replaced", task_id=record.task_id, container=container, error_reason=error.reason)
            self._host.ports.release(bindings)
            return None
