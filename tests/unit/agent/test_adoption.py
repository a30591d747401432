from longshore.agent import adoption, container_names, runtime, states, task_events, task_state

F = task_events.Found
RUNNING = task_state.ContainerState(
    phase=states.ContainerPhase.RUNNING,
    image_digest="sha256:1",
    bindings=(task_state.Binding(80, 1000, "tcp", "0.0.0.0"),),
)
FRESH = task_state.ContainerState()


def snapshot(found: F, **members: object) -> runtime.ContainerSnapshot:
    return runtime.ContainerSnapshot("id", "name", found, {}, **members)  # type: ignore[arg-type]


def test_what_is_not_there_is_absent() -> None:
    assert adoption.finding("app", None, FRESH) == task_events.Finding("app", F.ABSENT)


def test_what_was_known_is_kept_beside_what_is_seen() -> None:
    found = adoption.finding("app", snapshot(F.EXITED, exit_code=3, finished_at=7), RUNNING)
    assert (found.exit_code, found.finished_at, found.runtime_id) == (3, 7, "id")
    assert (found.image_digest, found.bindings) == ("sha256:1", RUNNING.bindings)


def test_bindings_never_written_down_are_the_engines() -> None:
    seen = (task_state.Binding(80, 2000, "tcp", "0.0.0.0"),)
    assert adoption.finding("app", snapshot(F.RUNNING, bindings=seen), FRESH).bindings == seen


def test_a_start_that_had_failed_keeps_its_error() -> None:
    assert adoption.finding("app", snapshot(F.CREATED, error="no such file"), FRESH).reason == (
        "CannotStartContainerError: no such file"
    )


def test_orphans_are_ours_without_a_task() -> None:
    ours = [
        runtime.ContainerSummary(task_id, task_id, True, {container_names.TASK_ID: task_id}) for task_id in ("a", "b")
    ]
    assert [summary.name for summary in adoption.orphans(ours, {"a"})] == ["b"]
