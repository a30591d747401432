"""Sets of rows as the bits of one integer: a row is in the set where its bit is one. Pure.

Two sets of ten thousand rows are met (`&`) or told apart (`^`) in less time than a function is called in, and a set is a value: nobody changes it
under somebody's hands. So a test of all rows costs what a test of one does, and nothing has to be kept per kind of request.
"""

from collections.abc import Callable, Iterable, Iterator

import numpy as np
from numpy.typing import NDArray

Draw = Callable[[], float]
"""A random number from 0 up to 1."""

GUESSES = 2
"""Draws of a row that may or may not be in the set, before the rows of the set are counted: most sets have most rows."""

_FEW = 16
"""Rows above the one that is drawn, up to which taking them out is quicker than halving."""

_WORD = 64
"""Rows from which on halving is not worth its while."""


def of(rows: Iterable[int]) -> int:
    """The set of these rows."""
    found = 0
    for row in rows:
        found |= 1 << row
    return found


def of_array(mask: NDArray[np.bool_]) -> int:
    """The set of the rows that are True."""
    return int.from_bytes(np.packbits(mask, bitorder="little").tobytes(), "little")


def to_array(rows: int, size: int) -> NDArray[np.bool_]:
    """Per row, whether it is in the set."""
    packed = np.frombuffer(rows.to_bytes((size + 7) // 8, "little"), np.uint8)
    return np.unpackbits(packed, count=size, bitorder="little").astype(np.bool_)


def indices(rows: int) -> NDArray[np.int64]:
    """The rows of the set, in order."""
    return np.flatnonzero(to_array(rows, rows.bit_length())).astype(np.int64)


def each(rows: int) -> Iterator[int]:
    """The rows of a set that has few of them."""
    while rows:
        last = rows.bit_length() - 1
        yield last
        rows ^= 1 << last


def draw(rows: int, draw_one: Draw) -> int:
    """One row of a set that is not empty, all with the same chance."""
    size = rows.bit_length()
    if rows == 1 << (size - 1):
        return size - 1
    for _ in range(GUESSES):
        row = int(draw_one() * size)
        if rows >> row & 1:
            return row
    count = rows.bit_count()
    above = int(draw_one() * count)
    if above >= _FEW:
        return _nth(rows, count - 1 - above)
    for _ in range(above):
        rows ^= 1 << (rows.bit_length() - 1)
    return rows.bit_length() - 1


def _nth(rows: int, number: int) -> int:
    """The row of a set that has so many before it: by halves, each half counted."""
    first = 0
    half = 1 << (rows.bit_length() - 1).bit_length() >> 1
    while half >= _WORD:
        low = rows & ((1 << half) - 1)
        count = low.bit_count()
        if number < count:
            rows = low
        else:
            number -= count
            rows >>= half
            first += half
        half >>= 1
    for _ in range(number):
        rows &= rows - 1
    return first + (rows & -rows).bit_length() - 1
