"""The last lines of stopped containers: kept from reports, read where the host can no longer be asked, and what a reader gets of them."""

import collections
from collections.abc import Iterable, Iterator, Sequence

from longshore.rpc import log_cursor
from longshore.storage import steps
from longshore.storage.dialect import Dialect
from longshore.v1 import log_pb2, state_tracker_service_pb2
from longshore.views import times

TABLE = "log_tails"

MAX_LINES = 64
MAX_BYTES = 64 * 1024
"""What is taken of one container: four times what an agent sends, so that a wrong one cannot fill the database."""

MAX_CONTAINERS = 10
"""Containers of one task whose lines are kept, as many as a definition has: names that an agent makes up do not fill the database either."""
_MAX_NAME = 255
_STREAMS = frozenset({log_pb2.LOG_STREAM_STDOUT, log_pb2.LOG_STREAM_STDERR})

Answer = state_tracker_service_pb2.ReadLogsResponse


def fault(tail: log_pb2.LogTail) -> str | None:
    """Why a tail cannot be taken; None where it can."""
    if not tail.task_id or not tail.container or "\0" in tail.task_id + tail.container:
        return "the last lines name no task or no container"
    if len(tail.container) > _MAX_NAME:
        return "the last lines name a container that no definition has"
    if len(tail.lines) > MAX_LINES or tail.ByteSize() > MAX_BYTES:
        return f"the last lines of container {tail.container} are more than {MAX_LINES}, or more than {MAX_BYTES} bytes"
    # What is kept is read again and again: a line that cannot be shown would take the others with it.
    if any(line.stream not in _STREAMS for line in tail.lines):
        return f"a line of container {tail.container} is of no stream"
    if any(line.time.seconds < 0 or not times.writable(line.time) for line in tail.lines):
        return f"a line of container {tail.container} has a time that is none"
    return None


def keep(dialect: Dialect, tails: Iterable[log_pb2.LogTail]) -> steps.Step[None]:
    """Write tails, the later of two for one container. The caller holds the session's row of the instance: nobody else writes these."""
    newest = {(tail.task_id, tail.container): tail for tail in tails}
    if not newest:
        return
    rows = yield from steps.fetch(
        f"SELECT task_id, container FROM {TABLE} WHERE {dialect.member('task_id', 1)}",  # noqa: S608 - from above
        sorted({task_id for task_id, _ in newest}),
    )
    there = {(row["task_id"], row["container"]) for row in rows}
    count = collections.Counter(task_id for task_id, _ in there)
    added, changed = [], []
    for (task_id, container), tail in sorted(newest.items()):
        value = (task_id, container, tail.SerializeToString())
        if (task_id, container) in there:
            changed.append(value)
        elif count[task_id] < MAX_CONTAINERS:
            count[task_id] += 1
            added.append(value)
    yield from steps.insert_many(TABLE, ("task_id", "container", "body"), added)
    yield from steps.update_many(TABLE, ("task_id", "container"), ("body",), changed)


def of_task(task_id: str) -> steps.Step[dict[str, log_pb2.LogTail]]:
    """What is kept of a task, by container."""
    rows = yield from steps.fetch(f"SELECT container, body FROM {TABLE} WHERE task_id = $1", task_id)  # noqa: S608 - from above
    return {row["container"]: log_pb2.LogTail.FromString(row["body"]) for row in rows}


def answer(tails: Sequence[log_pb2.LogTail], asked: state_tracker_service_pb2.ReadLogsRequest) -> Answer:
    """What a reader gets of the tails of the containers it asked for, after its cursor, merged by time. Pure."""
    cursor = log_cursor.decode(asked.cursor)
    result = Answer(from_tail=True)
    entries = []
    for tail in tails:
        lines = list(_after(tail, cursor))
        wanted = [line for line in lines if _within(line, asked)]
        missing = not tail.whole and len(lines) == len(tail.lines)
        if asked.HasField("tail"):
            missing = missing and asked.tail > len(wanted)
            wanted = wanted[len(wanted) - min(len(wanted), asked.tail) :] if not asked.cursor else wanted
        result.truncated |= missing or any(line.cut for line in wanted)
        entries += [(log_cursor.stamp_of(line.time), tail.container, line) for line in wanted]
    for stamp, container, line in sorted(entries, key=lambda entry: entry[0]):
        cursor.advance(container, line.stream, stamp, 1)
        _append(result, container, line, timed=asked.timestamps)
    result.cursor = cursor.encode()
    return result


def _after(tail: log_pb2.LogTail, cursor: log_cursor.Cursor) -> Iterator[log_pb2.LogLine]:
    """The lines that a reader at the cursor has not had."""
    seen = {stream: cursor.position(tail.container, stream) for stream in (1, 2)}
    skipped = {1: 0, 2: 0}
    for line in tail.lines:
        time, entries = seen.get(line.stream, (b"", 0))
        stamp = log_cursor.stamp_of(line.time)
        if stamp < time:
            continue
        if stamp == time and skipped[line.stream] < entries:
            skipped[line.stream] += 1
            continue
        yield line


def _within(line: log_pb2.LogLine, asked: state_tracker_service_pb2.ReadLogsRequest) -> bool:
    at = (line.time.seconds, line.time.nanos)
    if asked.HasField("since") and at < (asked.since.seconds, asked.since.nanos):
        return False
    return not asked.HasField("until") or at <= (asked.until.seconds, asked.until.nanos)


def _append(result: Answer, container: str, line: log_pb2.LogLine, *, timed: bool) -> None:
    last = result.pieces[-1] if result.pieces else None
    if last is not None and not timed and (last.container, last.stream) == (container, line.stream):
        last.data += line.data
        return
    piece = result.pieces.add(container=container, stream=line.stream, data=line.data)
    if timed:
        piece.time.CopyFrom(line.time)
