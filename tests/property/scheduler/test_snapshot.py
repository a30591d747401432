"""The snapshot's changes: their order does not matter where it must not, and the caches say what a fresh one would."""

import random

from hypothesis import given, settings
from hypothesis import strategies as st

from longshore.scheduler import candidates, instances, requirements, shapes, snapshot, strategies

ZONE = (requirements.Attribute("zone", "a"),)
SPREAD = (strategies.Strategy(strategies.Kind.SPREAD, "attribute:zone"),)
SHAPES = [
    shapes.of(requirements.Needs(cpu, memory, ports, ZONE), group, distinct, asked, SPREAD)
    for cpu, memory, ports, group, distinct, asked in (
        (0, 0, (), "g", False, ("agentConnected == true or attribute:zone == a",)),
        (3, 2, (80,), "h", True, ()),
        (2, 5, (443,), "g", False, ("task:group == g",)),
    )
]
"""What the sets of rows are asked for."""

loads = st.builds(
    snapshot.Load,
    cpu=st.integers(0, 9),
    memory=st.integers(0, 9),
    ports=st.sets(st.sampled_from([80, 443]), max_size=2).map(lambda ports: tuple(sorted(ports))),
    group=st.sampled_from(["g", "h"]),
)

UNTIMED = settings(deadline=None)
"""A machine that is busy is no fault."""
names = st.sampled_from(["a", "b", "c"])


@st.composite
def rows(draw: st.DrawFn) -> list[instances.Instance]:
    """Rows of instances in the order of their revisions."""
    return [
        instances.Instance(
            instance_id=draw(names),
            status=draw(st.sampled_from([instances.ACTIVE, instances.DRAINING])),
            connected=draw(st.booleans()),
            membership_revision=revision,
            cpu=draw(st.integers(0, 9)),
            memory=draw(st.integers(0, 9)),
            reserved_ports=frozenset(draw(st.sets(st.sampled_from([22, 80]), max_size=2))),
            attributes=draw(st.sampled_from([{}, {"zone": "a"}, {"zone": "b"}])),
        )
        for revision in range(1, draw(st.integers(0, 8)) + 1)
    ]


def shown(base: snapshot.Snapshot) -> dict[str, object]:
    """All that can be seen of a snapshot, whatever the order of its rows."""
    sets = candidates.of(base)
    fitting = [sets.rows(shape) for shape in SHAPES]
    levels = [sets.levels(group, names).of_rows(len(base)) for group in ("g", "h") for names in ((), ("zone",))]
    return {
        name: (
            base.facts[row],
            base.reserved(row),
            int(base.cpu[row]),
            int(base.memory[row]),
            bool(base.active[row]),
            bool(base.connected[row]),
            [bool(rows >> row & 1) for rows in fitting],
            [int(of_row[row]) for of_row in levels] if base.facts[row] is not None else None,
            [base.port_taken(row, port) for port in (22, 80, 443)],
            dict(base.held[row]),
        )
        for name, row in sorted(base.rows.items())
    }


@UNTIMED
@given(rows(), st.lists(st.tuples(names, loads), max_size=8), st.data())
def test_rows_reservations_and_releases_may_come_in_any_order(
    facts: list[instances.Instance], placed: list[tuple[str, snapshot.Load]], data: st.DataObject
) -> None:
    released = data.draw(st.lists(st.sampled_from(range(len(placed))), unique=True)) if placed else []
    changes = [("apply", fact) for fact in facts] + [("reserve", one) for one in placed]
    changes += [("give_back", placed[number]) for number in released]
    first, second = snapshot.Snapshot(), snapshot.Snapshot()
    for base, order in ((first, changes), (second, data.draw(st.permutations(changes)))):
        shown(base)
        for name, what in order:
            if name == "apply":
                base.apply(what)  # type: ignore[arg-type]
            else:
                getattr(base, name)(*what)  # type: ignore[misc]
    assert shown(first) == shown(second)


@UNTIMED
@given(rows(), st.integers(0, 2**32))
def test_sets_that_are_kept_are_those_of_a_fresh_snapshot(facts: list[instances.Instance], seed: int) -> None:
    cached, fresh = snapshot.Snapshot(), snapshot.Snapshot()
    source = random.Random(seed)
    for fact in facts:
        if source.random() < 0.5:
            shown(cached)
        cached.apply(fact)
    for fact in facts:
        fresh.apply(fact)
    assert shown(cached) == shown(fresh)


@UNTIMED
@given(rows())
def test_a_row_that_is_applied_twice_counts_once(facts: list[instances.Instance]) -> None:
    once, twice = snapshot.Snapshot(), snapshot.Snapshot()
    for fact in facts:
        once.apply(fact)
        twice.apply(fact)
        twice.apply(fact)
    assert shown(once) == shown(twice)
