"""The scheduler's core by itself: decisions one by one at 10,000 instances, each applied before the next, and identical tasks in bulk.

No database and no calls: what is measured is `longshore.scheduler.placement` on a snapshot. One by one, 84 shapes alternate (sizes,
constraints, strategies), and after each decision something else changes: four times out of five a task is released, else an instance gets
another attribute. Both halves of such a pair are within the time. A sample of the decisions is held to the naive reference of the tests,
replayed from what was recorded. Time is the process's own processor time: nothing is waited for, and
other work on the machine does not count.
"""

import argparse
import dataclasses
import itertools
import random
import time
from collections.abc import Callable, Iterator, Sequence
from pathlib import Path

from benchmarks import catalogue, figures
from longshore.scheduler import instances, placement, requirements, snapshot, strategies
from tests.property.scheduler import naive

INSTANCES = 10_000
FILLING = 40_000
"""Tasks that are there before anything is measured."""
DECISIONS = 30_000
ROUNDS = 3
CHECKED = 24
"""Decisions of the first round that are replayed: the reference takes a third of a second each."""
BULK = 300_000

GOAL_ONE_BY_ONE = 50_000.0
GOAL_BULK = 1_000_000.0

_CPU, _MEMORY = 16_384, 65_536
_ZONES, _RACKS, _TYPES = 3, 100, 8

_SIZES = ((128, 256), (256, 512), (256, 2048), (512, 1024), (1024, 1024), (2048, 8192))
_RANDOM: tuple[strategies.Strategy, ...] = ()
_HOSTS = strategies.Strategy(strategies.Kind.SPREAD, "instanceId")
_ZONED = strategies.Strategy(strategies.Kind.SPREAD, "attribute:zone")
_PACK_CPU = strategies.Strategy(strategies.Kind.BINPACK, "cpu")
_PACK_MEMORY = strategies.Strategy(strategies.Kind.BINPACK, "memory")
_CHAINS = (_RANDOM, (_HOSTS,), (_ZONED,), (_ZONED, _HOSTS), (_ZONED, _PACK_MEMORY), (_PACK_CPU,), (_PACK_MEMORY,))
_CONSTRAINTS = (
    (),
    ("attribute:type in [t1, t2, t3]",),
    ("attribute:zone != z2 and attribute:rack =~ 'r[0-4].*'",),
    ("not(task:group == solo)",),
)


def measure(_folder: Path, _options: argparse.Namespace) -> list[figures.Figure]:
    """Both figures."""
    return [_one_by_one(), _in_bulk()]


def shapes() -> list[placement.Request]:
    """The requests that alternate: every chain with every size, constraints in turn, seven groups of twelve."""
    pairs = itertools.product(_SIZES, _CHAINS)
    made = [
        placement.Request(
            needs=requirements.Needs(cpu, memory, attributes=attributes),
            group=f"group-{number % 12}" if number else "solo",
            strategy=chain,
            constraints=_CONSTRAINTS[number % 4],
        )
        for number, (((cpu, memory), chain), attributes) in enumerate(
            itertools.product(pairs, ((), (requirements.Attribute("linux"),)))
        )
    ]
    assert len({request.shape for request in made}) >= 64
    return made


def fact(number: int, revision: int, source: random.Random) -> instances.Instance:
    """An instance; what it is called stays, its type may change."""
    return instances.Instance(
        instance_id=f"{number:032x}",
        status=instances.ACTIVE,
        connected=True,
        membership_revision=revision,
        cpu=_CPU,
        memory=_MEMORY,
        attributes={
            "linux": "",
            "zone": f"z{number % _ZONES}",
            "rack": f"r{number % _RACKS}",
            "type": f"t{source.randrange(_TYPES)}",
        },
    )


@dataclasses.dataclass
class Life:
    """A cluster whose decisions and changes are recorded, so that they can be replayed."""

    source: random.Random
    base: snapshot.Snapshot = dataclasses.field(default_factory=snapshot.Snapshot)
    facts: list[instances.Instance] = dataclasses.field(default_factory=list)
    held: list[tuple[str, snapshot.Load]] = dataclasses.field(default_factory=list)

    def fill(self, requests: Sequence[placement.Request]) -> None:
        """All instances, and the tasks that are there before."""
        self.facts = [fact(number, 1, self.source) for number in range(INSTANCES)]
        for one in self.facts:
            self.base.apply(one)
        placing = placement.Placement(self.base, self.source)
        for request in itertools.islice(itertools.cycle(requests), FILLING):
            self.held += [(name, request.load) for name in placing.decide(request).instances]

    def changes(self, count: int, revision: int) -> list[Callable[[], object]]:
        """What happens between decisions, made beforehand so that making it costs nothing then."""
        made: list[Callable[[], object]] = []
        for number in range(count):
            if number % 5 == 4:
                which = self.source.randrange(INSTANCES)
                self.facts[which] = fact(which, revision + number, self.source)
                made.append(_Applied(self.base, self.facts[which]))
            else:
                place = self.source.randrange(len(self.held))
                self.held[place], self.held[-1] = self.held[-1], self.held[place]
                made.append(_Released(self.base, *self.held.pop()))
        return made


@dataclasses.dataclass(frozen=True, slots=True)
class _Applied:
    base: snapshot.Snapshot
    fact: instances.Instance

    def __call__(self) -> None:
        self.base.apply(self.fact)


@dataclasses.dataclass(frozen=True, slots=True)
class _Released:
    base: snapshot.Snapshot
    name: str
    load: snapshot.Load

    def __call__(self) -> None:
        self.base.give_back(self.name, self.load)


def _one_by_one() -> figures.Figure:
    requests = shapes()
    life = Life(random.Random(1))
    life.fill(requests)
    before = _Plain(life)
    rates: list[float] = []
    checked = 0
    placing = placement.Placement(life.base, life.source)
    for round_number in range(ROUNDS):
        wanted = list(itertools.islice(itertools.cycle(requests), DECISIONS))
        changes = life.changes(DECISIONS, revision=2 + round_number * DECISIONS)
        decided: list[placement.Decision] = []
        begun = time.process_time()
        for request, change in zip(wanted, changes, strict=True):
            decided.append(placing.decide(request))
            change()
        rates.append(DECISIONS / (time.process_time() - begun))
        if not round_number:
            checked = before.replay(zip(wanted, decided, changes, strict=True))
        life.held += [
            (name, request.load)
            for request, decision in zip(wanted, decided, strict=True)
            for name in decision.instances
        ]
    return figures.Figure(
        "decisions one by one, in the core",
        figures.median(rates),
        "/s",
        goal=figures.at_least(GOAL_ONE_BY_ONE, "/s"),
        samples=rates,
        notes=(
            f"{INSTANCES} instances, {len({request.shape for request in requests})} shapes in turn, each decision applied and followed by "
            f"a release or a change of an attribute; {checked} decisions equal to the naive reference's"
        ),
    )


class _Plain:
    """The naive reference's cluster, as it was before the first round."""

    def __init__(self, life: Life) -> None:
        self._cluster = {one.instance_id: naive.Instance(one) for one in life.facts}
        for name, load in life.held:
            self._cluster[name].loads.append(load)

    def replay(self, steps: Iterator[tuple[placement.Request, placement.Decision, Callable[[], object]]]) -> int:
        """Do it all again, and hold every so-many-th decision to the reference; gives how many were."""
        checked = 0
        for number, (request, decision, change) in enumerate(steps):
            if number % (DECISIONS // CHECKED) == number // (DECISIONS // CHECKED):
                best = naive.best(self._cluster, request)
                assert set(decision.instances) <= best, f"decision {number} is none of the best"
                assert bool(decision.instances) == bool(best), f"decision {number} found nothing"
                checked += 1
            for name in decision.instances:
                self._cluster[name].loads.append(request.load)
            if isinstance(change, _Applied):
                self._cluster[change.fact.instance_id].fact = change.fact
            elif isinstance(change, _Released):
                self._cluster[change.name].loads.remove(change.load)
        return checked


def _in_bulk() -> figures.Figure:
    source = random.Random(2)
    rates: dict[str, list[float]] = {}
    for _ in range(ROUNDS):
        for name, chain in {"random": _RANDOM, "spread": (_HOSTS,), "binpack": (_PACK_CPU,)}.items():
            base = snapshot.Snapshot()
            for number in range(INSTANCES):
                base.apply(fact(number, 1, source))
            placing = placement.Placement(base, source)
            needs = requirements.Needs(256, 512, attributes=(requirements.Attribute("linux"),))
            request = placement.Request(needs, "bulk", BULK, strategy=chain)
            begun = time.process_time()
            decision = placing.decide(request)
            rates.setdefault(name, []).append(BULK / (time.process_time() - begun))
            assert len(decision.instances) == BULK
            assert int((base.cpu - base.cpu_free).sum()) == BULK * 256
            assert (base.cpu_free >= 0).all()
    slowest = min(rates, key=lambda name: figures.median(rates[name]))
    return figures.Figure(
        "identical tasks in bulk, in the core",
        figures.median(rates[slowest]),
        "/s",
        goal=figures.at_least(GOAL_BULK, "/s"),
        samples=rates[slowest],
        parts={name: figures.median(found) for name, found in rates.items()},
        notes=f"{BULK} identical tasks in one request over {INSTANCES} instances, reserved; the slowest strategy, {slowest}",
    )


BENCHMARK = catalogue.Benchmark("placement", "the scheduler's core", measure)
