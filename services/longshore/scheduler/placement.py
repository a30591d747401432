"""The decision: which instance takes which task. Pure: works on copies of the snapshot's arrays, with the random source given.

A `Placement` decides one request after the other, each seeing what the ones before it took, so that its owner may pause between
requests; `place` decides a whole list. Within one placement room only shrinks, which is what makes the pools right: a row that
did not fit a shape once never will again, so it is struck out, and the draw among the others stays uniform.
"""

import copy
import random as random_module
from collections.abc import Iterable, Sequence
from dataclasses import dataclass, field

import numpy as np

from longshore.scheduler import refusals, requirements, resources, snapshot, strategies


@dataclass(frozen=True, slots=True)
class Request:
    """So many tasks of one shape, wherever they fit; or, with `targets`, one on each of these instances."""

    needs: requirements.Needs
    group: str
    count: int = 1
    distinct: bool = False
    strategy: tuple[strategies.Strategy, ...] = ()
    targets: tuple[str, ...] = ()

    @property
    def load(self) -> snapshot.Load:
        """What one of the tasks takes, but for what it is given by name."""
        return snapshot.Load(self.needs.cpu, self.needs.memory, self.needs.ports, self.group)


@dataclass(frozen=True, slots=True)
class Decision:
    """Where the tasks of one request go, and why some go nowhere."""

    instances: tuple[str, ...]
    refused: tuple[refusals.Refusal, ...] = ()
    given: tuple[tuple[resources.Given, ...], ...] = ()
    """What each task was given of resources by name; empty where the shape asks for none."""


@dataclass(slots=True)
class _Pool:
    """Rows that may still fit, the first `size` of `rows`."""

    rows: snapshot.Ints
    size: int

    def strike(self, place: int) -> None:
        self.size -= 1
        self.rows[place] = self.rows[self.size]


@dataclass(slots=True)
class Trial:
    """Copies of what a placement changes, beside the snapshot that it reads. `seen` is the membership it was decided on."""

    base: snapshot.Snapshot
    seen: int
    cpu_free: snapshot.Ints
    memory_free: snapshot.Ints
    ports: dict[int, set[int]] = field(default_factory=dict)
    used: dict[int, dict[str, resources.Used]] = field(default_factory=dict)
    """What tasks hold by name in the rows that this trial has changed, the snapshot's part included."""
    groups: dict[str, snapshot.Ints] = field(default_factory=dict)

    @classmethod
    def of(cls, base: snapshot.Snapshot) -> "Trial":
        """A trial on the snapshot as it is now."""
        return cls(base, base.seen, base.cpu - base.cpu_reserved, base.memory - base.memory_reserved)

    def fits(self, row: int, needs: requirements.Needs) -> bool:
        """Whether what changes within a trial still allows it. Attributes and the like do not change."""
        if self.cpu_free[row] < needs.cpu or self.memory_free[row] < needs.memory:
            return False
        if any(self.free(row, name) < count for name, count in needs.resources):
            return False
        return not any(self.port_taken(row, port) for port in needs.ports)

    def free(self, row: int, name: str) -> int:
        """How many of a resource are free in a row."""
        if row not in self.used:
            return self.base.free(row, name)
        fact = self.base.facts[row]
        offer = fact.offers.get(name, 0) if fact is not None else 0
        return resources.free(offer, self.used[row].get(name, resources.NOTHING))

    def give(self, row: int, shares: tuple[resources.Share, ...]) -> tuple[resources.Given, ...]:
        """Deal resources out to one task in a row that has enough."""
        fact = self.base.facts[row]
        if not shares or fact is None:
            return ()
        used = self.used.setdefault(row, {}) or copy.deepcopy(dict(self.base.used(row)))
        given = resources.give(shares, fact.offers, used)
        for name, amount in resources.amounts(given):
            used.setdefault(name, resources.Used()).add(amount, 1)
        self.used[row] = used
        return given

    def port_taken(self, row: int, port: int) -> bool:
        """Whether a task, or the instance itself, has this port."""
        return self.base.ports_of(port).get(row, 0) > 0 or row in self.ports.get(port, ())

    def port_mask(self, port: int) -> snapshot.Bools:
        """Per row, whether the port is taken."""
        mask = np.zeros(len(self.cpu_free), np.bool_)
        rows = [row for row, count in self.base.ports_of(port).items() if count > 0]
        rows += self.ports.get(port, ())
        mask[rows] = True
        return mask

    def has(self, name: str, count: int) -> snapshot.Bools:
        """Per row, whether so many of a resource are free. Few instances offer any, so rows are looked at one by one."""
        mask = np.zeros(len(self.cpu_free), np.bool_)
        for row, fact in enumerate(self.base.facts):
            if fact is not None and name in fact.offers:
                mask[row] = self.free(row, name) >= count
        return mask

    def group(self, name: str) -> snapshot.Ints:
        """Per row, how many tasks of a group it holds."""
        counts = self.groups.get(name)
        if counts is None:
            counts = self.groups[name] = np.zeros(len(self.cpu_free), np.int64)
            for row, count in self.base.group_counts(name).items():
                counts[row] = count
        return counts

    def take(self, row: int, request: Request) -> None:
        """Put one task of a request into a row."""
        self.cpu_free[row] -= request.needs.cpu
        self.memory_free[row] -= request.needs.memory
        for port in request.needs.ports:
            self.ports.setdefault(port, set()).add(row)
        self.group(request.group)[row] += 1

    def mask(self, request: Request) -> snapshot.Bools:
        """Per row, whether it can take one task of the request now."""
        needs = request.needs
        mask = self.base.active & self.base.connected
        if needs.attributes:
            mask &= self.base.mask(needs.attributes)
        mask &= self.cpu_free >= needs.cpu
        mask &= self.memory_free >= needs.memory
        for port in needs.ports:
            mask &= ~self.port_mask(port)
        for name, count in needs.resources:
            mask &= self.has(name, count)
        if request.distinct:
            mask &= self.group(request.group) == 0
        return mask


class Placement:
    """Decisions on one snapshot, one after the other. The snapshot must keep its rows meanwhile; what else changes in it is
    either more room, which is not needed, or a change of membership, which the commit finds by `seen`.
    """

    def __init__(self, base: snapshot.Snapshot, random: random_module.Random) -> None:
        self.trial = Trial.of(base)
        self._random = random
        self._pools: dict[tuple[requirements.Needs, str | None], _Pool] = {}
        self._refused: dict[tuple[requirements.Needs, str | None], tuple[refusals.Refusal, ...]] = {}

    def decide(self, request: Request) -> Decision:
        """Choose instances for a request, as many as can be found."""
        if request.targets:
            return self._decide_targets(request)
        chosen: list[str] = []
        given: list[tuple[resources.Given, ...]] = []
        refused: tuple[refusals.Refusal, ...] = ()
        for _ in range(request.count):
            row = self._choose(request)
            if row is None:
                refused = self._refusals(request)
                break
            self._take(row, request, given)
            chosen.append(self.trial.base.ids[row])
        return Decision(tuple(chosen), refused, tuple(given))

    def _decide_targets(self, request: Request) -> Decision:
        chosen: list[str] = []
        refused: list[refusals.Refusal] = []
        given: list[tuple[resources.Given, ...]] = []
        for target in request.targets:
            row = self.trial.base.rows.get(target)
            refusal = refusals.of_target(self.trial, target, row, request)
            if refusal is None and row is not None:
                self._take(row, request, given)
                chosen.append(target)
            elif refusal is not None:
                refused.append(refusal)
        return Decision(tuple(chosen), tuple(refused), tuple(given))

    def _take(self, row: int, request: Request, given: list[tuple[resources.Given, ...]]) -> None:
        self.trial.take(row, request)
        if request.needs.shares:
            given.append(self.trial.give(row, request.needs.shares))
        self._refused.clear()

    def _choose(self, request: Request) -> int | None:
        if request.strategy:
            rows = np.flatnonzero(self.trial.mask(request))
            return strategies.choose(self.trial, rows, request.group, request.strategy, self._random)
        pool = self._pool(request)
        while pool.size:
            place = self._random.randrange(pool.size)
            row = int(pool.rows[place])
            if self.trial.fits(row, request.needs) and not (request.distinct and self.trial.group(request.group)[row]):
                return row
            pool.strike(place)
        return None

    def _pool(self, request: Request) -> _Pool:
        key = (request.needs, request.group if request.distinct else None)
        pool = self._pools.get(key)
        if pool is None:
            rows = np.flatnonzero(self.trial.mask(request))
            pool = self._pools[key] = _Pool(rows, len(rows))
        return pool

    def _refusals(self, request: Request) -> tuple[refusals.Refusal, ...]:
        """Why no instance takes one more. The same for every request of a shape until something is taken."""
        key = (request.needs, request.group if request.distinct else None)
        known = self._refused.get(key)
        if known is None:
            known = self._refused[key] = refusals.of_all(self.trial, request)
        return known


def place(base: snapshot.Snapshot, requests: Iterable[Request], random: random_module.Random) -> Sequence[Decision]:
    """Decide for all requests, in order."""
    placement = Placement(base, random)
    return [placement.decide(request) for request in requests]
