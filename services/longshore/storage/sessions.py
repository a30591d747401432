"""Sessions that tell at once when a process is gone: the server holds a lock for as long as it has the connection, and hands it on.

A hint, never the truth: who is thought to be gone may still run, and what it may commit is fenced elsewhere.
"""

from typing import Protocol


class Session(Protocol):
    """A connection of its own that holds the lock of a key, or waits for another's."""

    async def lost(self) -> None:
        """Return when the connection is gone."""

    async def close(self) -> None:
        """Let go."""


class Sessions(Protocol):
    """Opens sessions. Everything here raises Unavailable where the server is away or refuses."""

    async def hold(self, key: int) -> Session:
        """Hold a key until the session is closed or lost."""

    async def ended(self, key: int) -> bool:
        """Wait until the session that holds the key has ended. False at once where nobody holds it: that tells nothing."""
