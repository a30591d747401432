import pytest
from google.protobuf import timestamp_pb2

from longshore.state_tracker import observation
from longshore.storage import tasks
from longshore.v1 import agent_service_pb2, event_pb2, task_pb2

PENDING = task_pb2.TASK_STATUS_PENDING
RUNNING = task_pb2.TASK_STATUS_RUNNING
STOPPED = task_pb2.TASK_STATUS_STOPPED
TASK = observation.Task("t", "web", "i")
EXITED = task_pb2.TASK_STOP_CODE_ESSENTIAL_CONTAINER_EXITED
UP, DOWN = task_pb2.CONTAINER_STATUS_RUNNING, task_pb2.CONTAINER_STATUS_STOPPED
LOST = observation.End(task_pb2.TASK_STOP_CODE_INFRASTRUCTURE_HEALTH, "gone", released=False)
FORCED = observation.End(task_pb2.TASK_STOP_CODE_USER_INITIATED, "forced", released=True)


def reported(
    status: int, *containers: event_pb2.ContainerObservation, **fields: object
) -> agent_service_pb2.TaskObservation:
    return agent_service_pb2.TaskObservation(task_id="t", last_status=status, containers=containers, **fields)  # type: ignore[arg-type]  # fields of the test


def main(status: int = UP, **fields: object) -> event_pb2.ContainerObservation:
    return event_pb2.ContainerObservation(name="main", last_status=status, **fields)  # type: ignore[arg-type]  # fields of the test


def after(*reports: agent_service_pb2.TaskObservation) -> tasks.Observation | None:
    stored: tasks.Observation | None = None
    for now, report in enumerate(reports, start=1):
        change = observation.merge(stored, report, task=TASK, now=now)
        stored = change.observation if change is not None else stored
    return stored


@pytest.mark.parametrize(
    ("stored", "report", "result"),
    [
        (None, PENDING, PENDING),
        (None, RUNNING, RUNNING),
        (None, STOPPED, STOPPED),
        (PENDING, RUNNING, RUNNING),
        (PENDING, STOPPED, STOPPED),
        (RUNNING, PENDING, None),
        (RUNNING, STOPPED, STOPPED),
        (STOPPED, PENDING, None),
        (STOPPED, RUNNING, None),
        (PENDING, PENDING, None),
        (RUNNING, RUNNING, None),
        (STOPPED, STOPPED, None),
    ],
)
def test_the_transition_table(stored: int | None, report: int, result: int | None) -> None:
    before = after(reported(stored)) if stored is not None else None
    change = observation.merge(before, reported(report), task=TASK, now=9)
    assert (change.observation.last_status if change is not None else None) == result


@pytest.mark.parametrize(
    ("stored", "report", "pending", "running"),
    [
        (None, PENDING, 0, 0),
        (None, RUNNING, -1, 1),
        (None, STOPPED, -1, 0),
        (PENDING, RUNNING, -1, 1),
        (PENDING, STOPPED, -1, 0),
        (RUNNING, STOPPED, 0, -1),
    ],
)
def test_what_a_transition_adds_to_the_counts(stored: int | None, report: int, pending: int, running: int) -> None:
    before = after(reported(stored)) if stored is not None else None
    change = observation.merge(before, reported(report), task=TASK, now=9)
    assert change is not None
    assert (change.pending, change.running, change.left_pending) == (pending, running, -pending)


def test_times_are_those_of_the_recording() -> None:
    kept = after(reported(PENDING), reported(RUNNING), reported(STOPPED, stop_code=EXITED, stopped_reason="x"))
    assert kept is not None
    assert (kept.started_at, kept.stop_cause_at, kept.stopped_at) == (2, 3, 3)
    assert kept.revision == 3


def test_containers_merge_while_the_task_stays_as_it_is() -> None:
    binding = task_pb2.NetworkBinding(host_port=80)
    first = reported(RUNNING, main(runtime_id="c1", network_bindings=[binding]))
    change = observation.merge(after(first), reported(RUNNING, main(health_status=1)), task=TASK, now=2)
    assert change is not None
    assert change.containers == (main(runtime_id="c1", network_bindings=[binding], health_status=1),)
    again = observation.merge(change.observation, first, task=TASK, now=3)
    assert again is None  # nothing that is known is lost, and bindings are not doubled


def test_a_container_never_goes_back_nor_changes_its_exit_code() -> None:
    kept = after(
        reported(RUNNING, main(DOWN, exit_code=3)),
        reported(RUNNING, main(UP)),
        reported(RUNNING, main(DOWN, exit_code=0, restart_count=0)),
    )
    assert kept is not None
    assert list(kept.record().containers) == [main(DOWN, exit_code=3)]


def test_an_older_count_of_restarts_is_ignored() -> None:
    kept = after(reported(RUNNING, main(restart_count=2)), reported(RUNNING, main(restart_count=1, reason="old")))
    assert kept is not None
    assert list(kept.record().containers) == [main(restart_count=2)]


def test_the_first_cause_of_a_stop_stays() -> None:
    kept = after(
        reported(RUNNING, stop_code=EXITED, stopped_reason="first"),
        reported(STOPPED, stop_code=task_pb2.TASK_STOP_CODE_TASK_FAILED_TO_START, stopped_reason="second"),
    )
    assert kept is not None
    assert (kept.stop_code, kept.stopped_reason, kept.stop_cause_at) == (EXITED, "first", 1)


def test_a_task_first_heard_of_when_it_is_over_did_run_if_something_has_an_exit_code() -> None:
    ran = after(reported(STOPPED, main(DOWN, exit_code=0), stop_code=EXITED, released=True))
    failed = after(reported(STOPPED, main(DOWN), stop_code=task_pb2.TASK_STOP_CODE_TASK_FAILED_TO_START, released=True))
    assert ran is not None
    assert failed is not None
    assert (ran.started_at, failed.started_at) == (1, None)


def test_a_container_that_ended_does_not_start_a_pending_task() -> None:
    kept = after(reported(PENDING, main(DOWN, exit_code=0)))
    assert kept is not None
    assert kept.started_at is None


def test_released_implies_stopped() -> None:
    kept = after(reported(RUNNING, released=True))
    assert kept is not None
    assert (kept.last_status, kept.released) == (STOPPED, True)


def test_reasons_are_cut_to_the_limit() -> None:
    kept = after(reported(STOPPED, main(DOWN, reason="r" * 2000), stop_code=EXITED, stopped_reason="s" * 2000))
    assert kept is not None
    assert (len(kept.stopped_reason), len(kept.record().containers[0].reason)) == (1024, 1024)


def test_a_lost_task_is_stopped_and_not_released_and_its_end_is_added_later() -> None:
    running = after(reported(RUNNING, main(runtime_id="c1")))
    lost = observation.end(running, LOST, task=TASK, now=5)
    assert lost is not None
    assert (lost.observation.last_status, lost.observation.released, lost.running) == (STOPPED, False, -1)
    assert [container.last_status for container in lost.containers] == [DOWN]
    assert observation.end(lost.observation, LOST, task=TASK, now=6) is None
    back = observation.merge(lost.observation, reported(RUNNING, main()), task=TASK, now=7)
    assert back is None
    ended = observation.merge(
        lost.observation, reported(STOPPED, main(DOWN, exit_code=137, reason="killed"), released=True), task=TASK, now=8
    )
    assert ended is not None
    assert ended.observation.released
    assert (ended.observation.stop_code, ended.observation.stopped_at) == (LOST.stop_code, 5)
    assert ended.containers == (main(DOWN, runtime_id="c1", exit_code=137, reason="killed"),)
    assert (ended.pending, ended.running) == (0, 0)


def test_a_release_is_the_last_that_is_told_of_a_task() -> None:
    """Whoever follows the log gives back by it: told twice, it would be given back twice."""
    gone = reported(STOPPED, released=True)
    late = reported(STOPPED, main(DOWN, exit_code=1), released=True)
    assert after(gone) is not None
    assert after(gone, late) == after(gone)


def test_a_forced_end_releases_also_what_was_given_up() -> None:
    never = observation.end(None, FORCED, task=TASK, now=1)
    assert never is not None
    assert (never.observation.released, never.is_new, never.pending) == (True, True, -1)
    lost = observation.end(after(reported(PENDING)), LOST, task=TASK, now=2)
    assert lost is not None
    freed = observation.end(lost.observation, FORCED, task=TASK, now=3)
    assert freed is not None
    assert (freed.observation.released, freed.observation.stopped_reason) == (True, "gone")
    assert observation.end(freed.observation, FORCED, task=TASK, now=4) is None


@pytest.mark.parametrize(
    ("report", "why"),
    [
        (agent_service_pb2.TaskObservation(last_status=RUNNING), "no task"),
        (reported(task_pb2.TASK_STATUS_UNSPECIFIED), "its status 0 is"),
        (reported(task_pb2.TASK_STATUS_STOPPING), "STOPPING"),
        (reported(RUNNING, main(), main()), "twice"),
        (reported(STOPPED, stopped_reason="a\0b"), "NUL"),
        (reported(RUNNING, pull_started_at=timestamp_pb2.Timestamp(seconds=10**15)), "times"),
        (reported(RUNNING, execution_stopped_at=timestamp_pb2.Timestamp(nanos=-1)), "times"),
    ],
)
def test_what_is_no_observation_says_why(report: agent_service_pb2.TaskObservation, why: str) -> None:
    assert why in (observation.fault(report) or "")
    assert observation.fault(reported(RUNNING, main())) is None


WAITS = task_pb2.CONTAINER_STATUS_PENDING


def pulling(downloaded: int, total: int) -> event_pb2.ContainerObservation:
    return main(WAITS, pull_progress=event_pb2.PullProgress(downloaded_bytes=downloaded, total_bytes=total, layers=1))


def test_the_progress_of_a_pull_only_grows_and_goes_when_the_container_is_past_it() -> None:
    stored = after(reported(PENDING, pulling(10, 100)), reported(PENDING, pulling(40, 100)))
    assert stored is not None
    assert stored.record().containers[0].pull_progress.downloaded_bytes == 40
    assert observation.merge(stored, reported(PENDING, pulling(20, 90)), task=TASK, now=9) is None
    assert observation.merge(stored, reported(PENDING, main(WAITS)), task=TASK, now=9) is None
    change = observation.merge(stored, reported(RUNNING, main(UP)), task=TASK, now=9)
    assert change is not None
    assert not change.containers[0].HasField("pull_progress")
    lost = observation.end(stored, LOST, task=TASK, now=9)
    assert lost is not None
    assert not lost.observation.record().containers[0].HasField("pull_progress")


def test_a_task_keeps_the_first_address_that_is_told_of_it() -> None:
    def at(address: str) -> agent_service_pb2.TaskNetworkInterface:
        return agent_service_pb2.TaskNetworkInterface(private_ipv4_address=address)

    stored = after(reported(PENDING, main(0)), reported(PENDING, main(0), network_interface=at("10.0.0.2")))
    assert stored is not None
    assert (stored.revision, stored.record().network_interface) == (2, at("10.0.0.2"))
    later = after(
        reported(RUNNING, main(), network_interface=at("10.0.0.2")),
        reported(RUNNING, main(), network_interface=at("10.0.0.9")),
        reported(STOPPED, main(DOWN)),
    )
    assert later is not None
    assert (later.revision, later.record().network_interface) == (2, at("10.0.0.2"))
