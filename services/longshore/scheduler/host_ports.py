"""The host ports that are taken, row by row, and what each task's agent has reported of them. Pure.

Dynamic ports are as many as tasks, so little is kept of each: a number in its row's ordered array, and of a task that has reported some one integer under
its id as an integer. That is 150 bytes a task.
"""

from array import array
from bisect import bisect_left, insort
from collections.abc import Iterable, Iterator

_WIDTH = 17
"""Binary digits of a port with its protocol."""

_ROW_WIDTH = 32
"""Binary digits of a row, the lowest of what is kept of a task."""

_PORT = (1 << _WIDTH) - 1
_ROW = (1 << _ROW_WIDTH) - 1


class HostPorts:
    """What is taken, how often. Taking and giving back commute, so a row may be owed a port for a while."""

    def __init__(self) -> None:
        self._taken: dict[int, array[int]] = {}
        self._owed: dict[tuple[int, int], int] = {}
        """What was given back before it was taken."""
        self._reported: dict[int, int] = {}

    def count(self, row: int, port: int) -> int:
        """How often a port is taken in a row, by the instance itself, by tasks and by reports."""
        ordered = self._taken.get(row)
        if ordered is None:
            return 0
        place = bisect_left(ordered, port)
        return bisect_left(ordered, port + 1, place) - place

    def rows(self, port: int) -> list[int]:
        """The rows in which a port is taken."""
        return [row for row in self._taken if self.count(row, port)]

    def take(self, row: int, port: int) -> None:
        """Take it once more."""
        owed = self._owed.pop((row, port), 0) if self._owed else 0
        if owed:
            if owed > 1:
                self._owed[row, port] = owed - 1
            return
        ordered = self._taken.get(row)
        if ordered is None:
            ordered = self._taken[row] = array("i")
        insort(ordered, port)

    def give_back(self, row: int, port: int) -> None:
        """The reverse of `take`, once for each."""
        ordered = self._taken.get(row)
        place = bisect_left(ordered, port) if ordered is not None else 0
        if ordered is None or place == len(ordered) or ordered[place] != port:
            self._owed[row, port] = self._owed.get((row, port), 0) + 1
            return
        del ordered[place]
        if not ordered:
            del self._taken[row]

    def report(self, row: int, task_id: str, ports: Iterable[int]) -> tuple[int, list[int]]:
        """Count what a task's agent has reported, until `forget`. Gives its row, the first that was told, and what is new."""
        key = int(task_id, 16)
        known = self._reported.get(key, row)
        row = known & _ROW
        new = sorted(set(ports).difference(_ports(known)))
        if new:
            place = _ROW_WIDTH + _WIDTH * sum(1 for _ in _ports(known))
            for port in new:
                known |= port << place
                place += _WIDTH
                self.take(row, port)
            self._reported[key] = known
        return row, new

    def forget(self, task_id: str) -> tuple[int, list[int]]:
        """Give back what a task has reported: its row, and the ports."""
        known = self._reported.pop(int(task_id, 16), 0) if task_id else 0
        row, ports = known & _ROW, list(_ports(known))
        for port in ports:
            self.give_back(row, port)
        return row, ports


def _ports(known: int) -> Iterator[int]:
    """The ports of what is kept of a task: above its row, one beside the other. No port is 0."""
    known >>= _ROW_WIDTH
    while known:
        yield known & _PORT
        known >>= _WIDTH
