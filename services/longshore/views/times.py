"""Microseconds of the tables to timestamps of the messages. Pure."""

from google.protobuf import timestamp_pb2

_MICROSECONDS = 1_000_000


def timestamp(at_us: int) -> timestamp_pb2.Timestamp:
    """The timestamp of a time in microseconds since the epoch."""
    return timestamp_pb2.Timestamp(seconds=at_us // _MICROSECONDS, nanos=at_us % _MICROSECONDS * 1000)


def optional(at_us: int | None) -> timestamp_pb2.Timestamp | None:
    """The same, where there is a time at all."""
    return timestamp(at_us) if at_us is not None else None
