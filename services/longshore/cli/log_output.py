"""Containers' output on ours: bytes as they are where nothing is to be put before a line, else a line at a time."""

import json
import sys
from datetime import UTC, datetime
from typing import BinaryIO

from longshore.cli import output
from longshore.client import client as clients
from longshore.client import lines, waiting
from longshore.client import logs as reading
from longshore.rpc import errors
from longshore.v1 import log_pb2

COLOURS = (36, 33, 32, 35, 34, 96, 93, 92)
"""ANSI colours of prefixes, in turn."""

_NANOSECONDS = 1_000_000_000


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
        self._lines = lines.Lines()
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

    def _write(self, key: lines.Key, line: "tuple[str, bytes]", prefix: bytes) -> None:
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


def as_json(key: lines.Key, time: str, data: bytes) -> bytes:
    """A line as an object. Bytes that are no text are replaced, as JSON cannot hold them. Pure."""
    container, stream = key
    body = {"container": container, "stream": lines.STREAMS.get(log_pb2.LogStream.ValueType(stream), "")}
    if time:
        body["time"] = time
    body["message"] = data.decode(errors="replace").removesuffix("\n")
    return json.dumps(body, ensure_ascii=False).encode() + b"\n"


def _time(piece: log_pb2.LogPiece) -> str:
    whole, nanos = divmod(piece.time.ToNanoseconds(), _NANOSECONDS)
    return f"{datetime.fromtimestamp(whole, tz=UTC):%Y-%m-%dT%H:%M:%S}.{nanos:09d}Z"
