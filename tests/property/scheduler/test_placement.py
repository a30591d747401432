"""The decision against a naive reference, on random clusters."""

import random
from collections import Counter, defaultdict
from dataclasses import dataclass, field

from hypothesis import given
from hypothesis import strategies as st

from longshore.scheduler import instances, placement, refusals, requirements, snapshot, strategies

GROUPS = ("g", "h")
PORTS = (80, 443, 65536 + 53)


@dataclass
class Naive:
    """One instance, ten lines a rule."""

    fact: instances.Instance
    cpu: int
    memory: int
    ports: set[int] = field(default_factory=set)
    groups: Counter[str] = field(default_factory=Counter)

    def reason(self, wanted: placement.Request) -> str | None:
        needs = wanted.needs
        if not self.fact.connected:
            return refusals.AGENT
        for attribute in needs.attributes:
            value = self.fact.attributes.get(attribute.name)
            if value is None or attribute.value not in {None, value}:
                return refusals.ATTRIBUTE
        if self.cpu < needs.cpu:
            return refusals.CPU
        if self.memory < needs.memory:
            return refusals.MEMORY
        if self.ports & set(needs.ports):
            return refusals.PORTS
        return refusals.DISTINCT if wanted.distinct and self.groups[wanted.group] else None

    def take(self, wanted: placement.Request) -> None:
        self.cpu -= wanted.needs.cpu
        self.memory -= wanted.needs.memory
        self.ports |= set(wanted.needs.ports)
        self.groups[wanted.group] += 1


def best(cluster: dict[str, Naive], wanted: placement.Request) -> set[str]:
    """The instances that one more task may go to, by the whole chain."""
    fitting = {
        name for name, one in cluster.items() if one.fact.status == instances.ACTIVE and one.reason(wanted) is None
    }
    for strategy in wanted.strategy:
        ranks = {name: rank(cluster, name, wanted.group, strategy) for name in fitting}
        fitting = {name for name in fitting if ranks[name] == min(ranks.values())}
    return fitting


def rank(cluster: dict[str, Naive], name: str, group: str, strategy: strategies.Strategy) -> int:
    one = cluster[name]
    if strategy.kind is strategies.Kind.BINPACK:
        return one.cpu if strategy.field == "cpu" else one.memory
    if strategy.kind is strategies.Kind.SPREAD and strategy.field == "instanceId":
        return one.groups[group]
    if strategy.kind is strategies.Kind.SPREAD:
        bucket = one.fact.attributes.get("zone")
        return sum(other.groups[group] for other in cluster.values() if other.fact.attributes.get("zone") == bucket)
    return 0


@st.composite
def facts(draw: st.DrawFn, name: str) -> instances.Instance:
    zone = draw(st.sampled_from([None, "a", "b"]))
    return instances.Instance(
        instance_id=name,
        status=draw(st.sampled_from([instances.ACTIVE, instances.ACTIVE, instances.ACTIVE, instances.DRAINING])),
        connected=draw(st.sampled_from([True, True, True, False])),
        membership_revision=1,
        cpu=draw(st.integers(0, 8)),
        memory=draw(st.integers(0, 8)),
        reserved_ports=frozenset(draw(st.sets(st.sampled_from(PORTS), max_size=1))),
        attributes={} if zone is None else {"zone": zone},
    )


@st.composite
def clusters(draw: st.DrawFn) -> list[instances.Instance]:
    return [draw(facts(f"i{number}")) for number in range(draw(st.integers(0, 8)))]


@st.composite
def wanted_requests(draw: st.DrawFn) -> placement.Request:
    chain = st.sampled_from(
        [
            strategies.Strategy(strategies.Kind.RANDOM),
            strategies.Strategy(strategies.Kind.SPREAD, "instanceId"),
            strategies.Strategy(strategies.Kind.SPREAD, "attribute:zone"),
            strategies.Strategy(strategies.Kind.BINPACK, "cpu"),
            strategies.Strategy(strategies.Kind.BINPACK, "memory"),
        ]
    )
    return placement.Request(
        needs=requirements.Needs(
            cpu=draw(st.integers(0, 3)),
            memory=draw(st.integers(0, 3)),
            ports=tuple(sorted(draw(st.sets(st.sampled_from(PORTS), max_size=2)))),
            attributes=draw(
                st.sampled_from([(), (requirements.Attribute("zone"),), (requirements.Attribute("zone", "a"),)])
            ),
        ),
        group=draw(st.sampled_from(GROUPS)),
        count=draw(st.integers(1, 4)),
        distinct=draw(st.booleans()),
        strategy=tuple(draw(st.lists(chain, max_size=2))),
    )


@given(clusters(), st.lists(wanted_requests(), max_size=6), st.integers(0, 2**32))
def test_every_choice_and_every_refusal_agrees_with_the_naive_reference(
    made: list[instances.Instance], requests: list[placement.Request], seed: int
) -> None:
    base = snapshot.Snapshot()
    for fact in made:
        base.apply(fact)
    naive = {fact.instance_id: Naive(fact, fact.cpu, fact.memory, set(fact.reserved_ports)) for fact in made}
    for wanted, decision in zip(requests, placement.place(base, requests, random.Random(seed)), strict=True):
        for chosen in decision.instances:
            assert chosen in best(naive, wanted)
            naive[chosen].take(wanted)
        if len(decision.instances) < wanted.count:
            assert not best(naive, wanted)
            expected = {name: one.reason(wanted) for name, one in naive.items() if one.fact.status == instances.ACTIVE}
            assert {refusal.instance: refusal.reason for refusal in decision.refused} == expected


@given(clusters(), st.lists(wanted_requests(), max_size=8), st.integers(0, 2**32))
def test_nothing_is_ever_overcommitted(
    made: list[instances.Instance], requests: list[placement.Request], seed: int
) -> None:
    base = snapshot.Snapshot()
    for fact in made:
        base.apply(fact)
    held: defaultdict[str, list[snapshot.Load]] = defaultdict(list)
    source = random.Random(seed)
    for wanted in requests:
        (decision,) = placement.place(base, [wanted], source)
        for chosen in decision.instances:
            base.reserve(chosen, wanted.load)
            held[chosen].append(wanted.load)
        if held and source.random() < 0.3:
            name = source.choice(sorted(held))
            base.give_back(name, held[name].pop())
            if not held[name]:
                del held[name]
        for fact in made:
            loads = held.get(fact.instance_id, [])
            ports = [port for load in loads for port in load.ports]
            assert sum(load.cpu for load in loads) <= max(fact.cpu, 0)
            assert sum(load.memory for load in loads) <= max(fact.memory, 0)
            assert len(set(ports)) == len(ports)
            assert not set(ports) & fact.reserved_ports
