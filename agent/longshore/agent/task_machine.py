"""The life of a task on this host: `step(state, event, now) -> (state, commands)`, pure and total.

Every event is accepted in every state, because the engine, the network and crashes deliver them late, twice, never or in
another order; what does not fit any more changes nothing. After each event the machine looks at the whole task and asks for
whatever is due now, so nothing depends on which event made it due.
"""

from collections.abc import Callable
from dataclasses import replace
from typing import Any

from longshore.agent import dependencies, pull_progress, restarts, states, task_commands, task_events, task_state

_C = states.ContainerPhase
_T = states.TaskPhase

TASK_FAILED_TO_START = "Task failed to start"
ESSENTIAL_CONTAINER_EXITED = "Essential container in task exited"
OUT_OF_MEMORY = "OutOfMemoryError: Container killed due to memory usage"
PAUSE_ENDED = "The task's pause container has ended, and with it what its containers share"
VANISHED = "ContainerVanishedError: No container matching saved ID found"
STOPPED_BEFORE_PULL = "TaskStoppedBeforePullBeginError: Task stopped before image pull could begin for task: "

# A dependant that can never start is shown as ECS shows it: as if it had been told to end.
_EXIT_CODE_NEVER_STARTED = 143

# Goes on when those that it depends on have got where they must.
_WAITING = frozenset({_C.PENDING, _C.PULLED})

# No call to the engine is under way, and nothing of the container runs.
_IDLE = frozenset({_C.PENDING, _C.PULLING, _C.PULLED, _C.CREATED})


def step(
    state: task_state.TaskState, event: task_events.Event, now: int
) -> tuple[task_state.TaskState, tuple[task_commands.Command, ...]]:
    """Apply one event at `now` (microseconds); return the new state and what is to be done."""
    work = _Work(state, event, now)
    _HANDLERS[type(event)](work, event)
    work.drive()
    return work.result()


class _Work:
    """One step under construction."""

    def __init__(self, state: task_state.TaskState, event: task_events.Event, now: int) -> None:
        self.state = state
        self.now = now
        self.containers = list(state.containers)
        self.commands: list[task_commands.Command] = []
        self._event = event
        self._visible = False

    # ---------------------------------------------------------------- moves

    def find(self, name: str, *phases: states.ContainerPhase) -> int | None:
        """Position of the named container if it is in one of the phases."""
        position = self.state.position(name)
        if position is None or self.containers[position].phase not in phases:
            return None
        return position

    def move(self, position: int, target: states.ContainerPhase, **changes: Any) -> None:
        """Move a container to another phase, by the table."""
        container = self.containers[position]
        plan = self.state.plans[position]
        story = f"task {self.state.task_id}, container {plan.name}, {self._event}"
        states.check_container(story, container.phase, target)
        if target in {_C.RUNNING, _C.STOPPED}:
            self._visible = True
        if target is _C.STOPPED:
            changes.setdefault("finished_at", self.now)
            if plan.essential and not plan.hidden and not self.state.execution_stopped_at:
                self.state = replace(self.state, execution_stopped_at=changes["finished_at"] or self.now)
        self.containers[position] = replace(container, phase=target, **changes)

    def change(self, position: int, **changes: Any) -> None:
        """Change what is known of a container without moving it."""
        self.containers[position] = replace(self.containers[position], **changes)

    def mark_visible(self) -> None:
        """Have the control plane told."""
        self._visible = True

    def require_stop(self, cause: task_state.StopCause) -> None:
        """Make the task stop; the first cause stays."""
        if self.state.stop_cause is None:
            self.state = replace(self.state, stop_cause=cause)
            self._visible = True

    # ---------------------------------------------------------------- what is due

    def drive(self) -> None:
        """Ask for everything that is due in the state reached."""
        self._stop_for_essential()
        moved = True
        while moved and self.state.stop_cause is None:
            # Again until nothing moves: what one container did may decide for one that stands before it.
            moved = sum(self._forward(position) for position in range(len(self.containers))) > 0
            self._stop_for_essential()
        if self.state.stop_cause is not None:
            self._wind_down()
        else:
            self._wake_when_due()
        self._settle()

    def _stop_for_essential(self) -> None:
        for plan, container in zip(self.state.plans, self.containers, strict=True):
            if plan.essential and container.phase is _C.STOPPED:
                if container.ran:
                    code, reason = task_state.StopCode.ESSENTIAL_CONTAINER_EXITED, ESSENTIAL_CONTAINER_EXITED
                else:
                    code, reason = task_state.StopCode.TASK_FAILED_TO_START, TASK_FAILED_TO_START
                if plan.hidden:
                    reason = _why_hidden(container)
                self.require_stop(task_state.StopCause(code, reason))
                return

    def _forward(self, position: int) -> bool:
        plan, container = self.state.plans[position], self.containers[position]
        if container.phase is _C.PENDING and plan.pulls_upfront:
            self._pull(position)
        elif container.phase in _WAITING:
            verdict = dependencies.verdict(self.state.plans, self.containers, position, self.now)
            if verdict.blocked_for_ever:
                self.move(position, _C.STOPPED, reason=verdict.reason, exit_code=_EXIT_CODE_NEVER_STARTED)
            elif verdict.satisfied and container.phase is _C.PENDING:
                self._pull(position)
            elif verdict.satisfied:
                self.move(position, _C.CREATING)
                self.commands.append(task_commands.Create(plan.name))
        elif container.phase is _C.CREATED:
            self.move(position, _C.STARTING)
            self.commands.append(task_commands.Start(plan.name, container.runtime_id))
        return self.containers[position].phase is not container.phase

    def _pull(self, position: int) -> None:
        self.move(position, _C.PULLING)
        self.commands.append(task_commands.Pull(self.state.plans[position].name))

    def _wake_when_due(self) -> None:
        """Have the next time told at which somebody has waited long enough."""
        times = [
            dependencies.verdict(self.state.plans, self.containers, position, self.now).until
            for position, container in enumerate(self.containers)
            if container.phase in _WAITING
        ]
        at = min((time for time in times if time), default=0)
        if at and at != self.state.wake_at:
            self.state = replace(self.state, wake_at=at)
            self.commands.append(task_commands.Wake(at))

    def restart(self, position: int, ended: task_events.ContainerDied | task_events.Finding) -> bool:
        """Start a container again that has ended, if its policy says so."""
        plan, container = self.state.plans[position], self.containers[position]
        ended_at = ended.finished_at or self.now
        if self.state.stop_cause is not None or not restarts.due(
            plan.restart_policy, container, ended.exit_code, ended_at
        ):
            return False
        self.move(
            position,
            _C.RESTARTING,
            exit_code=ended.exit_code,
            out_of_memory=False,
            finished_at=ended_at,
            restart_reason=restarts.reason(ended.exit_code, out_of_memory=ended.out_of_memory),
            health=task_state.Health.UNKNOWN if plan.checks_health else container.health,
        )
        self.commands.append(task_commands.Restart(plan.name, container.runtime_id, ended_at))
        return True

    def _wind_down(self) -> None:
        for position, container in enumerate(self.containers):
            if container.phase is _C.PENDING:
                self.move(position, _C.STOPPED, reason=f"{STOPPED_BEFORE_PULL}{self.state.task_id}")
            elif container.phase in _IDLE:
                self.move(position, _C.STOPPED)
        for position, container in enumerate(self.containers):
            free = dependencies.may_stop(self.state.plans, self.containers, position)
            if container.phase is _C.RUNNING and free:
                self.move(position, _C.STOPPING)
                self.ask_stop(position)

    def ask_stop(self, position: int) -> None:
        """Have a container stopped."""
        plan, container = self.state.plans[position], self.containers[position]
        self.commands.append(
            task_commands.Stop(plan.name, container.runtime_id, plan.stop_timeout_s, container.stop_attempts)
        )

    def _settle(self) -> None:
        phase = self.state.phase
        if all(container.phase is _C.STOPPED for container in self.containers):
            target = _T.STOPPED
        elif self._runs():
            target = _T.RUNNING
        else:
            target = phase
        if target > phase:
            states.check_task(f"task {self.state.task_id}, {self._event}", phase, target)
            stopped_at = self.now if target is _T.STOPPED else 0
            self.state = replace(self.state, phase=target, stopped_at=stopped_at)
            self._visible = True

    def _runs(self) -> bool:
        """Whether each container runs or is over. A task that has lost an essential one on the way is ending, and never ran."""
        return all(
            container.ran or (container.phase is _C.STOPPED and not plan.essential)
            for plan, container in zip(self.state.plans, self.containers, strict=True)
        )

    def result(self) -> tuple[task_state.TaskState, tuple[task_commands.Command, ...]]:
        """The step's outcome."""
        if self._visible:
            self.commands.append(task_commands.Report())
        if self.containers != list(self.state.containers):
            self.state = replace(self.state, containers=tuple(self.containers))
        return self.state, tuple(self.commands)


def _why_hidden(container: task_state.ContainerState) -> str:
    """Why the end of a hidden container ends its task: it is not shown, so the task itself has to say it all."""
    if not container.ran:
        return f"{TASK_FAILED_TO_START}: {container.reason}" if container.reason else TASK_FAILED_TO_START
    how = container.reason or (
        "exit code unknown" if container.exit_code is None else f"exit code {container.exit_code}"
    )
    return f"{PAUSE_ENDED}: {how}"


# -------------------------------------------------------------------- one handler per event


def _assigned(work: _Work, event: task_events.Assigned) -> None:
    """Nothing is learnt; what is due is asked for."""


def _stop_requested(work: _Work, event: task_events.StopRequested) -> None:
    if work.state.phase is not _T.STOPPED:
        work.require_stop(task_state.StopCause(event.code, event.reason))


def _refused(work: _Work, event: task_events.Refused) -> None:
    for position, container in enumerate(work.containers):
        if container.phase in _IDLE:
            work.move(position, _C.STOPPED, reason=event.reason)


def _pull_began(work: _Work, event: task_events.PullBegan) -> None:
    if work.find(event.container, _C.PULLING) is not None and not work.state.pull_started_at:
        work.state = replace(work.state, pull_started_at=work.now)
        work.mark_visible()


def _pull_progressed(work: _Work, event: task_events.PullProgressed) -> None:
    position = work.find(event.container, _C.PULLING)
    if position is not None:
        before = work.containers[position].pulled or pull_progress.NOTHING
        work.change(position, pulled=pull_progress.forward(before, event.progress))
        work.mark_visible()


def _image_ready(work: _Work, event: task_events.ImageReady) -> None:
    position = work.find(event.container, _C.PULLING)
    if position is None:
        return
    if event.pulled:
        work.state = replace(work.state, pull_stopped_at=work.now)
    if (shown := work.containers[position].pulled) is not None:
        # Who has been told of the way is told that it is done: what the container waits for now is something else.
        work.change(position, pulled=replace(shown, downloaded=shown.total))
        work.mark_visible()
    work.move(position, _C.PULLED, image_digest=event.digest, image_id=event.image_id, pin=event.pin)


def _pull_failed(work: _Work, event: task_events.PullFailed) -> None:
    position = work.find(event.container, _C.PULLING)
    if position is not None:
        work.state = replace(work.state, pull_stopped_at=work.now)
        work.move(position, _C.STOPPED, reason=event.reason)


def _container_created(work: _Work, event: task_events.ContainerCreated) -> None:
    position = work.find(event.container, _C.CREATING)
    if position is not None:
        work.move(position, _C.CREATED, runtime_id=event.runtime_id, bindings=event.bindings, created_at=work.now)


def _create_failed(work: _Work, event: task_events.CreateFailed) -> None:
    position = work.find(event.container, _C.CREATING)
    if position is not None:
        work.move(position, _C.STOPPED, reason=event.reason)


def _container_started(work: _Work, event: task_events.ContainerStarted) -> None:
    position = work.find(event.container, _C.STARTING, _C.RESTARTING)
    if position is not None:
        container = work.containers[position]
        work.move(
            position,
            _C.RUNNING,
            ran=True,
            runtime_id=event.runtime_id,
            bindings=event.bindings or container.bindings,
            interface=event.interface or container.interface,
            started_at=work.now,
            exit_code=None,
            restarts=container.restarts + (container.phase is _C.RESTARTING),
        )


def _start_failed(work: _Work, event: task_events.StartFailed) -> None:
    position = work.find(event.container, _C.STARTING, _C.RESTARTING)
    if position is None:
        return
    if event.uncertain:
        # It may run or begin to run; the task is not released before the engine has said that it does not. Of one that was
        # started again any end will do: that of the run before says that this one did not begin.
        work.move(position, _C.STOPPING, reason=event.reason, finished_at=0)
        work.ask_stop(position)
    else:
        work.move(position, _C.STOPPED, reason=event.reason)


def _container_died(work: _Work, event: task_events.ContainerDied) -> None:
    position = work.find(event.container, _C.CREATING, _C.CREATED, _C.STARTING, _C.RUNNING, _C.RESTARTING, _C.STOPPING)
    if position is None:
        return
    container = work.containers[position]
    restarting = container.phase is _C.RESTARTING
    if restarts.is_of_former_run(container, event.finished_at, restarting=restarting):
        return
    if container.phase is _C.RUNNING and work.restart(position, event):
        return
    work.move(
        position,
        _C.STOPPED,
        runtime_id=container.runtime_id or event.runtime_id,
        exit_code=event.exit_code,
        out_of_memory=event.out_of_memory,
        reason=container.reason or event.reason or (OUT_OF_MEMORY if event.out_of_memory else ""),
        ran=container.ran or event.exit_code is not None,
        finished_at=event.finished_at or work.now,
        restarts=container.restarts + restarting,
    )


def _container_vanished(work: _Work, event: task_events.ContainerVanished) -> None:
    position = work.find(event.container, _C.CREATED, _C.STARTING, _C.RUNNING, _C.RESTARTING, _C.STOPPING)
    if position is not None:
        work.move(position, _C.STOPPED, reason=work.containers[position].reason or VANISHED)


def _container_revived(work: _Work, event: task_events.ContainerRevived) -> None:
    position = work.find(event.container, _C.STOPPED)
    if position is not None and not work.containers[position].revived:
        # Once: whoever keeps starting it knows better than we do.
        work.change(position, revived=True)
        work.ask_stop(position)


def _stop_failed(work: _Work, event: task_events.StopFailed) -> None:
    position = work.find(event.container, _C.STOPPING)
    if position is not None:
        work.change(position, stop_attempts=work.containers[position].stop_attempts + 1)
        work.ask_stop(position)


def _stop_timed_out(work: _Work, event: task_events.StopTimedOut) -> None:
    position = work.find(event.container, _C.STOPPING)
    if position is not None:
        attempts = work.containers[position].stop_attempts + 1
        work.change(position, stop_attempts=attempts)
        work.commands.append(task_commands.Kill(event.container, work.containers[position].runtime_id, attempts))


def _health_changed(work: _Work, event: task_events.HealthChanged) -> None:
    position = work.find(event.container, _C.STARTING, _C.RUNNING, _C.STOPPING)
    if position is None or not work.state.plans[position].checks_health:
        return
    if work.containers[position].health is not event.health:
        work.change(position, health=event.health)
        work.mark_visible()


def _time_passed(work: _Work, event: task_events.TimePassed) -> None:
    """Nothing is learnt; what is due by now is asked for."""


def _adopted(work: _Work, event: task_events.Adopted) -> None:
    for finding in event.findings:
        position = work.find(finding.container, _C.PENDING, _C.RUNNING)
        if position is not None:
            _ADOPTERS[finding.found](work, position, finding)
        elif finding.found is task_events.Found.RUNNING:
            _container_revived(work, task_events.ContainerRevived(finding.container))


def _adopt_absent(work: _Work, position: int, _finding: task_events.Finding) -> None:
    if work.containers[position].phase is _C.RUNNING:
        work.move(position, _C.STOPPED, reason=VANISHED)


def _adopt_created(work: _Work, position: int, finding: task_events.Finding) -> None:
    if work.containers[position].phase is _C.RUNNING:
        # What ran was removed and another made under its name; ours is gone.
        work.move(position, _C.STOPPED, reason=VANISHED)
    elif finding.reason:
        work.move(position, _C.STOPPED, runtime_id=finding.runtime_id, reason=finding.reason)
    else:
        work.move(position, _C.CREATED, **_found(finding))


def _adopt_running(work: _Work, position: int, finding: task_events.Finding) -> None:
    if work.containers[position].phase is _C.RUNNING:
        work.change(position, **_found(finding))
    else:
        work.move(position, _C.RUNNING, ran=True, **_found(finding))


def _adopt_exited(work: _Work, position: int, finding: task_events.Finding) -> None:
    _adopt_running(work, position, finding)
    if work.restart(position, finding):
        return
    work.move(
        position,
        _C.STOPPED,
        ran=True,
        exit_code=finding.exit_code,
        out_of_memory=finding.out_of_memory,
        reason=finding.reason or (OUT_OF_MEMORY if finding.out_of_memory else ""),
        finished_at=finding.finished_at or work.now,
        **_found(finding),
    )


def _found(finding: task_events.Finding) -> dict[str, Any]:
    return {
        "runtime_id": finding.runtime_id,
        "image_digest": finding.image_digest,
        "image_id": finding.image_id,
        "bindings": finding.bindings,
        "interface": finding.interface,
        "health": finding.health,
        "created_at": finding.created_at,
        "started_at": finding.started_at,
    }


_ADOPTERS: dict[task_events.Found, Callable[[_Work, int, task_events.Finding], None]] = {
    task_events.Found.ABSENT: _adopt_absent,
    task_events.Found.CREATED: _adopt_created,
    task_events.Found.RUNNING: _adopt_running,
    task_events.Found.EXITED: _adopt_exited,
}

_HANDLERS: dict[type, Callable[[_Work, Any], None]] = {
    task_events.Assigned: _assigned,
    task_events.StopRequested: _stop_requested,
    task_events.Refused: _refused,
    task_events.PullBegan: _pull_began,
    task_events.PullProgressed: _pull_progressed,
    task_events.ImageReady: _image_ready,
    task_events.PullFailed: _pull_failed,
    task_events.ContainerCreated: _container_created,
    task_events.CreateFailed: _create_failed,
    task_events.ContainerStarted: _container_started,
    task_events.StartFailed: _start_failed,
    task_events.ContainerDied: _container_died,
    task_events.ContainerVanished: _container_vanished,
    task_events.ContainerRevived: _container_revived,
    task_events.StopFailed: _stop_failed,
    task_events.StopTimedOut: _stop_timed_out,
    task_events.HealthChanged: _health_changed,
    task_events.TimePassed: _time_passed,
    task_events.Adopted: _adopted,
}
