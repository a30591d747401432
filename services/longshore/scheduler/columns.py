"""Buckets of instances by the values of attributes, for `spread`: per row a number for its values, and per number its rows. Pure.

An instance without an attribute has the value None there, so all that lack it are one bucket. Kept true row by row.
"""

from collections.abc import Iterable
from dataclasses import dataclass, field
from typing import Protocol, TypeAlias

from longshore.scheduler import bits, instances

Facts: TypeAlias = Iterable[instances.Instance | None]

NOWHERE = 0
"""The bucket of rows without an instance. Nothing is placed there, so its rows are not told."""

SMALL = 32
"""Rows up to which a bucket's set is made when it is asked for: an attribute with a value of its own for each instance would
otherwise take the square of their number."""


class User(Protocol):
    """Told of a row that moves to another bucket: before and after."""

    def leave(self, row: int) -> None:
        """It is in the old one still."""

    def enter(self, row: int) -> None:
        """It is in the new one."""


@dataclass(slots=True)
class _Bucket:
    rows: set[int] = field(default_factory=set)
    bits: int | None = None
    """The rows as a set of bits, where they are many."""


class Column:
    """The buckets of the values of some attributes together."""

    def __init__(self, names: tuple[str, ...], facts: Facts) -> None:
        self.users: list[User] = []
        self._names = names
        self._numbers: dict[tuple[str | None, ...], int] = {}
        self._of: list[int] = []
        self._buckets: list[_Bucket] = [_Bucket()]
        for row, fact in enumerate(facts):
            self._put(row, NOWHERE if fact is None else self._number(fact))

    def of(self, row: int) -> int:
        """The bucket of a row."""
        return self._of[row] if row < len(self._of) else NOWHERE

    def of_rows(self, size: int) -> list[int]:
        """The buckets of so many rows."""
        return self._of[:size] + [NOWHERE] * (size - len(self._of))

    def members(self, bucket: int) -> int:
        """The rows of a bucket."""
        found = self._buckets[bucket]
        return bits.of(found.rows) if found.bits is None else found.bits

    def apply(self, row: int, before: instances.Instance | None, fact: instances.Instance) -> None:
        """An instance has changed."""
        if before is not None and before.attributes == fact.attributes:
            return
        bucket = self._number(fact)
        if bucket == self.of(row):
            return
        for user in self.users:
            user.leave(row)
        self._put(row, bucket)
        for user in self.users:
            user.enter(row)

    def _number(self, fact: instances.Instance) -> int:
        values = tuple(map(fact.attributes.get, self._names))
        number = self._numbers.get(values)
        if number is None:
            number = self._numbers[values] = len(self._buckets)
            self._buckets.append(_Bucket())
        return number

    def _put(self, row: int, bucket: int) -> None:
        if row >= len(self._of):
            self._of += [NOWHERE] * (row + 1 - len(self._of))
        one = 1 << row
        old = self._buckets[self._of[row]]
        if self._of[row] != NOWHERE:
            old.rows.discard(row)
            if old.bits is not None:
                old.bits ^= one
        self._of[row] = bucket
        if bucket != NOWHERE:
            new = self._buckets[bucket]
            new.rows.add(row)
            if new.bits is not None:
                new.bits |= one
            elif len(new.rows) > SMALL:
                new.bits = bits.of(new.rows)
