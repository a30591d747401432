import pytest

from longshore.agent import observations, pull_progress, states, task_commands, task_events, task_machine, task_state
from tests.unit.agent import build

C = states.ContainerPhase
T = states.TaskPhase
REPORT = task_commands.Report()


def test_an_assigned_task_pulls_creates_starts_and_runs() -> None:
    life = build.Life()
    assert life.see(task_events.Assigned()) == (task_commands.Pull("app"),)
    assert life.see(task_events.ImageReady("app", "sha256:1", pulled=True)) == (task_commands.Create("app"),)
    assert life.see(task_events.ContainerCreated("app", "id")) == (task_commands.Start("app", "id"),)
    assert life.see(task_events.ContainerStarted("app", "id")) == (REPORT,)
    assert (life.phase(), life.state.phase) == (C.RUNNING, T.RUNNING)
    assert life.state.container("app").image_digest == "sha256:1"


def test_an_essential_exit_after_running_names_the_exit() -> None:
    life = build.Life()
    life.see(task_events.Assigned())
    life.run()
    life.see(task_events.ContainerDied("app", 3, finished_at=42))
    assert life.state.phase is T.STOPPED
    assert life.state.stop_cause == task_state.StopCause(
        task_state.StopCode.ESSENTIAL_CONTAINER_EXITED, task_machine.ESSENTIAL_CONTAINER_EXITED
    )
    assert (life.state.container("app").exit_code, life.state.execution_stopped_at) == (3, 42)


@pytest.mark.parametrize(
    "failure",
    [
        task_events.PullFailed("app", "no"),
        task_events.CreateFailed("app", "no"),
        task_events.StartFailed("app", "no"),
        task_events.Refused("no"),
    ],
)
def test_an_essential_container_that_never_ran_fails_the_start(failure: task_events.Event) -> None:
    life = build.Life()
    life.see(task_events.Assigned(), failure)
    life.see(task_events.ImageReady("app", "", pulled=False), failure)
    life.see(task_events.ContainerCreated("app", "id"), failure)
    assert life.state.phase is T.STOPPED
    assert life.state.stop_cause is not None
    assert life.state.stop_cause.code is task_state.StopCode.TASK_FAILED_TO_START
    assert (life.state.container("app").reason, life.state.container("app").exit_code) == ("no", None)


def test_an_exit_seen_before_the_start_was_answered_counts_as_having_run() -> None:
    life = build.Life()
    life.see(
        task_events.Assigned(),
        task_events.ImageReady("app", "", pulled=False),
        task_events.ContainerCreated("app", "id"),
        task_events.ContainerDied("app", 0),
        task_events.ContainerStarted("app", "id"),
    )
    assert life.state.phase is T.STOPPED
    assert life.state.stop_cause is not None
    assert life.state.stop_cause.code is task_state.StopCode.ESSENTIAL_CONTAINER_EXITED


def test_a_kill_for_memory_says_so() -> None:
    life = build.Life()
    life.see(task_events.Assigned())
    life.run()
    life.see(task_events.ContainerDied("app", 137, out_of_memory=True))
    assert life.state.container("app").reason == task_machine.OUT_OF_MEMORY
    assert life.state.container("app").out_of_memory


def test_a_stop_in_a_pull_stops_at_once_and_ignores_the_image() -> None:
    life = build.Life()
    life.see(task_events.Assigned(), task_events.StopRequested())
    assert life.state.phase is T.STOPPED
    assert life.see(task_events.ImageReady("app", "", pulled=True)) == ()


def test_a_stop_in_a_create_waits_for_its_answer_and_never_starts() -> None:
    life = build.Life()
    life.see(task_events.Assigned(), task_events.ImageReady("app", "", pulled=False), task_events.StopRequested())
    assert life.phase() is C.CREATING
    life.see(task_events.ContainerCreated("app", "id"))
    assert life.state.phase is T.STOPPED
    assert not any(isinstance(command, task_commands.Start) for command in life.asked)


def test_a_stop_in_a_start_stops_what_was_started() -> None:
    life = build.Life()
    life.see(
        task_events.Assigned(),
        task_events.ImageReady("app", "", pulled=False),
        task_events.ContainerCreated("app", "id"),
        task_events.StopRequested(),
    )
    assert life.phase() is C.STARTING
    assert task_commands.Stop("app", "id", 30, 0) in life.see(task_events.ContainerStarted("app", "id"))
    assert not life.state.stopped


def test_a_start_without_a_sure_outcome_releases_nothing_before_the_engine_confirms() -> None:
    life = build.Life()
    life.see(
        task_events.Assigned(),
        task_events.ImageReady("app", "", pulled=False),
        task_events.ContainerCreated("app", "id"),
        task_events.StartFailed("app", "DockerTimeoutError: slow", uncertain=True),
    )
    assert (life.phase(), life.state.stopped) == (C.STOPPING, False)
    life.see(task_events.ContainerDied("app", None))
    assert life.state.stopped
    assert life.state.container("app").reason == "DockerTimeoutError: slow"


def test_a_stop_that_fails_is_repeated_and_one_that_is_not_answered_becomes_a_kill() -> None:
    life = build.Life()
    life.see(task_events.Assigned())
    life.run()
    life.see(task_events.StopRequested())
    assert life.see(task_events.StopFailed("app")) == (task_commands.Stop("app", "id-app", 30, 1),)
    assert life.see(task_events.StopTimedOut("app")) == (task_commands.Kill("app", "id-app", 2),)
    life.see(task_events.ContainerDied("app", 137))
    assert life.see(task_events.StopFailed("app")) == ()


def test_a_container_that_waits_is_created_once_the_other_runs_and_stops_before_it() -> None:
    life = build.Life(build.plan("web", waits_for="db"), build.plan("db"))
    life.see(task_events.Assigned(), task_events.ImageReady("web", "", pulled=False))
    assert life.phase("web") is C.PULLED
    life.run("db")
    assert life.phase("web") is C.CREATING
    life.see(task_events.ContainerCreated("web", "w"), task_events.ContainerStarted("web", "w"))
    stops = [c for c in life.see(task_events.StopRequested()) if isinstance(c, task_commands.Stop)]
    assert [stop.container for stop in stops] == ["web"]
    stops = [c for c in life.see(task_events.ContainerDied("web", 0)) if isinstance(c, task_commands.Stop)]
    assert [stop.container for stop in stops] == ["db"]


@pytest.mark.parametrize(
    ("condition", "exit_code", "starts"), [("SUCCESS", 0, True), ("SUCCESS", 1, False), ("COMPLETE", 1, True)]
)
def test_a_container_may_wait_for_the_end_of_another(condition: str, exit_code: int, starts: bool) -> None:  # noqa: FBT001
    life = build.Life(build.plan("web", waits_for="init", on=condition), build.plan("init", essential=False))
    life.see(task_events.Assigned(), task_events.ImageReady("web", "", pulled=False))
    life.run("init")
    assert life.phase("web") is C.PULLED
    life.see(task_events.ContainerDied("init", exit_code))
    assert (life.phase("web") is C.CREATING) is starts
    if not starts:
        assert life.state.container("web").exit_code == 143
        assert "waits for init to reach SUCCESS" in life.state.container("web").reason


def test_a_task_runs_once_each_container_runs_or_has_run() -> None:
    life = build.Life(build.plan("main"), build.plan("side", essential=False))
    life.see(task_events.Assigned())
    life.run("main")
    assert life.state.phase < T.RUNNING
    life.run("side")
    life.see(task_events.ContainerDied("side", 0))
    assert life.state.phase is T.RUNNING


@pytest.mark.parametrize("failure", [task_events.CreateFailed("app", "no"), task_events.StartFailed("app", "no")])
def test_a_task_that_fails_while_another_of_its_containers_runs_has_never_run(failure: task_events.Event) -> None:
    life = build.Life(build.plan("side", essential=False), build.plan(waits_for="side"))
    life.see(task_events.Assigned(), task_events.ImageReady("app", "", pulled=False))
    life.run("side")
    if isinstance(failure, task_events.StartFailed):
        life.see(task_events.ContainerCreated("app", "id"))
    life.see(failure)
    assert life.phase("side") is C.STOPPING
    assert life.state.phase < T.RUNNING
    life.see(task_events.ContainerDied("side", 0))
    assert life.state.phase is T.STOPPED


def test_a_container_that_comes_back_is_stopped_again_once() -> None:
    life = build.Life()
    life.see(task_events.Assigned())
    life.run()
    life.see(task_events.ContainerDied("app", 0))
    assert life.see(task_events.ContainerRevived("app")) == (task_commands.Stop("app", "id-app", 30, 0),)
    assert life.see(task_events.ContainerRevived("app")) == ()


def test_the_first_cause_of_a_stop_stays() -> None:
    life = build.Life(build.plan("a"), build.plan("b"))
    life.see(task_events.Assigned())
    life.run("a")
    life.run("b")
    life.see(task_events.StopRequested("because"), task_events.ContainerDied("a", 1))
    assert life.state.stop_cause == task_state.StopCause(task_state.StopCode.REQUESTED, "because")


def found(what: task_events.Found, **members: object) -> task_events.Adopted:
    return task_events.Adopted((task_events.Finding("app", what, **members),))  # type: ignore[arg-type]


def test_adoption_of_a_fresh_task_goes_on_from_what_is_there() -> None:
    absent, created, running, exited = (build.Life() for _ in range(4))
    assert absent.see(found(task_events.Found.ABSENT)) == (task_commands.Pull("app"),)
    assert created.see(found(task_events.Found.CREATED, runtime_id="x")) == (task_commands.Start("app", "x"),)
    assert running.see(found(task_events.Found.RUNNING, runtime_id="x")) == (REPORT,)
    exited.see(found(task_events.Found.EXITED, runtime_id="x", exit_code=4))
    assert running.state.phase is T.RUNNING
    assert (exited.state.phase, exited.state.container("app").exit_code) == (T.STOPPED, 4)


def test_adoption_of_a_start_that_had_failed_does_not_start_again() -> None:
    life = build.Life()
    life.see(found(task_events.Found.CREATED, runtime_id="x", reason="CannotStartContainerError: no"))
    assert life.state.phase is T.STOPPED
    assert life.asked == [REPORT]


@pytest.mark.parametrize("what", [task_events.Found.ABSENT, task_events.Found.CREATED])
def test_adoption_of_what_ran_and_is_gone_says_that_it_vanished(what: task_events.Found) -> None:
    life = build.Life()
    life.see(task_events.Assigned())
    life.run()
    life.see(found(what))
    assert (life.state.phase, life.state.container("app").reason) == (T.STOPPED, task_machine.VANISHED)
    assert not any(isinstance(command, task_commands.Create) for command in life.asked[3:])


def test_pull_times_cover_all_pulls_of_the_task() -> None:
    life = build.Life(build.plan("a"), build.plan("b"))
    life.see(task_events.Assigned(), task_events.PullBegan("a"))
    began = life.now
    life.see(task_events.PullBegan("b"), task_events.ImageReady("a", "", pulled=True))
    life.see(task_events.ImageReady("b", "", pulled=True))
    assert (life.state.pull_started_at, life.state.pull_stopped_at) == (began, life.now)


def test_a_container_is_pulled_when_its_turn_comes_unless_told_upfront() -> None:
    life = build.Life(build.plan("first"), build.plan(waits_for="first", pulls_upfront=False))
    life.see(task_events.Assigned())
    assert (life.phase("first"), life.phase()) == (C.PULLING, C.PENDING)
    life.run("first")
    assert life.phase() is C.PULLING
    life.see(task_events.ImageReady("app", "", pulled=True))
    assert life.phase() is C.CREATING


def test_a_container_whose_turn_never_comes_is_not_pulled() -> None:
    life = build.Life(
        build.plan("first", essential=False), build.plan(waits_for="first", on="SUCCESS", pulls_upfront=False)
    )
    life.see(task_events.Assigned())
    life.run("first")
    life.see(task_events.ContainerDied("first", 3))
    assert life.state.container("app").exit_code == 143
    assert life.state.container("app").reason.startswith("CannotStartContainerError: container app waits for first")
    assert task_commands.Pull("app") not in life.asked


def test_a_stop_before_the_pull_says_so() -> None:
    life = build.Life(build.plan("first"), build.plan(waits_for="first", pulls_upfront=False))
    life.see(task_events.Assigned(), task_events.StopRequested())
    assert life.state.container("first").reason == ""
    assert life.state.container("app").reason == (
        f"TaskStoppedBeforePullBeginError: Task stopped before image pull could begin for task: {life.state.task_id}"
    )


def test_a_start_whose_outcome_nobody_knows_is_no_start_to_who_waits_for_it() -> None:
    life = build.Life(build.plan("first", essential=False), build.plan(waits_for="first"))
    life.see(task_events.Assigned(), task_events.ImageReady("app", "", pulled=False))
    life.see(
        task_events.ImageReady("first", "", pulled=False),
        task_events.ContainerCreated("first", "id-first"),
        task_events.StartFailed("first", "timed out", uncertain=True),
    )
    assert (life.phase("first"), life.phase()) == (C.STOPPING, C.PULLED)
    life.see(task_events.ContainerDied("first", None))
    assert life.state.container("app").exit_code == 143


def test_a_pull_that_takes_its_time_is_shown_until_it_is_done_and_never_goes_back() -> None:
    life = build.Life(build.plan("app"))
    life.see(task_events.Assigned(), task_events.PullBegan("app"))

    def told(downloaded: int, total: int) -> tuple[object, ...]:
        progress = pull_progress.Progress(downloaded, total, 2)
        commands = life.see(task_events.PullProgressed("app", progress))
        shown = observations.observation(life.state).containers[0].pull_progress
        return shown.downloaded_bytes, shown.total_bytes, shown.layers, commands

    assert told(10, 100) == (10, 100, 2, (task_commands.Report(),))
    assert told(5, 50)[:2] == (10, 100)
    life.see(task_events.ImageReady("app", "sha256:1", pulled=True))
    assert observations.observation(life.state).containers[0].pull_progress.downloaded_bytes == 100
    assert told(1, 2)[:2] == (100, 100)
    life.see(task_events.ContainerCreated("app", "id"), task_events.ContainerStarted("app", "id"))
    assert not observations.observation(life.state).containers[0].HasField("pull_progress")
