"""A task's machine against a made-up engine that knows the truth: calls are answered late, news is lost, doubled and out of order.

What must hold whatever happens is judged by what the engine did, not by what the machine thinks: a container is started once (and once more
for each restart), after those that it depends on; nothing is started once the task must stop; a task is released only when nothing of it
runs; and it always gets there.
"""

import random
from dataclasses import dataclass, field, replace

from hypothesis import given, settings
from hypothesis import strategies as st

from longshore.agent import (
    adoption,
    observations,
    runtime,
    states,
    task_commands,
    task_events,
    task_machine,
    task_state,
)
from longshore.v1 import agent_service_pb2

C = states.ContainerPhase
Condition = task_state.Condition
SECOND = 1_000_000
NAMES = ("a", "b", "c")
PERIOD_S = 3
STEPS = 70
SEEDS = st.integers(0, 2**32)
"""Of what happens: hypothesis itself seldom gets far with as many draws."""
PATIENCE = 400
"""Steps in which a task that must stop has to have stopped: far more than its calls and their repetitions."""


def plans(source: random.Random) -> tuple[task_state.ContainerPlan, ...]:
    """Up to three containers; each may depend on those before it."""
    names = NAMES[: source.randint(1, 3)]
    made = []
    for index, name in enumerate(names):
        waits = tuple(
            task_state.Dependency(other, source.choice(list(Condition)))
            for other in names[:index]
            if source.random() < 0.7
        )
        policy = task_state.RestartPolicy(PERIOD_S, frozenset({7})) if source.random() < 0.3 else None
        made.append(
            task_state.ContainerPlan(
                name,
                "image",
                essential=index == len(names) - 1 or source.random() < 0.3,
                stop_timeout_s=1,
                waits_for=waits,
                checks_health=True,
                start_timeout_s=source.choice((None, 10)),
                restart_policy=policy,
                pulls_upfront=source.random() < 0.5,
            )
        )
    return tuple(made)


@dataclass
class Container:
    """What is true of a container."""

    status: str = "none"
    code: int | None = None
    healthy: bool = False
    ran: bool = False
    creates: int = 0
    starts: int = 0
    restarts: int = 0
    started_at: int = 0
    ended_at: int = 0


@dataclass
class World:
    """The engine, the machine, and what is on its way between them."""

    source: random.Random
    state: task_state.TaskState
    now: int = 0
    engine: dict[str, Container] = field(default_factory=dict)
    calls: list[task_commands.Command] = field(default_factory=list)
    news: list[tuple[str, str]] = field(default_factory=list)
    written: list[agent_service_pb2.TaskObservation] = field(default_factory=list)
    """What was written down of the task, in order: each change that is to be reported."""
    stopping: bool = False
    """The order to stop was written down."""
    mishap: str = "remove"
    stubborn: int = 4
    """Stops that the engine may yet fail to carry out."""

    def pick(self, *choices: str) -> str:
        return self.source.choice(choices)

    # ---------------------------------------------------------------- the machine

    def see(self, event: task_events.Event) -> None:
        before = self.state
        self.state, commands = task_machine.step(before, event, self.now)
        if any(isinstance(each, task_commands.Report) for each in commands):
            self.written.append(observations.observation(self.state))
        self.calls += [each for each in commands if not isinstance(each, task_commands.Report | task_commands.Wake)]
        assert self.state.phase >= before.phase
        if before.execution_stopped_at:
            assert self.state.execution_stopped_at == before.execution_stopped_at
        if self.state.stopped:
            running = [name for name, each in self.engine.items() if each.status == "running"]
            revived = [plan.name for plan, each in self.pairs() if each.revived]
            assert set(running) <= set(revived), f"released while {running} run"
        for plan, each in self.pairs():
            if plan.essential and each.phase is C.STOPPED:
                assert self.state.stop_cause is not None, f"essential {plan.name} has stopped and the task goes on"
        for command in commands:
            if isinstance(command, task_commands.Stop) and not command.attempt:
                self.check_stop_order(before, command.container)

    def pairs(self) -> list[tuple[task_state.ContainerPlan, task_state.ContainerState]]:
        return list(zip(self.state.plans, self.state.containers, strict=True))

    def check_stop_order(self, before: task_state.TaskState, name: str) -> None:
        if before.container(name).phase is not C.RUNNING:
            return  # a start that nobody knows the outcome of, or one that came back: ended at once
        for plan, each in self.pairs():
            if any(dependency.container == name for dependency in plan.waits_for):
                assert each.phase is C.STOPPED, f"{name} is stopped before {plan.name}, which depends on it"

    def check_start_order(self, name: str) -> None:
        plan = next(each for each in self.state.plans if each.name == name)
        for dependency in plan.waits_for:
            other = self.engine[dependency.container]
            match dependency.condition:
                case Condition.START:
                    assert other.ran
                case Condition.COMPLETE:
                    assert (other.ran, other.status) != (True, "created")
                    assert other.status != "running"
                case Condition.SUCCESS:
                    assert other.code == 0 or other.status == "none"
                case Condition.HEALTHY:
                    assert other.ran

    def check_restart(self, name: str) -> None:
        policy = next(each for each in self.state.plans if each.name == name).restart_policy
        each = self.engine[name]
        assert policy is not None
        assert each.code not in policy.ignored_exit_codes
        assert each.ended_at - each.started_at >= policy.period_s * SECOND, f"{name} has not run for its period"

    # ---------------------------------------------------------------- the engine

    def start(self, name: str, *, again: bool) -> str:
        """Carry out a start: what became of it."""
        each = self.engine[name]
        assert each.status == ("exited" if again else "created"), f"{name} is started while it is {each.status}"
        if again:
            self.check_restart(name)
        outcome = self.pick(*["started"] * 12, "refused", "late and started", "late and not started")
        if "started" in outcome and "not" not in outcome:
            if not again:
                self.check_start_order(name)
            each.status, each.code, each.ran, each.healthy = "running", None, True, False
            each.started_at = self.now
            each.starts += 1
            each.restarts += again
            self.news.append(("start", name))
        return outcome

    def answer(self, command: task_commands.Command) -> task_events.Event:
        """Carry out a call; what is learnt of it."""
        name = command.container  # type: ignore[union-attr]  # every call has one
        each = self.engine[name]
        match command:
            case task_commands.Pull():
                if self.pick(*["found"] * 20, "failed") == "failed":
                    return task_events.PullFailed(name, "no")
                return task_events.ImageReady(name, "", pulled=True)
            case task_commands.Create():
                assert each.creates == 0, f"{name} is created twice"
                if self.pick(*["made"] * 20, "failed") == "failed":
                    return task_events.CreateFailed(name, "no")
                each.status, each.creates = "created", 1
                return task_events.ContainerCreated(name, f"id-{name}")
            case task_commands.Start() | task_commands.Restart():
                if each.status == "none":
                    return task_events.ContainerVanished(name)
                outcome = self.start(name, again=isinstance(command, task_commands.Restart))
                if outcome == "started":
                    return task_events.ContainerStarted(name, f"id-{name}")
                return task_events.StartFailed(name, "no", uncertain=outcome.startswith("late"))
            case _:
                return self.stopped(name, each)

    def stopped(self, name: str, each: Container) -> task_events.Event:
        if each.status == "running" and self.stubborn:
            outcome = self.pick("ends", "refused", "silent")
            if outcome != "ends":
                self.stubborn -= 1
                return task_events.StopFailed(name) if outcome == "refused" else task_events.StopTimedOut(name)
        if each.status == "running":
            self.end(name, 143)
        return self.look(name) or task_events.ContainerDied(name, None)

    def end(self, name: str, code: int) -> None:
        each = self.engine[name]
        each.status, each.code, each.ended_at = "exited", code, self.now
        self.news.append(("die", name))

    def look(self, name: str) -> task_events.Event | None:
        """What an inspection tells, where it tells of an end."""
        each = self.engine[name]
        if each.status == "exited":
            return task_events.ContainerDied(name, each.code, finished_at=each.ended_at)
        return task_events.ContainerVanished(name) if each.status == "none" else None

    # ---------------------------------------------------------------- the agent

    def crash(self) -> None:
        """The agent dies and comes back: what it was about to do, it has done or not, and nobody has heard of it."""
        for command in self.calls:
            if self.source.random() < 0.5:
                self.answer(command)
        self.calls.clear()
        self.news.clear()
        # The last change may not have been written before it died.
        known = self.written[: len(self.written) - self.source.randint(0, 1)]
        self.written = list(known)
        plans = self.state.plans
        self.state = observations.restored(
            "t", plans, known[-1] if known else None, stopping=self.stopping, stopped_at=self.state.stopped_at
        )
        if not self.state.stopped:
            found = [adoption.finding(plan.name, self.inspected(plan.name), each) for plan, each in self.pairs()]
            self.see(task_events.Adopted(tuple(found)))

    def inspected(self, name: str) -> runtime.ContainerSnapshot | None:
        each = self.engine[name]
        if each.status == "none":
            return None
        ended = each.status == "exited"
        return runtime.ContainerSnapshot(
            runtime_id=f"id-{name}",
            name=name,
            found=task_events.Found(each.status),
            labels={},
            exit_code=each.code if ended else None,
            health=task_state.Health.HEALTHY if each.healthy else task_state.Health.UNKNOWN,
            started_at=each.started_at,
            finished_at=each.ended_at if ended else 0,
        )

    # ---------------------------------------------------------------- what happens

    def happen(self) -> None:
        """One thing: in the engine, on the way, or in the machine."""
        self.now += SECOND
        what = self.pick(
            *["call"] * 12, *["news"] * 3, *["exit"] * 2, "lose", "double", "health", "time", "look", self.mishap
        )
        running = sorted(name for name, each in self.engine.items() if each.status == "running")
        if what == "call" and self.calls:
            self.see(self.answer(self.calls.pop(self.source.randrange(len(self.calls)))))
        elif what in {"news", "lose", "double"} and self.news:
            self.hear(what, self.source.randrange(len(self.news)))
        elif what == "exit" and running:
            self.end(self.pick(*running), self.source.choice((0, 1, 7)))
        elif what == "health" and running:
            name = self.pick(*running)
            self.engine[name].healthy = True
            self.news.append(("healthy", name))
        elif what == "remove":
            if gone := sorted(name for name, each in self.engine.items() if each.status in {"exited", "running"}):
                name = self.pick(*gone)
                self.engine[name].status = "none"
                self.news.append(("destroy", name))
        elif what == "crash":
            self.crash()
        elif what == "look":
            self.compare()
        else:
            self.see(task_events.TimePassed())

    def hear(self, what: str, index: int) -> None:
        """A piece of news comes in: as the watcher takes it, by looking at what is so now."""
        kind, name = self.news[index] if what == "double" else self.news.pop(index)
        if what == "lose":
            return
        match kind:
            case "die":
                event = self.look(name)
                if event is not None:
                    self.see(event)
            case "start":
                self.see(task_events.ContainerRevived(name))
            case "destroy":
                self.see(task_events.ContainerVanished(name))
            case _:
                self.see(task_events.HealthChanged(name, task_state.Health.HEALTHY))

    def compare(self) -> None:
        """Look at everything that is thought to run."""
        for plan, each in self.pairs():
            if each.phase in {C.RUNNING, C.STOPPING} and (event := self.look(plan.name)) is not None:
                self.see(event)


def world(source: random.Random, made: tuple[task_state.ContainerPlan, ...], mishap: str = "remove") -> World:
    engine = {plan.name: Container() for plan in made}
    begun = World(source, task_state.assigned("t", made), engine=engine, mishap=mishap)
    begun.see(task_events.Assigned())
    return begun


def bring_down(begun: World) -> None:
    """Answer every call and look again, until the task is released."""
    for _ in range(PATIENCE):
        if begun.state.stopped and not begun.calls:
            return
        begun.now += SECOND
        if begun.calls:
            begun.see(begun.answer(begun.calls.pop(0)))
        else:
            begun.compare()
    raise AssertionError(f"not released: {begun.state}")


@given(SEEDS)
@settings(max_examples=300)
def test_a_task_ends_released_and_with_nothing_left_running(seed: int) -> None:
    source = random.Random(seed)
    begun = world(source, plans(source))
    for _ in range(source.randint(0, STEPS)):
        begun.happen()
    begun.see(task_events.StopRequested())
    starts = {name: each.starts for name, each in begun.engine.items()}
    under_way = {
        each.container for each in begun.calls if isinstance(each, task_commands.Start | task_commands.Restart)
    }
    bring_down(begun)
    assert [name for name, each in begun.engine.items() if each.status == "running"] == []
    for name, each in begun.engine.items():
        assert each.starts - starts[name] <= (name in under_way), "started after the task was told to stop"
        assert each.starts <= 1 + each.restarts


@given(SEEDS)
@settings(max_examples=300)
def test_restarts_are_as_rare_as_their_policy_says_and_counted(seed: int) -> None:
    source = random.Random(seed)
    begun = world(source, plans(source))
    for _ in range(STEPS):
        begun.happen()
    for plan, each in begun.pairs():
        true = begun.engine[plan.name]
        assert each.restarts <= true.restarts <= begun.now // SECOND // PERIOD_S


@given(SEEDS)
@settings(max_examples=300)
def test_the_end_of_an_essential_container_is_the_end_of_the_task_even_if_its_news_is_lost(
    seed: int,
) -> None:
    source = random.Random(seed)
    begun = world(source, tuple(replace(plan, restart_policy=None) for plan in plans(source)))
    for _ in range(source.randint(0, STEPS)):
        begun.happen()
    begun.news.clear()
    begun.compare()
    essential = {plan.name for plan in begun.state.plans if plan.essential}
    # One whose start has not been answered yet has its end told with the answer.
    known = {plan.name for plan, each in begun.pairs() if each.phase not in {C.STARTING, C.CREATED}}
    if any(begun.engine[name].status == "exited" for name in essential & known):
        assert begun.state.stop_cause is not None
        bring_down(begun)


@given(SEEDS)
@settings(max_examples=300)
def test_an_agent_that_dies_at_any_moment_starts_nothing_twice_and_loses_no_task(seed: int) -> None:
    """What holds of a task whose agent lives holds as well; the judges are in the world and look at each step."""
    source = random.Random(seed)
    begun = world(source, plans(source), mishap="crash")
    for _ in range(source.randint(0, STEPS)):
        begun.happen()
    begun.stopping = True
    begun.see(task_events.StopRequested())
    for _ in range(3):
        if not begun.state.stopped:
            begun.crash()
        if begun.calls:
            begun.see(begun.answer(begun.calls.pop()))
    bring_down(begun)
    assert [name for name, each in begun.engine.items() if each.status == "running"] == []
    assert all(each.starts <= 1 + each.restarts for each in begun.engine.values())
    statuses = [each.last_status for each in begun.written]
    assert statuses == sorted(statuses), "a status that was written down went back"
