"""Which clusters this process leads, and who leads the others. One per process; `leadership` has the transactions.

A cluster is taken over when a request comes for it and its lease has run out, or by the standby's loop, which looks for leases that
have run out at random intervals, so that the clusters of a dead leader spread over those that are left.
"""

import asyncio
import contextvars
import random as random_module
from collections.abc import Mapping

import structlog

from longshore.rpc import loops
from longshore.scheduler import cluster_scheduler, leadership, rounds, settling
from longshore.storage import errors

_log = structlog.get_logger(__name__)

RENEWALS_PER_LEASE = 4
"""A lease outlives three renewals that were lost or late."""

LOOKED_AT_ONCE = 64
"""Lapsed leases that one look takes over; the next look comes soon."""

RELEASE_TIMEOUT_S = 2.0
"""How long a shutdown may wait for the database to let its leases go; then they run out by themselves."""


class Leaders:
    """Leads what it can take. Its loops are `renew` and `stand_by`."""

    def __init__(
        self,
        candidate: leadership.Candidate | None,
        around: rounds.Surroundings,
        *,
        supervisor: loops.Supervisor,
        random: random_module.Random,
        standby_interval_s: float,
    ) -> None:
        self._candidacy: asyncio.Future[leadership.Candidate] = asyncio.get_running_loop().create_future()
        if candidate is not None:
            self.announce(candidate)
        self._around = around
        self._supervisor = supervisor
        self._random = random
        self._standby_interval_s = standby_interval_s
        self._led: dict[str, cluster_scheduler.ClusterScheduler] = {}
        self._elsewhere: dict[str, str] = {}
        self._taking: dict[str, asyncio.Future[None]] = {}
        self._leaving = False

    @property
    def led(self) -> Mapping[str, cluster_scheduler.ClusterScheduler]:
        """The clusters that are led here."""
        return self._led

    def positions(self) -> dict[str, int]:
        """How far the logs of the led clusters have been taken in; of one whose view is being loaded nothing is known."""
        known = ((cluster, leader.position) for cluster, leader in self._led.items())
        return {cluster: position for cluster, position in known if position is not None}

    def announce(self, candidate: leadership.Candidate) -> None:
        """Say under which name and address this process leads; until then requests wait. It knows when it has bound its port."""
        self._candidacy.set_result(candidate)

    async def find(self, cluster: str) -> cluster_scheduler.ClusterScheduler | str:
        """Who decides for a cluster: one of ours, or the address of another's. Takes over where nobody does.

        Raises ClusterNotFoundException and Unavailable.
        """
        while True:
            if self._leaving:
                raise leadership.no_leader(cluster)
            if (ours := self._led.get(cluster)) is not None:
                return ours
            if (address := self._elsewhere.get(cluster)) is not None:
                return address
            await self._look(cluster)

    def forget(self, cluster: str) -> None:
        """The address that was given did not lead to a leader: look anew next time."""
        self._elsewhere.pop(cluster, None)

    async def renew(self) -> None:
        """Keep what is led, for ever. A scheduler that is alone holds its leases for good."""
        candidate = await self._candidacy
        if candidate.alone:
            await asyncio.Event().wait()
        interval = candidate.lease_us / 1_000_000 / RENEWALS_PER_LEASE
        while True:
            await asyncio.sleep(interval)
            held = {cluster: leader.fence.epoch for cluster, leader in self._led.items()}
            if not held:
                continue
            try:
                kept = await self._around.database.run(
                    lambda dialect, held=held: leadership.renew(dialect, held, candidate)  # type: ignore[misc] # bound now
                )
            except errors.Unavailable as error:
                _log.warning("leases_not_renewed", clusters=len(held), error=str(error))
                continue
            for cluster in held.keys() - kept:
                if (leader := self._led.get(cluster)) is not None and leader.fence.epoch == held[cluster]:
                    leader.depose()

    async def stand_by(self) -> None:
        """Take over what nobody leads any more, for ever. One that is alone takes what it is asked for, whoever had led it."""
        if (await self._candidacy).alone:
            await asyncio.Event().wait()
        while True:
            await asyncio.sleep(self._random.uniform(0.5, 1.5) * self._standby_interval_s)
            try:
                lapsed = await self._around.database.read(lambda dialect: leadership.lapsed(dialect, LOOKED_AT_ONCE))
                for cluster in lapsed:
                    if cluster not in self._led:
                        self._elsewhere.pop(cluster, None)
                        await self._look(cluster)
            except errors.Unavailable as error:
                _log.warning("leases_not_read", error=str(error))

    async def release(self) -> None:
        """Let every lease go; the loops must have ended."""
        self._leaving = True
        if not self._candidacy.done():
            return
        candidate = self._candidacy.result()
        for cluster, leader in list(self._led.items()):
            epoch = leader.fence.epoch
            try:
                async with asyncio.timeout(RELEASE_TIMEOUT_S):
                    await self._around.database.run(
                        lambda _, cluster=cluster, epoch=epoch: leadership.release(cluster, epoch, candidate)  # type: ignore[misc] # bound now
                    )
            except (errors.Unavailable, TimeoutError) as error:
                _log.warning("lease_not_released", cluster=cluster, error=str(error))

    async def _look(self, cluster: str) -> None:
        """Find out who leads, at most once at a time for a cluster."""
        if (taking := self._taking.get(cluster)) is not None:
            await asyncio.wait((taking,))
            return
        done = self._taking[cluster] = asyncio.get_running_loop().create_future()
        try:
            candidate = await self._candidacy
            lease = await self._around.database.read(lambda dialect: leadership.read(dialect, cluster))
            if lease is None or lease.expired or (candidate.alone and lease.holder != candidate.holder):
                lease = await self._around.database.run(
                    lambda dialect: leadership.take_over(dialect, cluster, candidate)
                )
            if lease.holder == candidate.holder:
                self._lead(lease)
            else:
                self._elsewhere[cluster] = lease.address
        finally:
            del self._taking[cluster]
            done.set_result(None)

    def _lead(self, lease: leadership.Lease) -> None:
        fence = settling.Fence(lease.cluster, lease.holder, lease.epoch)
        leader = cluster_scheduler.ClusterScheduler(fence, self._around)
        self._led[lease.cluster] = leader
        self._show(lease.cluster, lease.epoch)
        self._around.measured.taken += 1
        # In a context of its own: it outlives the request that found the lease, and is nobody's.
        contextvars.Context().run(self._supervisor.spawn, f"lead {lease.cluster}", self._run(leader))
        _log.info("leadership_taken", cluster=lease.cluster, epoch=lease.epoch)

    async def _run(self, leader: cluster_scheduler.ClusterScheduler) -> None:
        await leader.run()
        # Deposed. A shutdown cancels instead, and then the lease is still to be released.
        del self._led[leader.fence.cluster]
        self._show(leader.fence.cluster, None)
        self._around.measured.lost += 1

    def _show(self, cluster: str, epoch: int | None) -> None:
        """Measure that a cluster is led from now on, or no longer."""
        measured = self._around.measured
        measured.led = len(self._led)
        if epoch is None:
            measured.epochs.pop(cluster, None)
        else:
            measured.epochs[cluster] = epoch
