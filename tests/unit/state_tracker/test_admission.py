"""The door of a tracker: how many are inside, and when the others come again."""

import heapq
import random

import pytest

from longshore.state_tracker import admission


def test_as_many_come_in_as_are_allowed_and_one_more_for_each_that_leaves() -> None:
    door = admission.Admission(2)
    assert [door.enter(0.0), door.enter(0.0)] == [0.0, 0.0]
    assert door.enter(0.0) > 0.0
    door.leave(0.0)
    assert door.enter(0.0) == 0.0
    assert door.inside == 2


def test_those_who_find_it_full_are_given_one_moment_each() -> None:
    door = admission.Admission(1)
    door.enter(0.0)
    waits = [door.enter(0.0) for _ in range(200)]
    late = [wait for wait in waits if wait > admission.SHORTEST_WAIT_S]
    assert len(late) == len(set(late)) > 100
    assert late == sorted(late)
    assert late[-1] - late[0] == pytest.approx((len(late) - 1) / admission.FIRST_PER_S)


def test_nobody_is_sent_away_for_longer_than_the_bound() -> None:
    door = admission.Admission(1)
    door.enter(0.0)
    waits = [door.enter(0.0) for _ in range(20_000)]
    assert waits[-1] == max(waits) == admission.LONGEST_WAIT_S
    # Those beyond the bound make no appointments, so that the book is not full for ever.
    assert door.enter(admission.LONGEST_WAIT_S) <= 2.0


def test_the_moments_follow_the_pace_at_which_sessions_open() -> None:
    door, now = admission.Admission(10), 0.0
    for _ in range(10):
        door.enter(now)
    for _ in range(1_000):  # a hundred a second, with somebody always outside
        door.enter(now)
        now += 0.01
        door.leave(now)
        door.enter(now)
    first, second = door.enter(now + 100.0), door.enter(now + 100.0)
    assert second - first == pytest.approx(0.01, rel=0.2)


@pytest.mark.parametrize("per_s", [60.0, 400.0, 5_000.0])
def test_a_crowd_that_obeys_is_through_in_little_more_than_its_time_and_asks_few_times(per_s: float) -> None:
    """3,000 agents at once, each coming again when it was told, with the agent's jitter; the tracker opens `per_s` a second."""
    crowd, limit, source = 3_000, 50, random.Random(1)
    door = admission.Admission(limit)
    events = [(source.uniform(0.0, 0.1), number, "comes") for number in range(crowd)]
    heapq.heapify(events)
    asked = through = 0
    free_at = now = 0.0
    while events:
        now, number, what = heapq.heappop(events)
        if what == "leaves":
            door.leave(now)
            through += 1
            continue
        asked += 1
        wait_s = door.enter(now)
        if wait_s:
            heapq.heappush(events, (now + wait_s * source.uniform(1.0, 1.25), number, "comes"))
        else:
            free_at = max(free_at, now) + 1.0 / per_s
            heapq.heappush(events, (free_at, number, "leaves"))
        assert door.inside <= limit
    assert through == crowd
    assert now < 2.0 * crowd / per_s + 10.0
    assert asked < 8 * crowd
