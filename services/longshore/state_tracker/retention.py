"""History is kept for weeks, not for ever: forgets stopped tasks and prunes the logs, a little at a time.

A task is forgotten whole, both halves in one transaction, and only once it is settled: nothing counts it any more and nobody
writes it. This is the one place outside the scheduler that touches its rows, and it touches none that the scheduler still may.
"""

import asyncio
import functools
import random
import time
from collections import Counter
from collections.abc import Callable
from dataclasses import dataclass

import structlog

from longshore.storage import errors as storage_errors
from longshore.storage import log, steps
from longshore.storage.database import Database
from longshore.storage.dialect import Dialect

# Rows of one transaction: its locks, and on SQLite the one writer, are free again within milliseconds.
BATCH = 500
# Pause after a batch, at the least; it lasts as long as the batch did, so that forgetting takes no more than half of the time of one
# connection however large the tables are.
SHORTEST_PAUSE_S = 0.05
# Batches of one kind and round, 10 million rows; the next round goes on.
MAX_BATCHES = 20_000
# Pause between rounds, spread so that replicas do not do it together.
ROUND_S = 300.0
# For how long a stopped task can be described whatever the bound on their number: as long as ECS shows it.
ALWAYS_KEPT_S = 3600.0

_MICROSECONDS = 1_000_000

_log = structlog.get_logger(__name__)


@dataclass(frozen=True, slots=True)
class Gone:
    """A batch that went: how many rows, and the last one's key, at which the next batch of the round goes on."""

    count: int
    last: str = ""


Work = Callable[[Dialect, str], steps.Step[Gone]]
"""One batch, after the key that is given."""


class Retention:
    """The loop."""

    def __init__(
        self,
        database: Database,
        *,
        task_days: float,
        max_tasks: int,
        event_days: float,
        max_events: int,
        rng: random.Random,
    ) -> None:
        self._database = database
        self._task_us = round(task_days * 86_400 * _MICROSECONDS)
        self._max_tasks = max_tasks
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
        """Forget what is too old now, or too much; gives how many tasks and events went."""
        gone = await self._repeat(lambda dialect, after: forget_old(dialect, self._task_us, after, BATCH))
        for cluster in await self._database.read(lambda _: _clusters()):
            gone += await self._repeat(functools.partial(self._surplus, cluster))
            gone += await self._repeat(functools.partial(self._events, cluster))
        if gone:
            _log.info("history_pruned", rows=gone)
        return gone

    def _surplus(self, cluster: str, dialect: Dialect, after: str) -> steps.Step[Gone]:
        return forget_surplus(dialect, cluster, self._max_tasks, after, BATCH)

    def _events(self, cluster: str, dialect: Dialect, after: str) -> steps.Step[Gone]:  # noqa: ARG002 - the log knows its oldest
        return prune_log(dialect, cluster, keep_us=self._event_us, max_events=self._max_events, limit=BATCH)

    async def _repeat(self, work: Work) -> int:
        total, after = 0, ""
        for _ in range(MAX_BATCHES):
            started = time.monotonic()
            gone = await self._database.run(lambda dialect, after=after: work(dialect, after))  # type: ignore[misc] # bound now
            total += gone.count
            if gone.count < BATCH:
                break
            after = gone.last
            await asyncio.sleep(max(SHORTEST_PAUSE_S, time.monotonic() - started))
        return total


def forget_old(dialect: Dialect, keep_us: int, after: str, limit: int) -> steps.Step[Gone]:
    """Delete up to `limit` settled tasks with ids above `after` that stopped longer ago than `keep_us`."""
    now: int = yield from steps.fetch_value(f"SELECT {dialect.now}")
    before = now - keep_us
    rows = yield from steps.fetch(
        f"{_HISTORY} AND {_ENDED_BEFORE} AND i.task_id < $3 ORDER BY i.task_id LIMIT $4",
        after,
        before,
        f"{max(before, 0):014x}",  # ids begin with the time of their making: the old ones are a range of the key
        limit,
    )
    return (yield from _forget(dialect, [row["task_id"] for row in rows]))


def forget_surplus(dialect: Dialect, cluster: str, max_tasks: int, after: str, limit: int) -> steps.Step[Gone]:
    """Delete up to `limit` of the oldest stopped tasks that the cluster has more than `max_tasks`, the latest hour's aside."""
    row = yield from steps.fetch_row(
        f"SELECT stopped_tasks, {dialect.now} AS now FROM log_head WHERE cluster = $1",  # noqa: S608 - the dialect's own
        cluster,
    )
    surplus = row["stopped_tasks"] - max_tasks if row is not None else 0
    if row is None or surplus <= 0:
        return Gone(0)
    rows = yield from steps.fetch(
        f"{_HISTORY} AND {_ENDED_BEFORE} AND i.cluster = $3 ORDER BY i.task_id LIMIT $4",
        after,
        row["now"] - round(ALWAYS_KEPT_S * _MICROSECONDS),
        cluster,
        min(surplus, limit),
    )
    return (yield from _forget(dialect, [row["task_id"] for row in rows]))


def prune_log(dialect: Dialect, cluster: str, keep_us: int, max_events: int, limit: int) -> steps.Step[Gone]:
    """Delete up to `limit` of the cluster's events that are too old, or too many."""
    row = yield from steps.fetch_row(
        f"SELECT sequence, {dialect.now} AS now FROM log_head WHERE cluster = $1",  # noqa: S608 - the dialect's own
        cluster,
    )
    if row is None:
        return Gone(0)
    border = yield from steps.fetch_value(
        "SELECT at FROM events WHERE cluster = $1 AND sequence = $2", cluster, row["sequence"] - max_events + 1
    )
    before = max(row["now"] - keep_us, border or 0)
    return Gone((yield from log.prune(cluster, before, limit)))


_HISTORY = (
    "SELECT i.task_id FROM task_intents i LEFT JOIN task_observations o ON o.task_id = i.task_id"
    " WHERE i.task_id > $1 AND i.settled = 1"
)

# What never reached a host has no observation: its end is its intent's.
_ENDED_BEFORE = "(o.released = 1 AND o.stopped_at < $2 OR o.task_id IS NULL AND i.stopping_at < $2)"


def _forget(dialect: Dialect, ids: list[str]) -> steps.Step[Gone]:
    if not ids:
        return Gone(0)
    # Counted by what this transaction deleted: another tracker may have been at the same rows.
    gone = yield from steps.fetch(
        f"DELETE FROM task_intents WHERE {dialect.member('task_id', 1)} RETURNING cluster",  # noqa: S608 - the dialect's own
        ids,
    )
    for table in ("task_observations", "log_tails"):  # the lock order
        yield from steps.execute(f"DELETE FROM {table} WHERE {dialect.member('task_id', 1)}", ids)  # noqa: S608 - from above
    yield from log.forgotten(Counter(row["cluster"] for row in gone))
    return Gone(len(ids), ids[-1])


def _clusters() -> steps.Step[list[str]]:
    rows = yield from steps.fetch("SELECT cluster FROM log_head ORDER BY cluster")
    return [row["cluster"] for row in rows]
