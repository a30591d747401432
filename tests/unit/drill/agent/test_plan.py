"""A plan follows from its seed, and has every fault in it."""

import itertools

import pytest

from longshore.drill.agent import kinds, plan

ALL = tuple(plan.Fault)


def first_strikes(seed: int, count: int) -> list[plan.Strike]:
    return list(itertools.islice(plan.strikes(seed, ALL, 20.0), count))


def first_tasks(seed: int, place: int, count: int = 200) -> list[plan.Planned]:
    return list(itertools.islice(plan.tasks(seed, place, 150.0), count))


def test_the_same_seed_is_the_same_plan() -> None:
    assert first_strikes(7, 50) == first_strikes(7, 50)
    assert first_tasks(7, 3) == first_tasks(7, 3)


def test_another_seed_or_place_is_another_plan() -> None:
    assert first_strikes(7, 50) != first_strikes(8, 50)
    assert first_tasks(7, 3) != first_tasks(7, 4)


def test_every_fault_comes_once_before_any_comes_twice() -> None:
    for cycle in range(5):
        led = [strike.blows[0].fault for strike in first_strikes(3, 40)[cycle * 8 : cycle * 8 + 8]]
        assert sorted(led) == sorted(ALL)


def test_two_faults_at_once_are_never_done_to_the_same() -> None:
    doubled = [strike.blows for strike in first_strikes(5, 200) if len(strike.blows) > 1]
    assert doubled
    assert all(plan._TARGETS[first.fault] != plan._TARGETS[second.fault] for first, second in doubled)
    assert all(second.delay_s <= first.hold_s for first, second in doubled)


def test_only_chosen_faults_come() -> None:
    chosen = (plan.Fault.AGENT_KILL, plan.Fault.SESSION_CUT)
    struck = {blow.fault for strike in itertools.islice(plan.strikes(1, chosen, 5.0), 30) for blow in strike.blows}
    assert struck == set(chosen)


def test_every_kind_comes_and_the_probe_never() -> None:
    planned = {task.kind for place in range(10) for task in first_tasks(1, place)}
    assert planned == kinds.KINDS.keys() - {kinds.PROBE.name}


def test_a_short_drill_has_no_kind_that_needs_more_time() -> None:
    planned = {task.kind for place in range(10) for task in itertools.islice(plan.tasks(1, place, 20.0), 200)}
    assert "restarting" not in planned


@pytest.mark.parametrize("place", range(5))
def test_what_does_not_end_by_itself_is_stopped(place: int) -> None:
    for task in first_tasks(2, place):
        assert kinds.KINDS[task.kind].ends or task.stop_after_s is not None


def test_room_for_a_probe_is_left_whatever_fills_the_instance() -> None:
    others = [kind for kind in kinds.KINDS.values() if kind is not kinds.PROBE]
    assert all(kind.memory % kinds.GRAIN_MIB == 0 for kind in others)
    assert kinds.PROBE.memory == kinds.PROBE_MIB < kinds.GRAIN_MIB
