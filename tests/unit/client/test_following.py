import pytest

from longshore.client import following
from longshore.v1 import container_instance_pb2, event_pb2, task_definition_pb2, task_pb2

A, B = "a" * 32, "b" * 32
ESSENTIAL = frozenset({"main", "other"})
STOPPED = task_pb2.TASK_STATUS_STOPPED
RUNNING = task_pb2.TASK_STATUS_RUNNING


def ended(name: str, code: int | None, *, out_of_memory: bool = False) -> event_pb2.ContainerObservation:
    container = event_pb2.ContainerObservation(
        name=name, last_status=task_pb2.CONTAINER_STATUS_STOPPED, out_of_memory=out_of_memory
    )
    if code is not None:
        container.exit_code = code
    return container


def event(
    task_id: str,
    version: int,
    status: "task_pb2.TaskStatus.ValueType",
    *containers: event_pb2.ContainerObservation,
    stop_code: "task_pb2.TaskStopCode.ValueType" = task_pb2.TASK_STOP_CODE_UNSPECIFIED,
) -> event_pb2.Event:
    change = event_pb2.TaskEvent(
        task_id=task_id, version=version, last_status=status, containers=containers, stop_code=stop_code
    )
    return event_pb2.Event(sequence=version, task=change)


def follower(*task_ids: str) -> following.Follower:
    return following.Follower(task_ids or (A,), essential=ESSENTIAL)


def test_events_of_others_are_no_news() -> None:
    followed = follower()
    instance = event_pb2.Event(container_instance=event_pb2.ContainerInstanceEvent(container_instance_id=A))
    assert instance.container_instance.status == container_instance_pb2.CONTAINER_INSTANCE_STATUS_UNSPECIFIED
    assert (followed.apply(instance), followed.apply(event(B, 1, RUNNING))) == (None, None)


def test_a_version_that_is_not_newer_is_dropped() -> None:
    followed = follower()
    assert followed.apply(event(A, 2, STOPPED)) is followed.tasks[A]
    assert followed.apply(event(A, 2, RUNNING)) is None
    assert followed.apply(event(A, 1, RUNNING)) is None
    assert followed.tasks[A].last_status == STOPPED


def test_it_is_finished_when_every_task_has_stopped() -> None:
    followed = follower(A, B)
    followed.apply(event(A, 1, STOPPED))
    assert not followed.finished()
    followed.apply(event(B, 1, STOPPED))
    assert followed.finished()


def test_it_is_settled_when_every_task_runs_or_is_past_that() -> None:
    followed = follower(A, B)
    followed.apply(event(A, 1, RUNNING))
    assert not followed.settled()
    followed.apply(event(B, 1, STOPPED))
    assert followed.settled()


def test_a_task_that_failed_to_start_did_not_run() -> None:
    followed = follower()
    assert followed.tasks[A].ran
    followed.apply(event(A, 1, STOPPED, stop_code=task_pb2.TASK_STOP_CODE_TASK_FAILED_TO_START))
    assert not followed.tasks[A].ran


@pytest.mark.parametrize(
    ("events", "code"),
    [
        pytest.param([event(A, 1, STOPPED, ended("main", 7))], 7, id="one container"),
        pytest.param([event(A, 1, STOPPED, ended("helper", 3), ended("main", 0))], 0, id="not essential"),
        pytest.param([event(A, 1, STOPPED, ended("main", None))], 125, id="never started"),
        pytest.param([event(A, 1, STOPPED)], 125, id="nothing known"),
        pytest.param(
            [event(A, 1, RUNNING, ended("main", 0)), event(A, 2, STOPPED, ended("other", 143))], 0, id="first clean"
        ),
        pytest.param(
            [event(A, 1, RUNNING, ended("other", 4)), event(A, 2, STOPPED, ended("main", 0))], 4, id="first failed"
        ),
        pytest.param([event(A, 1, STOPPED, ended("main", 0), ended("other", 143))], 0, id="clean end explains a stop"),
        pytest.param([event(A, 1, STOPPED, ended("main", 137), ended("other", 2))], 2, id="failure explains a stop"),
        pytest.param(
            [event(A, 1, STOPPED, ended("main", 137, out_of_memory=True), ended("other", 0))], 137, id="out of memory"
        ),
        pytest.param([event(A, 1, STOPPED, ended("main", 137), ended("other", 143))], 137, id="all were stopped"),
    ],
)
def test_the_exit_code_is_that_of_the_container_whose_end_ended_the_task(
    events: list[event_pb2.Event], code: int
) -> None:
    followed = follower()
    for item in events:
        followed.apply(item)
    assert followed.exit_code() == code


def test_of_several_tasks_the_first_failure_by_age_counts() -> None:
    followed = follower(B, A)
    followed.apply(event(B, 1, STOPPED, ended("main", 9)))
    followed.apply(event(A, 1, STOPPED, ended("main", 4)))
    assert followed.exit_code() == 4
    followed = follower(B, A)
    followed.apply(event(B, 1, STOPPED, ended("main", 9)))
    followed.apply(event(A, 1, STOPPED, ended("main", 0)))
    assert followed.exit_code() == 9


def test_a_description_stands_for_the_events_it_came_too_late_for() -> None:
    followed = follower()
    container = task_pb2.Container(
        name="main", last_status=task_pb2.CONTAINER_STATUS_STOPPED, exit_code=5, reason="OutOfMemoryError: …"
    )
    task = task_pb2.Task(
        task_arn=f"arn:aws:ecs:us-east-1:123456789012:task/default/{A}",
        version=4,
        last_status=STOPPED,
        containers=[container],
    )
    assert followed.apply_description(task) is followed.tasks[A]
    assert (followed.finished(), followed.exit_code()) == (True, 5)
    assert followed.apply(event(A, 3, RUNNING)) is None, "the stream tells what the description knew"
    assert followed.apply_description(task) is None


def test_containers_are_essential_unless_they_say_otherwise() -> None:
    definition = task_definition_pb2.TaskDefinition(
        container_definitions=[
            task_definition_pb2.ContainerDefinition(name="silent"),
            task_definition_pb2.ContainerDefinition(name="yes", essential=True),
            task_definition_pb2.ContainerDefinition(name="no", essential=False),
        ]
    )
    assert following.essential_names(definition) == {"silent", "yes"}
