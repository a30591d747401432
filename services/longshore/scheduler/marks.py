"""Which rows have changed since somebody looked. The snapshot marks them; whoever keeps a set of rows looks at them when it is asked for.

A mark costs a placement next to nothing, and a row that changes ten times between two looks is looked at once.
"""

from typing import TypeAlias

Marked: TypeAlias = set[int]


class Marks:
    """Rows that somebody has to look at again. Who wants to know of more than `moved` adds a set of his own."""

    def __init__(self) -> None:
        self.moved: Marked = set()
        """Another amount of CPU or memory is free."""
        self.counts: list[Marked] = []
        """Another number of tasks, of whichever group."""
        self.groups: dict[str, list[Marked]] = {}
        """Another number of tasks of a group."""
        self.ports: dict[int, list[Marked]] = {}
        """A port has been taken or given back."""
        self.names: dict[str, list[Marked]] = {}
        """Another amount of a resource that is offered by name is free."""

    def clear(self) -> None:
        """Nobody wants to know."""
        self.counts.clear()
        self.groups.clear()
        self.ports.clear()
        self.names.clear()
