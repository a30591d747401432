"""Where a call is decided: here, or at the scheduler that leads; and what becomes of it while the leader changes.

A call that may be repeated waits here until it is known who leads then, for a bounded time; any other is answered UNAVAILABLE at once.
"""

import asyncio
from collections.abc import Awaitable, Callable
from dataclasses import dataclass
from typing import Any

from longshore.rpc import errors
from longshore.scheduler import asked, cluster_scheduler, forwarding, leaders, leadership

PATIENCE_S = 4.0
"""How long a call waits for the next leader, all its attempts together: two changes of leader."""

MOST_WAITING = 10_000
"""Calls that may wait for a leader; those beyond are told to come again."""

OVER_GRACE_S = 0.2
"""What a leader that is known to be none any more gets to answer the calls that it has: it may have, or be frozen."""

_REPEATABLE = frozenset({"StopTask", "ExplainPlacement"})
"""Calls that do nothing twice. The others are repeated under a client token alone."""

_WHOLE = frozenset({asked.RUN_TASK, asked.START_TASK})
"""Calls that are queued once: where the queue says that it has moved, nothing of them has happened."""


@dataclass(frozen=True, slots=True)
class Hop:
    """How a call came here: passed on by another scheduler or not, and how long its caller will wait."""

    forwarded: bool
    time_left_s: float | None


class Directing:
    """Decides where."""

    def __init__(self, led: leaders.Leaders, forwarder: forwarding.Forwarder) -> None:
        self._leaders = led
        self._forwarder = forwarder
        self._waiting = 0

    async def decide(
        self,
        operation: str,
        cluster: str,
        request: Any,
        hop: Hop,
        here: Callable[[cluster_scheduler.ClusterScheduler], Awaitable[Any]],
    ) -> Any:
        """The answer. What came from another scheduler is not passed on again: that one finds out by itself who leads.

        Raises what the leader raises, and Unavailable.
        """
        now = asyncio.get_running_loop().time
        end = now() + (PATIENCE_S if hop.time_left_s is None else min(PATIENCE_S, hop.time_left_s))
        repeatable = operation in _REPEATABLE or bool(getattr(request, "client_token", ""))
        while True:
            leader = await self._find(cluster, hop)
            try:
                if isinstance(leader, leaders.Elsewhere):
                    return await self._pass_on(leader, cluster, operation, request, hop.time_left_s)
                return await here(leader)
            except leadership.Moved:
                if hop.forwarded or now() >= end or not (repeatable or operation in _WHOLE):
                    raise
            except errors.Unavailable:
                if not isinstance(leader, leaders.Elsewhere):
                    raise
                if not repeatable:
                    self._leaders.forget(cluster)
                    raise
                if not await self._changed(leader, end - now()):
                    raise

    async def _find(self, cluster: str, hop: Hop) -> cluster_scheduler.ClusterScheduler | leaders.Elsewhere:
        leader = await self._leaders.find(cluster)
        if isinstance(leader, leaders.Elsewhere) and hop.forwarded:
            # The other one knows better, or knew: look once more, but do not play ball.
            self._leaders.forget(cluster)
            leader = await self._leaders.find(cluster)
            if isinstance(leader, leaders.Elsewhere):
                raise leadership.no_leader(cluster)
        return leader

    async def _pass_on(
        self, leader: leaders.Elsewhere, cluster: str, operation: str, request: Any, time_left_s: float | None
    ) -> Any:
        """The leader's answer; Unavailable as soon as it is known to lead no more and does not answer, frozen as it may be."""
        asking = asyncio.ensure_future(self._forwarder.call(leader.address, operation, request, time_left_s))
        over = asyncio.ensure_future(leader.over.wait())
        try:
            await asyncio.wait((asking, over), return_when=asyncio.FIRST_COMPLETED)
            if not asking.done():
                await asyncio.wait((asking,), timeout=OVER_GRACE_S)
            if not asking.done():
                raise leadership.no_leader(cluster)
            return await asking
        finally:
            asking.cancel()
            over.cancel()

    async def _changed(self, leader: leaders.Elsewhere, timeout_s: float) -> bool:
        """Whether another leads before the time is over. False at once where too many wait."""
        if timeout_s <= 0 or self._waiting >= MOST_WAITING:
            return False
        self._waiting += 1
        try:
            return await self._leaders.changed(leader, timeout_s)
        finally:
            self._waiting -= 1
