"""Messages that are lost on their way to Redis: a filter of what one connection sends, which nobody at either end notices. Pure.

A publication that is to be lost goes to a channel that nobody hears, of a name of the same length. So Redis answers it as it answers any,
and the answers stay in their order.
"""

from collections.abc import Callable

_END = b"\r\n"
_PUBLISH = b"PUBLISH"


class Loser:
    """Reads commands as Redis's clients send them, arrays of byte strings, and loses those publications of which it is told to."""

    def __init__(self, loses: Callable[[], bool]) -> None:
        self._loses = loses
        self._held = b""

    def __call__(self, data: bytes) -> bytes:
        """What goes on to Redis: whole commands only; the rest is held until it is whole."""
        self._held += data
        out = []
        while (command := _first(self._held)) is not None:
            size, words = command
            out.append(self._passed(self._held[:size], words))
            self._held = self._held[size:]
        return b"".join(out)

    def _passed(self, raw: bytes, words: list[bytes]) -> bytes:
        if len(words) < 2 or words[0].upper() != _PUBLISH or not self._loses():
            return raw
        return raw.replace(words[1], b"\0" * len(words[1]), 1)


def _first(data: bytes) -> tuple[int, list[bytes]] | None:
    """Length and words of the first command; None where it is not whole yet."""
    head = _number(data, 0, b"*")
    if head is None:
        return None
    count, at = head
    words = []
    for _ in range(count):
        sized = _number(data, at, b"$")
        if sized is None:
            return None
        size, at = sized
        if len(data) < at + size + len(_END):
            return None
        words.append(data[at : at + size])
        at += size + len(_END)
    return at, words


def _number(data: bytes, at: int, mark: bytes) -> tuple[int, int] | None:
    """The number after a mark, and where what follows it begins. Raises ValueError for what is no command."""
    end = data.find(_END, at)
    if end < 0:
        return None
    if data[at : at + 1] != mark:
        raise ValueError(f"not a command of Redis's: {data[at : at + 20]!r}")
    return int(data[at + 1 : end]), end + len(_END)
