"""For how long the event loop was kept from looking at its sockets and timers.

Measured where the loop itself looks: everything between two looks is one turn, during which nobody else gets any. So no block is
missed, as a timer that watches its own lateness would, and nothing wakes an idle process. A turn is timed by the wall: a thread that
held the interpreter and a machine that was busy are in it, because whoever waited has waited for them too. The processor time of the
loop's own thread stands beside it, and says how much of that was our work.
"""

import asyncio
import selectors
import time
from collections.abc import Callable, Coroutine
from typing import Any

from longshore.metrics import declared, instruments

LIMIT_S = 0.005
"""What CPU work may take before it yields; longer turns are counted."""


@declared.metrics
class LoopBlocks:
    """Blocks of one process's event loop."""

    longest: instruments.Maximum = declared.maximum(
        "longshore_event_loop_longest_block_seconds",
        "Longest time of the last minute for which the event loop was kept from its sockets and timers.",
        unit="seconds",
    )
    longest_work: instruments.Maximum = declared.maximum(
        "longshore_event_loop_longest_work_seconds",
        "Most processor time of the last minute that one turn of the event loop took itself.",
        unit="seconds",
    )
    over_limit: int = declared.counter(
        "longshore_event_loop_blocks_total", "Turns of the event loop that took more than 5 ms.", unit="turns"
    )

    def turned(self, seconds: float, work_s: float, now: float) -> None:
        """Take in one turn of the loop, ended `now`, and the processor time that it took."""
        self.longest.observe(seconds, now)
        self.longest_work.observe(work_s, now)
        if seconds > LIMIT_S:
            self.over_limit += 1


class TimedSelector(selectors.DefaultSelector):
    """The selector an event loop has anyway, with a clock on what happens between its calls."""

    def __init__(
        self,
        measured: LoopBlocks,
        clock: Callable[[], float] = time.monotonic,
        processor: Callable[[], float] = time.thread_time,
    ) -> None:
        super().__init__()
        self._measured = measured
        self._clock = clock
        self._processor = processor
        self._woken: float | None = None
        self._worked = 0.0

    def select(self, timeout: float | None = None) -> list[tuple[selectors.SelectorKey, int]]:
        """Wait for sockets, as the loop asks; whatever it did since the last time was one turn."""
        now = self._clock()
        if self._woken is not None:
            self._measured.turned(now - self._woken, self._processor() - self._worked, now)
        found = super().select(timeout)
        self._woken, self._worked = self._clock(), self._processor()
        return found


def run(main: Callable[[LoopBlocks], Coroutine[Any, Any, None]]) -> None:
    """`asyncio.run`, on a loop whose blocks are measured."""
    measured = LoopBlocks()
    with asyncio.Runner(loop_factory=lambda: asyncio.SelectorEventLoop(TimedSelector(measured))) as runner:
        runner.run(main(measured))
