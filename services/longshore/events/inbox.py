"""What waits for one subscriber: a bounded queue that would rather forget than grow."""

import asyncio
from collections import deque

from longshore.rpc import loops

# A subscriber that is so far behind reads the log, which it can do at its own pace; the bus holds nothing for it.
MAX_PAYLOADS = 1_000
MAX_BYTES = 32 * 1024 * 1024


class Inbox:
    """Publications for one subscriber, in the order of their arrival. When it is full all of it is dropped for one None."""

    def __init__(self, *, max_payloads: int = MAX_PAYLOADS, max_bytes: int = MAX_BYTES) -> None:
        self._max_payloads = max_payloads
        self._max_bytes = max_bytes
        self._payloads: deque[bytes] = deque()
        self._bytes = 0
        self._missed = False
        self._arrived = asyncio.Event()

    def offer(self, payload: bytes) -> None:
        """Queue a publication."""
        if len(self._payloads) >= self._max_payloads or self._bytes + len(payload) > self._max_bytes:
            self._payloads.clear()
            self._bytes = 0
            self._missed = True
        else:
            self._payloads.append(payload)
            self._bytes += len(payload)
        self._arrived.set()

    def miss(self) -> None:
        """Note that publications may have been lost; the subscriber is told first of all."""
        self._missed = True
        self._arrived.set()

    def interrupt(self) -> None:
        """Let the `next` that waits, or the one that comes, answer None at once."""
        self.miss()

    def begin(self) -> None:
        """Forget what was missed so far: the subscriber only begins to listen now."""
        self._missed = False

    async def next(self, timeout: float) -> bytes | None:
        """The next publication, or None: silence for `timeout` seconds, or something may have been missed."""
        if not self._payloads and not self._missed:
            self._arrived.clear()
            await loops.sleep_until_event(self._arrived, timeout)
        if self._missed:
            self._missed = False
            return None
        if not self._payloads:
            return None
        payload = self._payloads.popleft()
        self._bytes -= len(payload)
        return payload
