"""The rows in the order of what they have left of CPU or memory, for `binpack`: one order for all shapes, in each bucket of a column.

Changed rows are only noted; the order is brought up to date when it is next asked. Who asks walks upward from what it needs and takes
the first level that has a row which fits, up to a bound: beyond that looking at all rows at once is cheaper.
"""

import bisect
from collections.abc import Iterator

from longshore.scheduler import bags, columns, snapshot

STEPS = 160
"""Rows that one walk looks at before it gives up."""

_TRIES = 24
"""Draws from a level of many rows before the walk gives up: as a rule most of them fit."""

_FEW = 24


class GaveUp(Exception):  # noqa: N818 - the name of the outcome
    """The walk met too many rows that do not fit."""


class Order:
    """Open rows by what is left of one amount, per bucket."""

    def __init__(self, base: snapshot.Snapshot, field: str, column: columns.Column | None) -> None:
        self._at = base.cpu_at if field == "cpu" else base.memory_at
        self._open = base.open_at
        self._codes = column.at if column is not None else None
        self._values: dict[int, list[int]] = {}
        """Per bucket the amounts that some row has left, ascending."""
        self._rows: dict[tuple[int, int], list[int]] = {}
        """Per bucket and amount the rows."""
        self._where: dict[int, tuple[tuple[int, int], int]] = {}
        self.dirty: set[int] = set(range(len(base)))

    def refresh(self) -> None:
        """Put the changed rows where they belong now."""
        if not self.dirty:
            return
        at, opened, codes, where = self._at, self._open, self._codes, self._where
        for row in self.dirty:
            known = where.get(row)
            if not opened[row]:
                if known is not None:
                    self._take_out(row, known)
                continue
            key = (codes[row] if codes is not None else 0, at[row])
            if known is None:
                self._put(row, key)
            elif known[0] != key:
                self._take_out(row, known)
                self._put(row, key)
        self.dirty.clear()

    def buckets(self) -> Iterator[int]:
        """The buckets that have open rows."""
        return iter(self._values)

    def first(self, bucket: int, least: int, fits: bags.Fits, draw: bags.Draw) -> tuple[int, list[int]] | None:
        """The lowest amount from `least` on at which a row fits, and rows there: those that fit, or all if they are many.

        None where none fits. Raises GaveUp.
        """
        values = self._values.get(bucket)
        if values is None:
            return None
        steps = 0
        for place in range(bisect.bisect_left(values, least), len(values)):
            value = values[place]
            rows = self._rows[bucket, value]
            count = len(rows)
            if count > _FEW:
                for _ in range(_TRIES):
                    if fits(rows[int(draw() * count)]):
                        return value, rows
                raise GaveUp
            found = [row for row in rows if fits(row)]
            if found:
                return value, found
            steps += count
            if steps > STEPS:
                raise GaveUp
        return None

    def _put(self, row: int, key: tuple[int, int]) -> None:
        rows = self._rows.get(key)
        if rows is None:
            rows = self._rows[key] = []
            bucket, value = key
            bisect.insort(self._values.setdefault(bucket, []), value)
        self._where[row] = (key, len(rows))
        rows.append(row)

    def _take_out(self, row: int, known: tuple[tuple[int, int], int]) -> None:
        key, place = known
        del self._where[row]
        rows = self._rows[key]
        last = rows.pop()
        if last != row:
            rows[place] = last
            self._where[last] = (key, place)
        elif not rows:
            del self._rows[key]
            bucket, value = key
            values = self._values[bucket]
            del values[bisect.bisect_left(values, value)]
            if not values:
                del self._values[bucket]
