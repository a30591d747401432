"""The clusters that others lead and whose views are kept up here: who is warm, and for how many."""

import asyncio
import contextvars
from collections.abc import Iterable

import structlog

from longshore.events import sequencer
from longshore.rpc import backoff, loops
from longshore.scheduler import rounds, standing, view, warm_view
from longshore.storage import errors

_log = structlog.get_logger(__name__)

FIRST_PAUSE_S = 0.1
LONGEST_PAUSE_S = 5.0
"""Pauses between attempts to read a view that could not be read or kept up."""

_LOST = (errors.CursorPruned, errors.LogRewound, errors.NoLog, sequencer.LogGapError, warm_view.Outdated)


class Standby:
    """One cluster: read once, then kept up until it is taken or dropped."""

    def __init__(self, cluster: str, around: rounds.Surroundings) -> None:
        self.standing = standing.Standing.WARMING
        self._cluster = cluster
        self._around = around
        self._view: warm_view.WarmView | None = None
        self._task: asyncio.Task[None] | None = None
        self._pauses = backoff.Backoff(first=FIRST_PAUSE_S, cap=LONGEST_PAUSE_S)

    def start(self, supervisor: loops.Supervisor) -> None:
        """Begin to keep it up. In a context of its own: it outlives whatever request gave reason for it."""
        self._task = contextvars.Context().run(supervisor.spawn, f"stand by for {self._cluster}", self._run())

    def close(self) -> None:
        """End it."""
        if self._task is not None:
            self._task.cancel()

    async def _run(self) -> None:
        """Keep it up for ever."""
        while True:
            try:
                await self._keep_up()
            except* errors.Unavailable as group:
                _log.warning("standby_not_loaded", cluster=self._cluster, error=str(group.exceptions[0]))
            except* _LOST as group:
                _log.warning("standby_lost", cluster=self._cluster, error=repr(group.exceptions[0]))
            self._view = None
            if self.standing is standing.Standing.WARM:
                self._move(standing.Change.VIEW_LOST)
            await self._pauses.sleep()

    async def take(self) -> view.Taken | None:
        """The view with all that was committed before the call; None where there is none, or it cannot be brought up to date. Ends it."""
        warm = self._view
        try:
            if warm is None or self._task is None:
                return None
            await warm.catch_up()
            self._task.cancel()
            await asyncio.wait((self._task,))
            return await warm.finish()
        except (errors.Unavailable, warm_view.Outdated) as error:
            _log.warning("standby_not_taken", cluster=self._cluster, error=repr(error))
            return None
        finally:
            self.close()

    async def _keep_up(self) -> None:
        around = self._around
        loaded = await around.database.read(lambda _: view.load(self._cluster))
        warm = self._view = warm_view.WarmView(around.database, around.bus, self._cluster, loaded)
        self._move(standing.Change.VIEW_LOADED)
        self._pauses.reset()
        _log.info("standing_by", cluster=self._cluster, position=loaded.position)
        await warm.run()

    def _move(self, change: standing.Change) -> None:
        self.standing = standing.after(self.standing, change)


class Standbys:
    """All of them of one process."""

    def __init__(self, around: rounds.Surroundings, supervisor: loops.Supervisor, *, most: int) -> None:
        self._around = around
        self._supervisor = supervisor
        self._most = most
        self._kept: dict[str, Standby] = {}

    def keep(self, clusters: Iterable[str]) -> None:
        """Stand by for these, up to the most that are kept up, and for no others."""
        wanted = set(clusters)
        for cluster in self._kept.keys() - wanted:
            self._kept.pop(cluster).close()
        for cluster in sorted(wanted - self._kept.keys())[: max(0, self._most - len(self._kept))]:
            standby = self._kept[cluster] = Standby(cluster, self._around)
            standby.start(self._supervisor)
        self._around.measured.standing_by = sum(one.standing is standing.Standing.WARM for one in self._kept.values())

    def take(self, cluster: str) -> Standby | None:
        """The one of a cluster, for whoever leads it from now on; None where there is none."""
        return self._kept.pop(cluster, None)
