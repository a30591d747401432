"""Pauses between attempts: exponential, capped, with full jitter (drawn between zero and the current ceiling)."""

import asyncio
import random

from longshore.rpc import loops

_JITTER = random.Random()  # noqa: S311 - no secret
"""Shared: to seed a source of its own takes longer than most backoffs live."""


class Backoff:
    """The pauses of one thing that is being retried. `reset()` after a success.

    `first` and `cap` are the ceilings of the first and of every late pause, in seconds; `source` is injected in tests.
    """

    __slots__ = ("_ceiling", "_source", "cap", "factor", "first")

    def __init__(
        self, *, first: float = 0.1, cap: float = 10.0, factor: float = 2.0, source: random.Random | None = None
    ) -> None:
        if not 0 < first <= cap:
            raise ValueError(f"first ({first}) must be above zero and at most cap ({cap})")
        if factor < 1:
            raise ValueError(f"factor ({factor}) must be at least 1")
        self.first = first
        self.cap = cap
        self.factor = factor
        self._source = source if source is not None else _JITTER
        self._ceiling = first

    def next(self) -> float:
        """Seconds to wait now; the ceiling grows for the next time."""
        pause = self._source.uniform(0.0, self._ceiling)
        self._ceiling = min(self.cap, self._ceiling * self.factor)
        return pause

    def reset(self) -> None:
        """Begin again with the first pause: what was retried has worked."""
        self._ceiling = self.first

    async def sleep(self, interrupt: asyncio.Event | None = None) -> bool:
        """Wait for the next pause, or until `interrupt` is set. True when it was."""
        pause = self.next()
        if interrupt is None:
            await asyncio.sleep(pause)
            return False
        return await loops.sleep_until_event(interrupt, pause)
