"""When tasks passed which hop."""

import itertools

from longshore.agent import states, timings

C = states.ContainerPhase
Hop = timings.Hop


def moves(task_id: str, *phases: C) -> timings.Timings:
    ticks = itertools.count(10)
    kept = timings.Timings(lambda: next(ticks))
    kept.received([task_id], 1)
    for phase in phases:
        kept.moved(task_id, phase)
    return kept


def test_a_task_of_one_container_passes_each_hop_once() -> None:
    kept = moves("a", C.PULLING, C.CREATING, C.STARTING, C.RUNNING)
    kept.reported("a")
    kept.reported("a")
    assert kept.tasks == {
        "a": {Hop.RECEIVED: 1, Hop.CREATE_CALLED: 10, Hop.CREATED: 11, Hop.STARTED: 12, Hop.REPORTED: 13}
    }


def test_a_task_of_two_counts_from_the_first_call_to_the_last_container() -> None:
    kept = moves("a", C.CREATING, C.CREATING, C.STARTING, C.RUNNING, C.STARTING, C.RUNNING)
    assert kept.tasks["a"] == {Hop.RECEIVED: 1, Hop.CREATE_CALLED: 10, Hop.CREATED: 13, Hop.STARTED: 14}


def test_a_task_that_was_found_at_the_start_has_none() -> None:
    kept = moves("a", C.RUNNING)
    kept.moved("b", C.RUNNING)
    kept.reported("b")
    assert set(kept.tasks) == {"a"}


def test_only_the_last_tasks_are_kept_whatever_comes() -> None:
    kept = timings.Timings(lambda: 0)
    for number in range(3 * timings.LIMIT):
        kept.received([f"t{number}"], number)
    kept.received([f"u{number}" for number in range(2 * timings.LIMIT)], 0)
    assert list(kept.tasks) == [f"u{number}" for number in range(timings.LIMIT, 2 * timings.LIMIT)]
