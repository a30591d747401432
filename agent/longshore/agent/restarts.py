"""Whether a container that has exited is started again in place, and which news are of a run that is over. Pure.

ECS's rule (ecs-agent/api/container/restart): the policy is enabled, the task goes on, the exit code is known and not ignored, and the
container has run for the period since it was started or last restarted.
"""

from longshore.agent import task_state

_MICROSECONDS = 1_000_000


def due(
    policy: task_state.RestartPolicy | None, container: task_state.ContainerState, exit_code: int | None, ended_at: int
) -> bool:
    """Whether a container that ended at `ended_at` (microseconds) is to be started again, if its task goes on."""
    if policy is None or exit_code is None or exit_code in policy.ignored_exit_codes:
        return False
    return ended_at - container.started_at >= policy.period_s * _MICROSECONDS


def reason(exit_code: int | None, *, out_of_memory: bool) -> str:
    """Why a container was started again, for people."""
    why = " (killed due to memory usage)" if out_of_memory else ""
    return f"Restarted by its restart policy after it had exited with code {exit_code}{why}"


def is_of_former_run(container: task_state.ContainerState, finished_at: int, *, restarting: bool) -> bool:
    """Whether an end that happened at `finished_at` (zero: nobody knows) is the one after which the container was started again."""
    if not container.restart_reason:
        return False
    # While the start is under way an end without a time is the former one: the start's own call tells what became of it.
    return finished_at <= container.finished_at if finished_at else restarting
