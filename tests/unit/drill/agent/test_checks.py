"""The judge can fail: each rule is broken by a made-up journal that differs in one thing from one in which all is well."""

import copy
from collections.abc import Callable
from typing import Any

import pytest

from longshore.drill.agent import checks, history
from tests.unit.drill.agent import journals

Record = dict[str, Any]
Break = Callable[[list[Record]], list[Record]]


def judged(records: list[Record]) -> set[str]:
    return {finding.rule for finding in checks.judge(history.of(records))}


def test_a_sound_journal_is_passed() -> None:
    assert judged(journals.sound()) == set()


def events_of(records: list[Record], task: str) -> list[Record]:
    return [record["task"] for record in records if record["what"] == "event" and record["task"]["task"] == task]


def last_container(records: list[Record], task: str, **changes: Any) -> list[Record]:
    events_of(records, task)[-1]["containers"][0] |= changes
    return records


def last_event(records: list[Record], task: str, **changes: Any) -> list[Record]:
    events_of(records, task)[-1].update(changes)
    return records


def without(records: list[Record], what: str, **matching: Any) -> list[Record]:
    return [
        record
        for record in records
        if record["what"] != what or any(record.get(name) != value for name, value in matching.items())
    ]


def story(records: list[Record], name: str, *lines: str) -> list[Record]:
    return [*without(records, "story", name=name), {"at": 91.0, "what": "story", "name": name, "lines": list(lines)}]


def described(records: list[Record], task: str, **changes: Any) -> list[Record]:
    for record in records:
        if record["what"] == "described" and record["task"] == task:
            record.update(changes)
    return records


def stopped_by(records: list[Record], task: str, code: str) -> list[Record]:
    return described(last_event(records, task, stop_code=code), task, stop_code=code)


SERVED, WORKED, TALKED = journals.SERVED, journals.WORKED, journals.TALKED

BROKEN: dict[str, list[Break]] = {
    "the log has no gap": [lambda r: without(r, "event", sequence=6)],
    "versions grow by one": [lambda r: described(last_event(r, WORKED, version=4), WORKED, version=4)],
    "every move is legal": [
        lambda r: [*r, journals.event(30.0, 10, WORKED, 4, "RUNNING", desired="STOPPED", released=True)],
        lambda r: last_event(r, WORKED, desired="RUNNING", released=False) and _reopened(r),
        lambda r: [*r, _back_to_running(r)],
    ],
    "no task is lost": [
        lambda r: without(r, "over"),
        lambda r: [*r, journals.accepted(40.0, "d" * 32, "3-0", "worker")],
        lambda r: last_event(r, SERVED, released=False),
        lambda r: [*r, {"at": 60.0, "what": "not recovered", "strike": 0, "faults": ["agent-kill"], "bound": 180.0}],
    ],
    "descriptions agree with events": [
        lambda r: described(r, WORKED, status="RUNNING"),
        lambda r: without(r, "described", task=WORKED),
    ],
    "every end is explained": [
        lambda r: without(r, "stop"),
        lambda r: stopped_by(r, SERVED, "ESSENTIAL_CONTAINER_EXITED"),
        lambda r: stopped_by(r, WORKED, "TASK_FAILED_TO_START"),
        lambda r: stopped_by(r, WORKED, "INFRASTRUCTURE_HEALTH"),
        # Harmless faults explain nothing.
        lambda r: [*stopped_by(r, WORKED, "TASK_FAILED_TO_START"), *journals.blow(13.0, 14.0, "engine-pause")],
        lambda r: [*stopped_by(r, WORKED, "TASK_FAILED_TO_START"), *journals.blow(13.0, 14.0, "agent-kill")],
    ],
    "exit codes are those of the processes": [
        lambda r: last_container(r, WORKED, code=0),
        lambda r: last_container(r, WORKED, code=None),
        lambda r: story(r, "1-0.main", "start 1013"),
    ],
    "ends are told soon": [
        lambda r: story(r, "0-0.main", "start 960", "end 0 970"),
        lambda r: [*story(r, "0-0.main", "start 960", "end 0 970"), *journals.blow(-29.0, -25.0, "engine-pause")],
        lambda r: without(r, "began"),
    ],
    "output is whole": [
        lambda r: without(r, "read"),
        lambda r: [*without(r, "read"), journals.read(TALKED, lines=8)],
        lambda r: [*without(r, "read"), journals.read(TALKED, missing=["5 after 3"])],
        lambda r: [*without(r, "read"), journals.read(TALKED, error="ServerException: no")],
        lambda r: [
            *without(r, "read"),
            journals.read(TALKED, repeated=["'line 3' after 4"]),
            *journals.blow(23.0, 24.0, "engine-kill", live_restore=True),
        ],
    ],
    "what nothing touched ends as promised": [
        lambda r: story(last_container(r, WORKED, code=0), "1-0.main", "start 1013", "end 0 1020"),
    ],
    "nothing is run twice": [
        lambda r: story(r, "0-0.main", "start 1002", "start 1003", "end 0 1011"),
        lambda r: story(r, "1-0.main"),
        lambda r: last_container(r, WORKED, runtime_id="3" * 64),
        lambda r: story(r, "9-0.main", "start 1013"),
        lambda r: without(without(r, "accepted", task=WORKED), "described", task=WORKED),
    ],
    "nothing is over-committed": [
        lambda r: _committed_before_release(r),  # noqa: PLW0108 - it is defined below
        lambda r: without(r, "capacity"),
    ],
    "no port is given twice": [
        lambda r: _at(last_container(r, WORKED, ports=["127.0.0.1:32768/1"]), WORKED, 5.0),
    ],
    "nothing is left on the host": [
        lambda r: [*r, {"at": 92.0, "what": "left", "found": {"volumes": ["one"]}}],
        lambda r: [*r, {"at": 92.0, "what": "left", "found": {history.FORGOTTEN: ["a shim"]}}],
    ],
    "refusals are explained": [
        lambda r: [*r, journals.refused(30.0, "ATTRIBUTE: lacks ecs.capability.task-eni")],
        lambda r: [*r, journals.refused(30.0, "AGENT: the agent is not connected")],
        lambda r: [*r, journals.refused(30.0, "Unavailable: no"), *journals.blow(29.0, 31.0, "agent-kill")],
    ],
    "the agent does not end by itself": [
        lambda r: [*r, {"at": 5.0, "what": "agent ended", "told": False, "code": 1, "said": "no engine"}],
        lambda r: [
            *r,
            *journals.blow(4.0, 6.0, "engine-pause"),
            {"at": 5.0, "what": "agent ended", "told": False, "code": -11, "said": ""},
        ],
    ],
}


def _reopened(records: list[Record]) -> list[Record]:
    return [*records, journals.event(30.0, 10, SERVED, 5, "STOPPED", desired="RUNNING", stop_code="USER_INITIATED")]


def _back_to_running(records: list[Record]) -> Record:
    return journals.event(
        30.0,
        10,
        WORKED,
        4,
        "STOPPED",
        desired="STOPPED",
        stop_code="ESSENTIAL_CONTAINER_EXITED",
        released=True,
        containers=[journals.container("RUNNING", runtime_id="2" * 64)],
    )


def _committed_before_release(records: list[Record]) -> list[Record]:
    """The worker was placed before the server was released, in the order of commits."""
    for record in records:
        if record["what"] == "event" and record["sequence"] in {4, 5}:
            record["sequence"] = 9 - record["sequence"]
    return records


def _at(records: list[Record], task: str, at: float) -> list[Record]:
    """Let a task be accepted, and run, at another time."""
    for record in records:
        if record["what"] == "accepted" and record["task"] == task:
            record["at"] = at
        if record["what"] == "event" and record["task"]["task"] == task:
            record["at"] = at + record["task"]["version"] / 10
    return records


@pytest.mark.parametrize(
    ("rule", "broken"),
    [(rule, broken) for rule, ways in BROKEN.items() for broken in ways],
    ids=lambda value: value if isinstance(value, str) else "",
)
def test_a_breach_is_found(rule: str, broken: Break) -> None:
    assert rule in judged(broken(copy.deepcopy(journals.sound())))


def test_each_rule_is_broken_by_some_test() -> None:
    assert BROKEN.keys() == checks.RULES.keys()


def test_a_container_that_never_started_may_be_made_again() -> None:
    """As the agent does when its dynamic host port was taken by somebody else."""
    records = journals.sound()
    first = next(record for record in records if record["what"] == "event" and record["task"]["task"] == WORKED)
    first["task"]["containers"] = [journals.container("PENDING", runtime_id="9" * 64)]
    assert judged(records) == set()


@pytest.mark.parametrize("lost", [{"kept": True}, {"lines": 8}])
def test_output_may_be_lost_with_its_engine_or_the_end_come_from_what_is_kept(lost: Record) -> None:
    records = [*without(journals.sound(), "read"), journals.read(TALKED, **lost)]
    faults = [] if "kept" in lost else journals.blow(23.0, 24.0, "engine-kill", live_restore=True)
    assert judged([*records, *faults]) == set()


def test_there_may_be_no_room_and_an_agent_may_be_away_while_it_is_hindered() -> None:
    refusals = [journals.refused(29.0, "RESOURCE:MEMORY: needs 24"), journals.refused(30.0, "AGENT: not connected")]
    assert judged([*journals.sound(), *refusals, *journals.blow(29.0, 31.0, "session-hole")]) == set()


def test_an_answer_may_overtake_the_release_that_made_room_for_it() -> None:
    records = journals.sound()
    for record in records:
        if record["what"] == "accepted" and record["task"] == WORKED:
            record["at"] = 10.9
    assert judged(records) == set()


def test_an_end_in_the_middle_of_a_fault_may_be_told_when_that_is_over() -> None:
    records = story(journals.sound(), "0-0.main", "start 960", "end 0 970")
    assert judged([*records, *journals.blow(-31.0, 5.0, "engine-pause")]) == set()


# -------------------------------------------------------------------- what faults may do


def ended_with(code: int | None, *blows: Record) -> set[str]:
    """The worker was killed by something: its story has no end."""
    records = story(last_container(journals.sound(), WORKED, code=code), "1-0.main", "start 1013")
    return judged([*records, *blows])


@pytest.mark.parametrize("code", [None, 137, 255])
def test_an_engine_that_comes_back_without_live_restore_may_end_what_runs(code: int | None) -> None:
    assert ended_with(code, *journals.blow(14.0, 15.0, "engine-kill", live_restore=False)) == set()


def test_one_with_live_restore_may_not() -> None:
    found = ended_with(137, *journals.blow(14.0, 15.0, "engine-kill", live_restore=True))
    assert "exit codes are those of the processes" in found


def test_a_fault_explains_nothing_of_a_task_that_came_after_it_was_over() -> None:
    assert ended_with(137, *journals.blow(5.0, 6.0, "engine-kill", live_restore=False)) != set()


def test_nor_one_that_was_over_long_before_its_end() -> None:
    records = journals.sound()
    for record in records:
        if record["what"] == "event" and record["task"]["task"] == WORKED and record["task"]["status"] == "STOPPED":
            record["at"] = 60.0
    records = story(last_container(records, WORKED, code=255), "1-0.main", "start 1013", "end 3 1060")
    found = judged([*records, *journals.blow(14.0, 15.0, "engine-kill", live_restore=False)])
    assert "exit codes are those of the processes" in found


def test_a_removed_container_explains_its_own_task_alone() -> None:
    removed = {"runtime_id": "2" * 64}
    assert ended_with(137, *journals.blow(14.0, 14.0, "container-remove", task=WORKED, **removed)) == set()
    assert ended_with(137, *journals.blow(14.0, 14.0, "container-remove", task=SERVED, **removed)) != set()


@pytest.mark.parametrize("fault", ["agent-kill", "session-cut", "session-hole", "agent-disk-full", "engine-pause"])
def test_a_harmless_fault_explains_no_lost_code(fault: str) -> None:
    records = last_container(journals.sound(), WORKED, code=None)
    assert judged([*records, *journals.blow(14.0, 15.0, fault)]) == {
        "exit codes are those of the processes",
        "what nothing touched ends as promised",
    }
