"""DescribeStateTracker: how this tracker stands in each cluster, for operators."""

from dataclasses import dataclass

from longshore.state_tracker import feeds, held, instance_rows
from longshore.storage import clusters, log, steps
from longshore.storage.database import Database
from longshore.storage.dialect import Dialect
from longshore.v1 import state_tracker_service_pb2

Response = state_tracker_service_pb2.DescribeStateTrackerResponse


@dataclass(frozen=True, slots=True)
class _Seen:
    """What the tables say of a cluster."""

    head: int = 0
    connected: int = 0
    disconnected: int = 0


class OwnStanding:
    """Answers from the tables, and from what this process knows."""

    def __init__(self, database: Database, holding: held.Held, following: feeds.Feeds, *, tracker_id: str) -> None:
        self._database = database
        self._holding = holding
        self._following = following
        self._tracker_id = tracker_id

    async def describe(self) -> Response:
        """Every ACTIVE cluster. The positions are taken last: what came meanwhile is no lag. Raises Unavailable."""
        seen = await self._database.read(_seen)
        positions = self._following.positions()
        return Response(
            tracker_id=self._tracker_id,
            clusters=[
                state_tracker_service_pb2.FollowedCluster(
                    cluster=name,
                    log_head=there.head,
                    position=positions.get(name),
                    sessions=len(self._holding.in_cluster(name)),
                    connected_instances=there.connected,
                    disconnected_instances=there.disconnected,
                )
                for name, there in seen.items()
            ],
        )


def _seen(dialect: Dialect) -> steps.Step[dict[str, _Seen]]:
    names = yield from clusters.names_active()
    heads = yield from log.sequences_of(dialect, names)
    rows = yield from steps.fetch(
        "SELECT cluster, connected, COUNT(*) AS instances FROM container_instances WHERE status <> $1"
        " GROUP BY cluster, connected",
        instance_rows.INACTIVE,
    )
    counts = {(row["cluster"], bool(row["connected"])): row["instances"] for row in rows}
    return {
        name: _Seen(heads.get(name, 0), counts.get((name, True), 0), counts.get((name, False), 0)) for name in names
    }
