"""Leadership spread over schedulers: everybody deals alike, nobody is left out, gifts end, and what comes back gets what it had."""

from collections import Counter

from hypothesis import given
from hypothesis import strategies as st

from longshore.scheduler import spread

NAMES = [f"c{number:02}" for number in range(12)]
HOLDERS = [f"h{number}" for number in range(5)]


def members(holders: list[str], settled: bool = True) -> list[spread.Member]:  # noqa: FBT001, FBT002 - of all alike
    return [spread.Member(holder, f"10.0.0.{holder[1:]}:8702", settled=settled) for holder in holders]


worlds = st.tuples(
    st.lists(st.sampled_from(HOLDERS), unique=True, min_size=1),
    st.lists(st.tuples(st.sampled_from(NAMES), st.sampled_from(["", *HOLDERS])), unique_by=lambda one: one[0]),
)


def told(world: tuple[list[str], list[tuple[str, str]]]) -> tuple[list[spread.Member], list[spread.Held]]:
    """What is alive, and who leads; whoever is not alive leads nothing."""
    holders, leads = world
    return members(holders), [spread.Held(cluster, holder if holder in holders else "") for cluster, holder in leads]


def counts(alive: list[spread.Member], held: list[spread.Held]) -> list[int]:
    led = Counter(one.holder for one in held)
    return [led[member.holder] for member in alive]


@given(worlds)
def test_what_nobody_leads_falls_to_exactly_one_whoever_works_it_out(
    world: tuple[list[str], list[tuple[str, str]]],
) -> None:
    alive, held = told(world)
    dealt = {member.holder: spread.dealt(member.holder, alive[::-1], held[::-1]) for member in alive}
    assert dealt == {member.holder: spread.dealt(member.holder, alive, held) for member in alive}
    assert sorted(cluster for some in dealt.values() for cluster in some) == sorted(
        one.cluster for one in held if not one.holder
    )
    assert spread.dealt("stranger", alive, held) == []


@given(worlds)
def test_gifts_come_from_one_at_a_time_and_end_with_everybody_leading_as_many(
    world: tuple[list[str], list[tuple[str, str]]],
) -> None:
    alive, held = told(world)
    led = {one.cluster: one.holder for one in held}
    for member in alive:
        led |= dict.fromkeys(spread.dealt(member.holder, alive, held), member.holder)
    moves = 0
    while True:
        now = [spread.Held(cluster, holder) for cluster, holder in led.items()]
        gifts = {member.holder: spread.gift(member.holder, alive, now) for member in alive}
        given_ = [(holder, gift) for holder, gift in gifts.items() if gift is not None]
        if not given_:
            break
        ((giver, gift),) = given_
        assert led[gift.cluster] == giver != gift.to
        led[gift.cluster] = gift.to
        moves += 1
        assert moves <= len(led)
    spreading = counts(alive, [spread.Held(cluster, holder) for cluster, holder in led.items()])
    assert max(spreading) - min(spreading) <= 1


@given(worlds)
def test_nothing_is_given_while_a_cluster_waits_or_to_one_that_has_just_come(
    world: tuple[list[str], list[tuple[str, str]]],
) -> None:
    alive, held = told(world)
    waiting = [*held, spread.Held("waits", "")]
    fresh = members([member.holder for member in alive], settled=False)
    for member in alive:
        assert spread.gift(member.holder, alive, waiting) is None
        assert spread.gift(member.holder, fresh, held) is None


@given(worlds)
def test_who_leaves_gives_each_of_its_clusters_to_one_that_stays(
    world: tuple[list[str], list[tuple[str, str]]],
) -> None:
    alive, held = told(world)
    leaver, left = alive[0].holder, alive[1:]
    shares = spread.shares(leaver, left, held)
    mine = sorted(one.cluster for one in held if one.holder == leaver)
    assert sorted(gift.cluster for gift in shares) == (mine if left else [])
    assert {gift.to for gift in shares} <= {member.holder for member in left}


def test_a_scheduler_that_comes_back_under_another_name_is_given_what_it_had() -> None:
    """The weight is of the address; the name is new with each start."""
    first = [spread.Member("a", "10.0.0.1:8702"), spread.Member("b", "10.0.0.2:8702")]
    free = [spread.Held(cluster, "") for cluster in NAMES]
    had = spread.dealt("b", first, free)
    again = [spread.Member("a", "10.0.0.1:8702"), spread.Member("z", "10.0.0.2:8702")]
    led = dict.fromkeys(NAMES, "a")
    while gift := spread.gift("a", again, [spread.Held(cluster, holder) for cluster, holder in led.items()]):
        led[gift.cluster] = gift.to
    got = [cluster for cluster, holder in led.items() if holder == "z"]
    ranked = sorted(NAMES, key=lambda cluster: -spread.weight(cluster, again[1]))
    assert sorted(got) == sorted(ranked[: len(NAMES) // 2])
    assert len(got) == len(had)
