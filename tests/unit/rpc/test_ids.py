"""Ids sort by time and never repeat."""

import random

from hypothesis import given
from hypothesis import strategies as st

from longshore.rpc import ids

TIMES = st.integers(min_value=0, max_value=2**56 - 1)


@given(TIMES, st.integers())
def test_an_id_has_32_hex_digits_and_tells_when_it_was_made(now_us: int, seed: int) -> None:
    made = ids.new_id(now_us, random.Random(seed))
    assert len(made) == 32
    assert made == made.lower()
    assert ids.made_at_us(made) == now_us


@given(TIMES, TIMES, st.integers())
def test_ids_of_different_times_sort_by_time(first_us: int, second_us: int, seed: int) -> None:
    source = random.Random(seed)
    first, second = ids.new_id(first_us, source), ids.new_id(second_us, source)
    if first_us != second_us:
        assert (first < second) == (first_us < second_us)


@given(st.lists(st.tuples(st.integers(min_value=0, max_value=3), st.integers(min_value=1, max_value=50)), min_size=1))
def test_a_sequence_ascends_whatever_the_clock_does(steps: list[tuple[int, int]]) -> None:
    sequence = ids.Sequence(random.Random(7))
    made: list[str] = []
    for now_us, count in steps:
        made.extend(sequence.batch(now_us, count))
        made.append(sequence.next(now_us))
    assert made == sorted(set(made))
    assert all(len(identifier) == 32 for identifier in made)


def test_a_batch_ascends_within_its_microsecond() -> None:
    batch = ids.new_ids(1_700_000_000_000_000, random.Random(3), 10_000)
    assert batch == sorted(set(batch))
    assert {ids.made_at_us(identifier) for identifier in batch} == {1_700_000_000_000_000}


def test_two_processes_do_not_meet() -> None:
    one, other = (set(ids.new_ids(5, random.Random(seed), 1_000)) for seed in (1, 2))
    assert not one & other
