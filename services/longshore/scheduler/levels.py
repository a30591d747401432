"""Rows by how many tasks of one group are there: in the row itself, or in all rows with the same values of some attributes. Pure.

One set of rows a number. A task that comes or goes moves one row, or all rows of one bucket, from a set to the next.
"""

from bisect import insort
from collections import defaultdict

import numpy as np
from numpy.typing import NDArray

from longshore.scheduler import bits, columns, marks

MANY = 8
"""One part in so many of the rows that has to change before counting all of them anew is quicker."""


class Levels:
    """The rows by level, which is how many tasks of a group each of them holds."""

    def __init__(self, held: list[dict[str, int]], group: str) -> None:
        self.marked: marks.Marked = set()
        """Rows whose tasks may have changed since."""
        self._held = held
        self._group = group
        self._known: dict[int, int] = {}
        """By row, how many tasks it held when it was last looked at; nothing where it held none."""
        self._sets: dict[int, int] = {}
        self._order = [0]
        """The levels that have rows, and 0, which has those that no other has."""
        self._others = 0
        """The rows that are not on level 0."""
        self._count_anew()

    def fewest(self, rows: int) -> int:
        """Those of the rows that are on the lowest level."""
        if self.marked:
            self._look()
        for level in self._order:
            found = rows & self._sets[level] if level else rows ^ (rows & self._others)
            if found:
                return found
        return 0

    def holding(self) -> int:
        """The rows on levels above 0."""
        if self.marked:
            self._look()
        rows = self._others
        for level in self._order:
            if level < 0:
                rows ^= self._sets[level]
        return rows

    def of_rows(self, size: int) -> NDArray[np.int64]:
        """Per row its level."""
        if self.marked:
            self._look()
        levels = np.zeros(size, np.int64)
        for level, rows in self._sets.items():
            levels[bits.indices(rows)] = level
        return levels

    def _look(self) -> None:
        if len(self.marked) > len(self._held) // MANY:
            self._count_anew()
            return
        group, held, known = self._group, self._held, self._known
        changed: list[tuple[int, int, int]] = []
        for row in self.marked:
            before, after = known.get(row, 0), held[row].get(group, 0)
            if before != after:
                if after:
                    known[row] = after
                else:
                    del known[row]
                changed.append((row, before, after))
        self.marked.clear()
        self._take_in(changed)

    def _take_in(self, changed: list[tuple[int, int, int]]) -> None:
        """Rows hold other numbers of tasks: row, before, after."""
        flips: defaultdict[int, int] = defaultdict(int)
        for row, before, after in changed:
            one = 1 << row
            flips[before] ^= one
            flips[after] ^= one
        for level, rows in flips.items():
            self._flip(level, rows)

    def _flip(self, level: int, rows: int) -> None:
        """Those of the rows that were on a level are no more, those that were not are now."""
        if not level:
            self._others ^= rows
            return
        before = self._sets.get(level, 0)
        after = before ^ rows
        if after:
            self._sets[level] = after
            if not before:
                insort(self._order, level)
        elif before:
            del self._sets[level]
            self._order.remove(level)

    def _count_anew(self) -> None:
        group = self._group
        counts = np.array([held.get(group, 0) for held in self._held], np.int64)
        rows = np.flatnonzero(counts)
        self._known = dict(zip(rows.tolist(), counts[rows].tolist(), strict=True))
        self._set(counts)
        self.marked.clear()

    def _set(self, levels: NDArray[np.int64]) -> None:
        self._sets = {int(level): bits.of_array(levels == level) for level in np.unique(levels) if level}
        self._order = sorted({0, *self._sets})
        self._others = bits.of_array(levels != 0)


class BucketLevels(Levels):
    """The rows by level, which is how many tasks of a group all rows of their bucket hold together."""

    def __init__(self, held: list[dict[str, int]], group: str, column: columns.Column) -> None:
        self._column = column
        self._totals: defaultdict[int, int] = defaultdict(int)
        super().__init__(held, group)
        column.users.append(self)

    def leave(self, row: int) -> None:
        """A row is about to leave its bucket, with its tasks."""
        if self.marked:
            self._look()
        bucket = self._column.of(row)
        self._change(bucket, -self._known.get(row, 0))
        if bucket != columns.NOWHERE:
            self._flip(self._totals[bucket], 1 << row)
            self._flip(0, 1 << row)

    def enter(self, row: int) -> None:
        """A row has come into its bucket, with its tasks."""
        bucket = self._column.of(row)
        self._flip(0, 1 << row)
        self._flip(self._totals[bucket], 1 << row)
        self._change(bucket, self._known.get(row, 0))

    def _take_in(self, changed: list[tuple[int, int, int]]) -> None:
        sums: defaultdict[int, int] = defaultdict(int)
        for row, before, after in changed:
            sums[self._column.of(row)] += after - before
        for bucket, by in sums.items():
            self._change(bucket, by)

    def _change(self, bucket: int, by: int) -> None:
        """A bucket holds so many more: all of its rows are on another level."""
        before = self._totals[bucket]
        self._totals[bucket] = before + by
        rows = self._column.members(bucket)
        if rows and by:
            self._flip(before, rows)
            self._flip(before + by, rows)

    def _set(self, levels: NDArray[np.int64]) -> None:
        buckets = np.array(self._column.of_rows(len(levels)), np.int64)
        totals = np.zeros(int(buckets.max(initial=0)) + 1, np.int64)
        np.add.at(totals, buckets, levels)
        self._totals = defaultdict(int, enumerate(totals.tolist()))
        totals[columns.NOWHERE] = 0
        super()._set(totals[buckets])
