"""Microseconds of the tables to timestamps of the messages, and which of others' timestamps can be shown. Pure."""

from google.protobuf import timestamp_pb2

_MICROSECONDS = 1_000_000
_NANOSECONDS = 1_000_000_000
# The years 1 to 9999, beyond which no timestamp can be written as text.
_FIRST_SECOND, _LAST_SECOND = -62_135_596_800, 253_402_300_799


def timestamp(at_us: int) -> timestamp_pb2.Timestamp:
    """The timestamp of a time in microseconds since the epoch."""
    return timestamp_pb2.Timestamp(seconds=at_us // _MICROSECONDS, nanos=at_us % _MICROSECONDS * 1000)


def optional(at_us: int | None) -> timestamp_pb2.Timestamp | None:
    """The same, where there is a time at all."""
    return timestamp(at_us) if at_us is not None else None


def writable(moment: timestamp_pb2.Timestamp) -> bool:
    """Whether a timestamp that somebody sent is one that can be shown."""
    return _FIRST_SECOND <= moment.seconds <= _LAST_SECOND and 0 <= moment.nanos < _NANOSECONDS
