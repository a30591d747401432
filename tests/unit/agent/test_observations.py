import pytest

from longshore.agent import observations, states, task_events, task_state
from longshore.v1 import task_pb2
from tests.unit.agent import build

BINDING = task_state.Binding(80, 32768, "tcp", "0.0.0.0")
RANGE = task_state.Binding(8000, 40000, "udp", "0.0.0.0", count=3)


def ended() -> build.Life:
    life = build.Life(build.plan("app"), build.plan("side", essential=False))
    life.see(
        task_events.Assigned(), task_events.PullBegan("app"), task_events.ImageReady("app", "sha256:1", pulled=True)
    )
    life.see(
        task_events.ContainerCreated("app", "id-app", (BINDING, RANGE)), task_events.ContainerStarted("app", "id-app")
    )
    life.run("side")
    life.see(task_events.ContainerDied("app", 137, out_of_memory=True, finished_at=9_000_001))
    return life


def test_an_observation_is_whole() -> None:
    life = ended()
    found = observations.observation(life.state)
    assert (found.last_status, found.released) == (task_pb2.TASK_STATUS_RUNNING, False)
    assert found.stop_code == task_pb2.TASK_STOP_CODE_ESSENTIAL_CONTAINER_EXITED
    assert found.execution_stopped_at.ToMicroseconds() == 9_000_001
    app, side = found.containers
    assert (app.exit_code, app.out_of_memory, app.image_digest, app.runtime_id) == (137, True, "sha256:1", "id-app")
    one, row = app.network_bindings
    assert (one.container_port, one.host_port, one.HasField("host_port_range")) == (80, 32768, False)
    assert (row.container_port_range, row.host_port_range, row.HasField("host_port")) == (
        "8000-8002",
        "40000-40002",
        False,
    )
    assert side.last_status == task_pb2.CONTAINER_STATUS_RUNNING
    assert not side.HasField("exit_code")
    life.see(task_events.ContainerDied("side", 143))
    last = observations.observation(life.state)
    assert (last.last_status, last.released) == (task_pb2.TASK_STATUS_STOPPED, True)


def test_a_requested_stop_is_not_the_agents_to_explain() -> None:
    life = build.Life()
    life.see(task_events.Assigned(), task_events.StopRequested("a person wanted it"))
    found = observations.observation(life.state)
    assert (found.stop_code, found.stopped_reason) == (task_pb2.TASK_STOP_CODE_UNSPECIFIED, "")


def test_what_was_written_down_comes_back() -> None:
    life = ended()
    stored = observations.observation(life.state)
    back = observations.restored("f" * 32, life.state.plans, stored, stopping=False, stopped_at=0)
    assert observations.observation(back) == stored
    assert [container.phase for container in back.containers] == [
        states.ContainerPhase.STOPPED,
        states.ContainerPhase.RUNNING,
    ]
    assert back.stop_cause == life.state.stop_cause


@pytest.mark.parametrize("stopping", [True, False])
def test_a_stop_that_was_asked_for_is_remembered(stopping: bool) -> None:  # noqa: FBT001
    life = build.Life()
    life.see(task_events.Assigned())
    life.run()
    stored = observations.observation(life.state)
    back = observations.restored("f" * 32, life.state.plans, stored, stopping=stopping, stopped_at=0)
    assert (back.stop_cause is not None) is stopping


def test_a_task_that_was_never_here_is_stopped_and_released() -> None:
    found = observations.observation(observations.released("t"))
    assert (found.task_id, found.last_status, found.released) == ("t", task_pb2.TASK_STATUS_STOPPED, True)


def test_a_task_of_which_nothing_was_written_is_fresh_but_knows_that_it_should_stop() -> None:
    back = observations.restored("t", (build.plan(),), None, stopping=True, stopped_at=0)
    assert back.containers == (task_state.ContainerState(),)
    assert back.stop_cause == task_state.StopCause(task_state.StopCode.REQUESTED, "")


def test_a_container_that_could_never_start_has_not_run_when_it_comes_back() -> None:
    life = build.Life(
        build.plan("first", essential=False), build.plan(waits_for="first", on="SUCCESS", essential=False)
    )
    life.see(task_events.Assigned(), task_events.ImageReady("app", "", pulled=False))
    life.run("first")
    life.see(task_events.ContainerDied("first", 3))
    written = observations.observation(life.state)
    back = observations.restored("f" * 32, life.state.plans, written, stopping=False, stopped_at=0)
    assert [(each.exit_code, each.ran) for each in back.containers] == [(3, True), (143, False)]
