import random
from collections import Counter

from longshore.scheduler import instances, placement, refusals, requirements, snapshot, strategies
from longshore.storage import ports
from tests.unit.scheduler.shapes import cluster, instance, request


def place(base: snapshot.Snapshot, *wanted: placement.Request, seed: int = 1) -> list[placement.Decision]:
    return list(placement.place(base, wanted, 0, random.Random(seed)).decisions)


def test_the_choice_is_uniform_among_those_that_fit() -> None:
    base = cluster(*(instance(f"i{n}", cpu=10**6, memory=10**6) for n in range(4)), instance("small", cpu=1))
    (decision,) = place(base, request(count=4000))
    counts = Counter(decision.instances)
    assert set(counts) == {"i0", "i1", "i2", "i3"}
    assert all(900 < count < 1100 for count in counts.values())


def test_a_decision_changes_nothing_in_the_snapshot_and_sees_the_ones_before_it() -> None:
    base = cluster(instance("a", cpu=512))
    first, second = place(base, request(count=1), request(count=2))
    assert (first.instances, second.instances) == (("a",), ("a",))
    assert [(refusal.reason, refusal.detail) for refusal in second.refused] == [
        (refusals.CPU, "needs 256 CPU units, 0 of 512 free")
    ]
    assert base.reserved(0).cpu == 0


def test_every_test_that_fails_is_in_the_detail_and_the_first_is_the_reason() -> None:
    base = cluster(
        instance(
            "a", cpu=100, memory=64, connected=False, reserved_ports=frozenset({ports.tcp(22)}), attributes={"z": "1"}
        )
    )
    base.reserve("a", snapshot.Load(50, 0, group="g"))
    wanted = request(ports=(ports.tcp(22),), attributes=(requirements.Attribute("z", "2"),), distinct=True)
    (decision,) = place(base, wanted)
    (refusal,) = decision.refused
    assert (refusal.instance, refusal.reason) == ("a", refusals.AGENT)
    assert refusal.detail == (
        "the agent is not connected; lacks z=2; needs 256 CPU units, 50 of 100 free; "
        "needs 128 MiB memory, 64 of 64 free; needs ports that are taken: 22/tcp; holds 1 of group g already"
    )


def test_an_instance_that_is_not_active_is_no_candidate_and_not_listed() -> None:
    base = cluster(instance("a", status=instances.DRAINING))
    (decision,) = place(base, request())
    assert decision == placement.Decision(())
    assert base.candidates == 0


def test_the_nearest_misses_come_first_and_the_rest_is_summed_up() -> None:
    far = [instance(f"f{n:03}", cpu=1, memory=1) for n in range(120)]
    off = [instance(f"o{n:03}", connected=False, cpu=1, memory=1) for n in range(30)]
    base = cluster(*far, *off, instance("near", cpu=255))
    (decision,) = place(base, request())
    assert len(decision.refused) == refusals.LISTED
    assert decision.refused[0].instance == "near"
    assert decision.refused[0].detail == (
        "needs 256 CPU units, 255 of 255 free. Nearest of 151 instances: 121 RESOURCE:CPU, 30 AGENT; the nearest 100 are listed"
    )


def test_targets_are_taken_one_by_one_with_a_reason_for_each_that_is_not() -> None:
    base = cluster(
        instance("ok"),
        instance("draining", status=instances.DRAINING),
        instance("off", connected=False),
        instance("full", cpu=10),
    )
    base.reserve("ghost", snapshot.Load(1, 1))
    (decision,) = place(base, request(targets=("ok", "draining", "off", "full", "nobody", "ghost")))
    assert decision.instances == ("ok",)
    assert {refusal.instance: refusal.reason for refusal in decision.refused} == {
        "draining": refusals.INACTIVE,
        "off": refusals.AGENT,
        "full": refusals.CPU,
        "nobody": refusals.MISSING,
        "ghost": refusals.MISSING,
    }


def test_a_port_is_taken_once_per_instance_within_one_placement_too() -> None:
    base = cluster(instance("a"), instance("b"))
    wanted = request(count=3, ports=(ports.udp(53),))
    (decision,) = place(base, wanted)
    assert sorted(decision.instances) == ["a", "b"]
    tcp = request(count=2, ports=(ports.tcp(53),))
    assert len(place(base, tcp)[0].instances) == 2


def test_binpack_fills_the_fullest_and_spread_the_emptiest() -> None:
    base = cluster(instance("a", cpu=2048), instance("b", cpu=1024), instance("c", cpu=4096))
    pack = (strategies.Strategy(strategies.Kind.BINPACK, "cpu"),)
    assert place(base, request(count=5, strategy=pack))[0].instances == ("b",) * 4 + ("a",)
    spread = (strategies.Strategy(strategies.Kind.SPREAD, "instanceId"),)
    assert sorted(place(base, request(count=6, strategy=spread))[0].instances) == ["a", "a", "b", "b", "c", "c"]


def test_spread_by_attribute_counts_whole_buckets_and_the_next_strategy_decides_within() -> None:
    base = cluster(
        instance("a1", attributes={"zone": "a"}, cpu=900),
        instance("a2", attributes={"zone": "a"}, cpu=800),
        instance("b1", attributes={"zone": "b"}),
        instance("none"),
    )
    base.reserve("a1", snapshot.Load(0, 0, group="g"))
    chain = (
        strategies.Strategy(strategies.Kind.SPREAD, "attribute:zone"),
        strategies.Strategy(strategies.Kind.BINPACK, "cpu"),
    )
    decision = place(base, request(count=3, strategy=chain))[0]
    assert set(decision.instances[:2]) == {"b1", "none"}
    again = place(base, request(count=1, group="other", strategy=chain), seed=3)[0].instances
    assert again[0] in {"a2", "b1", "none"}
    base.reserve("b1", snapshot.Load(0, 0, group="g", tasks=2))
    base.reserve("none", snapshot.Load(0, 0, group="g", tasks=2))
    assert place(base, request(strategy=chain))[0].instances == ("a2",)


def test_the_snapshot_may_grow_under_the_sets_of_its_rows() -> None:
    base = cluster(instance("first", attributes={"x": "1"}))
    wanted = request(attributes=(requirements.Attribute("x", "1"),), ports=(ports.tcp(1),))
    assert place(base, wanted)[0].instances == ("first",)
    base.reserve("first", wanted.load)
    for number in range(200):
        base.apply(instance(f"n{number}", attributes={"x": "1" if number == 150 else "2"}))
    assert place(base, wanted)[0].instances == ("n150",)


def test_an_older_row_of_an_instance_changes_nothing() -> None:
    base = cluster(instance("a", cpu=100, revision=5))
    assert not base.apply(instance("a", cpu=999, revision=4))
    assert not base.apply(instance("a", cpu=999, revision=5))
    assert base.cpu[0] == 100
    assert base.apply(instance("a", cpu=50, revision=6))
    assert base.cpu[0] == 50
