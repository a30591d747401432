"""From entries to the pieces that a reader gets, and its cursor moved on. Pure.

What was delivered is skipped by counting: of each stream the entries before its position, and as many with the very time of the position
as were delivered. So it does not matter that the engine can only be asked for whole times.
"""

from collections.abc import Iterator, Sequence

from longshore.agent import log_frames
from longshore.rpc import log_cursor
from longshore.v1 import log_pb2, state_tracker_service_pb2

Answer = state_tracker_service_pb2.ReadLogsResponse

_STREAMS = {
    log_frames.STDOUT: log_pb2.LOG_STREAM_STDOUT,
    log_frames.STDERR: log_pb2.LOG_STREAM_STDERR,
}


class Skipping:
    """Drops the entries of one reading of a container's log that a cursor has had."""

    __slots__ = ("_left",)

    def __init__(self, cursor: log_cursor.Cursor, container: str) -> None:
        # Per stream: the time up to which to drop, and how many with that very time. A stream is done at the first entry beyond.
        self._left: dict[int, tuple[bytes, int]] = {}
        for stream in _STREAMS:
            time, entries = cursor.position(container, stream)
            if time:
                self._left[stream] = (time, entries)

    def __bool__(self) -> bool:
        return bool(self._left)

    def fresh(self, entries: Sequence[log_frames.Entry]) -> list[log_frames.Entry]:
        """Those that are news."""
        return [entry for entry in entries if entry[0] not in self._left or self._is_fresh(entry)]

    def _is_fresh(self, entry: log_frames.Entry) -> bool:
        time, left = self._left[entry[0]]
        if entry[1] < time:
            return False
        if entry[1] == time and left:
            self._left[entry[0]] = (time, left - 1)
            return False
        del self._left[entry[0]]
        return True


class Packer:
    """Makes answers, and keeps the cursor."""

    def __init__(self, cursor: log_cursor.Cursor, *, timestamps: bool) -> None:
        self.cursor = cursor
        self._timestamps = timestamps

    def pack(self, batches: Sequence[tuple[str, Sequence[log_frames.Entry]]]) -> bytes:
        """A serialised answer of entries, by container and in order; the cursor is after them."""
        answer = Answer()
        for container, entries in batches:
            advance(self.cursor, container, entries)
            for stream, run in _runs(entries):
                if self._timestamps:
                    self._add_lines(answer, container, stream, run)
                else:
                    answer.pieces.add(
                        container=container, stream=_STREAMS[stream], data=b"".join([entry[2] for entry in run])
                    )
        answer.cursor = self.cursor.encode()
        return answer.SerializeToString()

    @staticmethod
    def _add_lines(answer: Answer, container: str, stream: int, run: Sequence[log_frames.Entry]) -> None:
        for _, stamp, data in run:
            piece = answer.pieces.add(container=container, stream=_STREAMS[stream], data=data)
            piece.time.CopyFrom(log_cursor.timestamp_of(stamp))


def advance(cursor: log_cursor.Cursor, container: str, entries: Sequence[log_frames.Entry]) -> None:
    """Move a cursor past entries of a container, in the order of its log."""
    for stream, run in _runs(entries):
        last = run[-1][1]
        counted = 0
        for entry in reversed(run):
            if entry[1] != last:
                break
            counted += 1
        cursor.advance(container, stream, last, counted)


def _runs(entries: Sequence[log_frames.Entry]) -> Iterator[tuple[int, Sequence[log_frames.Entry]]]:
    """Consecutive entries of one stream."""
    start = 0
    for at in range(1, len(entries) + 1):
        if at == len(entries) or entries[at][0] != entries[start][0]:
            yield entries[start][0], entries[start:at]
            start = at
