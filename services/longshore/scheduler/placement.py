"""The decision: which instance takes which task. No I/O, no clock, the random source given.

A `Placement` decides one request after the other on its snapshot, in which what it takes is reserved at once, so each sees what the ones
before it took, and what its owner gives back or learns in between. `place` decides a whole list and leaves the snapshot as it was.
"""

import functools
import random as random_module
from collections.abc import Iterable
from dataclasses import dataclass
from typing import NamedTuple

import numpy as np

from longshore.scheduler import bulk, candidates, refusals, requirements, resources, shapes, snapshot, strategies


@dataclass(frozen=True)
class Request:
    """So many tasks of one shape, wherever they fit; or, with `targets`, one on each of these instances.

    `constraints` are the expressions of memberOf, of the request and of its definition.
    """

    needs: requirements.Needs
    group: str
    count: int = 1
    distinct: bool = False
    strategy: tuple[strategies.Strategy, ...] = ()
    targets: tuple[str, ...] = ()
    constraints: tuple[str, ...] = ()

    @functools.cached_property
    def shape(self) -> shapes.Shape:
        """What it asks of an instance."""
        return shapes.of(self.needs, self.group, self.distinct, self.constraints, self.strategy)

    @functools.cached_property
    def load(self) -> snapshot.Load:
        """What one of the tasks takes, but for what it is given by name."""
        return snapshot.Load(self.needs.cpu, self.needs.memory, self.needs.ports, self.group)


class Decision(NamedTuple):
    """Where the tasks of one request go, and why some go nowhere."""

    instances: tuple[str, ...]
    refused: tuple[refusals.Refusal, ...] = ()
    given: tuple[tuple[resources.Given, ...], ...] = ()
    """What each task was given of resources by name; empty where the shape asks for none."""


@dataclass(frozen=True, slots=True)
class Plan:
    """The decisions on a list of requests. `seen`: the membership they rest on; `at`: when they were made, by the caller's clock."""

    decisions: tuple[Decision, ...]
    seen: int
    at: int


class Placement:
    """Decisions on one snapshot, one after the other. The instances must stay the same meanwhile; what tasks hold may change."""

    def __init__(self, base: snapshot.Snapshot, random: random_module.Random) -> None:
        self._base = base
        self._random = random
        self._candidates = candidates.of(base)
        self._refused: dict[shapes.Shape, tuple[int, tuple[refusals.Refusal, ...]]] = {}

    def decide(self, request: Request) -> Decision:
        """Choose instances for a request, as many as can be found, and reserve there what its tasks take."""
        if request.targets:
            return self._decide_targets(request)
        if request.count >= bulk.LEAST:
            decision = self._decide_many(request)
            if decision is not None:
                return decision
        base, shape, load, random = self._base, request.shape, request.load, self._random.random
        chosen: list[str] = []
        given: list[tuple[resources.Given, ...]] = []
        for _ in range(request.count):
            row = self._candidates.choose(shape, random)
            if row is None:
                return Decision(tuple(chosen), self._refusals(request), tuple(given))
            if request.needs.shares:
                self._give(row, request, given)
            else:
                base.move(row, load, 1)
            chosen.append(base.ids[row])
        return Decision(tuple(chosen), (), tuple(given))

    def undo(self, request: Request, decision: Decision) -> None:
        """Give back what a decision has reserved."""
        for instance_id, given in zip(
            decision.instances, decision.given or ((),) * len(decision.instances), strict=True
        ):
            self._base.give_back(instance_id, load_with(request, given))

    def _decide_targets(self, request: Request) -> Decision:
        chosen: list[str] = []
        refused: list[refusals.Refusal] = []
        given: list[tuple[resources.Given, ...]] = []
        for target in request.targets:
            row = self._base.rows.get(target)
            refusal = refusals.of_target(self._base, target, row, request)
            if refusal is not None:
                refused.append(refusal)
            elif row is not None:
                if request.needs.shares:
                    self._give(row, request, given)
                else:
                    self._base.move(row, request.load, 1)
                chosen.append(target)
        return Decision(tuple(chosen), tuple(refused), tuple(given))

    def _decide_many(self, request: Request) -> Decision | None:
        source = np.random.default_rng(self._random.getrandbits(64))
        planned = bulk.plan(self._base, request.shape, request.count, source)
        if planned is None:
            return None
        rows, counts = planned
        load, base = request.load, self._base
        chosen: list[str] = []
        for row, count in zip(rows.tolist(), counts.tolist(), strict=True):
            base.move(row, _times(load, count), 1)
            chosen += [base.ids[row]] * count
        refused = self._refusals(request) if len(chosen) < request.count else ()
        return Decision(tuple(chosen), refused)

    def _give(self, row: int, request: Request, given: list[tuple[resources.Given, ...]]) -> None:
        """Deal resources by name out to one task, and reserve everything it takes."""
        fact = self._base.facts[row]
        offers = fact.offers if fact is not None else {}
        given.append(resources.give(request.needs.shares, offers, self._base.used(row)))
        self._base.move(row, load_with(request, given[-1]), 1)

    def _refusals(self, request: Request) -> tuple[refusals.Refusal, ...]:
        """Why no instance takes one more. The same for every request of a shape until something changes."""
        known = self._refused.get(request.shape)
        if known is not None and known[0] == self._base.changes:
            return known[1]
        found = refusals.of_all(self._base, request)
        self._refused[request.shape] = (self._base.changes, found)
        return found


def load_with(request: Request, given: tuple[resources.Given, ...]) -> snapshot.Load:
    """What one task takes, with what it was given by name."""
    load = request.load
    if not given:
        return load
    return snapshot.Load(load.cpu, load.memory, load.ports, load.group, named=resources.amounts(given))


def place(base: snapshot.Snapshot, requests: Iterable[Request], now: int, random: random_module.Random) -> Plan:
    """Decide for all requests, in order, each as if the ones before it were placed; the snapshot is left as it was."""
    placement = Placement(base, random)
    wanted = tuple(requests)
    decisions = tuple(placement.decide(request) for request in wanted)
    for request, decision in zip(wanted, decisions, strict=True):
        placement.undo(request, decision)
    return Plan(decisions, base.seen, now)


def _times(load: snapshot.Load, count: int) -> snapshot.Load:
    """What so many tasks take. Ports are taken once: an instance takes one task of such a shape."""
    return snapshot.Load(load.cpu * count, load.memory * count, load.ports, load.group, count)
