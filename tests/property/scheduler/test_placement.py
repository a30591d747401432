"""The decision against the naive reference, on random clusters that change between decisions."""

import random
from collections import Counter

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from longshore.scheduler import (
    bits,
    bulk,
    candidates,
    columns,
    instances,
    levels,
    placement,
    requirements,
    snapshot,
    strategies,
)
from tests.property.scheduler import naive, worlds

UNTIMED = settings(deadline=None)
"""A machine that is busy is no fault."""

SHAPES = 5
STEPS = 30


TUNED = {
    "row by row": (candidates.SHAPES, 1, 0),
    "anew": (candidates.SHAPES, 10**9, columns.SMALL),
    "forgetful": (2, levels.MANY, columns.SMALL),
}
"""Shapes that are kept, the part of the rows from which on all are looked at anew, and rows of a bucket from which on it has a set."""


@pytest.fixture(params=TUNED)
def tuned(request: pytest.FixtureRequest, monkeypatch: pytest.MonkeyPatch) -> None:
    """What is tuned for large clusters, so that small ones meet every way of choosing."""
    shapes, many, small = TUNED[request.param]
    monkeypatch.setattr(candidates, "SHAPES", shapes)
    monkeypatch.setattr(candidates, "MANY", many)
    monkeypatch.setattr(levels, "MANY", many)
    monkeypatch.setattr(columns, "SMALL", small)
    monkeypatch.setattr(bits, "GUESSES", 0 if many == 1 else bits.GUESSES)


def live(source: random.Random, *, instances: int = 10, shapes: int = SHAPES, steps: int = STEPS) -> None:
    """A cluster's life: decisions of a few shapes, releases and changes of instances, all mixed."""
    world = worlds.World(source, most=instances)
    placing = placement.Placement(world.base, source)
    requests = [worlds.request(source) for _ in range(shapes)]
    for _ in range(steps):
        step = source.random()
        if step < 0.5:
            world.check(placing, source.choice(requests))
        elif step < 0.8:
            world.release()
        else:
            world.apply(f"i{source.randrange(instances + 2)}")


@pytest.mark.usefixtures("tuned")
def test_every_choice_and_every_refusal_agrees_with_the_naive_reference() -> None:
    for seed in range(200):
        try:
            live(random.Random(seed))
        except AssertionError as error:
            raise AssertionError(f"seed {seed}: {error}") from error


@pytest.mark.usefixtures("tuned")
def test_many_shapes_over_many_instances_agree_too() -> None:
    for seed in range(3):
        live(random.Random(seed), instances=100, shapes=64, steps=120)


@UNTIMED
@given(st.integers(0, 2**32))
def test_and_where_hypothesis_looks_too(seed: int) -> None:
    live(random.Random(seed))


def test_the_cluster_grows_under_its_sets() -> None:
    source = random.Random(7)
    world = worlds.World(source)
    placing = placement.Placement(world.base, source)
    requests = [worlds.request(source) for _ in range(SHAPES)]
    for number in range(140):
        world.apply(f"more{number}")
        world.check(placing, source.choice(requests))


SINGLE = ((), *(((link,)) for link in worlds.LINKS))


@UNTIMED
@given(st.integers(0, 2**32), st.sampled_from(SINGLE))
def test_many_at_once_come_to_what_one_by_one_comes_to(seed: int, chain: tuple[strategies.Strategy, ...]) -> None:
    """The same numbers of tasks by rank: for binpack the same instances, for spread the same levels, and all the room used."""
    source = random.Random(seed)
    world = worlds.World(source)
    needs = requirements.Needs(source.randint(0, 2), source.randint(1, 2))
    count = source.choice([bulk.LEAST, bulk.LEAST * 2])
    wanted = placement.Request(needs, "g", count, strategy=chain)
    one = placement.Request(needs, "g", 1, strategy=chain)
    at_once = placement.place(world.base, [wanted], 0, source).decisions[0].instances
    apart = [d.instances[0] for d in placement.place(world.base, [one] * count, 0, source).decisions if d.instances]
    assert len(at_once) == len(apart)
    if chain and chain[0].hosts:
        assert sorted(Counter(at_once).values()) == sorted(Counter(apart).values())
    world.check(placement.Placement(world.base, source), wanted)


def test_the_draw_of_many_is_as_even_as_the_draw_of_one() -> None:
    base = snapshot.Snapshot()
    for number in range(4):
        base.apply(instances.Instance(f"i{number}", instances.ACTIVE, True, 1, 10**6 if number else 100, 10**6))
    wanted = placement.Request(requirements.Needs(1, 1), "g", 4000)
    counts = Counter(placement.place(base, [wanted], 0, random.Random(3)).decisions[0].instances)
    assert counts["i0"] == 100
    assert all(1200 < counts[f"i{number}"] < 1400 for number in (1, 2, 3))


@UNTIMED
@given(st.integers(0, 2**32))
def test_a_plan_leaves_the_snapshot_as_it_was(seed: int) -> None:
    source = random.Random(seed)
    world = worlds.World(source)
    before = [(world.base.reserved(row), dict(world.base.held[row])) for row in range(len(world.base))]
    requests = [worlds.request(source) for _ in range(4)]
    plan = placement.place(world.base, requests, 17, source)
    assert [(world.base.reserved(row), dict(world.base.held[row])) for row in range(len(world.base))] == before
    assert (plan.seen, plan.at, len(plan.decisions)) == (world.base.seen, 17, 4)
    assert all(
        set(decision.instances) <= naive.fitting(world.plain, wanted)
        for wanted, decision in zip(requests[:1], plan.decisions[:1], strict=True)
        if wanted.count == 1
    )
