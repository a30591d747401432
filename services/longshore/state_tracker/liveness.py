"""When an instance counts as gone: leases by the time its agent was last heard. Pure: times are passed in, in seconds.

The times are of one monotonic clock, that of the process which holds the sessions. How long a disconnected instance is waited for is
another matter, and judged by the database's clock.
"""

from collections import OrderedDict
from dataclasses import dataclass

# Heartbeats that one tracker takes in a second. Each costs about 0.1 ms; beyond this number agents are asked to speak less often.
MAX_HEARTBEATS_PER_S = 500
# A tick that comes later than this part of the shortest lease was held up together with everything the agents sent.
_LATE_TICK = 0.5


@dataclass(frozen=True, slots=True)
class Terms:
    """What an agent is told: speak every `heartbeat_s`; after `lease_s` of silence the session is over."""

    heartbeat_s: float
    lease_s: float


def terms(base: Terms, sessions: int) -> Terms:
    """The terms for one more session beside so many: stretched so that the tracker is not busy with heartbeats alone."""
    factor = max(1.0, (sessions + 1) / MAX_HEARTBEATS_PER_S / base.heartbeat_s)
    return Terms(base.heartbeat_s * factor, base.lease_s * factor)


@dataclass(frozen=True, slots=True)
class Expired:
    """A lease that ran out: nothing was heard of the instance's session with this epoch for so long."""

    instance_id: str
    cluster: str
    epoch: int
    silent_s: float


@dataclass(slots=True)
class _Lease:
    cluster: str
    epoch: int
    lease_s: float
    heard: float


class Leases:
    """The leases of the instances whose sessions this process holds, held until a moment ago, or has taken over."""

    def __init__(self) -> None:
        # By lease length, each in the order in which the instances were heard: only those that ran out are looked at.
        self._by_length: dict[float, OrderedDict[str, _Lease]] = {}
        self._lengths: dict[str, float] = {}
        self._ticked: float | None = None

    def __len__(self) -> int:
        return len(self._lengths)

    def open(self, instance_id: str, *, cluster: str, epoch: int, lease_s: float, now: float) -> None:
        """A lease begins; it takes the place of an older one of the instance."""
        self.drop(instance_id)
        self._by_length.setdefault(lease_s, OrderedDict())[instance_id] = _Lease(cluster, epoch, lease_s, now)
        self._lengths[instance_id] = lease_s

    def epoch(self, instance_id: str) -> int | None:
        """Epoch of the session that the instance's lease is of; None where there is no lease."""
        length = self._lengths.get(instance_id)
        return None if length is None else self._by_length[length][instance_id].epoch

    def hear(self, instance_id: str, epoch: int, now: float) -> None:
        """The agent has said something in the session with this epoch."""
        length = self._lengths.get(instance_id)
        if length is not None:
            leases = self._by_length[length]
            lease = leases[instance_id]
            if lease.epoch == epoch:
                lease.heard = now
                leases.move_to_end(instance_id)

    def drop(self, instance_id: str) -> None:
        """The instance is no longer waited for."""
        length = self._lengths.pop(instance_id, None)
        if length is not None:
            leases = self._by_length[length]
            del leases[instance_id]
            if not leases:
                del self._by_length[length]

    def tick(self, now: float) -> list[Expired]:
        """The leases that have run out; they are dropped. After a tick that was late all leases start anew instead."""
        late = self._ticked is not None and now - self._ticked > _LATE_TICK * min(self._by_length, default=now)
        self._ticked = now
        if late:
            for leases in self._by_length.values():
                for lease in leases.values():
                    lease.heard = now
            return []
        gone = [
            Expired(instance_id, lease.cluster, lease.epoch, now - lease.heard)
            for length, leases in self._by_length.items()
            for instance_id, lease in _expired(leases, now - length)
        ]
        for expired in gone:
            self.drop(expired.instance_id)
        return gone


def _expired(leases: OrderedDict[str, _Lease], before: float) -> list[tuple[str, _Lease]]:
    found = []
    for instance_id, lease in leases.items():
        if lease.heard > before:
            break
        found.append((instance_id, lease))
    return found


class Continuity:
    """For how long something has worked without a failure."""

    def __init__(self) -> None:
        self._since: float | None = None

    def succeeded(self, now: float) -> None:
        """It worked."""
        if self._since is None:
            self._since = now

    def failed(self) -> None:
        """It did not."""
        self._since = None

    def unbroken(self, now: float) -> float:
        """Seconds since it has worked without interruption."""
        return 0.0 if self._since is None else now - self._since
