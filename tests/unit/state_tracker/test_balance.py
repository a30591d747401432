"""Who is asked to move, and that it comes to an end."""

import pytest
from hypothesis import given
from hypothesis import strategies as st

from longshore.state_tracker import balance


@pytest.mark.parametrize(
    ("mine", "others", "moves"),
    [
        (10_000, [0], balance.MAX_MOVES),
        (300, [0], 150),
        (100, [], 0),
        (60, [40], 0),
        (20, [0], 0),
        (0, [500], 0),
        (400, [0, 200], 200),
    ],
)
def test_only_who_has_far_more_than_its_share_gives_some_away(mine: int, others: list[int], moves: int) -> None:
    sessions = {"mine": mine} | {str(number): count for number, count in enumerate(others)}
    assert balance.surplus(mine, sessions) == moves


@given(st.lists(st.integers(0, 3_000), min_size=1, max_size=5))
def test_after_some_looks_nobody_is_asked_any_more_and_nobody_was_lost(counts: list[int]) -> None:
    sessions = {str(number): count for number, count in enumerate(counts)}
    total = sum(counts)
    for _ in range(200):
        moved = False
        for name in tuple(sessions):
            count = balance.surplus(sessions[name], sessions)
            sessions[name] -= count
            # An agent takes whichever of the others answers; here the emptiest, which an agent by lot does not know.
            others = [other for other in sessions if other != name]
            if count:
                moved = True
                sessions[min(others, key=lambda other: sessions[other])] += count
        if not moved:
            break
    assert not moved
    assert sum(sessions.values()) == total
    if len(sessions) > 1:
        assert max(sessions.values()) <= -(-total // len(sessions)) * balance.SLACK + balance.SLACK_SESSIONS
