"""How far the logs of all clusters go that this process follows, asked for together and at most once a second.

A publication that was lost with nothing after it is only found by asking the database. Every tail asks after a second of silence; here
they share one query, however many clusters there are.
"""

import asyncio
import weakref
from collections import Counter

from longshore.storage import errors, log
from longshore.storage.database import Database

# Age up to which an answer serves: also the longest that a lost publication stays unnoticed, twice at worst.
INTERVAL = 1.0


class Heads:
    """The shared question. One per database; see `of`."""

    def __init__(self, database: Database) -> None:
        self._database = weakref.ref(database)
        self._followed: Counter[str] = Counter()
        self._sequences: dict[str, int] = {}
        self._asked_at = float("-inf")
        self._asking: asyncio.Task[None] | None = None

    def follow(self, cluster: str) -> None:
        """Ask for this cluster too, from the next question on."""
        self._followed[cluster] += 1

    def leave(self, cluster: str) -> None:
        """No longer ask for it, when nobody else does."""
        self._followed[cluster] -= 1
        if self._followed[cluster] <= 0:
            del self._followed[cluster]
            self._sequences.pop(cluster, None)

    def due_in(self) -> float:
        """Seconds until the next question may be asked; 0 where it may be now."""
        return max(0.0, self._asked_at + INTERVAL - asyncio.get_running_loop().time())

    async def sequence(self, cluster: str) -> int:
        """Sequence of the cluster's newest event, as it was within the last INTERVAL. Raises Unavailable."""
        if self._asking is None and (self.due_in() <= 0 or cluster not in self._sequences):
            self._asked_at = asyncio.get_running_loop().time()
            self._asking = asyncio.create_task(self._ask(), name="log-heads")
            self._asking.add_done_callback(_retrieve)
        if self._asking is not None:
            # Shielded: whoever asked first may be cancelled, the others still wait for the answer.
            await asyncio.shield(self._asking)
        return self._sequences.get(cluster, 0)

    async def _ask(self) -> None:
        try:
            database = self._database()
            if database is None:
                raise errors.Unavailable("the database is closed")
            clusters = sorted(self._followed)
            self._sequences = await database.read(lambda dialect: log.sequences_of(dialect, clusters))
        finally:
            self._asking = None


def _retrieve(asking: "asyncio.Task[None]") -> None:
    """Take note of a failure that nobody waits for any more; asyncio would complain of it."""
    if not asking.cancelled():
        asking.exception()


_shared: "weakref.WeakKeyDictionary[Database, Heads]" = weakref.WeakKeyDictionary()


def of(database: Database) -> Heads:
    """The question that all tails on this database share."""
    shared = _shared.get(database)
    if shared is None:
        shared = _shared[database] = Heads(database)
    return shared
