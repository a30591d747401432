"""The order of a task's containers: who may start, who can never start, who may stop. Pure."""

from collections.abc import Sequence
from dataclasses import dataclass

from longshore.agent import states, task_state

_C = states.ContainerPhase


@dataclass(frozen=True, slots=True)
class Verdict:
    """Whether a container may be created now. `reason` says why it never can be."""

    satisfied: bool
    reason: str = ""

    @property
    def blocked_for_ever(self) -> bool:
        """Whether waiting is in vain."""
        return bool(self.reason)


def verdict(
    plans: Sequence[task_state.ContainerPlan], containers: Sequence[task_state.ContainerState], position: int
) -> Verdict:
    """Judge the dependencies of the container at `position`."""
    satisfied = True
    by_name = {plan.name: container for plan, container in zip(plans, containers, strict=True)}
    for dependency in plans[position].waits_for:
        other = by_name[dependency.container]
        if _never(other, dependency.condition):
            return Verdict(
                satisfied=False,
                reason=(
                    f"CannotStartContainerError: container {plans[position].name} waits for {dependency.container} "
                    f"to reach {dependency.condition.value}, which it never will"
                ),
            )
        satisfied = satisfied and _holds(other, dependency.condition)
    return Verdict(satisfied=satisfied)


def _holds(other: task_state.ContainerState, condition: task_state.Condition) -> bool:
    stopped = other.phase is _C.STOPPED
    match condition:
        case task_state.Condition.START:
            return other.phase in {_C.RUNNING, _C.STOPPING} or (stopped and other.ran)
        case task_state.Condition.COMPLETE:
            return stopped and other.ran and other.exit_code is not None
        case task_state.Condition.SUCCESS:
            return stopped and other.ran and other.exit_code == 0
        case task_state.Condition.HEALTHY:
            return other.phase is _C.RUNNING and other.health is task_state.Health.HEALTHY


def _never(other: task_state.ContainerState, condition: task_state.Condition) -> bool:
    return other.phase is _C.STOPPED and not _holds(other, condition)


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
