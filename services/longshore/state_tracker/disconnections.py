"""Watches the leases, and disconnects the instances whose agents are not heard."""

import asyncio
import functools
import time

import structlog

from longshore.events.bus import Bus
from longshore.rpc import backoff, loops
from longshore.state_tracker import committed, gathering, held, liveness, metrics, presence, session_server
from longshore.storage import errors as storage_errors
from longshore.storage.database import Database

# Instances of one transaction: it holds the cluster's membership.
MAX_DISCONNECTIONS = 200
# Parts of a lease between two looks at the leases: how late a silence is noticed.
TICKS_PER_LEASE = 20
FIRST_PAUSE_S = 0.1
LONGEST_PAUSE_S = 2.0

_log = structlog.get_logger(__name__)


class Disconnections:
    """One loop that looks, and a worker per cluster that commits."""

    def __init__(
        self,
        database: Database,
        bus: Bus,
        supervisor: loops.Supervisor,
        measured: metrics.Metrics,
        *,
        leases: liveness.Leases,
        holding: held.Held,
        lease_s: float,
        tracker_id: str,
    ) -> None:
        self._database = database
        self._bus = bus
        self._metrics = measured
        self._leases = leases
        self._held = holding
        self._tick_s = lease_s / TICKS_PER_LEASE
        self._tracker_id = tracker_id
        self._gatherer: gathering.Gatherer[str, liveness.Expired] = gathering.Gatherer(
            "disconnections", self._flush, supervisor=supervisor, limit=MAX_DISCONNECTIONS
        )

    async def run(self) -> None:
        """Look at the leases, for ever."""
        while True:
            for expired in self._leases.tick(time.monotonic()):
                self._lapse(expired)
            await asyncio.sleep(self._tick_s)

    def _lapse(self, expired: liveness.Expired) -> None:
        live = self._held.get(expired.cluster, expired.instance_id)
        if live is not None and live.session.epoch == expired.epoch:
            live.end(session_server.silent(expired.instance_id, expired.silent_s))
        self._gatherer.put(expired.cluster, expired)

    async def _flush(self, cluster: str, batch: list[liveness.Expired]) -> None:
        """Disconnect, however long the database takes; whoever comes back meanwhile has another epoch."""
        newest = {expired.instance_id: expired.epoch for expired in batch}
        silent = [presence.Silent(instance_id, epoch) for instance_id, epoch in sorted(newest.items())]
        work = functools.partial(presence.disconnect, cluster=cluster, silent=silent, tracker_id=self._tracker_id)
        pauses = backoff.Backoff(first=FIRST_PAUSE_S, cap=LONGEST_PAUSE_S)
        while True:
            try:
                done = await self._database.run(work)
                break
            except storage_errors.Unavailable as error:
                _log.warning("instances_not_disconnected", cluster=cluster, instances=len(silent), error=str(error))
                await pauses.sleep()
        self._metrics.disconnections += len(done.instance_ids)
        for expired in batch:
            if expired.instance_id in done.instance_ids:
                _log.warning(
                    "instance_disconnected",
                    cluster=cluster,
                    instance_id=expired.instance_id,
                    silent_s=round(expired.silent_s, 3),
                )
        await committed.publish(self._bus, done.committed)
