"""The last lines of containers that have stopped, told to the control plane: what is left of a log when its host is gone.

Read after the end was seen, never before it is reported, some at a time: what waits for the control plane is bounded, and what is not read
yet waits in the engine. Which were acknowledged is written down; after a crash the others are read again.
"""

import asyncio
from collections.abc import Callable, Iterable, Sequence
from typing import NoReturn

import structlog

from longshore.agent import engine, log_frames, reports, runtime, states, stored, task_record
from longshore.rpc import backoff, log_cursor, loops
from longshore.v1 import log_pb2

_log = structlog.get_logger(__name__)

MAX_LINES = 64
MAX_LINE_BYTES = 1024
MAX_BYTES = 16 * 1024
AT_ONCE = 16
"""Tails that are read, and wait for their acknowledgement, together."""
_FIRST_PAUSE_S = 0.5
_LONGEST_PAUSE_S = 10.0
_STREAMS = {log_frames.STDOUT: log_pb2.LOG_STREAM_STDOUT, log_frames.STDERR: log_pb2.LOG_STREAM_STDERR}


class Tails:
    """The loop that reads them. `due` is called when there is something to report."""

    def __init__(self, host: engine.TaskEngine, *, due: Callable[[], None]) -> None:
        self._host = host
        self._due = due
        self._wanted: dict[reports.TailKey, None] = {}
        self._changed = asyncio.Event()
        host.on_ended, host.on_tails_told = self.want, self.told

    def start(self, supervisor: loops.Supervisor, told: Iterable[reports.TailKey]) -> None:
        """Begin to tell, also of those containers that have ended and were not acknowledged before this process began."""
        known = frozenset(told)
        for record in self._host.tasks.values():
            for plan, container in zip(record.state.plans, record.state.containers, strict=True):
                if container.phase is states.ContainerPhase.STOPPED and (record.task_id, plan.name) not in known:
                    self.want(record, plan.name)
        supervisor.start("log tails", self.run)

    def want(self, record: task_record.TaskRecord, container: str) -> None:
        """A container has ended."""
        state = record.state.container(container)
        if state.ran and state.runtime_id and not record.foreign and not record.is_hidden(container):
            self._wanted[record.task_id, container] = None
            self._changed.set()

    async def told(self, keys: Sequence[reports.TailKey]) -> None:
        """These are recorded."""
        self._changed.set()
        try:
            await self._host.store.save_told_tails(keys)
        except stored.StateFileError as error:
            # Not written: after a restart they are read and told once more, which changes nothing.
            _log.warning("log_tails_not_marked", error_reason=str(error))

    async def run(self) -> NoReturn:
        """Read what is wanted, a few at a time, for ever."""
        pauses = backoff.Backoff(first=_FIRST_PAUSE_S, cap=_LONGEST_PAUSE_S)
        while True:
            self._changed.clear()
            if not self._wanted or self._host.reports.tails_waiting:
                await self._changed.wait()
                continue
            keys = list(self._wanted)[:AT_ONCE]
            found = await asyncio.gather(*(self._read(*key) for key in keys))
            away = False
            for key, (tail, again) in zip(keys, found, strict=True):
                away = away or again
                if not again:
                    self._wanted.pop(key, None)
                if tail is not None:
                    self._host.reports.add_tail(tail)
            self._due()
            if away:
                await pauses.sleep()
            else:
                pauses.reset()

    async def _read(self, task_id: str, container: str) -> tuple[log_pb2.LogTail | None, bool]:
        """The tail, None where there is none to be had; and whether to try again."""
        record = self._host.tasks.get(task_id)
        if record is None or record.foreign:
            return None, False
        query = runtime.LogQuery(tail=MAX_LINES + 1)
        entries: list[log_frames.Entry] = []
        try:
            async for batch in self._host.runtime.logs(record.state.container(container).runtime_id, query):
                entries += batch
        except (runtime.EngineUnavailable, runtime.DockerTimeoutError):
            return None, True
        except (runtime.RuntimeFailure, log_frames.Unframed):
            return None, False  # removed, or not kept by its driver
        try:
            return tail_of(task_id, container, entries), False
        except (
            ValueError,
            KeyError,
        ) as error:  # a time or a stream that there is not: no driver's words are worth the agent
            _log.warning("log_tail_not_told", task_id=task_id, container=container, error=type(error).__name__)
            return None, False


def tail_of(task_id: str, container: str, entries: Sequence[log_frames.Entry]) -> log_pb2.LogTail:
    """The tail of a container, of which these are its last entries. Pure."""
    tail = log_pb2.LogTail(task_id=task_id, container=container, whole=len(entries) <= MAX_LINES)
    kept, size = [], 0
    for stream, stamp, data in reversed(entries[-MAX_LINES:]):
        size += min(len(data), MAX_LINE_BYTES)
        if size > MAX_BYTES:
            tail.whole = False
            break
        kept.append((stream, stamp, data))
    for stream, stamp, data in reversed(kept):
        line = tail.lines.add(
            stream=_STREAMS[stream],
            time=log_cursor.timestamp_of(stamp),
            data=data[:MAX_LINE_BYTES],
            cut=len(data) > MAX_LINE_BYTES,
        )
        if line.cut and data.endswith(b"\n"):
            line.data = line.data[:-1] + b"\n"
    return tail
