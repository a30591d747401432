"""A task whose events are lost, doubled, late and in any order still keeps its promises."""

from hypothesis import given
from hypothesis import strategies as st

from longshore.agent import pull_progress, states, task_commands, task_events, task_machine, task_state

C = states.ContainerPhase
NAMES = ("a", "b", "c")
HIDDEN = "~pause"
FORCING = (
    task_events.StartFailed,
    task_events.StopFailed,
    task_events.StopTimedOut,
    task_events.ContainerRevived,
    task_events.Adopted,
)
LATE = 10**18
"""An end that is that of no run before."""
SIZES = st.integers(0, 100)
CODES = st.one_of(st.none(), st.integers(0, 255))


@st.composite
def plans(draw: st.DrawFn) -> tuple[task_state.ContainerPlan, ...]:
    count = draw(st.integers(1, 3))
    shared = (task_state.Dependency(HIDDEN, task_state.Condition.START),) if draw(st.booleans()) else ()
    made: list[task_state.ContainerPlan] = []
    for index, name in enumerate(NAMES[:count]):
        waits = tuple(
            task_state.Dependency(other, draw(st.sampled_from(list(task_state.Condition))))
            for other in NAMES[:index]
            if draw(st.booleans())
        )
        essential = draw(st.booleans()) or (index == count - 1 and not any(plan.essential for plan in made))
        made.append(
            task_state.ContainerPlan(
                name,
                "image",
                essential,
                1,
                waits + shared,
                checks_health=draw(st.booleans()),
                start_timeout_s=draw(st.sampled_from((None, 0, 1))),
                restart_policy=draw(st.sampled_from((None, task_state.RestartPolicy(0, frozenset({7}))))),
            )
        )
    if shared:
        made.append(task_state.ContainerPlan(HIDDEN, "", essential=True, stop_timeout_s=1, hidden=True))
    return tuple(made)


def events(name: str) -> st.SearchStrategy[task_events.Event]:
    return st.one_of(
        st.builds(task_events.Assigned),
        st.builds(task_events.StopRequested),
        st.builds(task_events.Refused, st.just("refused")),
        st.builds(task_events.PullBegan, st.just(name)),
        st.builds(task_events.ImageReady, st.just(name), st.just("sha256:1"), st.booleans()),
        st.builds(task_events.PullFailed, st.just(name), st.just("pull")),
        st.builds(task_events.PullProgressed, st.just(name), st.builds(pull_progress.Progress, SIZES, SIZES)),
        st.builds(task_events.ContainerCreated, st.just(name), st.just(f"id-{name}")),
        st.builds(task_events.CreateFailed, st.just(name), st.just("create")),
        st.builds(task_events.ContainerStarted, st.just(name), st.just(f"id-{name}")),
        st.builds(task_events.StartFailed, st.just(name), st.just("start"), st.booleans()),
        st.builds(task_events.ContainerDied, st.just(name), CODES, st.booleans(), finished_at=st.integers(0, 60)),
        st.builds(task_events.TimePassed),
        st.builds(task_events.ContainerVanished, st.just(name)),
        st.builds(task_events.ContainerRevived, st.just(name)),
        st.builds(task_events.StopFailed, st.just(name)),
        st.builds(task_events.StopTimedOut, st.just(name)),
        st.builds(task_events.HealthChanged, st.just(name), st.sampled_from(list(task_state.Health))),
        st.builds(
            lambda found, code: task_events.Adopted((task_events.Finding(name, found, f"id-{name}", code),)),
            st.sampled_from(list(task_events.Found)),
            CODES,
        ),
    )


ANY = st.sampled_from((*NAMES, HIDDEN)).flatmap(events)


class Watched:
    """A task, and a check of what must hold after each event."""

    def __init__(self, made: tuple[task_state.ContainerPlan, ...]) -> None:
        self.state = task_state.assigned("t", made)
        self.now = 0
        self.open: list[task_commands.Command] = []
        self.created: list[str] = []
        self.started: list[str] = []

    def see(self, event: task_events.Event) -> None:
        before = self.state
        self.now += 1
        self.forced = isinstance(event, FORCING)
        self.state, commands = task_machine.step(before, event, self.now)
        assert self.state.phase >= before.phase
        for old, new in zip(before.containers, self.state.containers, strict=True):
            assert new.phase >= old.phase or (old.phase is C.RESTARTING and new.phase is C.RUNNING)
            assert new.restarts >= old.restarts
            if old.phase is C.STOPPED:
                assert (new.exit_code, new.reason) == (old.exit_code, old.reason)
        if before.stop_cause is not None:
            assert self.state.stop_cause == before.stop_cause
            forbidden = (task_commands.Pull, task_commands.Create, task_commands.Start, task_commands.Restart)
            assert not any(isinstance(command, forbidden) for command in commands)
        assert self.state.stopped is all(container.phase is C.STOPPED for container in self.state.containers)
        if self.state != before and self.state.phase is not before.phase:
            assert task_commands.Report() in commands
        self._see_hidden(commands)
        self.created += [command.container for command in commands if isinstance(command, task_commands.Create)]
        self.started += [command.container for command in commands if isinstance(command, task_commands.Start)]
        assert len(self.created) == len(set(self.created)), "created twice"
        assert len(self.started) == len(set(self.started)), "started twice"
        answered = (task_commands.Report, task_commands.Wake)
        self.open += [command for command in commands if not isinstance(command, answered)]

    def _see_hidden(self, commands: tuple[task_commands.Command, ...]) -> None:
        """What the others share is there before each of them, and until the end of the last."""
        if (position := self.state.position(HIDDEN)) is None:
            return
        for command in commands:
            if isinstance(command, task_commands.Create) and command.container != HIDDEN:
                assert self.state.containers[position].ran, f"{command.container} has nothing to join"
            ends = isinstance(command, task_commands.Stop | task_commands.Kill) and command.container == HIDDEN
            # One whose start has no answer, that refuses to stop or that somebody has revived, is stopped whatever else runs.
            if ends and not self.forced:
                assert all(container.phase is C.STOPPED for _, container in self.state.shown)


@given(plans(), st.lists(ANY, max_size=60))
def test_any_events_in_any_order_move_forward_and_start_nothing_twice(
    made: tuple[task_state.ContainerPlan, ...], seen: list[task_events.Event]
) -> None:
    watched = Watched(made)
    for event in seen:
        watched.see(event)


@given(plans(), st.lists(ANY, max_size=30), st.data())
def test_a_task_that_is_told_to_stop_is_released_once_every_call_has_been_answered(
    made: tuple[task_state.ContainerPlan, ...], seen: list[task_events.Event], data: st.DataObject
) -> None:
    watched = Watched(made)
    watched.see(task_events.Assigned())
    for event in seen:
        watched.see(event)
    watched.see(task_events.StopRequested())
    for _ in range(200):
        if watched.state.stopped:
            break
        assert watched.open, f"nothing under way and not stopped: {watched.state}"
        watched.see(answer(watched.open.pop(data.draw(st.integers(0, len(watched.open) - 1))), data))
    assert watched.state.stopped


def answer(command: task_commands.Command, data: st.DataObject) -> task_events.Event:
    """One of the answers that a call may get; a stop is granted in the end."""
    choices: list[task_events.Event]
    match command:
        case task_commands.Pull(name):
            choices = [task_events.ImageReady(name, "", pulled=True), task_events.PullFailed(name, "no")]
        case task_commands.Create(name):
            choices = [
                task_events.ContainerCreated(name, f"id-{name}"),
                task_events.CreateFailed(name, "no"),
                task_events.ContainerDied(name, 1),
            ]
        case task_commands.Start(name, _) | task_commands.Restart(name, _, _):
            choices = [
                task_events.ContainerStarted(name, f"id-{name}"),
                task_events.StartFailed(name, "no"),
                task_events.StartFailed(name, "late", uncertain=True),
                task_events.ContainerDied(name, 2, finished_at=LATE),
                task_events.ContainerVanished(name),
            ]
        case task_commands.Stop(name, _, _, attempt) | task_commands.Kill(name, _, attempt):
            choices = [task_events.ContainerDied(name, 143, finished_at=LATE), task_events.ContainerVanished(name)]
            if attempt < 3:
                choices += [task_events.StopFailed(name), task_events.StopTimedOut(name)]
        case _:
            raise AssertionError(command)
    return data.draw(st.sampled_from(choices))


@given(plans(), st.lists(ANY, max_size=40), st.integers(0, 40))
def test_doubled_events_end_where_single_ones_do(
    made: tuple[task_state.ContainerPlan, ...], seen: list[task_events.Event], at: int
) -> None:
    def end(sequence: list[task_events.Event]) -> tuple[tuple[C, int | None], ...]:
        state = task_state.assigned("t", made)
        # Before it is assigned nothing is under way, and the first of two answers would only get the machine going.
        for event in (task_events.Assigned(), *sequence):
            state, _ = task_machine.step(state, event, 1)
        return tuple((container.phase, container.exit_code) for container in state.containers)

    # A repeated refusal of a stop asks once more, which is no other state.
    index = min(at, len(seen))
    assert end(seen[: index + 1] + seen[index:]) == end(seen)
