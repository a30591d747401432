"""Buckets of instances by the values of attributes, for `spread`: per row a number for its values, kept true row by row.

An instance without an attribute has the value None there, so all that lack it are one bucket.
"""

from collections import OrderedDict
from collections.abc import Callable, Sequence
from dataclasses import dataclass, field

import numpy as np
from numpy.typing import NDArray

from longshore.scheduler import instances

_KEPT = 64
"""Columns that are kept, the most recently used ones, beside those that an index uses."""


@dataclass(slots=True, eq=False)
class Column:
    """Per row the number of its bucket; 0 stands for rows without an instance. `users` are told of a row that moves: row, from, to."""

    names: tuple[str, ...]
    codes: NDArray[np.int64]
    numbers: dict[tuple[str | None, ...], int] = field(default_factory=dict)
    users: list[Callable[[int, int, int], None]] = field(default_factory=list)
    at: memoryview = field(init=False)

    def __post_init__(self) -> None:
        self.at = memoryview(self.codes)  # type: ignore[arg-type] # numpy's arrays have a buffer

    def code(self, fact: instances.Instance | None) -> int:
        """The bucket of an instance."""
        if fact is None:
            return 0
        values = tuple(fact.attributes.get(name) for name in self.names)
        return self.numbers.setdefault(values, len(self.numbers) + 1)


class Columns:
    """The columns over the rows of one snapshot."""

    def __init__(self, facts: Sequence[instances.Instance | None]) -> None:
        self.capacity = 0
        self._facts = facts
        self._kept: OrderedDict[tuple[str, ...], Column] = OrderedDict()

    def get(self, names: tuple[str, ...]) -> Column:
        """The column of the values of these attributes together."""
        column = self._kept.get(names)
        if column is not None:
            self._kept.move_to_end(names)
            return column
        column = Column(names, np.zeros(self.capacity, np.int64))
        for row, fact in enumerate(self._facts):
            column.codes[row] = column.code(fact)
        self._kept[names] = column
        if len(self._kept) > _KEPT:
            self._drop()
        return column

    def apply(self, row: int, before: instances.Instance | None, fact: instances.Instance) -> None:
        """An instance has changed."""
        if before is not None and before.attributes == fact.attributes:
            return
        for column in self._kept.values():
            old, new = column.at[row], column.code(fact)
            if old != new:
                column.at[row] = new
                for told in column.users:
                    told(row, old, new)

    def clear(self) -> None:
        """Forget all: the arrays are of another size now."""
        self._kept.clear()

    def _drop(self) -> None:
        for names, column in self._kept.items():
            if not column.users:
                del self._kept[names]
                return
