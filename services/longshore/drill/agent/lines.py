"""Numbered lines as they are read: none missing, none twice, in order. Pure."""

from dataclasses import dataclass, field

from longshore.drill.agent import kinds

_KEPT = 5
"""Wrong lines that are told: the first says what happened."""


@dataclass(slots=True)
class Lines:
    """What was read so far of one container's output."""

    read: int = 0
    missing: list[str] = field(default_factory=list)
    """Where a line did not follow the one before."""
    repeated: list[str] = field(default_factory=list)
    """Where a line came again, or something that is no such line."""
    kept: bool = False
    """The end came from the lines that the control plane keeps: the container was removed before all had been read."""
    _rest: bytes = b""

    def take(self, data: bytes) -> None:
        """More of it; it may end in the middle of a line."""
        *whole, self._rest = (self._rest + data).split(b"\n")
        for line in whole:
            self._line(line.decode(errors="replace"))

    def _line(self, line: str) -> None:
        word, _, number = line.partition(" ")
        if word != kinds.LINE or not number.isdigit() or int(number) <= self.read:
            _keep(self.repeated, f"{line[:40]!r} after {self.read}")
            return
        if int(number) != self.read + 1:
            _keep(self.missing, f"{number} after {self.read}")
        self.read = int(number)


def _keep(told: list[str], what: str) -> None:
    if len(told) < _KEPT:
        told.append(what)
