"""The judge can fail: each rule is broken by a made-up journal that differs in one thing from one in which all is well."""

import copy
from collections.abc import Callable
from typing import Any

import pytest

from longshore.drill.control_plane import checks, history, report
from tests.unit.drill.control_plane import journals

Record = dict[str, Any]
Break = Callable[[list[Record]], None]

THIRD = "c" * 32


def judged(records: list[Record]) -> set[str]:
    return {finding.rule for finding in checks.judge(history.of(records))}


def test_a_sound_journal_is_passed() -> None:
    assert checks.judge(history.of(journals.sound())) == []


def test_the_report_tells_of_it() -> None:
    found = history.of(journals.sound())
    outcome = report.document(found, checks.judge(found), seed=1)
    assert outcome["passed"]
    assert outcome["calls"] == {"DescribeTasks: answer": 2, "RunTask: answer": 2, "StopTask: answer": 1}
    assert (outcome["tasks"], outcome["started"], outcome["longest_without_a_task_s"]) == (2, 2, 1.0)
    assert "Passed." in report.text(outcome)


# ------------------------------------------------------------------------------------------------ where things are


def the(records: list[Record], what: str, **matching: Any) -> Record:
    return next(
        record
        for record in records
        if record["what"] == what and all(record.get(name) == value for name, value in matching.items())
    )


def logged(records: list[Record]) -> list[list[Any]]:
    events: list[list[Any]] = the(records, "logged")["events"]
    return events


def everywhere(records: list[Record], change: Callable[[list[list[Any]]], None]) -> None:
    """Change the log, and what the watchers were told in the same way: this is what happened, and no fault of the telling."""
    events = logged(records)
    change(events)
    watched = [record for record in records if record["what"] == "watched"]
    for record in watched[1:]:
        record["events"] = []
    watched[0]["events"] = copy.deepcopy(events)
    watched[-1]["events"] = [event for event in copy.deepcopy(events) if event[1] == "task" and event[9] == "small:1"]
    the(records, "head")["sequence"] = len(events)


def event_of(records: list[Record], sequence: int) -> list[Any]:
    return next(event for event in logged(records) if event[0] == sequence)


def row(records: list[Record], what: str, **matching: Any) -> Record:
    return next(
        row for row in the(records, what)["rows"] if all(row[name] == value for name, value in matching.items())
    )


def news(records: list[Record]) -> list[Record]:
    listed: list[Record] = the(records, "containers")["news"]
    return listed


# ------------------------------------------------------------------------------------------------ what is broken


def task_lost(records: list[Record]) -> None:
    """A task that was answered is in no table."""
    the(records, "intents")["rows"] = the(records, "intents")["rows"][1:]


def never_released(records: list[Record]) -> None:
    """A task still takes its room when all is over."""
    event_of(records, 9)[8] = 0


def cut_short(records: list[Record]) -> None:
    """The drill did not come to its end."""
    records.remove(the(records, "over"))


def placed_twice(records: list[Record]) -> None:
    """A repeated call has placed a second task."""
    the(records, "intents")["rows"].append(journals.intent(THIRD))
    logged(records).append(journals.task_event(12, THIRD, 1, journals.PENDING, key="key-a"))


def placed_though_refused(records: list[Record]) -> None:
    """A call that was refused has placed a task."""
    told = the(records, "answer", number=1)
    told.update(what="refused", reason="ClientException", said="no")


def placed_more_than_asked(records: list[Record]) -> None:
    """A call without an answer has placed more than it asked for."""
    the(records, "answer", number=1).update(what="unknown", reason="Unavailable", said="away")
    logged(records).append(journals.task_event(12, THIRD, 1, journals.PENDING, key="key-a"))


def placed_for_nobody(records: list[Record]) -> None:
    """A task exists that no call has asked for."""
    logged(records).append(journals.task_event(12, THIRD, 1, journals.PENDING, key="key-z"))


def not_known(records: list[Record]) -> None:
    """DescribeTasks does not know what RunTask had answered."""
    the(records, "answer", number=3)["known"] = []


def stop_not_seen(records: list[Record]) -> None:
    """DescribeTasks shows a task as wanted whose stop had been answered."""
    the(records, "answer", number=5)["known"] = [[journals.STOPPED, journals.WANTED]]


def retired_placed(records: list[Record]) -> None:
    """A revision is placed whose deregistration had been answered."""
    records[6:6] = [
        journals.call(8, "DeregisterTaskDefinition", 0.5, definition="small:1"),
        journals.answer(8, 0.6),
    ]
    the(records, "call", number=1)["definition"] = "small:1"


def stop_lost(records: list[Record]) -> None:
    """A stop that was answered never came into the log."""
    for sequence in (10, 11):
        event_of(records, sequence)[6] = journals.WANTED


def failed_inside(records: list[Record]) -> None:
    """A call is refused for what went wrong inside."""
    records.append(journals.call(9, "StopTask", 5.0, task=journals.STOPPED))
    records.append({"at": 5.1, "what": "refused", "number": 9, "reason": "ServerException", "said": "oh"})


def failure_unexplained(records: list[Record]) -> None:
    """A task is not placed for a reason that nothing here leads to."""
    the(records, "answer", number=1)["failures"] = ["MISSING"]


def gap_in_log(records: list[Record]) -> None:
    """The log leaves out a number."""

    def change(events: list[list[Any]]) -> None:
        del events[3]

    everywhere(records, change)


def head_ahead(records: list[Record]) -> None:
    """The log's head has numbers that the log has not."""
    the(records, "head")["sequence"] = 12


def watch_gap(records: list[Record]) -> None:
    """A watcher was not told an event."""
    del the(records, "watched", watcher="of all")["events"][2]


def watch_repeats(records: list[Record]) -> None:
    """A watcher was told an event twice."""
    told = the(records, "watched", watcher="of all")["events"]
    told.insert(3, told[2])


def watch_out_of_order(records: list[Record]) -> None:
    """A watcher was told two events in the other order."""
    told = the(records, "watched", watcher="of one family")["events"]
    told[0], told[1] = told[1], told[0]


def watch_ends_early(records: list[Record]) -> None:
    """A watcher was not told the last event."""
    the(records, "watched", at=5.0, watcher="of all")["events"].pop()


def watch_invents(records: list[Record]) -> None:
    """A watcher was told an event that there is not."""
    the(records, "watched", at=5.0, watcher="of all")["events"].append(journals.instance_event(12, journals.FIRST, 3))


def watch_never_ends(records: list[Record]) -> None:
    """The watchers did not come to the end of the log."""
    records.remove(the(records, "due"))


def watch_differs(records: list[Record]) -> None:
    """A watcher was told something else than the log has."""
    the(records, "watched", watcher="of all")["events"][5][5] = journals.OVER


def version_skipped(records: list[Record]) -> None:
    """A task's version jumps."""
    everywhere(records, lambda events: event_at(events, 6, 3, 7))


def event_at(events: list[list[Any]], sequence: int, place: int, value: Any) -> None:
    next(event for event in events if event[0] == sequence)[place] = value


def moved_back(records: list[Record]) -> None:
    """A task goes back from STOPPING to PENDING."""
    everywhere(records, lambda events: event_at(events, 11, 5, journals.PENDING))


def described_otherwise(records: list[Record]) -> None:
    """DescribeTasks says otherwise than the last event."""
    row(records, "described", task_id=journals.ENDED)["version"] = 2


def rows_otherwise(records: list[Record]) -> None:
    """The tables' version is not the last event's."""
    row(records, "observations", task_id=journals.ENDED)["revision"] = 5


def miscounted(records: list[Record]) -> None:
    """A task is counted that there is not."""
    the(records, "head")["running_tasks"] = 1


def miscounted_on_instance(records: list[Record]) -> None:
    """An instance counts a task that it has not."""
    row(records, "instances", instance_id=journals.SECOND)["placed"] = 1


def overcommitted(records: list[Record]) -> None:
    """Two tasks at a time come to more memory than the instance has."""
    the(records, "capacity")["memory"] = 31


def port_given_twice(records: list[Record]) -> None:
    """Two tasks at a time have one host port."""

    def change(events: list[list[Any]]) -> None:
        for event in events[4:]:
            event[9] = "porter:1"

    everywhere(records, change)


def placed_while_draining(records: list[Record]) -> None:
    """A task is placed on an instance that is DRAINING at that point of the log."""
    everywhere(records, lambda events: event_at(events, 2, 4, 4))


def placed_while_disconnected(records: list[Record]) -> None:
    """A task is placed on an instance for which nobody speaks."""
    everywhere(records, lambda events: event_at(events, 2, 5, 0))


def moved_to_another(records: list[Record]) -> None:
    """A task changes its instance."""
    everywhere(records, lambda events: event_at(events, 8, 4, journals.SECOND))


def reserved_less(records: list[Record]) -> None:
    """Less is reserved for a task than its definition asks for."""
    row(records, "intents", task_id=journals.ENDED)["cpu"] = 4


def started_twice(records: list[Record]) -> None:
    """A container is started again."""
    news(records).append(journals.news("start", journals.ENDED))
    news(records).append(journals.news("die", journals.ENDED))


def started_elsewhere(records: list[Record]) -> None:
    """A container is started by an instance that it was not placed on."""
    for told in news(records):
        if told["task"] == journals.ENDED:
            told.update(instance=journals.SECOND, host="host-2")


def started_unasked(records: list[Record]) -> None:
    """A container runs whose task is in no table."""
    news(records)[:0] = [journals.news("start", THIRD), journals.news("die", THIRD)]


def never_started(records: list[Record]) -> None:
    """A task was told to run, and was never started."""
    the(records, "containers")["news"] = [told for told in news(records) if told["task"] != journals.STOPPED]


def runs_on(records: list[Record]) -> None:
    """A container still runs when all was told to have stopped."""
    news(records).pop()


def host_overcommitted(records: list[Record]) -> None:
    """A host runs more than it has, whatever the tables say."""
    the(records, "needs", definition="small:1")["containers"] = {"main": [20, 16]}


def stopped_by_nobody(records: list[Record]) -> None:
    """A task is stopped by a request that nobody has made."""
    for number in (4, 5):
        records.remove(the(records, "call", number=number))
        records.remove(the(records, "answer", number=number))


def exit_made_up(records: list[Record]) -> None:
    """A task is told to have ended by itself while its container ran."""
    the(records, "containers")["news"] = [told for told in news(records) if told["task"] != journals.ENDED]


def lost_without_loss(records: list[Record]) -> None:
    """A task is given up with an instance that was never disconnected."""

    def change(events: list[list[Any]]) -> None:
        event_at(events, 9, 7, journals.HEALTH)
        event_at(events, 1, 5, 1)

    everywhere(records, change)


def not_recovered(records: list[Record]) -> None:
    """Nothing was placed after a fault."""
    the(records, "recovered").update(what="not recovered", bound=60.0)


def ended_by_itself(records: list[Record]) -> None:
    """A scheduler ended, and nobody had told it to."""
    the(records, "ended").update(service="scheduler-1", told=False, code=1)


def left_behind(records: list[Record]) -> None:
    """A process is still there."""
    the(records, "left")["found"] = {"processes": ["1 redis-server"]}


BROKEN: list[tuple[Break, str]] = [
    (task_lost, "no acknowledged task is lost"),
    (never_released, "no acknowledged task is lost"),
    (cut_short, "no acknowledged task is lost"),
    (placed_twice, "a call acts once"),
    (placed_though_refused, "a call acts once"),
    (placed_more_than_asked, "a call acts once"),
    (placed_for_nobody, "a call acts once"),
    (not_known, "an answer binds every later call"),
    (stop_not_seen, "an answer binds every later call"),
    (retired_placed, "an answer binds every later call"),
    (stop_lost, "no acknowledged stop is lost"),
    (failed_inside, "refusals are explained"),
    (failure_unexplained, "refusals are explained"),
    (gap_in_log, "the log has no gap"),
    (head_ahead, "the log has no gap"),
    (watch_gap, "each watch is complete and in order"),
    (watch_repeats, "each watch is complete and in order"),
    (watch_out_of_order, "each watch is complete and in order"),
    (watch_ends_early, "each watch is complete and in order"),
    (watch_invents, "each watch is complete and in order"),
    (watch_never_ends, "each watch is complete and in order"),
    (watch_differs, "each watch is complete and in order"),
    (version_skipped, "versions grow by one"),
    (moved_back, "every move is legal"),
    (described_otherwise, "tables, descriptions and log agree"),
    (rows_otherwise, "tables, descriptions and log agree"),
    (miscounted, "counters agree with the rows"),
    (miscounted_on_instance, "counters agree with the rows"),
    (overcommitted, "no instance is over-committed"),
    (port_given_twice, "no instance is over-committed"),
    (placed_while_draining, "tasks are placed where they may be"),
    (placed_while_disconnected, "tasks are placed where they may be"),
    (moved_to_another, "tasks are placed where they may be"),
    (reserved_less, "what is reserved is what is defined"),
    (started_twice, "nothing is run twice"),
    (started_elsewhere, "nothing is run twice"),
    (started_unasked, "nothing is run twice"),
    (never_started, "what is told to run, runs"),
    (runs_on, "what is told to run, runs"),
    (host_overcommitted, "no host is over-committed"),
    (stopped_by_nobody, "every end is explained"),
    (exit_made_up, "every end is explained"),
    (lost_without_loss, "every end is explained"),
    (not_recovered, "the control plane recovers"),
    (ended_by_itself, "no process ends by itself"),
    (left_behind, "nothing is left"),
]


@pytest.mark.parametrize(("broken", "rule"), BROKEN, ids=lambda value: getattr(value, "__name__", ""))
def test_what_must_not_be_is_found(broken: Break, rule: str) -> None:
    records = copy.deepcopy(journals.sound())
    broken(records)
    assert rule in judged(records)


def test_a_task_that_waits_for_capacity_takes_none_and_may_wait_in_vain() -> None:
    records = copy.deepcopy(journals.sound())
    records[-4:-4] = [
        journals.call(9, "RunTask", 5.0, key="key-c", count=1, definition="small", waits=2),
        journals.answer(9, 5.1, tasks=[THIRD], failures=[], unplaced=0),
    ]
    the(records, "intents")["rows"].append(
        journals.intent(THIRD, instance_id="", desired_status=journals.UNWANTED, revision=2)
    )
    the(records, "described")["rows"].append(
        {"task_id": THIRD, "version": 2, "status": journals.OVER, "desired": journals.UNWANTED}
    )

    def change(events: list[list[Any]]) -> None:
        events.append(journals.task_event(12, THIRD, 1, 1, instance=""))
        end = journals.task_event(
            13, THIRD, 2, journals.OVER, desired=journals.UNWANTED, code=1, released=1, instance=""
        )
        events.append(end)

    everywhere(records, change)
    assert checks.judge(history.of(records)) == []
    the(records, "call", number=9)["waits"] = 0
    assert judged(records) == {"every end is explained"}


def test_a_component_may_find_no_database_at_its_start() -> None:
    records = copy.deepcopy(journals.sound())
    said = "longshore state-tracker: the database cannot be used now: TimeoutError"
    the(records, "ended").update(service="tracker-1", told=False, code=1, said=said)
    assert judged(records) == set()


def test_every_rule_can_be_broken() -> None:
    assert {rule for _, rule in BROKEN} == checks.RULES.keys()


def test_an_unanswered_call_may_have_placed_its_task_or_not() -> None:
    records = copy.deepcopy(journals.sound())
    the(records, "answer", number=1).update(what="unknown", reason="Unavailable", said="away")
    records.append(journals.call(9, "RunTask", 5.0, key="key-x", count=1, definition="small"))
    records.append({"at": 5.1, "what": "unknown", "number": 9, "reason": "Unavailable", "said": "away"})
    assert judged(records) == set()
