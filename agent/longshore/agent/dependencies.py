"""The order of a task's containers: who may start, who can never start, who may stop. Pure."""

from collections.abc import Sequence
from dataclasses import dataclass

from longshore.agent import states, task_state

_C = states.ContainerPhase
_MICROSECONDS = 1_000_000


@dataclass(frozen=True, slots=True)
class Verdict:
    """Whether a container may be created now. `reason` says why it never can be."""

    satisfied: bool
    reason: str = ""
    until: int = 0
    """When waiting will be in vain, by the clock of the states; zero: never for want of time."""

    @property
    def blocked_for_ever(self) -> bool:
        """Whether waiting is in vain."""
        return bool(self.reason)


def verdict(
    plans: Sequence[task_state.ContainerPlan],
    containers: Sequence[task_state.ContainerState],
    position: int,
    now: int,
) -> Verdict:
    """Judge the dependencies of the container at `position` at `now` (microseconds)."""
    unmet: list[int] = []
    by_name = {plan.name: (plan, container) for plan, container in zip(plans, containers, strict=True)}
    for dependency in plans[position].waits_for:
        plan, other = by_name[dependency.container]
        if _holds(other, dependency.condition):
            continue
        until = _until(plan, other, dependency.condition)
        if other.phase is _C.STOPPED:
            why = "which it never will"
        elif until and now >= until:
            why = f"which it has not within its startTimeout of {plan.start_timeout_s} s"
        else:
            unmet.append(until)
            continue
        return Verdict(
            satisfied=False,
            reason=(
                f"CannotStartContainerError: container {plans[position].name} waits for {plan.name} "
                f"to reach {dependency.condition.value}, {why}"
            ),
        )
    return Verdict(satisfied=not unmet, until=min((until for until in unmet if until), default=0))


def _holds(other: task_state.ContainerState, condition: task_state.Condition) -> bool:
    stopped = other.phase is _C.STOPPED
    match condition:
        case task_state.Condition.START:
            # Not one that is being stopped because nobody knows whether its start came about.
            return other.ran
        case task_state.Condition.COMPLETE:
            return stopped and other.ran and other.exit_code is not None
        case task_state.Condition.SUCCESS:
            return stopped and other.ran and other.exit_code == 0
        case task_state.Condition.HEALTHY:
            return other.phase is _C.RUNNING and other.health is task_state.Health.HEALTHY


def _until(plan: task_state.ContainerPlan, other: task_state.ContainerState, condition: task_state.Condition) -> int:
    """When the startTimeout of a container is over, for whoever waits for its end or its health; zero where it has none, or not begun."""
    if plan.start_timeout_s is None or not other.started_at or condition is task_state.Condition.START:
        return 0
    return other.started_at + plan.start_timeout_s * _MICROSECONDS


def may_stop(
    plans: Sequence[task_state.ContainerPlan], containers: Sequence[task_state.ContainerState], position: int
) -> bool:
    """Whether everything that started after this container, because it needed it, has stopped."""
    name = plans[position].name
    return all(
        container.phase is _C.STOPPED
        for plan, container in zip(plans, containers, strict=True)
        if any(dependency.container == name for dependency in plan.waits_for)
    )


def cycle(plans: Sequence[task_state.ContainerPlan]) -> tuple[str, ...]:
    """Names of containers that wait for each other in a circle, in order; empty when there is none."""
    waits = {plan.name: [dependency.container for dependency in plan.waits_for] for plan in plans}
    done: set[str] = set()

    def visit(name: str, path: tuple[str, ...]) -> tuple[str, ...]:
        if name in path:
            return path[path.index(name) :]
        if name in done:
            return ()
        for other in waits.get(name, ()):
            found = visit(other, (*path, name))
            if found:
                return found
        done.add(name)
        return ()

    for name in waits:
        found = visit(name, ())
        if found:
            return found
    return ()
