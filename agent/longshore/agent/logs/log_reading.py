"""Logs of a task's containers as chunks for a reader: history, several containers merged by time, then what comes.

A container is read again from where the reader stands whenever a reading has ended and the container may have written more: it was
started again, the engine was away, or it has stopped since, which is looked at once more because an engine that is followed may end
before the last entry.
"""

import asyncio
import contextlib
from collections.abc import AsyncGenerator, Sequence
from dataclasses import dataclass

import structlog

from longshore.agent import engine, log_frames, runtime, states, task_record
from longshore.agent.logs import log_merging, log_packing
from longshore.rpc import errors, log_cursor, loops
from longshore.v1 import agent_service_pb2

_log = structlog.get_logger(__name__)

TASK_WAIT_S = 60.0
"""How long a reader who follows waits for a task that has not arrived: its assignment is on the way, or it was cleaned up."""
LOOK_AGAIN_S = 1.0
"""Pause before a reading that has ended while its container runs is begun again, unless something happens to the task."""
WAITING_BATCHES = 4
"""Batches of several followed containers that wait for one reader."""

_LIVE = frozenset({states.ContainerPhase.RUNNING, states.ContainerPhase.STOPPING, states.ContainerPhase.RESTARTING})
_STOPPED = states.ContainerPhase.STOPPED

Batch = tuple[str, Sequence[log_frames.Entry]]


@dataclass(slots=True)
class Ended:
    """How a stream ended well: which containers' logs are not on this host any more."""

    gone: list[str]


class TaskLogs:
    """The logs of one task for one reader."""

    def __init__(self, host: engine.TaskEngine, source: agent_service_pb2.LogSource) -> None:
        self._host = host
        self._source = source
        self._packer = log_packing.Packer(log_cursor.decode(source.cursor), timestamps=source.timestamps)
        # What was read, which is ahead of what was packed.
        self._seen = log_cursor.decode(source.cursor)
        self._since_ns = source.since.ToNanoseconds() if source.HasField("since") else 0
        # Containers of which no tail is wanted any more: what they write from now on is wanted whole.
        self._begun = set(source.containers) if source.cursor or not source.HasField("tail") else set()
        if source.HasField("tail") and not source.tail and not source.cursor:
            self._since_ns = max(self._since_ns, host.clock() * 1000)
            self._begun = set(source.containers)
        self.ended = Ended([])

    async def chunks(self) -> AsyncGenerator[bytes, None]:
        """Serialised answers, in order. Raises ServiceError where the logs cannot be read."""
        with self._host.changes.of(self._source.task_id) as changed:
            record = await self._record(changed)
            if record is None:
                self.ended.gone.extend(self._source.containers)
                return
            known = {plan.name for plan, _ in record.state.shown}
            names = [name for name in self._source.containers if name in known]
            try:
                async with contextlib.aclosing(self._batches(record, names)) as batches:
                    async for batch in batches:
                        yield self._packer.pack(batch)
            except runtime.EngineUnavailable as error:
                raise errors.Unavailable(f"The container engine is away: {error.message}") from error
            except runtime.DockerTimeoutError as error:
                raise errors.Unavailable(error.message) from error
            except (runtime.RuntimeFailure, log_frames.Unframed) as error:
                raise errors.ClientException(f"The logs cannot be read: {error}") from error

    async def _record(self, changed: asyncio.Event) -> task_record.TaskRecord | None:
        """The task, waited for where its assignment may be on the way."""
        limit = asyncio.get_running_loop().time() + (TASK_WAIT_S if self._source.follow else 0)
        while (record := self._host.tasks.get(self._source.task_id)) is None:
            left = limit - asyncio.get_running_loop().time()
            if left <= 0:
                return None
            changed.clear()
            await loops.sleep_until_event(changed, left)
        return record

    def _batches(self, record: task_record.TaskRecord, names: Sequence[str]) -> AsyncGenerator[list[Batch], None]:
        if self._source.follow:
            return self._followed(record, names)
        return self._history(record, names)

    # ---------------------------------------------------------------- what there is

    async def _history(self, record: task_record.TaskRecord, names: Sequence[str]) -> AsyncGenerator[list[Batch], None]:
        readings = [
            (name, self._read(record, name, follow=False)) for name in names if self._may_have_written(record, name)
        ]
        async with contextlib.AsyncExitStack() as stack:
            for _, reading in readings:
                await stack.enter_async_context(contextlib.aclosing(reading))
            merged = await stack.enter_async_context(contextlib.aclosing(log_merging.merged(readings)))
            async for batch in merged:
                yield batch

    # ---------------------------------------------------------------- and what comes

    async def _followed(
        self, record: task_record.TaskRecord, names: Sequence[str]
    ) -> AsyncGenerator[list[Batch], None]:
        self._begun.update(name for name in names if not self._may_have_written(record, name))
        if len(names) > 1:
            async with contextlib.aclosing(self._history(record, names)) as history:
                async for batch in history:
                    yield batch
        waiting: asyncio.Queue[Batch | None] = asyncio.Queue(WAITING_BATCHES)

        async def follow(name: str) -> None:
            async with contextlib.aclosing(self._follow(record, name)) as batches:
                async for entries in batches:
                    await waiting.put((name, entries))

        async def follow_all() -> None:
            try:
                async with asyncio.TaskGroup() as group:
                    for name in names:
                        group.create_task(follow(name), name=f"follow {name}")
            except Exception:
                await waiting.put(None)
                raise
            # Not after a cancellation: then nobody takes anything any more, and there may be no room.
            await waiting.put(None)

        following = asyncio.create_task(follow_all(), name=f"logs {record.task_id}")
        try:
            async with contextlib.aclosing(_drained(waiting)) as batches:
                async for batch in batches:
                    yield batch
            await following
        except BaseExceptionGroup as failures:
            raise failures.exceptions[0] from None
        finally:
            following.cancel()
            with contextlib.suppress(asyncio.CancelledError, BaseExceptionGroup):
                await following

    async def _follow(
        self, record: task_record.TaskRecord, name: str
    ) -> AsyncGenerator[Sequence[log_frames.Entry], None]:
        """One container to its end."""
        with self._host.changes.of(record.task_id) as changed:
            while True:
                changed.clear()
                container = record.state.container(name)
                ended, away = container.phase is _STOPPED or record.stopped, False
                if (container.phase in _LIVE or ended) and self._may_have_written(record, name):
                    try:
                        async with contextlib.aclosing(self._read(record, name, follow=not ended)) as reading:
                            async for entries in reading:
                                yield entries
                    except runtime.EngineUnavailable as error:
                        # It comes back, and the container's log with it.
                        _log.info("log_interrupted", task_id=record.task_id, container=name, error_reason=error.reason)
                        away = True
                if ended and not away:
                    return
                # The engine has ended the reading, and its event may not have been seen yet.
                if away or container.phase in _LIVE:
                    await loops.sleep_until_event(changed, LOOK_AGAIN_S)
                else:
                    await changed.wait()

    @staticmethod
    def _may_have_written(record: task_record.TaskRecord, name: str) -> bool:
        container = record.state.container(name)
        return bool(container.runtime_id) and (container.ran or container.phase in _LIVE)

    async def _read(
        self, record: task_record.TaskRecord, name: str, *, follow: bool
    ) -> AsyncGenerator[Sequence[log_frames.Entry], None]:
        """One reading of one container, from where the reader stands."""
        source = self._source
        query = runtime.LogQuery(
            follow=follow,
            since_ns=max(self._seen.since_ns(name), self._since_ns),
            until_ns=source.until.ToNanoseconds() if source.HasField("until") else 0,
            tail=None if name in self._begun else source.tail,
        )
        self._begun.add(name)
        skipping = log_packing.Skipping(self._seen, name)
        try:
            reading = self._host.runtime.logs(record.state.container(name).runtime_id, query)
            async with contextlib.aclosing(reading) as batches:
                async for entries in batches:
                    fresh: Sequence[log_frames.Entry] = skipping.fresh(entries) if skipping else entries
                    if fresh:
                        log_packing.advance(self._seen, name, fresh)
                        yield fresh
        except runtime.ContainerMissing:
            if name not in self.ended.gone:
                self.ended.gone.append(name)


async def _drained(waiting: "asyncio.Queue[Batch | None]") -> AsyncGenerator[list[Batch], None]:
    """What waits, all at once, up to the None at the end."""
    while True:
        items = [await waiting.get()]
        while not waiting.empty():
            items.append(waiting.get_nowait())
        if batch := [item for item in items if item is not None]:
            yield batch
        if None in items:
            return
