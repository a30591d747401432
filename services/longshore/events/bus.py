"""The event bus: tells the other components of a cluster that something was committed. A hint; the log is the truth.

A bus may lose, repeat and reorder what is published, and subscribers must stay right when it does (`longshore.events.tail`). What it
must not do is make a publisher wait, or fail it.
"""

from contextlib import AbstractAsyncContextManager
from typing import Protocol
from urllib import parse


class Subscription(Protocol):
    """What one subscriber hears of one cluster."""

    async def next(self, timeout: float) -> bytes | None:
        """The next publication. None: nothing came for `timeout` seconds, or something may have been missed: read the log."""

    def interrupt(self) -> None:
        """Let the `next` that waits, or the one that comes, answer None at once."""


class Bus(Protocol):
    """One channel per cluster."""

    async def publish(self, cluster: str, payload: bytes) -> None:
        """Tell the subscribers of a cluster. Never raises and never waits for the outside: what cannot be sent is dropped."""

    def subscribe(self, cluster: str) -> AbstractAsyncContextManager[Subscription]:
        """Hear what is published from the time the context is entered, until it is left."""

    async def reachable(self) -> bool:
        """Whether what carries the publications answers now."""

    async def close(self) -> None:
        """Send what is queued, for a moment, and give everything back."""


async def open_bus(url: str) -> Bus:
    """Open `memory://` (this process alone) or `redis://…`. A Redis that is away is no error: the bus keeps trying."""
    scheme = parse.urlsplit(url).scheme
    if scheme == "memory":
        from longshore.events import memory_bus

        return memory_bus.MemoryBus()
    if scheme in {"redis", "rediss", "unix"}:
        from longshore.events import redis_bus

        return redis_bus.RedisBus(url)
    raise ValueError(f"events URL {scheme}://… is neither memory:// nor redis://…")
