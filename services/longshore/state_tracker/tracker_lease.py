"""The lease of this tracker in the database, and the instances of trackers whose lease has run out.

An instance is shown as connected by the tracker that holds its session. When that tracker is gone, the others wait one whole lease from
the moment they notice, so that its agents can come to them, and disconnect those that do not. The same serves sessions of this
tracker of which it does not know whether they were committed.
"""

import asyncio
import time
from collections.abc import Iterable
from dataclasses import dataclass

import structlog

from longshore.state_tracker import instance_rows, liveness
from longshore.storage import errors as storage_errors
from longshore.storage import steps
from longshore.storage.database import Database
from longshore.storage.dialect import Dialect

# After so long without a renewal the others take over. Longer than a database that restarts, or a process that is swapped out.
TRACKER_LEASE_S = 10.0
RENEWALS_PER_LEASE = 3
# Rows of trackers that are gone and hold nothing are kept for a look at what happened.
FORGET_AFTER_S = 24 * 3600.0

_MICROSECONDS = 1_000_000

_log = structlog.get_logger(__name__)


@dataclass(frozen=True, slots=True)
class Orphan:
    """An instance that is shown as connected and whose tracker is gone."""

    instance_id: str
    cluster: str
    epoch: int
    tracker_id: str


class TrackerLease:
    """Renews the lease, and takes over orphans."""

    def __init__(
        self,
        database: Database,
        *,
        tracker_id: str,
        address: str,
        leases: liveness.Leases,
        lease_s: float,
        continuity: liveness.Continuity,
        tracker_lease_s: float = TRACKER_LEASE_S,
    ) -> None:
        self._database = database
        self._tracker_id = tracker_id
        self._address = address
        self._leases = leases
        self._lease_s = lease_s
        self._continuity = continuity
        self._tracker_lease_s = tracker_lease_s
        self._noticed: frozenset[str] = frozenset()
        self._doubtful = False

    async def announce(self, address: str) -> None:
        """Write down where the other trackers reach this one, now that it is known."""
        self._address = address
        await self.renew()

    def doubt(self) -> None:
        """Some session of this tracker may be in the tables and not in memory."""
        self._doubtful = True

    async def run(self) -> None:
        """Renew, for ever."""
        while True:
            try:
                await self.renew()
            except storage_errors.Unavailable as error:
                self._continuity.failed()
                _log.warning("tracker_lease_not_renewed", tracker_id=self._tracker_id, error=str(error))
            await asyncio.sleep(self._tracker_lease_s / RENEWALS_PER_LEASE)

    async def renew(self) -> None:
        """Renew once, and take over what has become orphaned since the last time."""
        doubtful, self._doubtful = self._doubtful, False
        try:
            gone = await self._database.run(self._renewal)
            fresh = gone - self._noticed
            wanted = fresh | {self._tracker_id} if doubtful else fresh
            orphans = await self._database.read(lambda dialect: orphans_of(dialect, wanted)) if wanted else []
        except storage_errors.Unavailable:
            self._doubtful = self._doubtful or doubtful
            raise
        self._noticed = gone
        self._continuity.succeeded(time.monotonic())
        self._adopt(orphans)
        if fresh:
            _log.info("trackers_gone", tracker_ids=sorted(fresh), instances=len(orphans))

    async def resign(self) -> None:
        """Let the others take over at once."""
        try:
            await self._database.run(
                lambda dialect: steps.execute(
                    f"UPDATE trackers SET expires_at = {dialect.now} WHERE tracker_id = $1",  # noqa: S608 - the dialect's own
                    self._tracker_id,
                )
            )
        except storage_errors.Unavailable as error:
            _log.warning("tracker_lease_not_given_back", tracker_id=self._tracker_id, error=str(error))

    def _renewal(self, dialect: Dialect) -> steps.Step[frozenset[str]]:
        yield from steps.execute(
            f"INSERT INTO trackers (tracker_id, address, expires_at) VALUES ($1, $2, {dialect.now} + $3)"  # noqa: S608 - the dialect's own
            " ON CONFLICT (tracker_id) DO UPDATE SET expires_at = excluded.expires_at, address = excluded.address",
            self._tracker_id,
            self._address,
            round(self._tracker_lease_s * _MICROSECONDS),
        )
        rows = yield from steps.fetch(
            f"SELECT tracker_id FROM trackers WHERE expires_at < {dialect.now} AND tracker_id <> $1",  # noqa: S608 - the dialect's own
            self._tracker_id,
        )
        yield from steps.execute(
            f"DELETE FROM trackers WHERE expires_at < {dialect.now} - $1 AND NOT EXISTS ("  # noqa: S608 - the dialect's own
            "SELECT 1 FROM instance_sessions s JOIN container_instances c ON c.instance_id = s.instance_id"
            " WHERE s.tracker_id = trackers.tracker_id AND c.connected = 1)",
            round(FORGET_AFTER_S * _MICROSECONDS),
        )
        return frozenset(row["tracker_id"] for row in rows)

    def _adopt(self, orphans: Iterable[Orphan]) -> None:
        now = time.monotonic()
        for orphan in orphans:
            mine = self._leases.epoch(orphan.instance_id)
            if mine is not None and mine >= orphan.epoch:
                continue  # it has come here meanwhile
            self._leases.open(
                orphan.instance_id, cluster=orphan.cluster, epoch=orphan.epoch, lease_s=self._lease_s, now=now
            )


def orphans_of(dialect: Dialect, tracker_ids: Iterable[str]) -> steps.Step[list[Orphan]]:
    """The instances that are shown as connected by these trackers."""
    rows = yield from steps.fetch(
        "SELECT s.instance_id, s.cluster, s.epoch, s.tracker_id FROM instance_sessions s"  # noqa: S608 - the dialect's own
        " JOIN container_instances c ON c.instance_id = s.instance_id"
        f" WHERE {dialect.member('s.tracker_id', 1)} AND c.connected = 1 AND c.status <> $2",
        list(tracker_ids),
        instance_rows.INACTIVE,
    )
    return [Orphan(row["instance_id"], row["cluster"], row["epoch"], row["tracker_id"]) for row in rows]
