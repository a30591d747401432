"""Where a reader of logs stands: per container and stream the time of the last entry, and how many entries had that time.

Within one stream of one container the engine's times never go back, so this says exactly which entries were delivered. Between the
two streams they may, by as much as the engine takes to write an entry down; so each has a position of its own. Times are texts as the
engine writes them (`2026-11-28T23:22:06.743717877Z`), whose order is that of time. The agent moves cursors on; the state-tracker
reads them where it answers from the last lines that it keeps. Opaque to everybody else.
"""

import base64
import binascii
import calendar
import re
from datetime import UTC, datetime

from google.protobuf.message import DecodeError
from google.protobuf.timestamp_pb2 import Timestamp

from longshore.rpc import errors
from longshore.v1 import log_pb2

STAMP_BYTES = 30
"""Length of a time as text."""

_STAMP = re.compile(rb"\d{4}-\d\d-\d\dT\d\d:\d\d:\d\d\.\d{9}Z")
_SKEW_NS = 5_000_000_000
"""How far apart the two streams' times may be out of order: a hundred times what an engine takes for an entry."""
_NANOSECONDS = 1_000_000_000
MAX_LENGTH = 16 * 1024
"""Most characters of a cursor: twice what ten containers with the longest names take. Agents are sent them beside their assignments."""
_MOST_ENTRIES = 1_000_000_000
"""More than that have no time in common; and one more of them still fits into the message."""

Key = tuple[str, int]
"""Container and stream."""


class Cursor:
    """Positions by container and stream: the time of the last entry that was delivered, and how many had it."""

    __slots__ = ("positions",)

    def __init__(self) -> None:
        self.positions: dict[Key, tuple[bytes, int]] = {}

    def position(self, container: str, stream: int) -> tuple[bytes, int]:
        """Time of the last entry that was delivered of a stream, and how many had it; no time where none was."""
        return self.positions.get((container, stream), (b"", 0))

    def advance(self, container: str, stream: int, time: bytes, entries: int) -> None:
        """`entries` more were delivered that all have this time, and no later one before them."""
        before, delivered = self.position(container, stream)
        self.positions[container, stream] = (time, entries + delivered if before == time else entries)

    def since_ns(self, container: str) -> int:
        """From which time on the container's log has to be read so that nothing is missed; zero: from the beginning."""
        times = [nanoseconds(self.position(container, stream)[0]) for stream in _STREAMS]
        known = [time for time in times if time]
        if not known:
            return 0
        # A stream of which nothing came has nothing before what came of the other, but for what was written out of order.
        return max(max(known) - _SKEW_NS, min(known) if len(known) == len(times) else 1)

    def encode(self) -> str:
        """The cursor as it travels."""
        message = log_pb2.LogCursor()
        for (container, stream), (time, entries) in self.positions.items():
            message.positions.add(container=container, stream=_STREAM[stream], time=time.decode(), entries=entries)
        return base64.urlsafe_b64encode(message.SerializeToString()).decode()


_STREAMS = (log_pb2.LOG_STREAM_STDOUT, log_pb2.LOG_STREAM_STDERR)
_STREAM = {int(stream): stream for stream in _STREAMS}


def decode(text: str) -> Cursor:
    """A cursor from its text; raises InvalidParameterException for what is none."""
    cursor = Cursor()
    if len(text) > MAX_LENGTH:
        raise _unknown()
    try:
        message = log_pb2.LogCursor.FromString(base64.b64decode(text, altchars=b"-_", validate=True))
    except (binascii.Error, DecodeError, ValueError) as error:
        raise _unknown() from error
    for position in message.positions:
        time = position.time.encode()
        if not _is_time(time) or position.stream not in _STREAMS or not 0 < position.entries <= _MOST_ENTRIES:
            raise _unknown()
        cursor.positions[position.container, position.stream] = (time, position.entries)
    return cursor


def _unknown() -> errors.ServiceError:
    return errors.InvalidParameterException("cursor is none that ReadLogs has answered.")


def _is_time(stamp: bytes) -> bool:
    """Whether these digits are a time: there is no 99th month."""
    try:
        return bool(_STAMP.fullmatch(stamp)) and nanoseconds(stamp) >= 0
    except ValueError:
        return False


def nanoseconds(stamp: bytes) -> int:
    """A time as nanoseconds since 1970; zero for none."""
    if not stamp:
        return 0
    whole = datetime.strptime(stamp[:19].decode(), "%Y-%m-%dT%H:%M:%S").replace(tzinfo=UTC)
    return calendar.timegm(whole.timetuple()) * _NANOSECONDS + int(stamp[20:29])


def stamp_of(time: Timestamp) -> bytes:
    """A timestamp as the text that it was."""
    whole = datetime.fromtimestamp(time.seconds, tz=UTC)
    return f"{whole:%Y-%m-%dT%H:%M:%S}.{time.nanos:09d}Z".encode()


def timestamp_of(stamp: bytes) -> Timestamp:
    """The text of a time as a timestamp."""
    seconds, nanos = divmod(nanoseconds(stamp), _NANOSECONDS)
    return Timestamp(seconds=seconds, nanos=nanos)
