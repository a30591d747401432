"""The owner of all tasks on this host: runs their machines and has their commands carried out.

`post` is synchronous: an event goes in, the new state is in place and the calls it asks for are under way when it returns. So
between the engine's answer to one call and the next call there is no queue and no turn of the loop to wait for.
"""

import asyncio
import weakref
from collections.abc import Callable, Coroutine, Iterable, Mapping
from dataclasses import dataclass
from typing import Any, assert_never

import structlog

from longshore.agent import (
    assignments,
    cgroups,
    container_names,
    creating,
    devices,
    effects,
    image_ledger,
    log_drivers,
    observations,
    pausing,
    ports,
    pulling,
    pulls,
    removal,
    reports,
    runtime,
    slots,
    starting,
    states,
    stopping,
    stored,
    task_changes,
    task_commands,
    task_events,
    task_limits,
    task_machine,
    task_record,
    task_state,
    timings,
)
from longshore.rpc import backoff
from longshore.v1 import agent_service_pb2, statistics_pb2, task_definition_pb2

_log = structlog.get_logger(__name__)

_SAVE_FIRST_PAUSE_S = 0.2
_SAVE_LONGEST_PAUSE_S = 10.0
_MICROSECONDS = 1_000_000
_STOPPED = states.ContainerPhase.STOPPED
_PULLING = states.ContainerPhase.PULLING


@dataclass(frozen=True, slots=True)
class Limits:
    """What an operator may set of the engine's behaviour."""

    max_launches: int
    stop_timeout_s: int = 30
    cleanup_wait_s: int = 3 * 3600
    cleanup_jitter_s: int = 0
    cpu_period_us: int = task_limits.PERIOD_US
    shared_volume_match_full_config: bool = False
    task_pids_limit: int = 0
    pull_behavior: pulls.Behavior = pulls.Behavior.DEFAULT
    publish_address: str = ""
    privileged: bool = True
    awslogs: bool = False
    gpus: devices.Gpus = devices.NONE
    pulls_upfront: bool = False


class TaskEngine:
    """All tasks of this host. Made inside a running event loop, used from it alone."""

    def __init__(
        self,
        *,
        container_runtime: runtime.ContainerRuntime,
        store: stored.Store,
        calls: effects.Effects,
        limits: Limits,
        host_ports: ports.Ports,
        pauses: pausing.Pausing,
        groups: cgroups.Groups | None = None,
        clock: Callable[[], int],
        on_due: Callable[[], None],
    ) -> None:
        self.tasks: dict[str, task_record.TaskRecord] = {}
        self.reports = reports.Reports()
        self.revision = 0
        self.lineage = 0
        """The line of assignments that the revision belongs to."""
        self.missed = False
        """An increment did not fit: only a full set can say what should run."""
        self.orphans = removal.Orphans(container_runtime)
        self.owner = container_names.Owner("", "", "")
        self.limits = limits
        self.ports = host_ports
        self.pausing = pauses
        self.groups = groups
        """Where tasks with limits of their own have them; None where this host cannot limit tasks."""
        self.runtime = container_runtime
        self.store = store
        self.images = image_ledger.Ledger(store)
        self.clock = clock
        self.timings = timings.Timings(clock)
        self.changes = task_changes.Changes()
        self.on_ended: Callable[[task_record.TaskRecord, str], None] = lambda _, __: None
        """Called for a container that has ended: its last lines can be read."""
        self.on_phase: Callable[[states.TaskPhase | None, states.TaskPhase | None], None] = lambda _, __: None
        """Called when a task moves from one phase to another; None is before it came, and after it was forgotten."""
        self.on_tails_told: Callable[[list[reports.TailKey]], Coroutine[Any, Any, None]] | None = None
        self.on_settled: Callable[[task_record.TaskRecord], None] = lambda _: None
        """Called for a task that has stopped and whose end is recorded: what is left of it may go after the wait."""
        self.metadata_variables: Callable[[str, str], Mapping[str, str]] = lambda _task_id, _container: {}
        """Variables that tell a container, by task id and name, where it finds its metadata."""
        self.fresh_statistics: Callable[[], statistics_pb2.InstanceStatistics | None] = lambda: None
        """What the containers use, where that was measured anew since it was last asked for."""
        self._noted: set[str] = set()
        """What the operator was told of, so that it is told once."""
        self._ended = asyncio.Event()
        """Set whenever a task has stopped, or its end is recorded."""
        self._leaving = ""
        """Why this host leaves; empty while it stays."""
        self._calls = calls
        self._on_due = on_due
        self._by_runtime_id: dict[str, tuple[task_record.TaskRecord, str]] = {}
        self._definitions: weakref.WeakValueDictionary[str, task_record.Definition] = weakref.WeakValueDictionary()
        places = slots.Slots(limits.max_launches)
        self._puller = pulling.Puller(self, calls)
        self._creator = creating.Creator(self, calls, places)
        self._starter = starting.Starter(self, calls, places, self._creator)
        self._stopper = stopping.Stopper(self, calls)

    @property
    def pull_behavior(self) -> pulls.Behavior:
        """When images are pulled."""
        return self.limits.pull_behavior

    @property
    def awslogs(self) -> bool:
        """Whether the log driver of that name is left to the engine."""
        return self.limits.awslogs

    @property
    def publish_address(self) -> str:
        """Where ports are published; empty for every address."""
        return self.limits.publish_address

    @property
    def gpus(self) -> devices.Gpus:
        """The GPUs of this host."""
        return self.limits.gpus

    @property
    def cpu_period_us(self) -> int:
        """Period in which the CPU time of whole tasks is limited."""
        return self.limits.cpu_period_us

    @property
    def shared_volume_match_full_config(self) -> bool:
        """Whether a shared volume that is there has to be as the definition describes it."""
        return self.limits.shared_volume_match_full_config

    @property
    def task_pids_limit(self) -> int:
        """Processes that any task may have; zero for no limit."""
        return self.limits.task_pids_limit

    # ---------------------------------------------------------------- events in, commands out

    def post(self, record: task_record.TaskRecord, event: task_events.Event) -> None:
        """Apply an event to a task and have done what it asks for."""
        before = record.state
        record.state, commands = task_machine.step(before, event, self.clock())
        if record.state is not before:
            self._keep_books(record, before)
            self.changes.tell(record.task_id)
        for command in commands:
            self._carry_out(record, command)

    def _keep_books(self, record: task_record.TaskRecord, before: task_state.TaskState) -> None:
        for plan, old, new in zip(record.state.plans, before.containers, record.state.containers, strict=True):
            if old.runtime_id != new.runtime_id and new.runtime_id:
                self._by_runtime_id[new.runtime_id] = (record, plan.name)
            if old.bindings is not new.bindings:
                self.ports.release(set(old.bindings) - set(new.bindings))
            if new.phase is _STOPPED and old.phase is not _STOPPED:
                self.ports.release(new.bindings)
                self.on_ended(record, plan.name)
            if old.phase is _PULLING and new.phase is _STOPPED:
                self._puller.abandon(record, plan.name)
            if old.phase is not new.phase:
                self.timings.moved(record.task_id, new.phase)
                _log.debug(
                    "container_moved",
                    task_id=record.task_id,
                    # Of whoever asked for the task, as it came with the assignment.
                    request_id=record.assigned.request_id,
                    container=plan.name,
                    from_phase=old.phase.name,
                    to_phase=new.phase.name,
                    reason=new.reason,
                )
        if record.state.phase is not before.phase:
            self.on_phase(before.phase, record.state.phase)
        if record.state.stopped and not before.stopped:
            self._ended.set()
            if record.foreign:
                self.on_settled(record)

    def _carry_out(self, record: task_record.TaskRecord, command: task_commands.Command) -> None:
        match command:
            case task_commands.Pull():
                self._puller.pull(record, command)
            case task_commands.Create():
                self._creator.create(record, command)
            case task_commands.Start():
                self._starter.start(record, command)
            case task_commands.Restart():
                self._starter.restart(record, command)
            case task_commands.Stop():
                self._stopper.stop(record, command)
            case task_commands.Kill():
                self._stopper.kill(record, command)
            case task_commands.Wake(at):
                self._calls.spawn("wake", self._wake(record, at))
            case task_commands.Report():
                self._report(record)
            case _:
                assert_never(command)

    async def _wake(self, record: task_record.TaskRecord, at: int) -> None:
        """Post TimePassed once it is `at`. The clock may be set back meanwhile, so it is asked again."""
        while (left := at - self.clock()) > 0:  # noqa: ASYNC110 - a time is waited for, not a change of state
            await asyncio.sleep(left / _MICROSECONDS)
        if not record.stopped:
            self.post(record, task_events.TimePassed())

    def restore(self, record: task_record.TaskRecord) -> None:
        """Know a task again, from the state file, and listen for news of its containers."""
        self.tasks[record.task_id] = record
        self.on_phase(None, record.state.phase)
        for plan, container in zip(record.state.plans, record.state.containers, strict=True):
            if container.runtime_id:
                self._by_runtime_id[container.runtime_id] = (record, plan.name)

    def by_runtime_id(self, runtime_id: str) -> tuple[task_record.TaskRecord, str] | None:
        """Task and container name of a container of the engine; None if it is not one of ours."""
        return self._by_runtime_id.get(runtime_id)

    def unlink(self, runtime_id: str) -> None:
        """The container is about to be removed by ourselves: its end is no news."""
        self._by_runtime_id.pop(runtime_id, None)

    # ---------------------------------------------------------------- assignments

    async def apply(self, received: Iterable[agent_service_pb2.Assignment]) -> int:
        """Write down what a message of assignments changes, begin to act on it, and return the revision to acknowledge."""
        arrived = self.clock()
        changes = assignments.changes(received, revision=self.revision, lineage=self.lineage, known=self.tasks)
        self.timings.received((assigned.task_id for assigned in changes.starts), arrived)
        tombstones = [agent_service_pb2.AssignedTask(task_id=task_id) for task_id in changes.unknown]
        await self.store.save_assignment(
            revision=changes.revision,
            lineage=changes.lineage,
            definitions=changes.definitions,
            tasks=[*changes.starts, *tombstones],
            stops=changes.stops,
        )
        self.revision, self.lineage = changes.revision, changes.lineage
        self.missed = False
        # Stops before starts, so that what they free is free; but a task can only be stopped once it is known.
        fresh = [self._add(assigned, changes.definitions.get(assigned.definition_key)) for assigned in changes.starts]
        for task_id in changes.stops:
            self.post(self.tasks[task_id], task_events.StopRequested())
        for record in fresh:
            fault = record.definition.fault
            event: task_events.Event = task_events.Refused(refusal(fault)) if fault else task_events.Assigned()
            self.post(record, event)
        if self._leaving:
            self.leave(self._leaving)
        for assigned in tombstones:
            self._bury(assigned)
        self.orphans.claim(task.task_id for task in changes.starts)
        waiting = set(self.orphans.tasks())
        for task_id in waiting:
            self._calls.spawn("end orphans", self._end_orphans(task_id))
        for task_id in (*changes.repeats, *changes.unknown):
            if task_id not in waiting:
                self.due(task_id)
        return self.revision

    async def _end_orphans(self, task_id: str) -> None:
        """Bring down containers of a task that is not to run here; only then is the task released."""
        await self.orphans.end(task_id)
        waiting = {*self.tasks, *self.orphans.tasks()} - {task_id}
        await removal.sweep_volumes(self.runtime, self.owner.home, waiting)
        if task_id in self.tasks:
            self.due(task_id)

    def _add(
        self, assigned: agent_service_pb2.AssignedTask, message: task_definition_pb2.TaskDefinition | None
    ) -> task_record.TaskRecord:
        definition = self.definition(assigned.definition_key, message)
        state = task_state.assigned(assigned.task_id, definition.plans)
        record = task_record.TaskRecord(assigned, definition, task_record.names_of(assigned), state)
        self.tasks[assigned.task_id] = record
        self.on_phase(None, state.phase)
        self.changes.tell(record.task_id)
        return record

    def _bury(self, assigned: agent_service_pb2.AssignedTask) -> None:
        """Keep a task that was never here until its release is recorded."""
        definition = task_record.Definition(task_record.NOTHING, ())
        state = observations.released(assigned.task_id)
        self.on_phase(None, state.phase)
        self.tasks[assigned.task_id] = task_record.TaskRecord(
            assigned, definition, task_record.names_of(assigned), state
        )

    def definition(self, key: str, message: task_definition_pb2.TaskDefinition | None) -> task_record.Definition:
        """The definition of that key; kept as long as a task refers to it."""
        found = self._definitions.get(key)
        if found is None:
            found = task_record.definition_of(
                message,
                stop_timeout_s=self.limits.stop_timeout_s,
                privileged=self.limits.privileged,
                limits_tasks=self.groups is not None,
                pulls_upfront=self.limits.pulls_upfront,
            )
            if message is not None:
                self._definitions[key] = found
                self._note(message)
        return found

    def _note(self, message: task_definition_pb2.TaskDefinition) -> None:
        """Tell the operator once of what is not as the definition's author has it elsewhere."""
        for asked, what in log_drivers.notes(message, awslogs=self.limits.awslogs).items():
            if asked not in self._noted:
                self._noted.add(asked)
                _log.warning("logging_differs", asked=asked, family=message.family, what=what)

    # ---------------------------------------------------------------- reports

    def observe(self, task_id: str) -> agent_service_pb2.TaskObservation | None:
        """What a report says of a task; None if it is gone."""
        record = self.tasks.get(task_id)
        if record is None or record.foreign:
            return None
        if record.state.phase is not states.TaskPhase.PENDING:
            self.timings.reported(task_id)
        return observations.observation(record.state)

    def confirm(self, confirmed: Iterable[reports.Acknowledged]) -> None:
        """Reports are recorded: what has ended may be cleaned up later."""
        ended = []
        for item in confirmed:
            record = self.tasks.get(item.task_id)
            if record is not None and item.released and not record.acknowledged:
                record.acknowledged = True
                ended.append(item.task_id)
                self.on_settled(record)
        if ended:
            self._ended.set()
            self._calls.spawn("save acknowledged", self._save_acknowledged(ended))
        told = self.reports.take_told()
        if told and self.on_tails_told is not None:
            self._calls.spawn("save told log tails", self.on_tails_told(told))

    def tell_all(self) -> None:
        """Report every task anew, as it is: the control plane has forgotten some of what it was told."""
        for record in self.tasks.values():
            if not record.foreign:
                self.due(record.task_id)

    async def _save_acknowledged(self, task_ids: list[str]) -> None:
        try:
            await self.store.save_acknowledged(task_ids, self.reports.recorded)
        except stored.StateFileError as error:
            # Not written: after a restart these tasks are reported once more, which changes nothing.
            _log.warning("acknowledgement_not_saved", error_reason=str(error))

    def _report(self, record: task_record.TaskRecord) -> None:
        if record.foreign:
            return
        if self.store.keeps:
            self._calls.spawn("save and report", self._save_and_report(record))
        else:
            self.due(record.task_id)

    def due(self, task_id: str) -> None:
        """Have a task reported as it is."""
        self.reports.mark(task_id)
        self._on_due()

    async def _save_and_report(self, record: task_record.TaskRecord) -> None:
        """Report a task once what is known of it is on disk.

        Were a start reported first, an agent that dies in between and finds the container removed would start the task again.
        """
        pauses = backoff.Backoff(first=_SAVE_FIRST_PAUSE_S, cap=_SAVE_LONGEST_PAUSE_S)
        while True:
            try:
                await self.store.save_observation(observations.to_keep(record.state), record.state.stopped_at)
            except stored.StateFileError as error:
                _log.error("observation_not_saved", task_id=record.task_id, error_reason=str(error))
                await pauses.sleep()
            else:
                break
        self.due(record.task_id)

    # ---------------------------------------------------------------- ends

    def drop(self, record: task_record.TaskRecord) -> None:
        """Forget a task of which nothing is left on the host."""
        if self.tasks.pop(record.task_id, None) is not None:
            self.on_phase(record.state.phase, None)
        self.reports.drop([record.task_id])
        for container in record.state.containers:
            self.unlink(container.runtime_id)

    def disown(self) -> None:
        """The identity is gone: stop all its tasks, and tell nobody."""
        self.reports = reports.Reports()
        self.revision = self.lineage = 0
        for record in tuple(self.tasks.values()):
            stopped = record.state.stopped
            record.foreign = True
            if stopped and not record.acknowledged:
                self.on_settled(record)
            self.post(record, task_events.StopRequested("the instance was deregistered"))

    async def drained(self) -> None:
        """Wait until all tasks of former identities have stopped, and the host's resources are free again."""
        while any(record.foreign and not record.stopped for record in self.tasks.values()):
            self._ended.clear()
            await self._ended.wait()

    def leave(self, reason: str) -> None:
        """Stop all tasks, and whatever is still assigned: this host leaves."""
        self._leaving = reason
        for record in tuple(self.tasks.values()):
            if not record.foreign:
                self.post(record, task_events.StopRequested(reason, task_state.StopCode.TERMINATION_NOTICE))

    @property
    def running(self) -> int:
        """How many tasks have not stopped yet."""
        return sum(not record.stopped for record in self.tasks.values())

    @property
    def untold(self) -> int:
        """How many tasks have stopped and are not known to be recorded."""
        return sum(record.stopped and not record.acknowledged and not record.foreign for record in self.tasks.values())

    async def until_ended(self) -> None:
        """Wait until a task has stopped or its end is recorded, from now on."""
        self._ended.clear()
        await self._ended.wait()


def refusal(fault: str) -> str:
    """A definition's fault as a container's reason: under its own name where it has one."""
    name, colon, _ = fault.partition(":")
    text = fault if colon and name.endswith("Error") else f"{runtime.CannotCreateContainerError.error_name}: {fault}"
    return text[: runtime.REASON_LIMIT]
