"""Follows the log of each cluster that somebody here is interested in, once, and hands it to all of them."""

import asyncio
from collections.abc import Sequence
from dataclasses import dataclass, field
from typing import Any, Protocol

import structlog

from longshore.events import tail
from longshore.events.bus import Bus
from longshore.rpc import backoff, loops
from longshore.storage import errors, log
from longshore.storage.database import Database
from longshore.v1 import record_pb2

# Pauses while the database is away and a tail has to begin anew.
FIRST_PAUSE_S = 0.1
LONGEST_PAUSE_S = 2.0

_log = structlog.get_logger(__name__)


class Listener(Protocol):
    """Hears of every cluster that is followed, and leaves alone those that are not its own."""

    def apply(self, publication: record_pb2.Publication) -> None:
        """The next publication of its cluster."""

    def reset(self, cluster: str, position: int) -> None:
        """Something was missed for good: what was kept of the cluster is void, and the log goes on from `position`."""


@dataclass(slots=True)
class _Feed:
    interested: int = 0
    position: int = 0
    starting: asyncio.Lock = field(default_factory=asyncio.Lock)
    task: "asyncio.Task[Any] | None" = None


class Feeds:
    """One tail per cluster while somebody has joined."""

    def __init__(
        self, database: Database, bus: Bus, supervisor: loops.Supervisor, listeners: Sequence[Listener]
    ) -> None:
        self._database = database
        self._bus = bus
        self._supervisor = supervisor
        self._listeners = tuple(listeners)
        self._feeds: dict[str, _Feed] = {}

    async def join(self, cluster: str) -> int:
        """Follow the cluster until `leave`; gives the position from which on the listeners hear everything.

        Raises Unavailable or NoLog, and then nothing was joined.
        """
        feed = self._feeds.setdefault(cluster, _Feed())
        feed.interested += 1
        try:
            async with feed.starting:
                if feed.task is None:
                    feed.position = await self._database.read(lambda _: log.sequence_of(cluster))
                    feed.task = self._supervisor.spawn(f"feed:{cluster}", self._run(cluster, feed))
        except BaseException:
            self.leave(cluster)
            raise
        return feed.position

    def leave(self, cluster: str) -> None:
        """One less is interested."""
        feed = self._feeds[cluster]
        feed.interested -= 1
        if not feed.interested:
            del self._feeds[cluster]
            if feed.task is not None:
                feed.task.cancel()

    def position(self, cluster: str) -> int:
        """Sequence of the last event that the listeners have heard of a joined cluster."""
        return self._feeds[cluster].position

    def positions(self) -> dict[str, int]:
        """The same of every cluster that is followed."""
        return {cluster: feed.position for cluster, feed in self._feeds.items() if feed.task is not None}

    async def _run(self, cluster: str, feed: _Feed) -> None:
        while True:
            try:
                async with tail.LogTail(self._database, self._bus, cluster, feed.position) as following:
                    async for publication in following:
                        for listener in self._listeners:
                            listener.apply(publication)
                        feed.position = publication.sequence
            except (errors.CursorPruned, errors.LogRewound, errors.NoLog) as error:
                _log.warning("feed_interrupted", cluster=cluster, position=feed.position, error=str(error))
            feed.position = await self._head(cluster)
            for listener in self._listeners:
                listener.reset(cluster, feed.position)

    async def _head(self, cluster: str) -> int:
        pauses = backoff.Backoff(first=FIRST_PAUSE_S, cap=LONGEST_PAUSE_S)
        while True:
            try:
                return await self._database.read(lambda _: log.sequence_of(cluster))
            except (errors.Unavailable, errors.NoLog) as error:
                _log.warning("feed_waiting", cluster=cluster, error=str(error))
                await pauses.sleep()
