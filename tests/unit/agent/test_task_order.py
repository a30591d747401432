"""What the machine makes of startTimeout and of restart policies: the parts of a task's life that go by the clock."""

import dataclasses

import pytest

from longshore.agent import observations, states, task_commands, task_events, task_machine, task_state
from longshore.v1 import task_pb2
from tests.unit.agent import build

C = states.ContainerPhase
SECOND = 1_000_000


def waiting(condition: str, start_timeout_s: int | None = 5) -> build.Life:
    """A task whose `app` waits for something of `first`, which runs."""
    first = dataclasses.replace(
        build.plan("first", essential=False), checks_health=True, start_timeout_s=start_timeout_s
    )
    life = build.Life(first, build.plan(waits_for="first", on=condition))
    life.see(task_events.Assigned())
    life.see(task_events.ImageReady("app", "", pulled=False))
    life.run("first")
    return life


@pytest.mark.parametrize("condition", ["COMPLETE", "SUCCESS", "HEALTHY"])
def test_who_waits_longer_than_the_start_timeout_gives_up(condition: str) -> None:
    life = waiting(condition)
    at = life.state.container("first").started_at + 5 * SECOND
    assert life.asked.count(task_commands.Wake(at)) == 1
    life.now = at - 2
    life.see(task_events.TimePassed())
    assert life.phase() is C.PULLED
    life.see(task_events.TimePassed())
    assert (life.phase(), life.state.container("app").exit_code) == (C.STOPPED, 143)
    assert life.state.container("app").reason == (
        f"CannotStartContainerError: container app waits for first to reach {condition}, "
        "which it has not within its startTimeout of 5 s"
    )
    assert life.phase("first") is C.STOPPING


def test_a_start_timeout_does_not_count_for_who_waits_for_the_start_alone() -> None:
    life = waiting("START")
    assert not [command for command in life.asked if isinstance(command, task_commands.Wake)]
    assert life.phase() is C.CREATING


def test_without_a_start_timeout_nobody_is_woken() -> None:
    life = waiting("HEALTHY", start_timeout_s=None)
    assert not [command for command in life.asked if isinstance(command, task_commands.Wake)]
    assert life.phase() is C.PULLED


def test_health_in_time_lets_the_other_start_and_the_wake_change_nothing() -> None:
    life = waiting("HEALTHY")
    life.see(task_events.HealthChanged("first", task_state.Health.HEALTHY))
    assert life.phase() is C.CREATING
    life.now += 10 * SECOND
    assert life.see(task_events.TimePassed()) == ()


# -------------------------------------------------------------------- restart policies


def restarting(*, period_s: int = 60, ignored: frozenset[int] = frozenset({7})) -> build.Life:
    """A task that runs, whose container has a restart policy."""
    policy = task_state.RestartPolicy(period_s, ignored)
    life = build.Life(dataclasses.replace(build.plan(), restart_policy=policy))
    life.see(task_events.Assigned())
    life.run()
    return life


def exit_after(life: build.Life, seconds: int, code: int | None = 1) -> tuple[task_commands.Command, ...]:
    ended = life.state.container("app").started_at + seconds * SECOND
    life.now = max(life.now, ended)
    return life.see(task_events.ContainerDied("app", code, finished_at=ended))


def test_a_container_that_ran_for_the_period_is_started_again_and_its_task_goes_on() -> None:
    life = restarting()
    commands = exit_after(life, 60)
    ended = life.state.container("app").finished_at
    assert commands == (task_commands.Restart("app", "id-app", ended),)
    assert life.phase() is C.RESTARTING
    life.see(task_events.ContainerStarted("app", "id-app"))
    container = life.state.container("app")
    assert (life.phase(), container.restarts, container.exit_code) == (C.RUNNING, 1, None)
    seen = observations.observation(life.state).containers[0]
    assert seen.last_status == task_pb2.CONTAINER_STATUS_RUNNING
    assert (seen.restart_count, seen.HasField("exit_code")) == (1, False)
    assert seen.restart_reason == "Restarted by its restart policy after it had exited with code 1"


@pytest.mark.parametrize(("seconds", "code"), [(59, 1), (60, 7), (600, None)], ids=["too soon", "ignored", "unknown"])
def test_other_exits_end_the_task_as_ever(seconds: int, code: int | None) -> None:
    life = restarting()
    exit_after(life, seconds, code)
    assert life.state.stopped
    assert life.state.container("app").exit_code == code
    assert observations.observation(life.state).containers[0].reason == ""


def test_the_period_counts_from_the_last_restart() -> None:
    life = restarting()
    exit_after(life, 100)
    life.see(task_events.ContainerStarted("app", "id-app"))
    exit_after(life, 59, code=4)
    assert life.state.stopped
    assert (life.state.container("app").exit_code, life.state.container("app").restarts) == (4, 1)


def test_late_news_of_the_run_before_change_nothing() -> None:
    life = restarting()
    exit_after(life, 60)
    ended = life.state.container("app").finished_at
    for known in (ended, ended - 1, 0):
        assert life.see(task_events.ContainerDied("app", 1, finished_at=known)) == ()
    life.see(task_events.ContainerStarted("app", "id-app"))
    life.see(task_events.ContainerDied("app", 1, finished_at=ended))
    assert life.phase() is C.RUNNING


def test_an_exit_that_is_heard_of_before_the_restart_was_answered_is_the_new_runs() -> None:
    life = restarting()
    exit_after(life, 60)
    life.see(task_events.ContainerDied("app", 5, finished_at=life.state.container("app").finished_at + 1))
    assert life.state.stopped
    assert (life.state.container("app").exit_code, life.state.container("app").restarts) == (5, 1)


def test_a_task_that_is_told_to_stop_restarts_nothing() -> None:
    life = restarting()
    life.see(task_events.StopRequested())
    exit_after(life, 100)
    assert life.state.stopped


def test_a_stop_while_a_container_is_started_again_waits_for_the_answer() -> None:
    life = restarting()
    exit_after(life, 60)
    life.see(task_events.StopRequested())
    assert not life.state.stopped
    assert task_commands.Stop("app", "id-app", 30, 0) in life.see(task_events.ContainerStarted("app", "id-app"))


@pytest.mark.parametrize("uncertain", [False, True])
def test_a_restart_that_fails_ends_the_container_with_the_exit_code_it_had(*, uncertain: bool) -> None:
    life = restarting()
    exit_after(life, 60, code=9)
    ended = life.state.container("app").finished_at
    life.see(task_events.StartFailed("app", "CannotStartContainerError: no", uncertain=uncertain))
    if uncertain:
        assert life.phase() is C.STOPPING
        life.see(task_events.ContainerDied("app", 9, finished_at=ended))
    assert life.state.stopped
    container = life.state.container("app")
    assert (container.exit_code, container.reason) == (9, "CannotStartContainerError: no")


@pytest.mark.parametrize(("ran_s", "phase"), [(60, C.RESTARTING), (59, C.STOPPED)])
def test_an_exit_while_the_agent_was_away_is_judged_by_the_engines_times(ran_s: int, phase: C) -> None:
    life = restarting()
    started = life.now
    seen = task_events.Finding(
        "app",
        task_events.Found.EXITED,
        runtime_id="id-app",
        exit_code=1,
        started_at=started,
        finished_at=started + ran_s * SECOND,
    )
    life.see(task_events.Adopted((seen,)))
    assert life.phase() is phase


def test_health_is_unknown_again_after_a_restart() -> None:
    policy = task_state.RestartPolicy(0)
    life = build.Life(dataclasses.replace(build.plan(), restart_policy=policy, checks_health=True))
    life.see(task_events.Assigned())
    life.run()
    life.see(task_events.HealthChanged("app", task_state.Health.HEALTHY))
    exit_after(life, 1)
    assert life.state.container("app").health is task_state.Health.UNKNOWN


def test_what_was_written_down_of_a_restarted_container_comes_back() -> None:
    life = restarting()
    exit_after(life, 60)
    life.see(task_events.ContainerStarted("app", "id-app"))
    written = observations.observation(life.state)
    back = observations.restored(life.state.task_id, life.state.plans, written, stopping=False, stopped_at=0)
    assert observations.observation(back) == written


def test_the_machine_knows_every_event() -> None:
    assert set(task_machine._HANDLERS) == set(task_events.Event.__args__)
