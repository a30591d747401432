from collections.abc import Callable

from longshore.agent import reports
from longshore.v1 import agent_service_pb2, log_pb2

Observation = agent_service_pb2.TaskObservation


def observe(*released: str, reason: str = "") -> Callable[[str], Observation | None]:
    return lambda task_id: Observation(task_id=task_id, released=task_id in released, stopped_reason=reason)


def ids(report: agent_service_pb2.Report | None) -> list[str]:
    assert report is not None
    return [task.task_id for task in report.tasks]


def test_a_task_that_changes_often_is_reported_once() -> None:
    told = reports.Reports()
    for task_id in ("a", "b", "a"):
        told.mark(task_id)
    report = told.next(observe())
    assert (report and report.number, ids(report)) == (1, ["a", "b"])


def test_one_report_is_under_way_and_the_rest_gathers() -> None:
    told = reports.Reports()
    told.mark("a")
    told.next(observe())
    told.mark("b")
    assert not told.due
    assert told.next(observe()) is None
    assert told.acknowledge(1) == (reports.Acknowledged("a", released=False),)
    report = told.next(observe("b"))
    assert (report and report.number, ids(report)) == (2, ["b"])
    assert told.acknowledge(2) == (reports.Acknowledged("b", released=True),)
    assert told.settled


def test_a_task_that_changes_while_it_is_being_reported_is_reported_again() -> None:
    told = reports.Reports()
    told.mark("a")
    told.next(observe())
    told.mark("a")
    told.acknowledge(1)
    assert ids(told.next(observe())) == ["a"]


def test_acknowledgements_of_nothing_change_nothing() -> None:
    told = reports.Reports()
    assert told.acknowledge(5) == ()
    told.mark("a")
    told.next(observe())
    assert told.acknowledge(0) == ()
    assert not told.settled


def test_a_new_session_takes_back_what_was_not_recorded() -> None:
    told = reports.Reports()
    told.mark("a")
    told.next(observe())
    told.mark("b")
    assert not told.reopen(0)
    report = told.next(observe())
    assert (report and report.number, ids(report)) == (1, ["a", "b"])


def test_a_number_that_was_recorded_proves_nothing_of_the_report_that_was_under_way() -> None:
    """The number may be another report's: told by a second agent of this identity, or before the database was restored."""
    told = reports.Reports()
    told.mark("a")
    told.next(observe())
    told.mark("b")
    assert not told.reopen(1)
    report = told.next(observe())
    assert (report and report.number, ids(report)) == (2, ["a", "b"])


def test_a_control_plane_that_has_recorded_less_than_it_acknowledged_has_forgotten_something() -> None:
    told = reports.Reports()
    told.resume(3)
    told.mark("a")
    told.next(observe())
    told.acknowledge(4)
    assert told.recorded == 4
    assert not told.reopen(4)
    assert told.reopen(2)
    assert not told.reopen(2)
    told.mark("a")
    report = told.next(observe())
    assert report is not None
    assert report.number == 3


def test_numbers_go_on_from_what_the_tracker_recorded_of_a_former_process() -> None:
    told = reports.Reports()
    told.mark("a")
    told.reopen(41)
    report = told.next(observe())
    assert report is not None
    assert report.number == 42


def test_a_report_has_at_most_a_thousand_tasks() -> None:
    told = reports.Reports()
    for number in range(reports.TASK_LIMIT + 5):
        told.mark(str(number))
    assert len(ids(told.next(observe()))) == reports.TASK_LIMIT
    told.acknowledge(1)
    assert len(ids(told.next(observe()))) == 5


def test_a_report_has_at_most_a_bounded_size_but_never_nothing() -> None:
    told = reports.Reports()
    for number in range(3):
        told.mark(str(number))
    large = observe(reason="x" * (reports.BYTES_LIMIT - 100))
    assert ids(told.next(large)) == ["0"]
    told.acknowledge(1)
    assert ids(told.next(large)) == ["1"]


def test_tasks_that_are_gone_are_left_out() -> None:
    told = reports.Reports()
    told.mark("a")
    assert told.next(lambda _: None) is None
    assert told.settled


def test_last_lines_go_with_the_next_report_and_come_back_until_they_are_recorded() -> None:
    told = reports.Reports()
    told.add_tail(log_pb2.LogTail(task_id="a", container="main"))
    assert told.due
    report = told.next(observe())
    assert report is not None
    assert [tail.task_id for tail in report.log_tails] == ["a"]
    assert told.tails_waiting
    told.reopen(0)
    assert told.due
    report = told.next(observe())
    assert report is not None
    assert len(report.log_tails) == 1
    told.acknowledge(report.number)
    assert (told.take_told(), told.take_told()) == ([("a", "main")], [])
    assert told.settled
    assert not told.tails_waiting
