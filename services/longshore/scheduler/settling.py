"""Giving back what released tasks held: their intents move to `settled`, and memory follows the rows that moved.

That move happens once per task, under the leader's fence, so a release that is heard of twice, or by two leaders, gives back once and
no task has to be remembered. Off the hot path: releases gather while the transaction before is in flight.
"""

import asyncio
import itertools
from collections.abc import Callable, Iterable, Sequence
from dataclasses import dataclass

import structlog

from longshore.rpc import backoff
from longshore.scheduler import leadership, view
from longshore.storage import errors, steps
from longshore.storage.database import Database
from longshore.storage.dialect import Dialect

_log = structlog.get_logger(__name__)

SETTLED_AT_ONCE = 1_000
"""Tasks of one transaction: its locks are gone within milliseconds."""

FIRST_PAUSE_S = 0.05
LONGEST_PAUSE_S = 1.0
"""Pauses while the database is away."""


class SettlingUnknown(Exception):  # noqa: N818 - the name of the outcome
    """Nobody knows whether the last settling was committed: the view has to be read anew."""


@dataclass(frozen=True, slots=True)
class Fence:
    """Whose right to commit is checked."""

    cluster: str
    holder: str
    epoch: int


def settle(dialect: Dialect, fence: Fence, released: Sequence[str]) -> steps.Step[list[view.Held]]:
    """Settle released tasks; gives what those that were not settled yet had held."""
    yield from leadership.hold(dialect, fence.cluster, fence.holder, fence.epoch)
    # Locked by id first, as stopping does it: an UPDATE alone would lock in any order.
    rows = yield from steps.fetch(
        f"SELECT task_id, {view.TAKES} FROM task_intents"  # noqa: S608 - the dialect's own
        f" WHERE {dialect.member('task_id', 1)} AND cluster = $2 AND settled = 0 ORDER BY task_id {dialect.exclusive_lock}",
        sorted(released),
        fence.cluster,
    )
    yield from steps.execute(
        f"UPDATE task_intents SET settled = 1 WHERE {dialect.member('task_id', 1)}",  # noqa: S608 - the dialect's own
        [row["task_id"] for row in rows],
    )
    return [view.of_task(row) for row in rows]


class Settler:
    """Settles what it is told, in the background."""

    def __init__(
        self, database: Database, fence: Fence, give_back: Callable[[view.Held], None], pauses: backoff.Backoff
    ) -> None:
        self._database = database
        self._fence = fence
        self._give_back = give_back
        self._pauses = pauses
        self._pending: dict[str, None] = {}
        self._added = asyncio.Event()
        self._waiting: list[asyncio.Future[None]] = []

    def add(self, released: Iterable[str]) -> None:
        """Take in tasks that were released. Those that are known to be are not asked for twice."""
        self._pending.update(dict.fromkeys(released))
        if self._pending:
            self._added.set()

    async def flush(self) -> None:
        """Return when all that was added is settled and given back. Raises Unavailable when it cannot be now."""
        if not self._pending:
            return
        done: asyncio.Future[None] = asyncio.get_running_loop().create_future()
        self._waiting.append(done)
        await done

    async def run(self) -> None:
        """Settle for ever. Raises Deposed and SettlingUnknown."""
        while True:
            await self._added.wait()
            some = list(itertools.islice(self._pending, SETTLED_AT_ONCE))
            try:
                gone = await self._database.run(lambda dialect, some=some: settle(dialect, self._fence, some))  # type: ignore[misc] # bound now
            except errors.CommitUnknown as error:
                raise SettlingUnknown(str(error)) from error
            except errors.Unavailable as error:
                _log.warning("release_not_settled", cluster=self._fence.cluster, tasks=len(some), error=str(error))
                self._tell(error)
                await self._pauses.sleep()
                continue
            self._pauses.reset()
            for one in gone:
                self._give_back(one)
            for task_id in some:
                del self._pending[task_id]
            if not self._pending:
                self._added.clear()
                self._tell(None)

    def _tell(self, error: errors.Unavailable | None) -> None:
        waiting, self._waiting = self._waiting, []
        for done in waiting:
            if done.done():
                continue
            if error is None:
                done.set_result(None)
            else:
                done.set_exception(error)
