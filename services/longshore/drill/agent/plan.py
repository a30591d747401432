"""What a drill does, all of it decided beforehand: the same seed, the same tasks and faults in the same order. Pure.

When a fault strikes depends on how long the one before took to be over, so two runs of one plan are alike, not identical.
"""

import dataclasses
import random
from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from enum import StrEnum

from longshore.drill.agent import kinds


class Fault(StrEnum):
    """What goes wrong."""

    AGENT_KILL = "agent-kill"
    ENGINE_KILL = "engine-kill"
    ENGINE_PAUSE = "engine-pause"
    SESSION_CUT = "session-cut"
    SESSION_HOLE = "session-hole"
    AGENT_DISK_FULL = "agent-disk-full"
    ENGINE_DISK_FULL = "engine-disk-full"
    CONTAINER_REMOVE = "container-remove"


_TARGETS = {
    Fault.AGENT_KILL: "agent",
    Fault.ENGINE_KILL: "engine",
    Fault.ENGINE_PAUSE: "engine",
    Fault.CONTAINER_REMOVE: "engine",
    Fault.SESSION_CUT: "session",
    Fault.SESSION_HOLE: "session",
    Fault.AGENT_DISK_FULL: "agent's disk",
    Fault.ENGINE_DISK_FULL: "engine's disk",
}
"""What a fault is done to. Two at a time never have the same."""

_HELD = {
    Fault.AGENT_KILL: (0.0, 0.15),
    Fault.ENGINE_KILL: (0.0, 0.25),
    Fault.ENGINE_PAUSE: (1.0, 1.0),
    Fault.SESSION_CUT: (0.0, 0.25),
    Fault.SESSION_HOLE: (0.4, 1.0),
    Fault.AGENT_DISK_FULL: (0.4, 1.0),
    Fault.ENGINE_DISK_FULL: (0.4, 1.0),
    Fault.CONTAINER_REMOVE: (0.0, 0.0),
}
"""For how long, in parts of the pause that was asked for."""

_DOUBLED = 0.3
"""How often two faults come together."""

_LONGEST_GAP = 0.5
"""Between one fault's end and the next, in parts of the pause."""

_SHORTEST_GAP_S = 0.5
_STOPPED_EARLY = 0.15
"""How many of the tasks that would end by themselves are stopped before, some before they run."""


@dataclass(frozen=True, slots=True)
class Blow:
    """One fault of a strike: how long after the strike's beginning, and for how long."""

    fault: Fault
    delay_s: float
    hold_s: float
    draw: float
    """A number below 1 that chooses among what there is when it strikes."""


@dataclass(frozen=True, slots=True)
class Strike:
    """What goes wrong at once, so many seconds after the strike before was over."""

    number: int
    gap_s: float
    blows: tuple[Blow, ...]


@dataclass(frozen=True, slots=True)
class Planned:
    """A task that is to be run."""

    key: str
    kind: str
    pause_s: float
    """From the end of the one before in its place."""
    lasts_s: float
    code: int
    stop_after_s: float | None
    """Seconds after it was accepted; None: it ends by itself."""


def strikes(seed: int, faults: Sequence[Fault], pause_s: float) -> Iterator[Strike]:
    """Without end. Each of the faults comes once before any comes twice, so all come equally often."""
    source = random.Random(f"strikes {seed}")  # noqa: S311 - a plan, not a secret
    number = 0
    while True:
        for fault in source.sample(sorted(faults), len(faults)):
            gap_s = _SHORTEST_GAP_S + source.random() * _LONGEST_GAP * pause_s
            blows = [_blow(source, fault, pause_s)]
            others = sorted(other for other in faults if _TARGETS[other] != _TARGETS[fault])
            if others and source.random() < _DOUBLED:
                other = _blow(source, source.choice(others), pause_s)
                blows.append(dataclasses.replace(other, delay_s=source.random() * blows[0].hold_s))
            yield Strike(number, gap_s, tuple(blows))
            number += 1


def _blow(source: random.Random, fault: Fault, pause_s: float) -> Blow:
    return Blow(fault, 0.0, source.uniform(*_HELD[fault]) * pause_s, source.random())


def tasks(seed: int, place: int, longest_s: float) -> Iterator[Planned]:
    """The tasks of one place, one after the other, without end; none is to last longer than `longest_s`."""
    source = random.Random(f"tasks {seed} {place}")  # noqa: S311 - a plan, not a secret
    fitting = [kind for kind in kinds.KINDS.values() if kind.least_s <= longest_s]
    weights = [kind.weight for kind in fitting]
    number = 0
    while True:
        kind = source.choices(fitting, weights)[0]
        # Mostly short lives, some long ones; those that need their time get it.
        lasts_s = kind.least_s or source.random() ** 2 * longest_s
        stop_after_s = None if kind.ends else max(kind.least_s, source.random() * longest_s)
        if kind.ends and source.random() < _STOPPED_EARLY:
            stop_after_s = source.random() * lasts_s
        yield Planned(
            key=f"{place}-{number}",
            kind=kind.name,
            pause_s=source.random() * 2.0,
            lasts_s=_own_time(kind, lasts_s),
            code=source.choice((0, 0, 0, 1, 3, 42, 255)),
            stop_after_s=stop_after_s,
        )
        number += 1


def _own_time(kind: kinds.Kind, lasts_s: float) -> float:
    """How long its main container runs: one that is started again runs for half of the task's time."""
    return round(lasts_s / 2 if kind.restarts(kind.parts[-1]) else lasts_s, 1)
