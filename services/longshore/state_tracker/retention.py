"""History is kept for weeks, not for ever: forgets stopped tasks and prunes the logs, a little at a time.

A task is forgotten whole, both halves in one transaction, and only once it is settled: nothing counts it any more and nobody
writes it. This is the one place outside the scheduler that touches its rows, and it touches none that the scheduler still may.
"""

import asyncio
import functools
import random
from collections.abc import Callable

import structlog

from longshore.storage import errors as storage_errors
from longshore.storage import log, steps
from longshore.storage.database import Database
from longshore.storage.dialect import Dialect

# Rows of one transaction: its locks, and on SQLite the one writer, are free again within milliseconds.
BATCH = 500
# Pause between two batches of a round, so that forgetting never crowds out the work.
BATCH_PAUSE_S = 0.05
# Batches of one round; the next round goes on.
MAX_BATCHES = 200
# Pause between rounds, spread so that replicas do not do it together.
ROUND_S = 300.0

_MICROSECONDS = 1_000_000

_log = structlog.get_logger(__name__)


class Retention:
    """The loop."""

    def __init__(
        self, database: Database, *, task_days: float, event_days: float, max_events: int, rng: random.Random
    ) -> None:
        self._database = database
        self._task_us = round(task_days * 86_400 * _MICROSECONDS)
        self._event_us = round(event_days * 86_400 * _MICROSECONDS)
        self._max_events = max_events
        self._rng = rng

    async def run(self) -> None:
        """Do rounds, for ever."""
        while True:
            await asyncio.sleep(self._rng.uniform(0.5, 1.5) * ROUND_S)
            try:
                await self.round()
            except storage_errors.Unavailable as error:
                _log.warning("history_not_pruned", error=str(error))

    async def round(self) -> int:
        """Forget what is too old now; gives how many rows went."""
        gone = await self._repeat(functools.partial(forget_tasks, keep_us=self._task_us, limit=BATCH))
        for cluster in await self._database.read(lambda _: _clusters()):
            gone += await self._repeat(
                functools.partial(
                    prune_log, cluster=cluster, keep_us=self._event_us, max_events=self._max_events, limit=BATCH
                )
            )
        if gone:
            _log.info("history_pruned", rows=gone)
        return gone

    async def _repeat(self, work: Callable[[Dialect], steps.Step[int]]) -> int:
        total = 0
        for _ in range(MAX_BATCHES):
            count = await self._database.run(work)
            total += count
            if count < BATCH:
                break
            await asyncio.sleep(BATCH_PAUSE_S)
        return total


def forget_tasks(dialect: Dialect, keep_us: int, limit: int) -> steps.Step[int]:
    """Delete up to `limit` settled tasks that stopped longer ago than `keep_us`."""
    now: int = yield from steps.fetch_value(f"SELECT {dialect.now}")
    before = now - keep_us
    rows = yield from steps.fetch(
        "SELECT i.task_id FROM task_intents i JOIN task_observations o ON o.task_id = i.task_id"
        " WHERE i.task_id < $1 AND i.settled = 1 AND o.released = 1 AND o.stopped_at < $2 ORDER BY i.task_id LIMIT $3",
        f"{max(before, 0):014x}",  # ids begin with the time of their making: the old ones are a range of the key
        before,
        limit,
    )
    ids = [row["task_id"] for row in rows]
    if ids:
        for table in ("task_intents", "task_observations", "log_tails"):  # the lock order
            yield from steps.execute(f"DELETE FROM {table} WHERE {dialect.member('task_id', 1)}", ids)  # noqa: S608 - from above
    return len(ids)


def prune_log(dialect: Dialect, cluster: str, keep_us: int, max_events: int, limit: int) -> steps.Step[int]:
    """Delete up to `limit` of the cluster's events that are too old, or too many."""
    row = yield from steps.fetch_row(
        f"SELECT sequence, {dialect.now} AS now FROM log_head WHERE cluster = $1",  # noqa: S608 - the dialect's own
        cluster,
    )
    if row is None:
        return 0
    border = yield from steps.fetch_value(
        "SELECT at FROM events WHERE cluster = $1 AND sequence = $2", cluster, row["sequence"] - max_events + 1
    )
    before = max(row["now"] - keep_us, border or 0)
    return (yield from log.prune(cluster, before, limit))


def _clusters() -> steps.Step[list[str]]:
    rows = yield from steps.fetch("SELECT cluster FROM log_head ORDER BY cluster")
    return [row["cluster"] for row in rows]
