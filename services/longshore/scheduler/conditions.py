"""Which rows pass a test that changes with their tasks and that no number answers: ports, resources by name, expressions about tasks. Pure.

Each looks at the rows that were marked since it was last asked.
"""

from typing import Protocol

from longshore.query import evaluation
from longshore.scheduler import bits, marks, snapshot


class Test(Protocol):
    """A test of one row."""

    def __call__(self, row: int, /) -> bool:
        """Whether the row passes."""


class Condition:
    """The rows that pass a test."""

    def __init__(self, test: Test, size: int) -> None:
        self.marked: marks.Marked = set()
        """Rows that may have changed since."""
        self._test = test
        self._rows = bits.of(row for row in range(size) if test(row))

    def rows(self) -> int:
        """The rows that pass now."""
        if self.marked:
            for row in self.marked:
                if self._test(row) != bool(self._rows >> row & 1):
                    self._rows ^= 1 << row
            self.marked.clear()
        return self._rows


def port_taken(base: snapshot.Snapshot, port: int) -> Condition:
    """The rows in which a port is taken."""
    made = Condition(lambda row: base.port_taken(row, port), len(base))
    base.marks.ports.setdefault(port, []).append(made.marked)
    return made


def offering(base: snapshot.Snapshot, name: str, count: int) -> Condition:
    """The rows in which so many of a resource are free."""
    made = Condition(lambda row: base.free(row, name) >= count, len(base))
    base.marks.names.setdefault(name, []).append(made.marked)
    return made


def holding(base: snapshot.Snapshot, query: evaluation.Query) -> Condition:
    """The rows for which an expression holds that asks for tasks."""
    made = Condition(lambda row: base.holds(row, query), len(base))
    if query.groups is None:
        base.marks.counts.append(made.marked)
    else:
        for group in query.groups:
            base.marks.groups.setdefault(group, []).append(made.marked)
    return made
