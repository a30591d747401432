"""What a control plane's drill does, all of it decided beforehand by the seed: faults, what happens to hosts, and the calls. Pure.

When a fault strikes depends on how long the one before took to be over, so two runs of one plan are alike, not identical.
"""

import dataclasses
import random
from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from enum import StrEnum
from typing import Any


class Fault(StrEnum):
    """What goes wrong."""

    LEADER_KILL = "leader-kill"
    LEADER_PAUSE = "leader-pause"
    STANDBY_KILL = "standby-kill"
    STANDBY_PAUSE = "standby-pause"
    TRACKER_KILL = "tracker-kill"
    TRACKER_PAUSE = "tracker-pause"
    REGISTRY_KILL = "registry-kill"
    REGISTRY_PAUSE = "registry-pause"
    DATABASE_RESTART = "database-restart"
    DATABASE_CRASH = "database-crash"
    DATABASE_PAUSE = "database-pause"
    EVENTS_RESTART = "events-restart"
    EVENTS_PAUSE = "events-pause"
    EVENTS_LOST = "events-lost"
    LINE_CUT = "line-cut"
    LINE_HOLE = "line-hole"
    LINE_DEAF = "line-deaf"
    CLOCK_OFF = "clock-off"
    FLEET_PAUSE = "fleet-pause"


_TARGETS = {
    Fault.LEADER_KILL: "schedulers",
    Fault.LEADER_PAUSE: "schedulers",
    Fault.STANDBY_KILL: "schedulers",
    Fault.STANDBY_PAUSE: "schedulers",
    Fault.TRACKER_KILL: "trackers",
    Fault.TRACKER_PAUSE: "trackers",
    Fault.REGISTRY_KILL: "registries",
    Fault.REGISTRY_PAUSE: "registries",
    Fault.DATABASE_RESTART: "database",
    Fault.DATABASE_CRASH: "database",
    Fault.DATABASE_PAUSE: "database",
    Fault.EVENTS_RESTART: "events",
    Fault.EVENTS_PAUSE: "events",
    Fault.EVENTS_LOST: "events",
    Fault.LINE_CUT: "lines",
    Fault.LINE_HOLE: "lines",
    Fault.LINE_DEAF: "lines",
    Fault.CLOCK_OFF: "clocks",
    Fault.FLEET_PAUSE: "fleet",
}
"""What a fault is done to. Two at a time never have the same."""

_HELD = {
    Fault.LEADER_KILL: (0.0, 0.3),
    Fault.LEADER_PAUSE: (0.1, 1.0),
    Fault.STANDBY_KILL: (0.0, 0.3),
    Fault.STANDBY_PAUSE: (0.1, 1.0),
    Fault.TRACKER_KILL: (0.0, 0.5),
    Fault.TRACKER_PAUSE: (0.1, 2.5),
    Fault.REGISTRY_KILL: (0.0, 0.3),
    Fault.REGISTRY_PAUSE: (0.1, 1.0),
    Fault.DATABASE_RESTART: (0.0, 0.2),
    Fault.DATABASE_CRASH: (0.0, 0.3),
    Fault.DATABASE_PAUSE: (0.1, 0.8),
    Fault.EVENTS_RESTART: (0.0, 0.5),
    Fault.EVENTS_PAUSE: (0.2, 1.0),
    Fault.EVENTS_LOST: (0.5, 1.5),
    Fault.LINE_CUT: (0.1, 1.0),
    Fault.LINE_HOLE: (0.2, 1.3),
    Fault.LINE_DEAF: (0.2, 1.3),
    Fault.CLOCK_OFF: (0.3, 1.0),
    Fault.FLEET_PAUSE: (0.2, 1.3),
}
"""For how long, in parts of the pause that was asked for. A leader's lease is 2 s, an agent's 5 s, a tracker's 10 s: some outlast them."""

_DOUBLED = 0.3
"""How often two faults come together."""

_GAP = (0.05, 0.3)
"""From one strike's end to the next, in the same parts."""


@dataclass(frozen=True, slots=True)
class Blow:
    """One fault of a strike: how long after the strike's beginning, and for how long."""

    fault: Fault
    delay_s: float
    hold_s: float
    draw: float
    """A number below 1 that chooses among what there is when it strikes."""
    variant: float
    """Another, that chooses how."""


@dataclass(frozen=True, slots=True)
class Strike:
    """What goes wrong at once, so many seconds after the strike before was over."""

    number: int
    gap_s: float
    blows: tuple[Blow, ...]


def strikes(seed: int, faults: Sequence[Fault], pause_s: float) -> Iterator[Strike]:
    """Without end. Each of the faults comes once before any comes twice, so all come equally often."""
    source = random.Random(f"strikes {seed}")  # noqa: S311 - a plan, not a secret
    number = 0
    while True:
        for fault in source.sample(sorted(faults), len(faults)):
            gap_s = source.uniform(*_GAP) * pause_s
            blows = [_blow(source, fault, pause_s)]
            others = sorted(other for other in faults if _TARGETS[other] != _TARGETS[fault])
            if others and source.random() < _DOUBLED:
                other = _blow(source, source.choice(others), pause_s)
                blows.append(dataclasses.replace(other, delay_s=source.random() * blows[0].hold_s))
            yield Strike(number, gap_s, tuple(blows))
            number += 1


def _blow(source: random.Random, fault: Fault, pause_s: float) -> Blow:
    return Blow(fault, 0.0, source.uniform(*_HELD[fault]) * pause_s, source.random(), source.random())


# ------------------------------------------------------------------------------------------------ hosts

_HOST_GAP = (0.5, 1.3)
"""From one failure of hosts to the next, in parts of the pause."""

_HOST_HELD = {
    "crash": (0.3, 4.0),
    "silent": (0.3, 4.0),
    "flap": (0.5, 1.0),
    "slow": (1.0, 2.0),
    "wrong-clock": (1.0, 4.0),
}
"""How long each lasts, in the same parts. Some are down or silent for longer than after which they are given up (12 s)."""

_LEAST_HIT = 1
_SHARE_HIT = 0.02


def hosts(seed: int, seconds: float, instances: int, pause_s: float) -> list[dict[str, Any]]:
    """What happens to simulated hosts in that time, as `longshore simulate --failures` reads it."""
    source = random.Random(f"hosts {seed}")  # noqa: S311 - a plan, not a secret
    script: list[dict[str, Any]] = []
    at = source.uniform(*_HOST_GAP) * pause_s
    while at < seconds:
        kind = source.choice(sorted(_HOST_HELD))
        own = {"flap": {"every": 1.0}, "slow": {"factor": 5.0}}.get(kind, {})
        if kind == "wrong-clock":
            own = {"offset": source.choice((-1, 1)) * source.uniform(60.0, 900.0)}
        hit = source.randint(_LEAST_HIT, max(_LEAST_HIT, round(instances * _SHARE_HIT)))
        lasts = round(source.uniform(*_HOST_HELD[kind]) * pause_s, 1)
        script.append({"at": round(at, 1), "what": kind, "count": hit, "for": lasts, **own})
        at += source.uniform(*_HOST_GAP) * pause_s
    return script


# ------------------------------------------------------------------------------------------------ calls


class Operation(StrEnum):
    """What a client does next."""

    RUN = "run"
    """RunTask under a client token, repeated while the answer is UNAVAILABLE."""
    RUN_ONCE = "run-once"
    """RunTask without a token and without repetition: what is unknown stays unknown."""
    RUN_MANY = "run-many"
    """RunTasks, the bulk form."""
    WAIT = "wait"
    """RunTask that waits for capacity, so long and with such a priority as the plan says."""
    START = "start"
    """StartTask on an instance of its choice, which takes no token."""
    STOP = "stop"
    """StopTask of a task that this client was told of."""
    RETIRE = "retire"
    """Register a revision, run it, deregister it, and run it again, which must be refused."""
    DRAIN = "drain"
    """Drain an instance for a while."""


_WEIGHTS = {
    Operation.RUN: 50,
    Operation.RUN_ONCE: 10,
    Operation.RUN_MANY: 3,
    Operation.WAIT: 10,
    Operation.START: 8,
    Operation.STOP: 20,
    Operation.RETIRE: 2,
    Operation.DRAIN: 2,
}


@dataclass(frozen=True, slots=True)
class Planned:
    """A call that is to be made."""

    key: str
    """Names it; the tasks of it bear that as `startedBy`."""
    operation: Operation
    pause_s: float
    family: str
    count: int
    draw: float
    hold_s: float
    wait_s: int
    """For how long its tasks wait for capacity, where they do."""
    looks: bool
    """Whether it looks at once for what it was told."""


def calls(seed: int, caller: int, mean_pause_s: float, families: Sequence[str]) -> Iterator[Planned]:
    """The calls of one client, one after the other, without end."""
    source = random.Random(f"calls {seed} {caller}")  # noqa: S311 - a plan, not a secret
    number = 0
    while True:
        yield Planned(
            key=f"c{caller}-{number}",
            operation=source.choices(list(_WEIGHTS), list(_WEIGHTS.values()))[0],
            pause_s=source.expovariate(1 / mean_pause_s),
            family=source.choice(families),
            count=source.choice((1, 1, 1, 2, 3)),
            draw=source.random(),
            hold_s=source.uniform(0.5, 4.0),
            wait_s=source.randint(2, 60),
            looks=source.random() < 0.3,
        )
        number += 1
