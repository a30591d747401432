"""Random clusters, requests and changes, small enough that everything happens: seeded, for hypothesis and for campaigns."""

import dataclasses
import random

from longshore.scheduler import instances, placement, refusals, requirements, resources, snapshot, strategies
from tests.property.scheduler import naive

GROUPS = ("g", "h")
PORTS = (80, 443, 65536 + 53)
IDS = ("g0", "g1", "g2")

LINKS = (
    strategies.Strategy(strategies.Kind.RANDOM),
    strategies.Strategy(strategies.Kind.SPREAD, "instanceId"),
    strategies.Strategy(strategies.Kind.SPREAD, "attribute:zone"),
    strategies.Strategy(strategies.Kind.SPREAD, "attribute:rack"),
    strategies.Strategy(strategies.Kind.BINPACK, "cpu"),
    strategies.Strategy(strategies.Kind.BINPACK, "memory"),
)
EXPRESSIONS = (
    "attribute:zone == a",
    "attribute:zone exists and not(attribute:rack in [1, 2])",
    "attribute:rack > 1",
    "attribute:zone =~ '[ab]'",
    "task:group == g",
    "not(task:group == h)",
    "task:group =~ g.*",
    "runningTasksCount < 2",
    "runningTasksCount < 2 and attribute:zone != b",
    "agentConnected == true",
    "agentVersion >= 1.2",
)


def fact(source: random.Random, name: str, revision: int = 1) -> instances.Instance:
    attributes = {}
    if source.random() < 0.8:
        attributes["zone"] = source.choice("abc")
    if source.random() < 0.6:
        attributes["rack"] = source.choice("123")
    return instances.Instance(
        instance_id=name,
        status=instances.ACTIVE if source.random() < 0.85 else instances.DRAINING,
        connected=source.random() < 0.9,
        membership_revision=revision,
        cpu=source.randrange(12),
        memory=source.randrange(12),
        reserved_ports=frozenset(source.sample(PORTS, source.randrange(2))),
        offers={"GPU": tuple(IDS[: source.randrange(4)]), "licence": source.randrange(3)},
        attributes=attributes,
        agent_version=source.choice(["1.1.0", "1.2.0", ""]),
    )


def request(source: random.Random, *, most: int = 4) -> placement.Request:
    shares: list[resources.Share] = []
    if source.random() < 0.15:
        shares.append(resources.Share("main", source.choice(["GPU", "licence"]), source.randint(1, 2)))
    return placement.Request(
        needs=requirements.Needs(
            cpu=source.randrange(4),
            memory=source.randrange(4),
            ports=tuple(sorted(source.sample(PORTS, source.choice([0, 0, 0, 1, 2])))),
            attributes=source.choice(
                [(), (), (requirements.Attribute("zone"),), (requirements.Attribute("zone", "a"),)]
            ),
            shares=tuple(shares),
            resources=tuple((share.name, share.count) for share in shares),
        ),
        group=source.choice(GROUPS),
        count=source.randint(1, most),
        distinct=source.random() < 0.15,
        strategy=tuple(source.choices(LINKS, k=source.choice([0, 1, 1, 2, 2, 3]))),
        constraints=tuple(source.sample(EXPRESSIONS, source.choice([0, 0, 0, 1, 2]))),
    )


@dataclasses.dataclass
class World:
    """The same cluster twice: as the scheduler keeps it, and as the naive reference does."""

    source: random.Random
    base: snapshot.Snapshot = dataclasses.field(default_factory=snapshot.Snapshot)
    plain: naive.Cluster = dataclasses.field(default_factory=dict)
    revision: int = 1
    most: int = 10
    """Instances at the beginning, or fewer."""

    def __post_init__(self) -> None:
        for number in range(self.source.randint(self.most // 2 if self.most > 10 else 0, self.most)):
            self.apply(f"i{number}")

    def apply(self, name: str) -> None:
        """An instance comes, or changes: all of it, or its attributes alone."""
        self.revision += 1
        made = fact(self.source, name, self.revision)
        known = self.plain.get(name)
        if known is not None and self.source.random() < 0.5:
            made = dataclasses.replace(known.fact, attributes=made.attributes, membership_revision=self.revision)
        assert self.base.apply(made)
        if known is None:
            self.plain[name] = naive.Instance(made)
        else:
            known.fact = made

    def release(self) -> None:
        """Some task ends."""
        held = [(one, load) for one in self.plain.values() for load in one.loads]
        if held:
            one, load = self.source.choice(held)
            one.loads.remove(load)
            self.base.give_back(one.fact.instance_id, load)

    def check(self, placing: placement.Placement, wanted: placement.Request) -> None:
        """Decide and hold it to the reference: each task's instance is a best one, and nobody is refused who would fit."""
        decision = placing.decide(wanted)
        given = decision.given or ((),) * len(decision.instances)
        for name, taken in zip(decision.instances, given, strict=True):
            if wanted.count < 64:
                assert name in naive.best(self.plain, wanted), (name, naive.best(self.plain, wanted))
            else:
                assert name in naive.fitting(self.plain, wanted)
            self.plain[name].loads.append(placement.load_with(wanted, taken))
        if len(decision.instances) < wanted.count:
            assert not naive.best(self.plain, wanted)
            told = {refusal.instance: refusal.reason for refusal in decision.refused}
            expected = naive.refused(self.plain, wanted)
            assert told.items() <= expected.items()
            assert len(told) == min(len(expected), refusals.LISTED)
        for one in self.plain.values():
            row = self.base.rows[one.fact.instance_id]
            assert (self.base.cpu_at[row], self.base.memory_at[row]) == (one.cpu, one.memory)
