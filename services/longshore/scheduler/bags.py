"""Collections of rows from which one is drawn: all alike (`Bag`), or by the count of tasks they hold (`Ladder`). Pure.

Drawing is lazy: a row that is drawn and no longer fits is taken out, and the draw repeated. That leaves the draw uniform among
those that fit, and a row costs nothing while it is neither drawn nor given room.
"""

from collections.abc import Callable
from typing import TYPE_CHECKING, Protocol

if TYPE_CHECKING:
    from array import array

Fits = Callable[[int], bool]
Draw = Callable[[], float]
"""A random number from 0 up to 1."""


class Rows(Protocol):
    """What an index asks of either."""

    def add(self, row: int, level: int) -> None:
        """Put a row in."""

    def remove(self, row: int) -> None:
        """Take a row out."""

    def lowest(self) -> tuple[int, list[int]] | None:
        """The lowest level that has rows, and these; None where nothing is left."""


class Bag:
    """Rows that are all alike. `places`: by row its place; may be shared by bags that have no row in common."""

    def __init__(self, places: "array[int]") -> None:
        self.rows: list[int] = []
        self._places = places

    def add(self, row: int, level: int = 0) -> None:  # noqa: ARG002 - a bag has one level
        """Put a row in."""
        self._places[row] = len(self.rows)
        self.rows.append(row)

    def remove(self, row: int) -> None:
        """Take a row out: the last one takes its place."""
        place = self._places[row]
        last = self.rows.pop()
        if last != row:
            self.rows[place] = last
            self._places[last] = place

    def lowest(self) -> tuple[int, list[int]] | None:
        """All rows."""
        return (0, self.rows) if self.rows else None


class Ladder:
    """Rows by level. Levels are small numbers: how many tasks of one group a row holds. Both arrays may be shared, as a bag's."""

    def __init__(self, places: "array[int]", levels: "array[int]") -> None:
        self._rows: dict[int, list[int]] = {}
        self._places = places
        self._levels = levels
        self._least = 0

    def add(self, row: int, level: int) -> None:
        """Put a row in."""
        rows = self._rows.get(level)
        if rows is None:
            rows = self._rows[level] = []
            if level < self._least or len(self._rows) == 1:
                self._least = level
        self._places[row], self._levels[row] = len(rows), level
        rows.append(row)

    def remove(self, row: int) -> None:
        """Take a row out: the last one of its level takes its place."""
        level = self._levels[row]
        rows = self._rows[level]
        last = rows.pop()
        if last != row:
            place = self._places[row]
            rows[place] = last
            self._places[last] = place
        elif not rows:
            del self._rows[level]
            if level == self._least and self._rows:
                self._least = min(self._rows)

    def lowest(self) -> tuple[int, list[int]] | None:
        """The lowest level's rows."""
        return (self._least, self._rows[self._least]) if self._rows else None
