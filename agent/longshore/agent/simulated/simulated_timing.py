"""How long things take on a simulated host: distributions that can be written down, and one wheel of time for thousands of hosts."""

import asyncio
import heapq
import math
import random
from collections.abc import Callable
from dataclasses import dataclass, field
from typing import Any

_PARAMETERS = {"exponential": ("MEAN",), "lognormal": ("MEDIAN", "SIGMA")}
_ENDS = 2
FORMS = "SECONDS, FROM-TO (evenly between), exponential:MEAN or lognormal:MEDIAN,SIGMA"


@dataclass(frozen=True, slots=True)
class Spread:
    """A distribution of seconds: `uniform` between the two, `exponential` with the first as mean, `lognormal` (median, sigma)."""

    first: float
    second: float
    kind: str = "uniform"

    def draw(self, source: random.Random) -> float:
        """One of its values."""
        if self.kind == "exponential":
            return source.expovariate(1 / self.first) if self.first else 0.0
        if self.kind == "lognormal":
            return source.lognormvariate(math.log(self.first), self.second) if self.first else 0.0
        return source.uniform(self.first, self.second) if self.second else 0.0


def parse(text: str) -> Spread:
    """A distribution as a setting writes it. Raises ValueError with what is expected."""
    kind, colon, rest = text.strip().partition(":")
    parts = rest.split(",") if colon else kind.split("-")
    try:
        values = [float(part) for part in parts]
    except ValueError:
        raise ValueError(f"not {FORMS}") from None
    if any(value < 0 or not math.isfinite(value) for value in values):
        raise ValueError(f"not {FORMS}")
    if colon:
        if kind not in _PARAMETERS or len(values) != len(_PARAMETERS[kind]):
            raise ValueError(f"not {FORMS}")
        return Spread(values[0], values[-1], kind)
    if len(values) > _ENDS or values[0] > values[-1]:
        raise ValueError(f"not {FORMS}")
    return Spread(values[0], values[-1])


@dataclass(frozen=True, slots=True)
class Timing:
    """Seconds that calls take. The defaults are Docker's on a machine with two cores."""

    create: Spread = Spread(0.03, 0.06)
    start: Spread = Spread(0.12, 0.2)
    pull: Spread = Spread(0.5, 2.0)
    check: Spread = Spread(0.02, 0.1)
    """A pull of what is here already: the registry is asked whether it still is the same."""
    stop: Spread = Spread(0.02, 0.05)


_NOW = Spread(0, 0)
INSTANT = Timing(_NOW, _NOW, _NOW, _NOW, _NOW)
"""Nothing takes any time: for tests of order, not of speed."""


@dataclass(slots=True, eq=False)
class Entry:
    """Something that is to happen."""

    callback: Callable[..., None] | None
    arguments: tuple[Any, ...]

    def cancel(self) -> None:
        """It is not to happen any more."""
        self.callback, self.arguments = None, ()


@dataclass(slots=True)
class Wheel:
    """Everything that is to happen on simulated hosts, by turns of a few milliseconds: one timer of the event loop, however many wait.

    What is due within a turn happens at its end, so nothing happens too early and everything up to a turn late.
    """

    turn_s: float = 0.01
    _turns: dict[int, list[Entry]] = field(default_factory=dict)
    _order: list[int] = field(default_factory=list)
    _timer: asyncio.TimerHandle | None = None
    _at: int = 0
    """The turn that the timer is set for."""

    def call_later(self, seconds: float, callback: Callable[..., None], *arguments: Any) -> Entry:
        """Have something called after some seconds."""
        loop = asyncio.get_running_loop()
        turn = math.ceil((loop.time() + seconds) / self.turn_s)
        entry = Entry(callback, arguments)
        waiting = self._turns.get(turn)
        if waiting is not None:
            waiting.append(entry)
            return entry
        self._turns[turn] = [entry]
        heapq.heappush(self._order, turn)
        self._set(loop)
        return entry

    async def sleep(self, seconds: float) -> None:
        """Wait for some seconds."""
        future: asyncio.Future[None] = asyncio.get_running_loop().create_future()
        entry = self.call_later(seconds, _wake, future)
        try:
            await future
        finally:
            entry.cancel()

    def _set(self, loop: asyncio.AbstractEventLoop) -> None:
        """Have the timer at the first turn in which something happens."""
        if not self._order:
            return
        if self._timer is not None:
            if self._at <= self._order[0]:
                return
            self._timer.cancel()
        self._at = self._order[0]
        self._timer = loop.call_at(self._at * self.turn_s, self._turn, loop)

    def _turn(self, loop: asyncio.AbstractEventLoop) -> None:
        self._timer = None
        now = loop.time()
        while self._order and self._order[0] * self.turn_s <= now:
            for entry in self._turns.pop(heapq.heappop(self._order)):
                if entry.callback is not None:
                    entry.callback(*entry.arguments)
        self._set(loop)


def _wake(future: "asyncio.Future[None]") -> None:
    if not future.done():
        future.set_result(None)
