"""The sessions that this tracker holds, by instance and by cluster, and what the log says to them."""

import asyncio
import itertools
from collections.abc import Mapping

import structlog

from longshore.rpc import errors
from longshore.state_tracker import instance_rows, liveness, metrics, openings, sessions
from longshore.v1 import event_pb2, record_pb2, statistics_pb2, task_pb2

_log = structlog.get_logger(__name__)


class Live:
    """A session with what its server needs: the cluster, the terms, and an event that wakes its writer."""

    __slots__ = ("cluster", "may_move", "reading", "session", "statistics", "terms", "wake")

    def __init__(
        self, session: sessions.Session, cluster: str, terms: liveness.Terms, *, may_move: bool = False
    ) -> None:
        self.session = session
        self.cluster = cluster
        self.terms = terms
        # Its agent can go to another tracker.
        self.may_move = may_move
        self.wake = asyncio.Event()
        # The tables are being read for it.
        self.reading = False
        # What the instance's containers use, as its agent last said; nowhere else is it kept.
        self.statistics: statistics_pb2.InstanceStatistics | None = None

    def end(self, error: errors.ServiceError | None) -> None:
        """End the session and let its writer say so."""
        self.session.end(error)
        self.wake.set()


class Held:
    """All live sessions; at most one of each instance."""

    def __init__(self, measured: metrics.Metrics) -> None:
        self._metrics = measured
        self._clusters: dict[str, dict[str, Live]] = {}

    def in_cluster(self, cluster: str) -> Mapping[str, Live]:
        """The cluster's sessions by instance."""
        return self._clusters.get(cluster, {})

    def add(self, live: Live) -> None:
        """Hold a session; an older one of the same instance ends."""
        mine = self._clusters.setdefault(live.cluster, {})
        older = mine.get(live.session.instance_id)
        if older is not None:
            self._supersede(older, live)
        else:
            self._metrics.sessions += 1
        mine[live.session.instance_id] = live

    def remove(self, live: Live) -> None:
        """The session is over."""
        mine = self._clusters.get(live.cluster, {})
        if mine.get(live.session.instance_id) is live:
            del mine[live.session.instance_id]
            self._metrics.sessions -= 1
            if not mine:
                del self._clusters[live.cluster]

    def get(self, cluster: str, instance_id: str) -> Live | None:
        """The instance's session, where it is held here."""
        return self.in_cluster(cluster).get(instance_id)

    def movable(self, limit: int) -> list[Live]:
        """Up to so many sessions whose agents can go elsewhere."""
        able = (
            live
            for mine in self._clusters.values()
            for live in mine.values()
            if live.may_move and not live.session.ended
        )
        return list(itertools.islice(able, limit))

    def end_all(self, error: errors.ServiceError) -> None:
        """End every session."""
        for mine in self._clusters.values():
            for live in mine.values():
                live.end(error)

    def apply(self, publication: record_pb2.Publication) -> None:
        """Forward the assignments of a publication, and heed what its events say of instances held here."""
        mine = self._clusters.get(publication.cluster)
        if not mine:
            return
        for assignment in publication.assignments:
            live = mine.get(assignment.container_instance_id)
            if live is not None:
                live.session.offer(
                    sessions.Published(assignment.base_revision, assignment.revision, assignment.payload)
                )
                live.wake.set()
                self._metrics.assignments_forwarded += 1
        for event in publication.events:
            if event.HasField("container_instance"):
                _heed(mine, event.container_instance)
            elif not publication.assignments and _may_be_missed(event.task):
                live = mine.get(event.task.container_instance_id)
                if live is not None:
                    live.session.fall_behind()
                    live.wake.set()

    def reset(self, cluster: str, _position: int) -> None:
        """The cluster's log cannot be followed from where it was, perhaps because the database was restored.

        Then the tables may know nothing of what was sent here, so the agents begin anew and say what they have.
        """
        for live in self.in_cluster(cluster).values():
            live.end(errors.Unavailable(f"The log of cluster {cluster} was interrupted; begin another session."))

    def _supersede(self, older: Live, newer: Live) -> None:
        before, after = older.session, newer.session
        if before.process_id != after.process_id and not before.ended:
            self._metrics.sessions_contested += 1
            _log.warning(
                "instance_identity_contested",
                instance_id=after.instance_id,
                process_id=after.process_id,
                other_process_id=before.process_id,
            )
        older.end(openings.superseded(after.instance_id, after.process_id))


def _heed(mine: Mapping[str, Live], event: event_pb2.ContainerInstanceEvent) -> None:
    """Another tracker, or a caller, has ended what a session here stands on."""
    live = mine.get(event.container_instance_id)
    if live is None:
        return
    if event.status == instance_rows.INACTIVE:
        live.end(openings.not_found(event.container_instance_id))
    elif event.agent_process_id not in {"", live.session.process_id} and event.version > live.session.instance_version:
        live.end(openings.superseded(event.container_instance_id, event.agent_process_id))
    elif not event.agent_connected and event.version > live.session.instance_version:
        live.end(
            errors.Unavailable(
                f"Container instance {event.container_instance_id} was disconnected; begin another session."
            )
        )


def _may_be_missed(event: event_pb2.TaskEvent) -> bool:
    """Whether it is the scheduler's: with a publication from the log come no assignments, so they have to be read."""
    placed = event.version == 1
    return not event.containers and (placed or event.last_status == task_pb2.TASK_STATUS_STOPPING)
