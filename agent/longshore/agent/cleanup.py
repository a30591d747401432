"""Removes what is left of a task (containers, volumes that live with it) some hours after it has stopped and that was recorded.

When the disk is full those that are due first go at once; never before their end is recorded, since only then do they come here.
"""

import asyncio
import heapq
import itertools
import zlib
from collections.abc import Iterator

import structlog

from longshore.agent import container_names, engine, runtime, stored, task_record, volumes
from longshore.agent.images import disk
from longshore.rpc import loops

_log = structlog.get_logger(__name__)

RETRY_S = 60.0
"""Pause after a removal that the engine refused."""
_MICROSECONDS = 1_000_000


def share(task_id: str) -> float:
    """Where in the time of the spread a task is removed, from 0 to 1: always at the same place, also after a restart."""
    return zlib.crc32(task_id.encode()) / 2**32


class Cleanup:
    """What is to be removed, and when."""

    def __init__(self, host: engine.TaskEngine, gauge: disk.Gauge) -> None:
        self._host = host
        self._gauge = gauge
        self._due: list[tuple[int, int, task_record.TaskRecord]] = []
        self._order = itertools.count()  # records cannot be compared
        self._changed = asyncio.Event()

    def schedule(self, record: task_record.TaskRecord) -> None:
        """Remove what is left of a task once it has been stopped for long enough."""
        limits = self._host.limits
        wait = limits.cleanup_wait_s + limits.cleanup_jitter_s * share(record.task_id) if record.state.plans else 0
        self._push(record, (record.state.stopped_at or self._host.clock()) + int(wait * _MICROSECONDS))

    def _push(self, record: task_record.TaskRecord, at: int) -> None:
        heapq.heappush(self._due, (at, next(self._order), record))
        self._changed.set()

    async def run(self) -> None:
        """Remove what is due, for ever."""
        while True:
            self._changed.clear()
            now = self._host.clock()
            gone = []
            while self._due and self._due[0][0] <= now:
                record = self._pop()
                if await self._removed(record):
                    gone.append(record)
            await self._forget(gone)
            await self._relieve()
            if self._due:
                await loops.sleep_until_event(self._changed, self._pause_s())
            else:
                await self._changed.wait()

    def _pause_s(self) -> float:
        """Until something is due, or the disk is to be looked at."""
        return min(disk.CHECK_S, max(0.0, (self._due[0][0] - self._host.clock()) / _MICROSECONDS))

    async def _relieve(self) -> None:
        """Remove before its time what is due first, one after another, while the disk is too full."""
        while self._due and await self._gauge.pressed():
            record = self._pop()
            if not await self._removed(record):
                return  # the engine has something against it, so probably against the next as well
            _log.info("task_removed_early", task_id=record.task_id)
            await self._forget([record])

    def _pop(self) -> task_record.TaskRecord:
        return heapq.heappop(self._due)[2]

    async def _removed(self, record: task_record.TaskRecord) -> bool:
        """Remove what is left of a task; where that fails it is due again a little later."""
        removed = await self._remove(record)
        if not removed:
            self._push(record, self._host.clock() + int(RETRY_S * _MICROSECONDS))
        return removed

    async def _remove(self, record: task_record.TaskRecord) -> bool:
        host = self._host
        for container in record.state.containers:
            host.unlink(container.runtime_id)
        try:
            for plan, container in zip(record.state.plans, record.state.containers, strict=True):
                # By name as well: a create whose answer was lost has left a container whose id we do not know.
                name = container_names.container_name(record.names, plan.name)
                await host.runtime.remove(container.runtime_id or name)
            for volume in volumes.of_task(record.definition.message, record.names):
                await host.runtime.remove_volume(volume)
            if host.groups is not None:
                await host.groups.remove(record.task_id)
        except runtime.RuntimeFailure as error:
            _log.warning("task_not_removed", task_id=record.task_id, error_reason=error.reason)
            return False
        return True

    async def _forget(self, records: list[task_record.TaskRecord]) -> None:
        if not records:
            return
        for record in records:
            self._host.drop(record)
        await self._host.images.used(self._images(records), self._host.clock())
        try:
            await self._host.store.forget([record.task_id for record in records])
        except stored.StateFileError as error:
            # They come back at the next start of the agent, and are removed again.
            _log.warning("tasks_not_forgotten", error_reason=str(error))
        _log.debug("tasks_removed", count=len(records))

    def _images(self, records: list[task_record.TaskRecord]) -> Iterator[str]:
        """Images that these tasks have used, as far as they are ours."""
        for record in records:
            for plan, container in zip(record.state.plans, record.state.containers, strict=True):
                # Of a task that had stopped before this process began only the name is known.
                yield container.image_id or self._host.images.by_name(plan.image)
