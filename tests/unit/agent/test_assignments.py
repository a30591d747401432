from dataclasses import dataclass
from typing import Any

import pytest

from longshore.agent import assignments
from longshore.v1 import agent_service_pb2 as pb2


@dataclass(frozen=True)
class Known:
    """A task that is known."""

    stopped: bool


RUNS, ENDED = Known(stopped=False), Known(stopped=True)


def increment(base: int, *starts: str, stops: tuple[str, ...] = (), stopping: tuple[str, ...] = ()) -> pb2.Assignment:
    made = pb2.Assignment(base_revision=base, revision=base + 1)
    made.tasks.extend(pb2.AssignedTask(task_id=task_id, definition_key="web:1") for task_id in starts)
    made.tasks.extend(pb2.AssignedTask(task_id=task_id, stopping=True) for task_id in stopping)
    made.stops.extend(pb2.AssignedStop(task_id=task_id) for task_id in stops)
    return made


def full(revision: int, *starts: str, stopping: tuple[str, ...] = ()) -> pb2.Assignment:
    made = increment(0, *starts, stopping=stopping)
    made.revision = revision
    return made


def changed(*received: pb2.Assignment, revision: int = 0, **known: Known) -> dict[str, Any]:
    found = assignments.changes(received, revision=revision, known=known)
    return {
        "revision": found.revision,
        "starts": [task.task_id for task in found.starts],
        "stops": list(found.stops),
        "unknown": list(found.unknown),
        "repeats": list(found.repeats),
    }


def test_an_increment_starts_what_is_new_and_stops_what_is_known() -> None:
    assert changed(increment(4, "a", "b", stops=("c", "d")), revision=4, b=RUNS, c=RUNS) == {
        "revision": 5,
        "starts": ["a"],
        "stops": ["c"],
        "unknown": ["d"],
        "repeats": [],
    }


def test_what_has_stopped_is_told_again_when_it_is_named_again() -> None:
    found = changed(increment(1, "a", stops=("b",)), revision=1, a=ENDED, b=ENDED)
    assert (found["starts"], found["stops"], found["repeats"]) == ([], [], ["a", "b"])


def test_a_seen_increment_changes_nothing() -> None:
    assert changed(increment(3, "a"), revision=7)["starts"] == []
    assert changed(increment(3, "a"), revision=7)["revision"] == 7


def test_increments_add_up_in_order() -> None:
    found = changed(increment(1, "a"), increment(2, "b", stops=("a",)), revision=1)
    assert (found["starts"], found["stops"], found["revision"]) == (["a", "b"], ["a"], 3)


def test_a_gap_is_an_error_that_names_both_revisions() -> None:
    with pytest.raises(assignments.RevisionGap, match="from revision 5 to 6, and this agent is at 3"):
        changed(increment(5, "a"), revision=3)


def test_a_full_set_stops_what_is_not_in_it() -> None:
    found = changed(full(9, "a", "b", stopping=("c", "d")), revision=4, a=RUNS, c=RUNS, x=RUNS, y=ENDED)
    assert found == {"revision": 9, "starts": ["b"], "stops": ["c", "x"], "unknown": ["d"], "repeats": []}


def test_a_task_that_was_stopped_before_it_was_ever_here_is_not_started_later() -> None:
    assert changed(increment(1, stops=("a",)), increment(2, "a"), revision=1)["starts"] == []


def test_the_lineage_is_that_of_the_newest_revision() -> None:
    first, second = increment(1, "a"), increment(2, "b")
    first.lineage, second.lineage = 7, 8
    found = assignments.changes([first, second], revision=1, lineage=6, known={})
    assert (found.revision, found.lineage) == (3, 8)
    assert assignments.changes([first], revision=5, lineage=6, known={}).lineage == 6  # seen before
    assert assignments.changes([], revision=5, lineage=6, known={}).lineage == 6
