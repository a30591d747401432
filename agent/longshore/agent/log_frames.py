"""What the engine sends of a container's log, split into entries. Pure.

Asked for times, the engine puts one before every entry: a line, or a part of 16 KiB of a longer one. Without a pseudo-terminal each
entry has a frame of its own: one byte for the stream, three of nothing, four for its length. With one there are no frames, and an
entry ends with its line, or where a part is full.
"""

import struct
from datetime import UTC, datetime
from typing import TypeAlias

from longshore.rpc import log_cursor

Entry: TypeAlias = tuple[int, bytes, bytes]
"""Stream (as `LogStream` counts), time (as `log_cursor` writes it), bytes. A bare tuple: there are millions."""

STDOUT = 1
STDERR = 2
ENGINE = 3
"""The engine's own words about a log that it cannot read on."""

PART_BYTES = 16 * 1024
"""Where engines cut long lines."""

_HEADER = struct.Struct(">B3xI")
_STAMPED = log_cursor.STAMP_BYTES + 1
"""A time in UTC and the blank behind it."""
_NEWLINE = b"\n"


class Unframed(ValueError):  # noqa: N818 - named by what is wrong
    """What the engine sends is not what it should be."""


class Framed:
    """Entries out of frames."""

    __slots__ = ("_rest",)

    def __init__(self) -> None:
        self._rest = b""

    def feed(self, data: bytes) -> list[Entry]:
        """The entries that are complete now."""
        if self._rest:
            data = self._rest + data
        entries: list[Entry] = []
        add, header = entries.append, _HEADER.unpack_from
        at, end = 0, len(data)
        while at + 8 <= end:
            stream, length = header(data, at)
            start = at + 8
            at = start + length
            if at > end:
                at = start - 8
                break
            text = start + _STAMPED
            # The usual case without a call: a time in UTC has a fixed length.
            if data[text - 2 : text] == b"Z ":
                add((stream, data[start : text - 1], data[text:at]))
            else:
                add((stream, *stamped(data[start:at])))
        self._rest = data[at:]
        return entries

    def finish(self) -> list[Entry]:
        """What is left at the end: nothing, unless the engine broke off in a frame, which is sent again then."""
        return []


class Unmuxed:
    """Entries of a pseudo-terminal: a time, then at most one part, up to its line's end."""

    __slots__ = ("_rest",)

    def __init__(self) -> None:
        self._rest = b""

    def feed(self, data: bytes) -> list[Entry]:
        """The entries that are complete now."""
        data = self._rest + data
        entries: list[Entry] = []
        at = 0
        while True:
            blank = data.find(b" ", at)
            if blank < 0:
                break
            line = data.find(_NEWLINE, blank, blank + PART_BYTES + 2)
            if line < 0 and len(data) <= blank + PART_BYTES + 1:
                break
            end = line + 1 if line >= 0 else blank + 1 + PART_BYTES
            entries.append((STDOUT, *stamped(data[at:end])))
            at = end
        self._rest = data[at:]
        return entries

    def finish(self) -> list[Entry]:
        """What is left at the end: a line that has none."""
        rest, self._rest = self._rest, b""
        return [(STDOUT, *stamped(rest))] if rest else []


def stamped(text: bytes) -> tuple[bytes, bytes]:
    """The time, in UTC, and what follows it. Raises Unframed where there is none."""
    if text[_STAMPED - 2 : _STAMPED] == b"Z ":
        return text[: _STAMPED - 1], text[_STAMPED:]
    stamp, _, rest = text.partition(b" ")
    try:
        return _in_utc(stamp.decode("ascii")), rest
    except ValueError as error:
        # Not with what: that is the container's, and this goes into logs of others.
        raise Unframed("an entry of the log does not begin with a time") from error


def _in_utc(stamp: str) -> bytes:
    """A time with another offset, or with fewer digits, as the cursor has it."""
    whole, _, fraction = stamp.partition(".")
    digits = fraction[: len(fraction) - len(fraction.lstrip("0123456789"))]
    offset = fraction[len(digits) :] if fraction else ""
    if not fraction and whole.endswith("Z"):
        whole, offset = whole[:-1], "Z"
    moved = datetime.fromisoformat(whole + offset.replace("Z", "+00:00")).astimezone(UTC)
    return f"{moved:%Y-%m-%dT%H:%M:%S}.{digits:0<9.9}Z".encode()
