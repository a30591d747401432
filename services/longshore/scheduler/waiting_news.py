"""What is told of the queue for capacity while it stands: where its first requests are, and why nothing takes them, as that changes.

An event for each change of everybody's position would be as many events as tasks wait; so the first ones are told of, and not more often than
every few seconds. Everybody's position is counted by DescribeTasks.
"""

import asyncio
import dataclasses
from collections.abc import Sequence
from dataclasses import dataclass

import structlog

from longshore.scheduler import commit, leadership, settling, waitlist, work
from longshore.storage import errors, log, steps, tasks, waiting
from longshore.storage.database import Database
from longshore.storage.dialect import Dialect
from longshore.v1 import event_pb2, record_pb2
from longshore.views import visible

_log = structlog.get_logger(__name__)

TOLD = 20
"""Requests that are told of, the first of the queue; of each its first task."""

SOON_S = 0.2
"""How long changes gather before they are told."""

INTERVAL_S = 5.0
"""The shortest time between two tellings of a cluster."""

_MICROSECONDS = 1_000_000


@dataclass(frozen=True, slots=True)
class News:
    """Where a request stands now, told of its first task that waits."""

    request_key: str
    task_id: str
    place: waiting.Place
    cause: work.Cause


@dataclass(frozen=True, slots=True)
class Told:
    """What one transaction has told; `head` is None where nothing."""

    head: log.Head | None
    events: tuple[event_pb2.Event, ...] = ()


def tell(dialect: Dialect, fence: settling.Fence, news: Sequence[News]) -> steps.Step[Told]:
    """Store the reasons and append an event for each. Raises leadership.Deposed, with nothing written, where another leads."""
    yield from leadership.hold(dialect, fence.cluster, fence.holder, fence.epoch)
    by_task = {one.task_id: one for one in news}
    rows = yield from steps.fetch(
        f"SELECT task_id FROM task_intents WHERE {dialect.member('task_id', 1)} ORDER BY task_id {dialect.exclusive_lock}",  # noqa: S608 - the dialect's own
        sorted(by_task),
    )
    found = yield from tasks.intents(dialect, [row["task_id"] for row in rows])
    moved = {
        task_id: dataclasses.replace(intent, revision=intent.revision + 1)
        for task_id, intent in sorted(found.items())
        if intent.waits
    }
    if not moved:
        return Told(None)
    yield from steps.update_many(
        "task_intents", ("task_id",), ("revision",), [(task_id, intent.revision) for task_id, intent in moved.items()]
    )
    yield from steps.update_many(
        "waiting_requests",
        ("request_key",),
        ("reason",),
        [(by_task[task_id].request_key, by_task[task_id].place.reason) for task_id in moved],
    )
    events = [
        commit.event_of(by_task[task_id].cause, visible.task_event(intent, None, place=by_task[task_id].place))
        for task_id, intent in moved.items()
    ]
    head = yield from log.take(dialect, fence.cluster, len(events))
    yield from log.append(fence.cluster, head, events)
    return Told(head, tuple(events))


class Teller:
    """Tells of one led cluster's queue. `run` is its loop."""

    def __init__(self, database: Database, fence: settling.Fence, queue: waitlist.Waitlist[work.Wanted]) -> None:
        self._database = database
        self._fence = fence
        self._queue = queue
        self._stirred = asyncio.Event()
        self._known: dict[str, tuple[str, int, str]] = {}
        """Of each request that was told of, what: the task, its position, the reason."""

    def stir(self) -> None:
        """Something has changed."""
        self._stirred.set()

    async def wait(self) -> None:
        """Return when something has changed, and a little later, so that what belongs together is told together."""
        await self._stirred.wait()
        await asyncio.sleep(SOON_S)
        self._stirred.clear()

    async def tell(self) -> record_pb2.Publication | None:
        """Tell what is not known yet; gives what is to be published. Raises Deposed."""
        news = await self._news()
        if not news:
            return None
        try:
            told = await self._database.run(lambda dialect: tell(dialect, self._fence, news))
        except errors.Unavailable as error:
            _log.warning("queue_not_told", cluster=self._fence.cluster, error=str(error))
            self._known.clear()
            return None
        if told.head is None:
            return None
        return record_pb2.Publication(
            cluster=self._fence.cluster,
            previous_sequence=told.head.previous,
            sequence=told.head.sequence,
            events=told.events,
        )

    async def _news(self) -> list[News]:
        """What the first requests do not know yet. Gives the event loop back between two looks at all instances."""
        reasons: dict[object, str] = {}
        found: list[News] = []
        known: dict[str, tuple[str, int, str]] = {}
        position = 1
        for entry in self._queue.in_order(TOLD):
            if entry.request.shape not in reasons:
                reasons[entry.request.shape] = self._queue.reason(entry)
                await asyncio.sleep(0)
            if not entry.tasks:
                continue  # placed or stopped meanwhile
            task_id, reason = next(iter(entry.tasks)), reasons[entry.request.shape]
            known[entry.key] = (task_id, position, reason)
            if self._known.get(entry.key) != known[entry.key]:
                place = waiting.Place(entry.since, entry.deadline, entry.priority, reason, position, len(self._queue))
                found.append(News(entry.key, task_id, place, entry.body.cause))
            position += len(entry.tasks)
        self._known = known
        return found
