"""Whatever is lost, doubled, late or out of order: observations move forward, versions by one, and the counts are true."""

import dataclasses
from typing import TypeAlias

from hypothesis import given
from hypothesis import strategies as st

from longshore.state_tracker import observation, submissions
from longshore.storage import tasks
from longshore.v1 import agent_service_pb2, event_pb2, task_pb2

TASK = observation.Task("t", "web", "i")
STATUSES = (task_pb2.TASK_STATUS_PENDING, task_pb2.TASK_STATUS_RUNNING, task_pb2.TASK_STATUS_STOPPED)
CONTAINER_STATUSES = (
    task_pb2.CONTAINER_STATUS_PENDING,
    task_pb2.CONTAINER_STATUS_RUNNING,
    task_pb2.CONTAINER_STATUS_STOPPED,
)

containers = st.builds(
    event_pb2.ContainerObservation,
    name=st.sampled_from(("main", "side")),
    last_status=st.sampled_from(CONTAINER_STATUSES),
    exit_code=st.none() | st.integers(0, 255),
    reason=st.sampled_from(("", "OutOfMemoryError: x")),
    restart_count=st.integers(0, 2),
)
reports = st.builds(
    agent_service_pb2.TaskObservation,
    task_id=st.just("t"),
    last_status=st.sampled_from(STATUSES),
    containers=st.lists(containers, max_size=2, unique_by=lambda container: container.name),
    stop_code=st.sampled_from((0, 1, 2)),
    stopped_reason=st.sampled_from(("a", "b")),
    released=st.booleans(),
)
submitted_containers = st.builds(
    event_pb2.ContainerObservation,
    name=st.sampled_from(("main", "side")),
    last_status=st.sampled_from(CONTAINER_STATUSES),
    exit_code=st.none() | st.integers(0, 255),
    reason=st.sampled_from(("", "OutOfMemoryError: x")),
)
said = st.builds(
    submissions.Submission,
    task_id=st.just("t"),
    status=st.none() | st.sampled_from(STATUSES),
    reason=st.sampled_from(("", "said so")),
    containers=st.lists(submitted_containers, max_size=2, unique_by=lambda container: container.name).map(tuple),
    times=st.just({}),
)
ends = st.builds(observation.End, stop_code=st.just(7), reason=st.just("gone"), released=st.booleans())
steps_of = st.lists(reports | ends | said, max_size=12)

Step: TypeAlias = agent_service_pb2.TaskObservation | observation.End | submissions.Submission


def changes(story: list[Step]) -> list[observation.Change]:
    stored: tasks.Observation | None = None
    made = []
    for now, step in enumerate(story, start=1):
        if isinstance(step, observation.End):
            change = observation.end(stored, step, task=TASK, now=now)
        else:
            if isinstance(step, submissions.Submission):
                step = submissions.observation(step, stored, frozenset({"main"}))  # noqa: PLW2901 - what the report comes to
            assert observation.fault(step) is None
            change = observation.merge(stored, step, task=TASK, now=now)
        if change is not None:
            made.append(change)
            stored = change.observation
    return made


@given(steps_of)
def test_everything_moves_forward_only(story: list[Step]) -> None:
    before: tasks.Observation | None = None
    for change in changes(story):
        after = change.observation
        assert after.revision == (before.revision if before is not None else 0) + 1
        assert change.is_new is (before is None)
        assert not after.released or after.last_status == task_pb2.TASK_STATUS_STOPPED
        if before is not None:
            assert after.last_status >= before.last_status
            assert after.released >= before.released
            for field in ("started_at", "stopped_at", "stop_cause_at"):
                if getattr(before, field) is not None:
                    assert getattr(after, field) == getattr(before, field)
            known = {container.name: container for container in after.record().containers}
            for container in before.record().containers:
                assert known[container.name].last_status >= container.last_status
                if container.HasField("exit_code"):
                    assert known[container.name].exit_code == container.exit_code
        before = after


@given(steps_of)
def test_the_counts_are_what_a_recount_gives(story: list[Step]) -> None:
    pending, running, left = 1, 0, 0  # placed
    for change in changes(story):
        pending += change.pending
        running += change.running
        left += change.left_pending
        status = change.observation.last_status
        assert pending == (status == task_pb2.TASK_STATUS_PENDING)
        assert running == (status == task_pb2.TASK_STATUS_RUNNING)
        assert left == 1 - pending


@given(steps_of)
def test_a_report_that_comes_again_changes_nothing(story: list[Step]) -> None:
    twice = [step for step in story for _ in range(2)]
    assert [change.observation.body for change in changes(twice)] == [
        change.observation.body for change in changes(story)
    ]


@given(steps_of, reports)
def test_the_containers_of_a_change_are_those_that_differ(
    story: list[Step], last: agent_service_pb2.TaskObservation
) -> None:
    made = changes(story)
    stored = made[-1].observation if made else None
    change = observation.merge(stored, last, task=TASK, now=99)
    if change is not None:
        before = {c.name: c for c in (stored.record().containers if stored is not None else ())}
        after = {c.name: c for c in change.observation.record().containers}
        assert {c.name for c in change.containers} == {name for name in after if before.get(name) != after[name]}


@given(steps_of, said)
def test_what_a_host_calls_stopped_is_released_with_all_its_containers(
    story: list[Step], last: submissions.Submission
) -> None:
    last = dataclasses.replace(last, status=task_pb2.TASK_STATUS_STOPPED)
    made = changes([*story, last])
    after = made[-1].observation
    assert (after.last_status, after.released) == (task_pb2.TASK_STATUS_STOPPED, True)
