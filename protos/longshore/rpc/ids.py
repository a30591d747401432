"""Ids of tasks, instances and the like: 32 hex digits that sort by the time of their making.

The first 14 digits are microseconds since 1970 (enough until the year 4253), the other 18 are random. So an index on ids grows at
its end, and a page of the newest is a range.
"""

import random as random_module

_TIME_BITS = 56
_RANDOM_BITS = 72
_TIME_MASK = (1 << _TIME_BITS) - 1

_START_BITS = _RANDOM_BITS - 1
"""Random parts start in the lower half, so that counting up from one cannot reach into the time."""


def new_id(now_us: int, random: random_module.Random) -> str:
    """An id for this microsecond. Two for the same one are in no particular order: see `Sequence`."""
    return f"{_first(now_us, random):032x}"


def new_ids(now_us: int, random: random_module.Random, count: int) -> list[str]:
    """Ids for one batch, ascending: one random draw, then counted up, so that a million take less than a second."""
    first = _first(now_us, random)
    return ["%032x" % number for number in range(first, first + count)]  # noqa: UP031 - twice as fast as an f-string


def made_at_us(identifier: str) -> int:
    """When an id was made, in microseconds."""
    return int(identifier, 16) >> _RANDOM_BITS


class Sequence:
    """Ids that ascend strictly within this process, even for equal times or a clock that was set back."""

    __slots__ = ("_last", "_random")

    def __init__(self, random: random_module.Random) -> None:
        self._random = random
        self._last = -1

    def next(self, now_us: int) -> str:
        """The next id."""
        return f"{self._advance(now_us, 1):032x}"

    def batch(self, now_us: int, count: int) -> list[str]:
        """The next `count` ids."""
        first = self._advance(now_us, count)
        return ["%032x" % number for number in range(first, first + count)]  # noqa: UP031 - see new_ids

    def _advance(self, now_us: int, count: int) -> int:
        fresh = _first(now_us, self._random)
        # A fresh draw would go backwards about every second time within one microsecond: count on instead.
        first = fresh if fresh > self._last and fresh >> _RANDOM_BITS != self._last >> _RANDOM_BITS else self._last + 1
        self._last = first + count - 1
        return first


def _first(now_us: int, random: random_module.Random) -> int:
    return ((now_us & _TIME_MASK) << _RANDOM_BITS) | random.getrandbits(_START_BITS)
