"""Keeps what is known of containers true: the engine's events, a re-inspection now and then, adoption when the agent comes back."""

import asyncio
import contextlib
import random
from collections.abc import AsyncIterator, Sequence

import structlog

from longshore.agent import (
    adoption,
    container_names,
    effects,
    engine,
    launching,
    observations,
    removal,
    runtime,
    states,
    stored,
    task_events,
    task_record,
)
from longshore.rpc import backoff

_log = structlog.get_logger(__name__)

INSPECT_INTERVAL_S = 300.0
INSPECT_JITTER_S = 30.0
"""ECS's re-inspection of what runs: every five minutes, not everywhere at once."""

_FIRST_PAUSE_S = 0.2
_LONGEST_PAUSE_S = 10.0
_INSPECTIONS = 16
"""How many inspections are under way at a time."""
_C = states.ContainerPhase
_WATCHED = frozenset({_C.RUNNING, _C.STOPPING})


class Watcher:
    """The eyes of the task engine."""

    def __init__(self, host: engine.TaskEngine, calls: effects.Effects, source: random.Random) -> None:
        self._host = host
        self._calls = calls
        self._source = source
        self._inspections = asyncio.Semaphore(_INSPECTIONS)
        self._reconciling = asyncio.Lock()
        self._compare_wanted = False

    # ---------------------------------------------------------------- coming back

    async def adopt(self, before: stored.Stored) -> AsyncIterator[runtime.RuntimeEvent]:
        """Take up what was written down and what is on the engine; return the event stream, to be followed.

        The stream is opened first: what happens while we look is in it, and is applied after what we saw.
        """
        self._host.images.restore(before.images)
        stream = self._host.runtime.events()
        await anext(stream)
        found = await self._ours()
        await self._retire([summary for summary in found if self._foreign(summary)])
        ours = [summary for summary in found if not self._foreign(summary)]
        records = [self._restored(task, before) for task in before.tasks]
        for record in records:
            self._host.restore(record)
        live = [record for record in records if not record.stopped]
        findings = await asyncio.gather(*(self._findings(record, ours) for record in live))
        for record, found_of in zip(live, findings, strict=True):
            self._take_up(record, found_of)
        for record in records:
            if record.acknowledged:
                self._host.on_settled(record)
            else:
                # Whether the last report arrived is not known; it is repeated.
                self._host.due(record.task_id)
        self._host.revision, self._host.lineage = before.revision, before.lineage
        self._host.reports.resume(before.recorded_report)
        self._host.orphans.add(adoption.orphans(ours, self._host.tasks))
        if live:
            _log.info("tasks_adopted", count=len(live))
        return stream

    def _foreign(self, summary: runtime.ContainerSummary) -> bool:
        return summary.labels.get(container_names.INSTANCE) != self._host.owner.instance_id

    def _restored(self, task: stored.StoredTask, before: stored.Stored) -> task_record.TaskRecord:
        task_id, key = task.assigned.task_id, task.assigned.definition_key
        if key:
            definition = self._host.definition(key, before.definitions.get(key))
            state = observations.restored(
                task_id, definition.plans, task.observation, stopping=task.stopping, stopped_at=task.stopped_at
            )
        else:
            definition = task_record.Definition(task_record.NOTHING, ())
            state = observations.released(task_id)
        record = task_record.TaskRecord(task.assigned, definition, task_record.names_of(task.assigned), state)
        record.acknowledged = task.acknowledged
        return record

    def _take_up(self, record: task_record.TaskRecord, findings: tuple[task_events.Finding, ...]) -> None:
        """Go on with a task from what was found of it."""
        if record.definition.fault and all(item.found is task_events.Found.ABSENT for item in findings):
            self._host.post(record, task_events.Refused(engine.refusal(record.definition.fault)))
            return
        for item in findings:
            if item.found in {task_events.Found.RUNNING, task_events.Found.CREATED}:
                self._host.ports.hold(item.bindings)
        self._host.post(record, task_events.Adopted(findings))

    async def _findings(
        self, record: task_record.TaskRecord, ours: Sequence[runtime.ContainerSummary]
    ) -> tuple[task_events.Finding, ...]:
        by_name = {summary.name: summary for summary in ours}
        findings = []
        for plan in record.state.plans:
            name = container_names.container_name(record.names, plan.name)
            # Asked for by name where the list does not have it: its labels may be of an agent that had another home.
            snapshot = await self._inspected(by_name[name].runtime_id if name in by_name else name)
            findings.append(adoption.finding(plan.name, snapshot, record.state.container(plan.name)))
        return tuple(findings)

    async def _retire(self, summaries: Sequence[runtime.ContainerSummary]) -> None:
        """Stop and remove containers of a former identity, before a new one offers the host's resources again."""
        if summaries:
            _log.warning("former_containers_found", count=len(summaries))
            await asyncio.gather(*(removal.end(self._host.runtime, item.runtime_id) for item in summaries))

    # ---------------------------------------------------------------- events

    async def follow(self, stream: AsyncIterator[runtime.RuntimeEvent]) -> None:
        """Apply the engine's events, for ever."""
        async for event in stream:
            match event:
                case runtime.StreamOpened():
                    # The stream had broken: what happened meanwhile is to be looked up.
                    self._calls.spawn("reconcile", self.reconcile())
                case runtime.ContainerNews():
                    self._apply(event)

    def _apply(self, news: runtime.ContainerNews) -> None:
        known = self._host.by_runtime_id(news.runtime_id)
        if known is None:
            return
        record, container = known
        match news.action:
            case "die":
                self._calls.spawn("inspect", self._ended(record, container, news))
            case "start":
                self._host.post(record, task_events.ContainerRevived(container))
            case "destroy":
                self._host.post(record, task_events.ContainerVanished(container))
            case "health_status":
                self._host.post(record, task_events.HealthChanged(container, news.health))

    async def _ended(self, record: task_record.TaskRecord, container: str, news: runtime.ContainerNews) -> None:
        """Ask how a container ended; its event knows the exit code, the engine alone whether memory was the reason."""
        try:
            async with self._inspections:
                found = await self._host.runtime.inspect(news.runtime_id)
        except runtime.ContainerMissing:
            event: task_events.Event = task_events.ContainerDied(container, news.exit_code)
        except runtime.RuntimeFailure as error:
            _log.warning("end_not_inspected", task_id=record.task_id, container=container, error_reason=error.reason)
            event = task_events.ContainerDied(container, news.exit_code)
        else:
            if found.found is not task_events.Found.EXITED:
                return  # a start that failed, which its own call tells; or it runs again
            event = launching.died(container, found)
        self._host.post(record, event)

    # ---------------------------------------------------------------- looking again

    async def inspect_now_and_then(self) -> None:
        """Compare with the engine from time to time, in case an event was lost."""
        while True:
            await asyncio.sleep(INSPECT_INTERVAL_S + self._source.uniform(-INSPECT_JITTER_S, INSPECT_JITTER_S))
            await self.reconcile()

    async def reconcile(self) -> None:
        """Compare what is known with what the engine says, until it has answered."""
        self._compare_wanted = True
        if self._reconciling.locked():
            return  # the one under way may have looked too early for us: it looks again
        async with self._reconciling:
            pauses = backoff.Backoff(first=_FIRST_PAUSE_S, cap=_LONGEST_PAUSE_S)
            while self._compare_wanted:
                self._compare_wanted = False
                try:
                    await self._compare()
                except runtime.RuntimeFailure as error:
                    _log.warning("containers_not_compared", error_reason=error.reason)
                    self._compare_wanted = True
                    await pauses.sleep()

    async def _compare(self) -> None:
        # Chosen before the list is asked for: what is created meanwhile cannot be missing from it.
        candidates = [
            (record, plan.name, container.runtime_id)
            for record in self._host.tasks.values()
            for plan, container in zip(record.state.plans, record.state.containers, strict=True)
            if container.phase in _WATCHED
        ]
        running = {summary.runtime_id for summary in await self._ours() if summary.running}
        gone = [candidate for candidate in candidates if candidate[2] not in running]
        # Hidden ones last: where all have ended together, a task stops for the end of a container that people know.
        for hidden in (False, True):
            looks = (self._look(*each) for each in gone if each[0].is_hidden(each[1]) is hidden)
            await asyncio.gather(*looks)

    async def _look(self, record: task_record.TaskRecord, container: str, runtime_id: str) -> None:
        try:
            async with self._inspections:
                found = await self._host.runtime.inspect(runtime_id)
        except runtime.ContainerMissing:
            self._host.post(record, task_events.ContainerVanished(container))
            return
        if found.found is task_events.Found.EXITED:
            self._host.post(record, launching.died(container, found))
        elif found.found is task_events.Found.CREATED:
            # It ran, and the engine has forgotten that: its disk was full when it should have written it down, then it was killed.
            self._host.post(record, task_events.ContainerVanished(container))

    # ---------------------------------------------------------------- asking

    async def _ours(self) -> list[runtime.ContainerSummary]:
        """What this agent made: by its home, which outlives an identity, and by its identity, which outlives a home."""
        owner, listing = self._host.owner, self._host.runtime.list_labelled
        found = await listing(container_names.HOME, owner.home)
        if owner.instance_id:
            found += await listing(container_names.INSTANCE, owner.instance_id)
        return list({summary.runtime_id: summary for summary in found}.values())

    async def _inspected(self, runtime_id: str) -> runtime.ContainerSnapshot | None:
        async with self._inspections:
            with contextlib.suppress(runtime.ContainerMissing):
                return await self._host.runtime.inspect(runtime_id)
        return None
