"""The plan of a control plane's drill: all of it follows from the seed, and every fault comes as often as any other."""

import itertools
import json
from collections import Counter

from longshore.agent.simulated import simulated_failures
from longshore.drill.control_plane import families, faults, plan


def test_the_same_seed_gives_the_same_plan() -> None:
    def first(seed: int) -> tuple[object, ...]:
        strikes = tuple(itertools.islice(plan.strikes(seed, tuple(plan.Fault), 6.0), 50))
        calls = tuple(itertools.islice(plan.calls(seed, 3, 1.0, tuple(families.DEFINITIONS)), 50))
        return strikes, calls, json.dumps(plan.hosts(seed, 600.0, 200, 6.0))

    assert first(7) == first(7)
    assert first(7) != first(8)


def test_every_fault_comes_once_before_any_comes_twice() -> None:
    strikes = itertools.islice(plan.strikes(1, tuple(plan.Fault), 6.0), 3 * len(plan.Fault))
    assert Counter(strike.blows[0].fault for strike in strikes) == dict.fromkeys(plan.Fault, 3)


def test_two_faults_at_once_never_strike_the_same() -> None:
    for strike in itertools.islice(plan.strikes(2, tuple(plan.Fault), 6.0), 300):
        if len(strike.blows) > 1:
            first, second = (blow.fault.value.rpartition("-")[0] for blow in strike.blows)
            assert first != second


def test_every_fault_can_be_done_and_undone() -> None:
    assert faults.ACTS.keys() == set(plan.Fault)


def test_hosts_fail_as_a_simulated_fleet_can_read_it() -> None:
    script = simulated_failures.parse(json.dumps(plan.hosts(3, 600.0, 200, 6.0)))
    assert {failure.kind for failure in script} == set(simulated_failures.Kind)


def test_each_call_is_named_once() -> None:
    keys = [
        one.key
        for caller in range(4)
        for one in itertools.islice(plan.calls(1, caller, 1.0, tuple(families.DEFINITIONS)), 100)
    ]
    assert len(set(keys)) == len(keys)
