"""Containers' output on ours: bytes as they are where nothing is to be put before a line, else a line at a time."""

import json
import sys
from collections.abc import Iterator, Sequence
from datetime import UTC, datetime
from typing import BinaryIO

from longshore.cli import output
from longshore.client import client as clients
from longshore.client import logs as reading
from longshore.client import waiting
from longshore.rpc import errors
from longshore.v1 import log_pb2

LONGEST_LINE = 64 * 1024
"""Bytes of a line that are kept until its end comes; a longer one goes out in parts."""

COLOURS = (36, 33, 32, 35, 34, 96, 93, 92)
"""ANSI colours of prefixes, in turn."""

_NAMES = {log_pb2.LOG_STREAM_STDOUT: "stdout", log_pb2.LOG_STREAM_STDERR: "stderr"}
_NANOSECONDS = 1_000_000_000

Key = tuple[str, int]


class Printer:
    """Prints what one reader gets."""

    def __init__(
        self,
        *,
        as_json: bool,
        timestamps: bool = False,
        out: BinaryIO | None = None,
        err: BinaryIO | None = None,
        coloured: bool | None = None,
    ) -> None:
        """For one command, on its standard streams unless others are given."""
        self._as_json = as_json
        self._timestamps = timestamps
        self._out = out or sys.stdout.buffer
        self._err = err or sys.stderr.buffer
        self._coloured = sys.stdout.isatty() if coloured is None else coloured
        self._lines = Lines()
        self._prefixes: dict[str, bytes] = {}
        self._told = False

    def show(self, found: reading.Output, *, prefixed: bool = False, name: str = "") -> None:
        """Print some output. `prefixed`: a container's name before each line; `name`: and that of its task."""
        if found.from_tail and found.truncated and not self._told:
            self._told = True
            output.notice("The task's host is gone or has cleaned up; only the last lines are left.")
        for piece in found.pieces:
            if self._as_json or self._timestamps or prefixed:
                prefix = self._prefix(f"{name} {piece.container}".strip()) if prefixed else b""
                key = (f"{name} {piece.container}".strip(), piece.stream)
                for line in self._lines.feed(key, piece.data, _time(piece) if self._timestamps else ""):
                    self._write(key, line, prefix)
            else:
                self._stream(piece.stream).write(piece.data)
        self._flush()

    def finish(self, name: str = "") -> None:
        """Print what has no end of line: of all, or of the task of that name."""
        for key, line in self._lines.rest(f"{name} " if name else ""):
            self._write(key, line, self._prefixes.get(key[0], b""))
        self._flush()

    def _write(self, key: Key, line: "tuple[str, bytes]", prefix: bytes) -> None:
        time, data = line
        if self._as_json:
            self._out.write(as_json(key, time, data))
            return
        stamp = f"{time} ".encode() if time else b""
        ending = b"" if data.endswith(b"\n") else b"\n"
        self._stream(key[1]).write(prefix + stamp + data + ending)

    def _stream(self, stream: int) -> BinaryIO:
        return self._err if stream == log_pb2.LOG_STREAM_STDERR else self._out

    def _flush(self) -> None:
        self._out.flush()
        self._err.flush()

    def _prefix(self, name: str) -> bytes:
        if name not in self._prefixes:
            plain = f"{name} | "
            colour = COLOURS[len(self._prefixes) % len(COLOURS)]
            self._prefixes[name] = (f"\x1b[{colour}m{plain}\x1b[0m" if self._coloured else plain).encode()
        return self._prefixes[name]


class Lines:
    """Puts lines together from pieces, of each container and stream by itself. Pure."""

    def __init__(self) -> None:
        self._begun: dict[Key, tuple[str, bytes]] = {}

    def feed(self, key: Key, data: bytes, time: str) -> Iterator[tuple[str, bytes]]:
        """The lines that are whole now, each with the time of its beginning."""
        begun_at, begun = self._begun.pop(key, ("", b""))
        if begun:
            data, first = begun + data, begun_at
        else:
            first = time
        for number, line in enumerate(_lines(data)):
            at = time if number else first
            if line.endswith(b"\n") or len(line) >= LONGEST_LINE:
                yield at, line
            else:
                self._begun[key] = (at, line)

    def rest(self, beginning: str = "") -> Iterator[tuple[Key, tuple[str, bytes]]]:
        """What has no end, at the end of those whose names begin so."""
        for key in [key for key in self._begun if key[0].startswith(beginning)]:
            yield key, self._begun.pop(key)


class Lost:
    """Says once that the stream is away, each time it goes away."""

    def __init__(self) -> None:
        self._away = False

    def say(self, error: errors.Unavailable) -> None:
        """It is away; it is sought again."""
        if not self._away:
            output.notice(f"The logs are away ({error.message}); looking for them.")
        self._away = True

    def found(self) -> None:
        """It is back."""
        self._away = False


async def has_several(client: clients.Client, cluster: str, task: str) -> bool:
    """Whether the task has more than one container."""
    (described,) = await waiting.describe(client, cluster, [task])
    return len(described.containers) > 1


def as_json(key: Key, time: str, data: bytes) -> bytes:
    """A line as an object. Bytes that are no text are replaced, as JSON cannot hold them. Pure."""
    container, stream = key
    body = {"container": container, "stream": _NAMES.get(log_pb2.LogStream.ValueType(stream), "")}
    if time:
        body["time"] = time
    body["message"] = data.decode(errors="replace").removesuffix("\n")
    return json.dumps(body, ensure_ascii=False).encode() + b"\n"


def _lines(data: bytes) -> Sequence[bytes]:
    """Lines by their newlines alone: a carriage return is part of what a terminal shows."""
    parts = data.split(b"\n")
    ended = [part + b"\n" for part in parts[:-1]]
    return [*ended, parts[-1]] if parts[-1] else ended


def _time(piece: log_pb2.LogPiece) -> str:
    whole, nanos = divmod(piece.time.ToNanoseconds(), _NANOSECONDS)
    return f"{datetime.fromtimestamp(whole, tz=UTC):%Y-%m-%dT%H:%M:%S}.{nanos:09d}Z"
