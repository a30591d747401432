"""Sessions spread over the trackers again, after one was away: who holds far more than its share asks some agents to move.

Nobody is moved who knows no other tracker, or who has moved within the last minutes (the agent says both in its hello): one that comes back because
the others are out of its reach stays. What is asked is small, so that a move is never a storm.
"""

import asyncio
import math
from collections.abc import Mapping

import structlog

from longshore.rpc import errors
from longshore.state_tracker import held, metrics
from longshore.storage import errors as storage_errors
from longshore.storage import steps
from longshore.storage.database import Database
from longshore.storage.dialect import Dialect

# Between two looks, and most sessions that are asked to move after one: ten thousand agents are even again within some minutes.
LOOK_S = 10.0
MAX_MOVES = 200
# How far above its share a tracker may be before it asks anybody: agents choose by lot, and nothing is won by a few.
SLACK = 1.2
SLACK_SESSIONS = 10

_log = structlog.get_logger(__name__)


def surplus(mine: int, sessions: Mapping[str, int]) -> int:
    """How many sessions should move elsewhere now, of `mine`; `sessions` are those of all trackers that live, this one included. Pure."""
    share = math.ceil(sum(sessions.values()) / max(1, len(sessions)))
    if len(sessions) < 2 or mine <= share * SLACK + SLACK_SESSIONS:
        return 0
    return min(mine - share, MAX_MOVES)


class Balance:
    """The loop."""

    def __init__(self, database: Database, holding: held.Held, measured: metrics.Metrics) -> None:
        self._database = database
        self._held = holding
        self._metrics = measured

    async def run(self) -> None:
        """Look, for ever."""
        while True:
            await asyncio.sleep(LOOK_S)
            try:
                await self.look()
            except storage_errors.Unavailable as error:
                _log.warning("sessions_not_compared", error=str(error))

    async def look(self) -> None:
        """Ask some agents to move, where that is due."""
        if not self._metrics.sessions:
            return
        count = surplus(self._metrics.sessions, await self._database.read(connected_by_tracker))
        moving = self._held.movable(count) if count else []
        for live in moving:
            live.end(move())
        if moving:
            self._metrics.sessions_moved += len(moving)
            _log.info("sessions_moved", sessions=len(moving), held=self._metrics.sessions)


def move() -> errors.ServiceError:
    """What an agent is told that is asked to move."""
    message = "This state-tracker has more than its share of sessions; begin another one elsewhere."
    return errors.Unavailable(message, **{errors.MOVE: 1})


def connected_by_tracker(dialect: Dialect) -> steps.Step[dict[str, int]]:
    """How many instances are connected through each tracker that lives."""
    rows = yield from steps.fetch(
        "SELECT t.tracker_id, COUNT(c.instance_id) AS sessions FROM trackers t"  # noqa: S608 - the dialect's own
        " LEFT JOIN instance_sessions s ON s.tracker_id = t.tracker_id"
        " LEFT JOIN container_instances c ON c.instance_id = s.instance_id AND c.connected = 1"
        f" WHERE t.expires_at >= {dialect.now} GROUP BY t.tracker_id"
    )
    return {row["tracker_id"]: row["sessions"] for row in rows}
