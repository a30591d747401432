"""Who speaks with whom, each over a line of its own: the network of a drill. A node is a replica, the database, the bus, the clients or the fleet."""

import contextlib
from collections.abc import Callable

from longshore.drill import line, own_ports

Address = tuple[str, int]

CLIENTS, FLEET, DATABASE, EVENTS = "clients", "fleet", "database", "events"
"""Nodes beside the replicas."""


class Network:
    """Lines between nodes, by the one that dials and the one that is dialled."""

    def __init__(self, new_port: Callable[[], int]) -> None:
        self._new_port = new_port
        self._lines: dict[tuple[str, str], line.Line] = {}

    async def join(
        self, source: str, target: str, at: Address, filtering: Callable[[], line.Filter] | None = None
    ) -> str:
        """Lay a line; the host:port at which the one finds the other."""
        made = (
            line.Line(at, port=self._new_port())
            if filtering is None
            else line.Line(at, port=self._new_port(), filtering=filtering)
        )
        await made.mend()
        self._lines[source, target] = made
        return f"{own_ports.LOOPBACK}:{made.port}"

    def pairs(self) -> list[tuple[str, str]]:
        """Nodes between which there is a line, each pair once, in a lasting order."""
        return sorted({(min(pair), max(pair)) for pair in self._lines})

    def between(self, pair: tuple[str, str]) -> list[line.Line]:
        """The lines of a pair, whoever dials."""
        return [made for ends in (pair, pair[::-1]) if (made := self._lines.get(ends)) is not None]

    async def mend(self) -> None:
        """Let everything through."""
        for made in self._lines.values():
            await made.mend()

    async def close(self) -> None:
        """End it all."""
        for made in self._lines.values():
            with contextlib.suppress(OSError):
                await made.close()
