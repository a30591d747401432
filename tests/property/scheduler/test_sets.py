"""Sets of rows against what a list says: draws, amounts, levels."""

import random
from collections import Counter

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from longshore.scheduler import amounts, bits, columns, instances, levels

UNTIMED = settings(deadline=None)
"""A machine that is busy is no fault."""

row_sets = st.one_of(
    st.sets(st.integers(0, 300), min_size=1),
    st.builds(lambda size, left_out: set(range(size)) - {left_out}, st.integers(2, 300), st.integers(0, 300)),
)


@UNTIMED
@given(row_sets)
def test_a_set_is_its_rows_in_every_form(rows: set[int]) -> None:
    made = bits.of(rows)
    mask = bits.to_array(made, 301)
    assert set(np.flatnonzero(mask).tolist()) == rows
    assert bits.of_array(mask) == made
    assert bits.indices(made).tolist() == sorted(rows)


@UNTIMED
@given(row_sets, st.randoms(use_true_random=False))
def test_a_draw_is_one_of_the_rows(rows: set[int], source: random.Random) -> None:
    assert {bits.draw(bits.of(rows), source.random) for _ in range(20)} <= rows


@pytest.mark.parametrize(
    "rows",
    [{5}, {0, 999}, {3, 4, 200, 201, 700}, set(range(0, 1000, 30)), set(range(300)), {*range(40), 999}],
    ids=len,
)
def test_every_row_has_the_same_chance(rows: set[int]) -> None:
    source = random.Random(5)
    each, made = 100, bits.of(rows)
    drawn = Counter(bits.draw(made, source.random) for _ in range(each * len(rows)))
    assert set(drawn) == rows
    assert all(each * 0.5 < count < each * 1.5 for count in drawn.values()), drawn


moves = st.lists(
    st.tuples(st.integers(0, 99), st.one_of(st.integers(-3, 9), st.integers(-3, 70_000))), min_size=1, max_size=40
)


@UNTIMED
@given(moves, st.sets(st.integers(0, 12)), st.booleans())
def test_amounts_are_those_of_a_list(changes: list[tuple[int, int]], needs: set[int], anew: bool) -> None:  # noqa: FBT001
    size = 40
    free = np.zeros(size, np.int64)
    amount = amounts.Amount(free)
    asked = {need: amount.at_least(need) for need in needs}
    for row, value in changes:
        if row >= len(free):
            free = np.concatenate([free, np.zeros(len(free) * 2, np.int64)])
        free[row] = value
        if anew:
            amount.look_at_all(free)
        else:
            amount.look(memoryview(free), [row])  # type: ignore[arg-type] # numpy's arrays have a buffer
        asked.setdefault(value, amount.at_least(value))
        for need, found in asked.items():
            assert found.rows == bits.of_array(free >= need)
        some = bits.of_array((free >= 0) & (np.arange(len(free)) % 3 != row % 3))
        kept = bits.indices(some)
        if len(kept):
            assert bits.indices(amount.least(some)).tolist() == [
                one for one in kept.tolist() if free[one] == free[kept].min()
            ]


def test_a_bucket_with_many_rows_and_one_with_few_count_alike() -> None:
    """Rows of an attribute with many instances a value, and of one with a value each, move from value to value with their tasks."""
    source = random.Random(2)
    facts: list[instances.Instance | None] = [_fact(number, str(number % 2)) for number in range(100)]
    held: list[dict[str, int]] = [{} for _ in facts]
    column = columns.Column(("zone",), facts)
    counted = levels.BucketLevels(held, "g", column)
    for step in range(600):
        row = source.randrange(len(facts))
        if step % 3:
            held[row]["g"] = held[row].get("g", 0) + source.choice([-1, 1, 2])
            counted.marked.add(row)
        else:
            before, after = facts[row], _fact(row, source.choice(["0", "1", "only", f"own{row}"]))
            facts[row] = after
            column.apply(row, before, after)
        totals: Counter[str] = Counter()
        zones = [fact.attributes["zone"] for fact in facts if fact is not None]
        for zone, tasks in zip(zones, held, strict=True):
            totals[zone] += tasks.get("g", 0)
        assert counted.of_rows(len(facts)).tolist() == [totals[zone] for zone in zones]
        some = source.sample(range(len(facts)), 10)
        fewest = min(totals[zones[one]] for one in some)
        assert set(bits.indices(counted.fewest(bits.of(some))).tolist()) == {
            one for one in some if totals[zones[one]] == fewest
        }


def _fact(number: int, zone: str) -> instances.Instance:
    return instances.Instance(f"i{number}", instances.ACTIVE, True, 1, 1, 1, attributes={"zone": zone})
