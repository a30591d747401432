"""Lines put together from the pieces in which containers' output comes. Pure."""

from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from datetime import UTC, datetime

from longshore.client import logs
from longshore.v1 import log_pb2

LONGEST_LINE = 64 * 1024
"""Bytes of a line that are kept until its end comes; a longer one goes out in parts."""

Key = tuple[str, int]
"""A container and what it wrote to."""

STREAMS = {log_pb2.LOG_STREAM_STDOUT: "stdout", log_pb2.LOG_STREAM_STDERR: "stderr"}


@dataclass(frozen=True, slots=True)
class Line:
    """One line that a container wrote."""

    container: str
    stream: str
    """stdout or stderr."""
    text: str
    """Without its end. Bytes that are no text are replaced."""
    time: datetime | None
    """When the engine took it; None unless times were asked for."""


class Lines:
    """Puts lines together from pieces, of each container and stream by itself, each with a time of whatever kind."""

    def __init__(self) -> None:
        self._begun: dict[Key, tuple[str, bytes]] = {}

    def feed(self, key: Key, data: bytes, time: str) -> Iterator[tuple[str, bytes]]:
        """The lines that are whole now, each with the time of its beginning."""
        begun_at, begun = self._begun.pop(key, ("", b""))
        if begun:
            data, first = begun + data, begun_at
        else:
            first = time
        for number, line in enumerate(_split(data)):
            at = time if number else first
            if line.endswith(b"\n") or len(line) >= LONGEST_LINE:
                yield at, line
            else:
                self._begun[key] = (at, line)

    def rest(self, beginning: str = "") -> Iterator[tuple[Key, tuple[str, bytes]]]:
        """What has no end, at the end of those whose names begin so."""
        for key in [key for key in self._begun if key[0].startswith(beginning)]:
            yield key, self._begun.pop(key)


def of(output: logs.Output, lines: Lines) -> Iterator[Line]:
    """The lines that are whole with this output."""
    for piece in output.pieces:
        key = (piece.container, int(piece.stream))
        time = piece.time.ToDatetime(UTC).isoformat() if piece.HasField("time") else ""
        for found in lines.feed(key, piece.data, time):
            yield _line(key, found)


def last(lines: Lines) -> Iterator[Line]:
    """What has no end, when nothing more comes."""
    return (_line(key, found) for key, found in lines.rest())


def _line(key: Key, found: tuple[str, bytes]) -> Line:
    container, stream = key
    time, data = found
    text = data.decode(errors="replace").removesuffix("\n").removesuffix("\r")
    return Line(container, STREAMS.get(log_pb2.LogStream.ValueType(stream), ""), text, _moment(time))


def _moment(text: str) -> datetime | None:
    return datetime.fromisoformat(text) if text else None


def _split(data: bytes) -> Sequence[bytes]:
    """Lines by their newlines alone: a carriage return is part of what a terminal shows."""
    parts = data.split(b"\n")
    ended = [part + b"\n" for part in parts[:-1]]
    return [*ended, parts[-1]] if parts[-1] else ended
