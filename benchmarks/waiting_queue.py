"""What 10,000 waiting tasks cost the scheduler when something ends in a full cluster: the queue for capacity by itself, no database.

At 1,000 full instances tasks of 100 shapes wait, none of which any free room takes, but for the smallest. A small task ends: the queue is
woken, one of those that wait takes the place, and the next small one ends. Measured is the processor time of a release with all that follows from it,
with 10,000 waiting, and with 100: it should hardly differ, for a release asks the shapes and not the queue.
"""

import argparse
import random
import time
from pathlib import Path

from benchmarks import catalogue, figures
from longshore.scheduler import instances, placement, requirements, snapshot, waitlist

INSTANCES = 1_000
WAITING = 10_000
FEW = 100
SHAPES = 100
RELEASES = 2_000
ROUNDS = 3
GOAL_US = 200.0

_CPU = 4_096
_SMALL = 32


def measure(_folder: Path, _options: argparse.Namespace) -> list[figures.Figure]:
    """The one figure."""
    many = [_release_us(WAITING) for _ in range(ROUNDS)]
    few = [_release_us(FEW) for _ in range(ROUNDS)]
    return [
        figures.Figure(
            "a task ends in a full cluster with 10,000 waiting",
            value=min(many),
            unit="µs",
            peer=min(few),
            peer_name=f"with {FEW} waiting",
            goal=figures.at_most(GOAL_US, "µs"),
            samples=many,
            peer_samples=few,
            notes=f"{INSTANCES:,} instances, {SHAPES} shapes; one release, one placement",
        )
    ]


def _release_us(waiting: int) -> float:
    """Processor time of one release, the look that it causes and the placement."""
    base = snapshot.Snapshot()
    for number in range(INSTANCES):
        base.apply(
            instances.Instance(
                f"{number:032x}", instances.ACTIVE, connected=True, membership_revision=1, cpu=_CPU, memory=_CPU
            )
        )
    source = random.Random(1)
    queue: waitlist.Waitlist[None] = waitlist.Waitlist(base, source)
    small = _ask(_SMALL)
    for name in base.ids:
        for _ in range(_CPU // _SMALL):
            base.reserve(name, small.load)
    for number in range(waiting):
        key = f"{number:08}"
        request = _ask(_SMALL * (2 + number % (SHAPES - 1)))
        queue.add(waitlist.Entry(key, number, 1 << 62, request, None, {key: None}))
    # Enough small ones that there is always one to take the place; they came first, so that nobody is overtaken.
    queue.add(waitlist.Entry("small", -1, 1 << 62, small, None, {f"s{n:08}": None for n in range(RELEASES)}))
    queue.settle(queue.look(0.0))
    names = [source.choice(base.ids) for _ in range(RELEASES)]
    began = time.process_time()
    for name in names:
        base.give_back(name, small.load)
        queue.gained([name])
        picks = queue.look(0.0)
        queue.settle(picks)
        assert len(picks) == 1
    return (time.process_time() - began) / RELEASES * 1e6


def _ask(cpu: int) -> placement.Request:
    return placement.Request(requirements.Needs(cpu, cpu), "g")


BENCHMARK = catalogue.Benchmark("waiting", "the queue for capacity", measure)
