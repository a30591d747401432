"""The fast path after kill -9: each scheduler holds a session in the database for as long as it lives, and the others wait for its end.

Only a hint, for what it would take a lease's time to find out otherwise. A session that nobody was seen to hold tells nothing: after a
restart of the database all of them are gone, and nobody died.
"""

import asyncio
import contextlib
import secrets
from collections.abc import Callable, Collection, Iterable

import structlog

from longshore.rpc import backoff, loops
from longshore.storage import errors, sessions

_log = structlog.get_logger(__name__)

FIRST_PAUSE_S = 0.1
LONGEST_PAUSE_S = 5.0
"""Pauses while the database gives no session."""

MOST_WATCHED = 8
"""Others whose sessions are watched, a connection each; where there are more, leases tell of the rest."""

_KEY_BITS = 63


class Presence:
    """One's own session, and the ends of others'."""

    def __init__(
        self, opened: sessions.Sessions | None, supervisor: loops.Supervisor, *, changed: Callable[[], None]
    ) -> None:
        """`changed` is called when one's own session, or what is known of others', has become another."""
        self._sessions = opened
        self._supervisor = supervisor
        self._changed = changed
        self._watched: dict[int, asyncio.Task[None]] = {}
        self._ended: set[int] = set()
        self.key = 0
        """Of one's own session; 0 while there is none."""

    @property
    def ended(self) -> Collection[int]:
        """Sessions of others that were seen to end."""
        return self._ended

    async def hold(self) -> None:
        """Have a session, for ever, a new one whenever it is lost."""
        if self._sessions is None:
            await asyncio.Event().wait()
            return
        pauses = backoff.Backoff(first=FIRST_PAUSE_S, cap=LONGEST_PAUSE_S)
        while True:
            key = secrets.randbits(_KEY_BITS) or 1
            try:
                held = await self._sessions.hold(key)
            except errors.Unavailable as error:
                _log.warning("session_not_held", error=str(error))
                await pauses.sleep()
                continue
            pauses.reset()
            self._become(key)
            try:
                await held.lost()
            finally:
                self.key = 0
                await held.close()
            self._become(0)
            _log.warning("session_lost")

    def watch(self, keys: Iterable[int]) -> None:
        """Wait for the end of these sessions, and of no others."""
        wanted = {key for key in keys if key}
        for key in self._watched.keys() - wanted:
            self._watched.pop(key).cancel()
        self._ended &= wanted
        if self._sessions is None:
            return
        for key in sorted(wanted - self._watched.keys())[: MOST_WATCHED - len(self._watched)]:
            self._watched[key] = self._supervisor.spawn("watch session", self._wait(self._sessions, key))

    def doubt(self) -> None:
        """The database was away: what was seen before may have been its doing."""
        self._ended.clear()

    async def _wait(self, opened: sessions.Sessions, key: int) -> None:
        with contextlib.suppress(errors.Unavailable):
            if await opened.ended(key):
                self._ended.add(key)
                self._changed()

    def _become(self, key: int) -> None:
        self.key = key
        self._changed()
