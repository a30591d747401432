"""Placement as plainly as it can be said, ten lines a rule: what the real one is held to. Slow, and without a thought of speed."""

from collections import Counter
from collections.abc import Callable, Iterable, Mapping
from dataclasses import dataclass, field

from longshore.query import evaluation
from longshore.scheduler import instances, placement, refusals, snapshot, strategies


@dataclass
class Instance:
    """One instance and what its tasks hold."""

    fact: instances.Instance
    loads: list[snapshot.Load] = field(default_factory=list)

    @property
    def cpu(self) -> int:
        return self.fact.cpu - sum(load.cpu for load in self.loads)

    @property
    def memory(self) -> int:
        return self.fact.memory - sum(load.memory for load in self.loads)

    @property
    def ports(self) -> set[int]:
        return set(self.fact.reserved_ports).union(*(load.ports for load in self.loads))

    @property
    def groups(self) -> Counter[str]:
        return Counter(load.group for load in self.loads for _ in range(load.tasks))

    def free(self, name: str) -> int:
        offer = self.fact.offers.get(name, 0)
        taken = [amount for load in self.loads for key, amount in load.named if key == name]
        if isinstance(offer, int):
            return offer - sum(amount if isinstance(amount, int) else len(amount) for amount in taken)
        return len(set(offer) - {one for amount in taken if not isinstance(amount, int) for one in amount})

    def reason(self, wanted: placement.Request) -> str | None:
        """The first test that it fails."""
        load = evaluation.Load(len(list(self.groups.elements())), set(self.groups))
        tests: Mapping[str, Callable[[], bool]] = {
            refusals.AGENT: lambda: self.fact.connected,
            refusals.ATTRIBUTE: lambda: not self.fact.lacks(wanted.needs.attributes),
            refusals.CPU: lambda: self.cpu >= wanted.needs.cpu,
            refusals.MEMORY: lambda: self.memory >= wanted.needs.memory,
            refusals.PORTS: lambda: self.ports.isdisjoint(wanted.needs.ports),
            **{f"RESOURCE:{name}": lambda n=name, c=count: self.free(n) >= c for name, count in wanted.needs.resources},  # type: ignore[misc] # bound now
            refusals.DISTINCT: lambda: not wanted.distinct or not self.groups[wanted.group],
            refusals.MEMBER_OF: lambda: all(
                evaluation.compiled(text).holds(self.fact, load) for text in wanted.constraints
            ),
        }
        return next((reason for reason, passes in tests.items() if not passes()), None)


Cluster = dict[str, Instance]


def fitting(cluster: Cluster, wanted: placement.Request) -> set[str]:
    """The instances that take one task."""
    return {name for name, one in cluster.items() if one.fact.status == instances.ACTIVE and one.reason(wanted) is None}


def best(cluster: Cluster, wanted: placement.Request) -> set[str]:
    """Those of them that are best by the whole chain: any one of them is right."""
    left = fitting(cluster, wanted)
    attributes: tuple[str, ...] = ()
    for strategy in wanted.strategy:
        if strategy.kind is strategies.Kind.RANDOM:
            break
        attributes = (*attributes, strategy.attribute) if strategy.attribute else attributes
        ranks = ranked(cluster, left, wanted.group, strategy, attributes)
        left = {name for name in left if ranks[name] == min(ranks.values())}
    return left


def ranked(
    cluster: Cluster, names: set[str], group: str, strategy: strategies.Strategy, attributes: tuple[str, ...]
) -> dict[str, int]:
    """By name its rank: the smaller the better."""
    if strategy.packed:
        return {name: cluster[name].cpu if strategy.packed == "cpu" else cluster[name].memory for name in names}
    if strategy.hosts:
        return {name: cluster[name].groups[group] for name in names}
    tasks: Counter[tuple[str | None, ...]] = Counter()
    for one in cluster.values():
        tasks[values(one, attributes)] += one.groups[group]
    return {name: tasks[values(cluster[name], attributes)] for name in names}


def values(one: Instance, attributes: Iterable[str]) -> tuple[str | None, ...]:
    return tuple(one.fact.attributes.get(name) for name in attributes)


def refused(cluster: Cluster, wanted: placement.Request) -> dict[str, str | None]:
    """The reason of each instance that could have been a candidate."""
    return {name: one.reason(wanted) for name, one in cluster.items() if one.fact.status == instances.ACTIVE}
