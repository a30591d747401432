"""What the machine makes of the hidden container that holds what the others share."""

import pytest

from longshore.agent import observations, states, task_commands, task_events, task_machine, task_state
from tests.unit.agent import build

C = states.ContainerPhase
PAUSE = "~pause"
INTERFACE = task_state.Interface("02:42:0a:58:00:02", "10.88.0.2")


def assigned() -> build.Life:
    life = build.Life(build.plan(waits_for=PAUSE), build.plan(PAUSE, hidden=True))
    life.see(task_events.Assigned(), task_events.ImageReady("app", "", pulled=False))
    return life


def running() -> build.Life:
    life = assigned()
    life.see(
        task_events.ImageReady(PAUSE, "", pulled=False),
        task_events.ContainerCreated(PAUSE, "id-pause"),
        task_events.ContainerStarted(PAUSE, "id-pause", interface=INTERFACE),
    )
    life.see(task_events.ContainerCreated("app", "id-app"), task_events.ContainerStarted("app", "id-app"))
    return life


def test_it_runs_before_the_others_are_created_and_is_told_of_nowhere() -> None:
    life = assigned()
    assert life.phase() is C.PULLED
    life = running()
    assert life.state.phase is states.TaskPhase.RUNNING
    told = observations.observation(life.state)
    assert [container.name for container in told.containers] == ["app"]
    assert told.network_interface.private_ipv4_address == "10.88.0.2"


def test_its_address_is_told_as_soon_as_it_is_known() -> None:
    life = assigned()
    life.see(task_events.ImageReady(PAUSE, "", pulled=False), task_events.ContainerCreated(PAUSE, "id-pause"))
    assert task_commands.Report() in life.see(task_events.ContainerStarted(PAUSE, "id-pause", interface=INTERFACE))


def test_it_is_stopped_last() -> None:
    life = running()
    stops = life.see(task_events.StopRequested())
    assert [command.container for command in stops if isinstance(command, task_commands.Stop)] == ["app"]
    stops = life.see(task_events.ContainerDied("app", 0))
    assert [command.container for command in stops if isinstance(command, task_commands.Stop)] == [PAUSE]
    assert not life.state.stopped
    life.see(task_events.ContainerDied(PAUSE, 0))
    assert life.state.stopped


@pytest.mark.parametrize(
    ("event", "how"),
    [
        (task_events.ContainerDied(PAUSE, 137), "exit code 137"),
        (task_events.ContainerDied(PAUSE, None), "exit code unknown"),
        (task_events.ContainerVanished(PAUSE), task_machine.VANISHED),
    ],
)
def test_its_end_is_the_end_of_the_task_which_says_why(event: task_events.Event, how: str) -> None:
    life = running()
    life.see(event)
    assert life.state.stop_cause == task_state.StopCause(
        task_state.StopCode.ESSENTIAL_CONTAINER_EXITED, f"{task_machine.PAUSE_ENDED}: {how}"
    )
    assert life.phase() is C.STOPPING
    assert not life.state.execution_stopped_at
    life.see(task_events.ContainerDied("app", 143, finished_at=9))
    assert (life.state.stopped, life.state.execution_stopped_at) == (True, 9)


@pytest.mark.parametrize(
    "failure",
    [task_events.PullFailed(PAUSE, "no such thing"), task_events.CreateFailed(PAUSE, "no such thing")],
)
def test_without_it_the_task_fails_to_start_for_its_reason(failure: task_events.Event) -> None:
    life = assigned()
    if isinstance(failure, task_events.CreateFailed):
        life.see(task_events.ImageReady(PAUSE, "", pulled=False))
    life.see(failure)
    assert life.state.stop_cause == task_state.StopCause(
        task_state.StopCode.TASK_FAILED_TO_START, "Task failed to start: no such thing"
    )
    assert life.state.stopped


def test_where_all_have_ended_the_task_stops_for_one_that_people_know() -> None:
    life = running()
    life.see(
        task_events.Adopted(
            tuple(task_events.Finding(name, task_events.Found.EXITED, name, 137) for name in ("app", PAUSE))
        )
    )
    assert life.state.stop_cause is not None
    assert life.state.stop_cause.reason == "Essential container in task exited"


def test_it_is_written_down_with_its_address_and_comes_back() -> None:
    life = running()
    kept = observations.to_keep(life.state)
    back = observations.restored("f" * 32, life.state.plans, kept, stopping=False, stopped_at=0)
    assert back.container(PAUSE).phase is C.RUNNING
    assert back.interface == INTERFACE
    assert observations.to_keep(back) == kept
    # Its absence is a loss, and no reason to make another one.
    again, commands = task_machine.step(
        back, task_events.Adopted((task_events.Finding(PAUSE, task_events.Found.ABSENT),)), build.NOW
    )
    assert again.container(PAUSE).phase is C.STOPPED
    assert not [command for command in commands if isinstance(command, task_commands.Pull)]
