"""Which clusters this process leads, and who leads the others: docs/design/leadership.md. `leadership` has the transactions, `spread` decides.

A cluster that nobody leads is taken when a request comes for it, or when it falls to this process in the deal. The loops: `renew`,
`stand_by`, and those of `presence` and `standbys`.
"""

import asyncio
import contextlib
import contextvars
import random as random_module
from collections.abc import AsyncIterator, Mapping
from dataclasses import dataclass, field

import structlog

from longshore.rpc import backoff, loops
from longshore.scheduler import (
    cluster_scheduler,
    leadership,
    peers,
    presence,
    rounds,
    settling,
    spread,
    standbys,
    waiting_rows,
)
from longshore.storage import errors, steps
from longshore.storage.dialect import Dialect

_log = structlog.get_logger(__name__)

RENEWALS_PER_LEASE = 6
"""A lease outlives five renewals that were lost or late."""

LEAST_PAUSE_S = 0.02
"""Between two looks at who leads, whatever gives reason for one."""

RELEASE_TIMEOUT_S = 2.0
"""How long a shutdown may wait for the database to let its leases go; then they run out by themselves."""

HAND_OVER_TIMEOUT_S = 3.0
"""How long a commit under way may keep a leader that is to leave; then it is cut off, and its callers are told to repeat."""

SETTLED_US = 3 * 1_000_000
"""A scheduler that came so long ago has its standbys warm, and is given what others lead."""

_MICROSECONDS = 1_000_000


@dataclass(eq=False, slots=True)
class Elsewhere:
    """Another leads: who, and since which epoch. `over` is set when this is known to be true no more."""

    address: str
    holder: str
    epoch: int
    over: asyncio.Event = field(default_factory=asyncio.Event)


class Leaders:
    """Leads what it can take. Its loops are `renew`, `stand_by` and `presence.hold`."""

    def __init__(
        self,
        candidate: leadership.Candidate | None,
        around: rounds.Surroundings,
        *,
        supervisor: loops.Supervisor,
        random: random_module.Random,
        standby_interval_s: float,
        most_warm: int,
    ) -> None:
        self._candidacy: asyncio.Future[leadership.Candidate] = asyncio.get_running_loop().create_future()
        if candidate is not None:
            self.announce(candidate)
        self._around = around
        self._supervisor = supervisor
        self._random = random
        self._standby_interval_s = standby_interval_s
        self._led: dict[str, cluster_scheduler.ClusterScheduler] = {}
        self._elsewhere: dict[str, Elsewhere] = {}
        self._taking: dict[str, asyncio.Future[None]] = {}
        self._leaving = False
        self._standbys = standbys.Standbys(around, supervisor, most=most_warm)
        self._renew_now = asyncio.Event()
        self._look_now = asyncio.Event()
        self.presence = presence.Presence(around.database.sessions, supervisor, changed=self._presence_changed)

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

    # ------------------------------------------------------------------------------------------------- for requests

    async def find(self, cluster: str) -> cluster_scheduler.ClusterScheduler | Elsewhere:
        """Who decides for a cluster: one of ours, or another's. Takes over where nobody does.

        Raises ClusterNotFoundException and Unavailable.
        """
        while True:
            if (ours := self._led.get(cluster)) is not None:
                return ours
            if (other := self._elsewhere.get(cluster)) is not None:
                return other
            await self._look(cluster)

    def forget(self, cluster: str) -> None:
        """Who was thought to lead does not, or said so: look anew next time."""
        if (other := self._elsewhere.pop(cluster, None)) is not None:
            other.over.set()

    async def changed(self, other: Elsewhere, timeout_s: float) -> bool:
        """Wait until another one than this leads, or nobody. False where that takes longer."""
        self._look_now.set()
        with contextlib.suppress(TimeoutError):
            async with asyncio.timeout(timeout_s):
                await other.over.wait()
        return other.over.is_set()

    # ------------------------------------------------------------------------------------------------- loops

    async def renew(self) -> None:
        """Keep what is led, for ever. A scheduler that is alone holds its leases for good."""
        candidate = await self._candidacy
        if candidate.alone:
            await asyncio.Event().wait()
        interval = candidate.lease_us / _MICROSECONDS / RENEWALS_PER_LEASE
        while True:
            self._renew_now.clear()
            try:
                await self._renew(candidate)
            except errors.Unavailable as error:
                _log.warning("lease_not_renewed", clusters=len(self._led), error=str(error))
            await loops.sleep_until_event(self._renew_now, interval)

    async def stand_by(self) -> None:
        """Look who leads, for ever: take over what falls to this process, give back what is too much.

        One that is alone takes what it is asked for, whoever had led it.
        """
        candidate = await self._candidacy
        if candidate.alone:
            await self._lead_waiting()
            await asyncio.Event().wait()
        while True:
            pause_s = self._random.uniform(0.5, 1.5) * self._standby_interval_s
            try:
                pause_s = min(pause_s, await self._look_around(candidate))
            except errors.Unavailable as error:
                self.presence.doubt()
                _log.warning("leases_not_read", error=str(error))
            await asyncio.sleep(LEAST_PAUSE_S)
            await loops.sleep_until_event(self._look_now, pause_s)
            self._look_now.clear()

    def _presence_changed(self) -> None:
        self._renew_now.set()
        self._look_now.set()

    async def _renew(self, candidate: leadership.Candidate) -> None:
        held = {cluster: leader.fence.epoch for cluster, leader in self._led.items()}
        mine = await self._around.database.run(
            lambda dialect: peers.renew(dialect, candidate, session=self.presence.key, leaving=self._leaving)
        )
        for cluster, epoch in held.items():
            leader = self._led.get(cluster)
            if leader is not None and leader.fence.epoch == epoch and mine.get(cluster) != epoch:
                leader.depose()
        for cluster in mine.keys() - held.keys():
            if cluster not in self._led and not self._leaving:
                self.forget(cluster)  # it was given to us
                await self._look(cluster)

    async def _look_around(self, candidate: leadership.Candidate) -> float:
        """One look; gives after how many seconds at most the next one is due."""
        found, leases, frozen = await self._around.database.read(_looking)
        if frozen:
            _log.warning("frozen_transactions_ended", count=frozen)
        others = [peer for peer in found if peer.holder != candidate.holder]
        self.presence.watch(peer.session for peer in others if peer.alive)
        ended = self.presence.ended
        alive = [peer for peer in found if peer.alive and peer.session not in ended]
        self._compare(leases)
        if any(peer.forgotten for peer in others):
            await self._around.database.run(peers.forget)
        if self._leaving:
            return self._standby_interval_s
        members = [
            spread.Member(peer.holder, peer.address, settled=peer.age_us >= SETTLED_US)
            for peer in alive
            if not peer.leaving
        ]
        known = {peer.holder for peer in found}
        holders = {peer.holder for peer in alive}
        # One without a row is of an older release, and goes by the lease alone.
        held = [
            spread.Held(
                one.cluster, one.holder if one.holder in holders or not (one.expired or one.holder in known) else ""
            )
            for one in leases
        ]
        # Those without a leader too, and those that were given to us a moment ago: the next leader may be here.
        self._standbys.keep(one.cluster for one in held if one.cluster not in self._led)
        for cluster in spread.dealt(candidate.holder, members, held):
            if cluster not in self._led:
                self.forget(cluster)
                await self._look(cluster)
        if (gift := spread.gift(candidate.holder, members, held)) is not None:
            await self._hand_over(candidate, gift.cluster, gift.to)
        return min((peer.left_us for peer in others if peer.alive), default=_MICROSECONDS) / _MICROSECONDS

    def _compare(self, leases: list[leadership.Lease]) -> None:
        """What was thought of others' leaderships and is true no more, is over."""
        now = {lease.cluster: (lease.holder, lease.epoch) for lease in leases}
        for cluster, other in list(self._elsewhere.items()):
            if now.get(cluster) != (other.holder, other.epoch):
                self.forget(cluster)

    # ------------------------------------------------------------------------------------------------- leaving

    async def leave(self) -> None:
        """Hand everything over, while calls are still answered: those that wait here are passed on to whoever leads then."""
        self._leaving = True
        if not self._candidacy.done() or self._candidacy.result().alone:
            return
        candidate = self._candidacy.result()
        try:
            await self._renew(candidate)
            found, leases = await self._around.database.read(_picture)
        except errors.Unavailable as error:
            _log.warning("leases_not_handed_over", clusters=len(self._led), error=str(error))
            return
        ended = self.presence.ended
        members = [
            spread.Member(peer.holder, peer.address)
            for peer in found
            if peer.alive and not peer.leaving and peer.session not in ended
        ]
        held = [spread.Held(one.cluster, one.holder) for one in leases]
        to = {gift.cluster: gift.to for gift in spread.shares(candidate.holder, members, held)}
        await asyncio.gather(*(self._hand_over(candidate, cluster, to.get(cluster, "")) for cluster in list(self._led)))

    async def _lead_waiting(self) -> None:
        """Take the clusters in which tasks wait for capacity: nobody may ask for one before something becomes free there."""
        pauses = backoff.Backoff(first=0.05, cap=1.0, source=self._random)
        while True:
            try:
                for cluster in await self._around.database.read(lambda _: waiting_rows.clusters_waiting()):
                    if cluster not in self._led:
                        await self._look(cluster)
            except errors.Unavailable as error:
                _log.warning("waiting_not_read", error=str(error))
                await pauses.sleep()
            else:
                return

    async def release(self) -> None:
        """Let every lease go; the loops must have ended."""
        self._leaving = True
        if not self._candidacy.done():
            return
        holder = self._candidacy.result().holder
        try:
            async with asyncio.timeout(RELEASE_TIMEOUT_S):
                await self._around.database.run(lambda _: leadership.resign(holder))
        except (errors.Unavailable, TimeoutError) as error:
            _log.warning("leases_not_released", clusters=len(self._led), error=str(error))

    async def _hand_over(self, candidate: leadership.Candidate, cluster: str, to: str) -> None:
        """End one leadership after the commit under way, and give its lease to another, or let it go. New calls wait meanwhile."""
        async with self._alone_with(cluster):
            leader = self._led.pop(cluster, None)
            if leader is None:
                return
            self._show(cluster, None)
            await leader.leave(HAND_OVER_TIMEOUT_S)
            epoch = leader.fence.epoch
            try:
                moved = bool(to) and await self._around.database.run(
                    lambda dialect: leadership.hand_over(dialect, cluster, epoch, candidate, to)
                )
                if not moved:
                    await self._around.database.run(lambda _: leadership.release(cluster, epoch, candidate))
            except errors.Unavailable as error:
                _log.warning("lease_not_handed_over", cluster=cluster, error=str(error))
            else:
                _log.info("leadership_handed_over", cluster=cluster, epoch=epoch, to=to if moved else "")

    # ------------------------------------------------------------------------------------------------- taking

    @contextlib.asynccontextmanager
    async def _alone_with(self, cluster: str) -> AsyncIterator[None]:
        """One at a time finds out about a cluster, or changes who leads it."""
        while (taking := self._taking.get(cluster)) is not None:
            await asyncio.wait((taking,))
        done = self._taking[cluster] = asyncio.get_running_loop().create_future()
        try:
            yield
        finally:
            del self._taking[cluster]
            done.set_result(None)

    async def _look(self, cluster: str) -> None:
        """Find out who leads, at most once at a time for a cluster; who waited for another's look has its result."""
        if (taking := self._taking.get(cluster)) is not None:
            await asyncio.wait((taking,))
            return
        async with self._alone_with(cluster):
            if cluster in self._led or cluster in self._elsewhere:
                return
            candidate = await self._candidacy
            lease = await self._around.database.read(lambda dialect: leadership.read(dialect, cluster))
            ended = self.presence.ended
            if (
                lease is None
                or lease.expired
                or lease.session in ended
                or (candidate.alone and lease.holder != candidate.holder)
            ):
                if self._leaving:
                    raise leadership.no_leader(cluster)
                lease = await self._around.database.run(
                    lambda dialect: leadership.take_over(dialect, cluster, candidate, ended=ended)
                )
            if lease.holder != candidate.holder:
                self._elsewhere[cluster] = Elsewhere(lease.address, lease.holder, lease.epoch)
            elif self._leaving:
                raise leadership.no_leader(cluster)
            else:
                self._lead(lease)

    def _lead(self, lease: leadership.Lease) -> None:
        fence = settling.Fence(lease.cluster, lease.holder, lease.epoch)
        leader = cluster_scheduler.ClusterScheduler(fence, self._around, standby=self._standbys.take(lease.cluster))
        self._led[lease.cluster] = leader
        self._show(lease.cluster, lease.epoch)
        self._around.measured.taken += 1
        # In a context of its own: it outlives the request that found the lease, and is nobody's.
        contextvars.Context().run(self._supervisor.spawn, f"lead {lease.cluster}", self._run(leader))
        _log.info("leadership_taken", cluster=lease.cluster, epoch=lease.epoch)

    async def _run(self, leader: cluster_scheduler.ClusterScheduler) -> None:
        await leader.run()
        # Deposed, or handed over. A shutdown cancels instead, and then the lease is still to be released.
        if self._led.get(leader.fence.cluster) is leader:
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


def _looking(dialect: Dialect) -> steps.Step[tuple[list[peers.Peer], list[leadership.Lease], int]]:
    """End what would keep locks for ever, whosever it is, before a takeover waits for it; then the picture, and how many were ended."""
    frozen = (yield from steps.fetch(dialect.end_frozen)) if dialect.end_frozen else []
    found, leases = yield from _picture(dialect)
    return found, leases, len(frozen)


def _picture(dialect: Dialect) -> steps.Step[tuple[list[peers.Peer], list[leadership.Lease]]]:
    """Who is alive, and who leads what, as of one moment."""
    found = yield from peers.read(dialect)
    leases = yield from leadership.wanted(dialect)
    return found, leases
