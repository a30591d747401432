"""What hosts without a session may say, and what becomes of it."""

from typing import Any

import pytest
from google.protobuf import timestamp_pb2

from longshore.rpc import errors
from longshore.state_tracker import observation, submissions
from longshore.storage import tasks
from longshore.v1 import agent_service_pb2, event_pb2, state_tracker_service_pb2, task_definition_pb2, task_pb2

pb = state_tracker_service_pb2

TASK = observation.Task("t", "web", "i")
MAIN = frozenset({"main"})
EXITED = task_pb2.TASK_STOP_CODE_ESSENTIAL_CONTAINER_EXITED
FAILED = task_pb2.TASK_STOP_CODE_TASK_FAILED_TO_START
UP, DOWN = task_pb2.CONTAINER_STATUS_RUNNING, task_pb2.CONTAINER_STATUS_STOPPED


def container(name: str = "main", status: str = "RUNNING", **fields: Any) -> pb.ContainerStateChange:
    return pb.ContainerStateChange(container_name=name, status=status, **fields)


def task(status: str = "RUNNING", *containers: pb.ContainerStateChange, **fields: Any) -> submissions.Submission:
    return submissions.of_task(
        pb.SubmitTaskStateChangeRequest(status=status, containers=containers, **fields), task_id="t"
    )


def change(stored: tasks.Observation | None, said: submissions.Submission) -> observation.Change | None:
    return observation.merge(stored, submissions.observation(said, stored, MAIN), task=TASK, now=7)


def running(*containers: event_pb2.ContainerObservation) -> tasks.Observation:
    report = agent_service_pb2.TaskObservation(
        task_id="t", last_status=task_pb2.TASK_STATUS_RUNNING, containers=containers
    )
    made = observation.merge(None, report, task=TASK, now=1)
    assert made is not None
    return made.observation


def seen(change: observation.Change | None) -> dict[str, tuple[int, int | None]]:
    assert change is not None
    return {
        c.name: (c.last_status, c.exit_code if c.HasField("exit_code") else None)
        for c in change.observation.record().containers
    }


@pytest.mark.parametrize(
    ("request_", "message"),
    [
        (pb.SubmitTaskStateChangeRequest(), "The status of the task must be one of PENDING, RUNNING, STOPPED, not ''"),
        (pb.SubmitTaskStateChangeRequest(status="running"), "not 'running'"),
        (pb.SubmitTaskStateChangeRequest(status="STOPPING"), "not 'STOPPING'"),
        (
            pb.SubmitTaskStateChangeRequest(status="RUNNING", containers=[container(), container()]),
            "names a container twice",
        ),
        (pb.SubmitTaskStateChangeRequest(status="RUNNING", containers=[container(name="")]), "containerName"),
        (
            pb.SubmitTaskStateChangeRequest(status="RUNNING", containers=[container(status="CREATED")]),
            "status of container main",
        ),
        (
            pb.SubmitTaskStateChangeRequest(status="RUNNING", containers=[container(exit_code=0)]),
            "exitCode of container main goes with the status STOPPED",
        ),
        (
            pb.SubmitTaskStateChangeRequest(status="STOPPED", containers=[container()]),
            "A task that is STOPPED has no container that is RUNNING",
        ),
        (
            pb.SubmitTaskStateChangeRequest(status="RUNNING", containers=[container(runtime_id="x" * 256)]),
            "runtimeId of container main has 256 characters",
        ),
        (
            pb.SubmitTaskStateChangeRequest(
                status="RUNNING", managed_agents=[pb.ManagedAgentStateChange(container_name="main")]
            ),
            "Container main has no managed agent",
        ),
        (
            pb.SubmitTaskStateChangeRequest(status="RUNNING", pull_stopped_at=timestamp_pb2.Timestamp(seconds=10**15)),
            "pullStoppedAt is out of range",
        ),
    ],
)
def test_what_cannot_be_reported_is_refused_by_name(request_: pb.SubmitTaskStateChangeRequest, message: str) -> None:
    with pytest.raises(errors.InvalidParameterException) as refused:
        submissions.of_task(request_, "t")
    assert message in refused.value.message


@pytest.mark.parametrize(
    ("binding", "taken"),
    [
        (task_pb2.NetworkBinding(container_port=80, host_port=49153), True),
        (task_pb2.NetworkBinding(container_port_range="80-90", host_port_range="1000-1010"), True),
        (task_pb2.NetworkBinding(), False),
        (task_pb2.NetworkBinding(container_port=0, host_port=80), False),
        (task_pb2.NetworkBinding(container_port=80, host_port=65_536), False),
        (task_pb2.NetworkBinding(container_port_range="90-80"), False),
        (task_pb2.NetworkBinding(container_port_range="x"), False),
    ],
)
def test_ports_are_ports(binding: task_pb2.NetworkBinding, *, taken: bool) -> None:
    if not taken:
        with pytest.raises(errors.InvalidParameterException, match="networkBindings of container main"):
            task("RUNNING", container(network_bindings=[binding]))
        return
    (shown,) = task("RUNNING", container(network_bindings=[binding])).containers[0].network_bindings
    assert (shown.bind_ip, shown.protocol) == ("0.0.0.0", task_definition_pb2.TRANSPORT_PROTOCOL_TCP)


def test_a_container_of_another_definition_is_refused_by_name() -> None:
    definition = task_definition_pb2.TaskDefinition(
        container_definitions=[task_definition_pb2.ContainerDefinition(name="main")]
    )
    submissions.check_containers(task("RUNNING", container()), definition)
    with pytest.raises(errors.InvalidParameterException, match="has no container side; it has main"):
        submissions.check_containers(task("RUNNING", container("side")), definition)


def test_a_task_that_stopped_is_released_with_all_its_containers() -> None:
    stored = running(
        event_pb2.ContainerObservation(name="main", last_status=UP, restart_count=3),
        event_pb2.ContainerObservation(name="side", last_status=UP, restart_count=1),
    )
    made = change(stored, task("STOPPED", container(status="STOPPED", exit_code=137), reason="pulled the plug"))
    assert made is not None
    after = made.observation
    assert (after.last_status, after.released) == (task_pb2.TASK_STATUS_STOPPED, True)
    assert (after.stop_code, after.stopped_reason, after.stop_cause_at) == (EXITED, "pulled the plug", 7)
    assert seen(made) == {"main": (DOWN, 137), "side": (DOWN, None)}
    assert (made.pending, made.running) == (0, -1)


def test_a_task_that_never_ran_failed_to_start() -> None:
    made = change(None, task("STOPPED"))
    assert made is not None
    assert (made.observation.stop_code, made.observation.stopped_reason) == (FAILED, "Task failed to start")
    assert made.observation.started_at is None


def test_a_first_word_with_an_exit_code_means_that_it_ran() -> None:
    made = change(None, task("STOPPED", container(status="STOPPED", exit_code=1)))
    assert made is not None
    assert (made.observation.stop_code, made.observation.stopped_reason) == (
        EXITED,
        "Essential container in task exited",
    )
    assert made.observation.started_at == 7


def test_a_task_that_was_given_up_is_released_and_keeps_its_cause() -> None:
    lost = observation.End(task_pb2.TASK_STOP_CODE_INFRASTRUCTURE_HEALTH, "gone", released=False)
    given_up = observation.end(running(), lost, task=TASK, now=3)
    assert given_up is not None
    made = change(given_up.observation, task("STOPPED"))
    assert made is not None
    assert made.observation.released
    assert made.observation.stopped_reason == "gone"
    assert change(made.observation, task("STOPPED")) is None


def test_a_container_moves_alone_and_an_essential_one_ends_its_task() -> None:
    stored = running(event_pb2.ContainerObservation(name="main", last_status=UP))

    def said(name: str, **fields: Any) -> submissions.Submission:
        return submissions.of_container(
            pb.SubmitContainerStateChangeRequest(container_name=name, status="STOPPED", **fields), "t"
        )

    side = change(stored, said("side", exit_code=0))
    assert side is not None
    assert (side.observation.last_status, side.observation.stop_cause_at) == (task_pb2.TASK_STATUS_RUNNING, None)
    main = change(side.observation, said("main", exit_code=2, reason="why"))
    assert main is not None
    assert (main.observation.last_status, main.observation.released) == (task_pb2.TASK_STATUS_RUNNING, False)
    assert (main.observation.stop_code, main.observation.stop_cause_at) == (EXITED, 7)
    assert seen(main) == {"main": (DOWN, 2), "side": (DOWN, 0)}


def test_times_are_taken_once() -> None:
    def at(seconds: int) -> timestamp_pb2.Timestamp:
        return timestamp_pb2.Timestamp(seconds=seconds)

    first = change(None, task("RUNNING", pull_started_at=at(1), pull_stopped_at=at(2)))
    assert first is not None
    later = change(first.observation, task("STOPPED", pull_started_at=at(9), execution_stopped_at=at(3)))
    assert later is not None
    body = later.observation.record()
    assert [m.seconds for m in (body.pull_started_at, body.pull_stopped_at, body.execution_stopped_at)] == [1, 2, 3]


def test_attachments_are_refused_by_name() -> None:
    submissions.refuse_attachments([])
    with pytest.raises(errors.InvalidParameterException, match="no such attachment: arn:a, arn:b"):
        submissions.refuse_attachments(
            [pb.AttachmentStateChange(attachment_arn=arn, status="ATTACHED") for arn in ("arn:a", "arn:b")]
        )
