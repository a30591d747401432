import itertools

import pytest

from longshore.v1 import event_pb2, task_pb2
from longshore.views import visible
from tests.unit.views.rows import intent, observation

PENDING = task_pb2.TASK_STATUS_PENDING
RUNNING = task_pb2.TASK_STATUS_RUNNING
STOPPING = task_pb2.TASK_STATUS_STOPPING
STOPPED = task_pb2.TASK_STATUS_STOPPED
WANTED = task_pb2.DESIRED_STATUS_RUNNING
UNWANTED = task_pb2.DESIRED_STATUS_STOPPED


@pytest.mark.parametrize(
    ("desired", "observed", "cause_at", "shown"),
    [
        (WANTED, None, None, (PENDING, WANTED)),
        (WANTED, PENDING, None, (PENDING, WANTED)),
        (WANTED, PENDING, 5, (STOPPING, UNWANTED)),
        (WANTED, RUNNING, None, (RUNNING, WANTED)),
        (WANTED, RUNNING, 5, (STOPPING, UNWANTED)),
        (UNWANTED, None, None, (STOPPING, UNWANTED)),
        (UNWANTED, PENDING, None, (STOPPING, UNWANTED)),
        (UNWANTED, RUNNING, None, (STOPPING, UNWANTED)),
        (UNWANTED, RUNNING, 5, (STOPPING, UNWANTED)),
        (WANTED, STOPPED, 5, (STOPPED, UNWANTED)),
        (UNWANTED, STOPPED, None, (STOPPED, UNWANTED)),
    ],
)
def test_the_table_of_the_task_lifecycle(
    desired: int, observed: int | None, cause_at: int | None, shown: tuple[int, int]
) -> None:
    seen = observation(last_status=observed, stop_cause_at=cause_at) if observed is not None else None
    state = visible.state(intent(desired_status=desired), seen)
    assert (state.last_status, state.desired_status) == shown


def test_the_visible_state_never_goes_back_whichever_half_moves_first() -> None:
    order = [PENDING, RUNNING, STOPPING, STOPPED]
    halves = list(
        itertools.product(
            (WANTED, UNWANTED),
            ((None, None), (PENDING, None), (PENDING, 5), (RUNNING, None), (RUNNING, 5), (STOPPED, 5)),
        )
    )

    def rank(desired: int, seen: tuple[int | None, int | None]) -> int:
        half = observation(last_status=seen[0], stop_cause_at=seen[1]) if seen[0] is not None else None
        return order.index(visible.state(intent(desired_status=desired), half).last_status)

    stages = [None, PENDING, RUNNING, STOPPED]
    for (desired, seen), (later_desired, later_seen) in itertools.product(halves, halves):
        # A cause that was recorded stays, whatever is observed after it.
        moved_on = (
            later_desired >= desired
            and stages.index(later_seen[0]) >= stages.index(seen[0])
            and (later_seen[1] is not None) >= (seen[1] is not None)
        )
        if moved_on:
            assert rank(later_desired, later_seen) >= rank(desired, seen)


@pytest.mark.parametrize(
    ("asked_at", "seen_at", "reason", "since"),
    [
        (None, None, "", None),
        (10, None, "asked", 10),
        (None, 10, "seen", 10),
        (10, 20, "asked", 10),
        (20, 10, "seen", 10),
        (10, 10, "asked", 10),
    ],
)
def test_the_first_recorded_cause_is_shown(
    asked_at: int | None, seen_at: int | None, reason: str, since: int | None
) -> None:
    state = visible.state(
        intent(stopping_at=asked_at, stopped_reason="asked" if asked_at else "", stop_code=3 if asked_at else 0),
        observation(last_status=STOPPED, stop_cause_at=seen_at, stopped_reason="seen" if seen_at else "", stop_code=2),
    )
    assert (state.stopped_reason, state.stopping_at) == (reason, since)


def test_the_version_is_the_sum_of_both_revisions() -> None:
    assert visible.state(intent(revision=2), None).version == 2
    assert visible.state(intent(revision=2), observation(revision=3)).version == 5


def test_an_event_carries_the_state_and_the_containers_that_moved() -> None:
    moved = event_pb2.ContainerObservation(name="main", exit_code=1)
    made = visible.task_event(
        intent(started_by="ci"), observation(last_status=STOPPED, released=True, revision=4), [moved]
    )
    assert made == event_pb2.TaskEvent(
        task_id="a" * 32,
        container_instance_id="b" * 32,
        family="app",
        revision=3,
        group="family:app",
        started_by="ci",
        version=5,
        last_status=STOPPED,
        desired_status=UNWANTED,
        containers=[moved],
        released=True,
    )
