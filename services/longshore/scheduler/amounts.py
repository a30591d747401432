"""What is free of CPU or of memory, as sets of rows: those that have so much at least, and those among some that have least. Pure.

A set for each amount that is asked for, and one for each binary digit of the amounts. A row that changes its amount changes sides in those sets that
lie between the old and the new one, and in the digits that differ: a handful, whatever the number of rows and of shapes.
"""

import functools
from bisect import bisect_right
from collections.abc import Iterable, Sequence

import numpy as np
from numpy.typing import NDArray

from longshore.scheduler import bits

_ABOVE_ALL = 1 << 62
"""An amount that nothing has: the last of those that are asked for, so that looking for the next one always ends."""


@functools.lru_cache(maxsize=8192)
def _digits(amount: int) -> tuple[int, ...]:
    """The digits that are one. Amounts differ by what tasks take, so the same ones are asked for again and again."""
    return tuple(digit for digit in range(amount.bit_length()) if amount >> digit & 1)


class AtLeast:
    """The rows that have so much."""

    __slots__ = ("need", "rows")

    def __init__(self, need: int, rows: int) -> None:
        self.need = need
        self.rows = rows


class Amount:
    """One kind of amount. What is known of a row is what it was when `look` last looked."""

    def __init__(self, free: NDArray[np.int64]) -> None:
        self._known: list[int] = []
        self._needs: list[int] = [_ABOVE_ALL]
        self._sets: list[AtLeast] = []
        self._zeros: list[int] = []
        """By binary digit, the lowest first, the rows whose amount has a zero there; made when it is first asked who has least."""
        self.look_at_all(free)

    def at_least(self, need: int) -> AtLeast:
        """The rows that have so much: an object that is kept true."""
        place = bisect_right(self._needs, need - 1)
        if self._needs[place] != need:
            self._needs.insert(place, need)
            self._sets.insert(place, AtLeast(need, bits.of_array(np.array(self._known, np.int64) >= need)))
        return self._sets[place]

    def least(self, rows: int) -> int:
        """Those of the rows that have least. An amount below zero counts as none."""
        if not self._zeros:
            self._zeros = self._by_digit(np.array(self._known, np.int64))
        for zeros in reversed(self._zeros):
            found = rows & zeros
            if found:
                rows = found
        return rows

    def look(self, free: Sequence[int], rows: Iterable[int]) -> None:
        """Take in what is free in rows that may have changed."""
        known, needs, sets, zeros = self._known, self._needs, self._sets, self._zeros
        if len(known) < len(free):
            self._cover(len(free))
        most = sets[-1].need if sets else 0
        for row in rows:
            old, new = known[row], free[row]
            if old == new:
                continue
            known[row] = new
            low, high = (old, new) if old < new else (new, old)
            one = 1 << row
            if low < most:
                place = bisect_right(needs, low)
                while needs[place] <= high:
                    sets[place].rows ^= one
                    place += 1
            if zeros:
                if high >> len(zeros):
                    self._widen(high.bit_length())
                for digit in _digits(old ^ new if low >= 0 else max(old, 0) ^ max(new, 0)):
                    zeros[digit] ^= one

    def look_at_all(self, free: NDArray[np.int64]) -> None:
        """Take in all rows anew: quicker than one by one where many have changed."""
        self._known = free.tolist()
        for one in self._sets:
            one.rows = bits.of_array(free >= one.need)
        if self._zeros:
            self._zeros = self._by_digit(free)

    def _by_digit(self, free: NDArray[np.int64]) -> list[int]:
        amounts = np.maximum(free, 0)
        width = max(1, int(amounts.max(initial=0)).bit_length())
        return [bits.of_array(amounts >> digit & 1 == 0) for digit in range(width)]

    def _cover(self, size: int) -> None:
        """There are more rows now, of which nothing is known yet: they have nothing."""
        added = (1 << size) - (1 << len(self._known))
        self._known += [0] * (size - len(self._known))
        for one in self._sets:
            if one.need <= 0:
                one.rows |= added
        for digit in range(len(self._zeros)):
            self._zeros[digit] |= added

    def _widen(self, width: int) -> None:
        """There are amounts with more digits now."""
        every = (1 << len(self._known)) - 1
        self._zeros += [every] * (width - len(self._zeros))
