"""The end of revisions that were deleted: DELETE_IN_PROGRESS until no unsettled task is of them, then gone.

No new task can be made of such a revision (a placement commit re-checks under a share lock that it is ACTIVE), so once no task is
left none ever comes, and a look at a snapshot is enough. Any number of registries may run this loop beside each other.
"""

import asyncio
import random

import structlog

from longshore.registry import definition_rows
from longshore.rpc import errors, loops
from longshore.storage.database import Database

_log = structlog.get_logger(__name__)

BATCH = 100
"""Revisions removed in one transaction: short enough to hold nobody up."""

JITTER = 0.2
"""Share of the interval by which looks are spread, so that replicas do not look at once."""


async def finish(database: Database) -> int:
    """Remove what can be removed; gives how many revisions were."""
    removed = 0
    while keys := await database.read(lambda _: definition_rows.deletable(BATCH)):
        removed += await database.run(lambda _, keys=keys: definition_rows.remove(keys))  # type: ignore[misc]  # bound now
        if len(keys) < BATCH:
            break
    return removed


class Finisher:
    """The loop that finishes deletions: at the start, when one was requested here, and every now and then."""

    def __init__(self, database: Database, *, interval_s: float, rng: random.Random) -> None:
        self._database = database
        self._interval_s = interval_s
        self._random = rng
        self._requested = asyncio.Event()

    def request(self) -> None:
        """Look soon."""
        self._requested.set()

    async def run(self) -> None:
        """Loop for ever."""
        while True:
            self._requested.clear()
            try:
                removed = await finish(self._database)
            except errors.Unavailable as error:
                _log.warning("deletions_postponed", error=error.message)
            else:
                if removed:
                    _log.info("task_definitions_deleted", revisions=removed)
            spread = 1 + self._random.uniform(-JITTER, JITTER)
            await loops.sleep_until_event(self._requested, self._interval_s * spread)
