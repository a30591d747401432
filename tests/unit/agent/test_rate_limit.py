"""So many a second and a burst, for each caller by itself."""

from longshore.agent.metadata import rate_limit


def test_a_burst_then_a_steady_rate_for_each_caller() -> None:
    limit = rate_limit.RateLimit(2, 3)
    assert [limit.admits("a", 0.0) for _ in range(4)] == [True, True, True, False]
    assert limit.admits("b", 0.0)
    assert [limit.admits("a", at) for at in (0.4, 0.5, 0.6, 1.0)] == [False, True, False, True]
    assert [limit.admits("a", 100.0) for _ in range(4)] == [True, True, True, False]


def test_callers_are_forgotten_before_they_take_memory() -> None:
    limit = rate_limit.RateLimit(1, 1)
    for number in range(3 * rate_limit.MAX_CALLERS):
        assert limit.admits(str(number), number * 0.001)
    assert len(limit._buckets) <= rate_limit.MAX_CALLERS
    # One that has just asked is among those remembered.
    assert not limit.admits(str(number), number * 0.001)
