"""What a fault may do to the tasks that lived while it lasted; whatever it may not is a finding (docs/design/drill.md). Pure."""

from longshore.drill.agent import history, plan

_ENGINE_FAILS = frozenset({plan.Fault.ENGINE_KILL, plan.Fault.ENGINE_DISK_FULL})


LATE_S = 30.0
"""How long after a fault its consequences may still be told: `checks.SOON_S` holds the agent to it."""


def ended_by_engine(task: history.Task, part: str, blows: list[history.Blow]) -> bool:
    """Whether a container ended when the engine came back without live-restore: it ends those that it finds."""
    return any(
        blow.fault == plan.Fault.ENGINE_KILL
        and not blow.details.get("live_restore", False)
        and _covers(blow, task, task.ended_at(part))
        for blow in blows
    )


def engine_failed(task: history.Task, at: float | None, blows: list[history.Blow]) -> bool:
    """Whether the engine was killed or its disk full at that time: creating and starting may have failed, exit codes been lost."""
    return any(blow.fault in _ENGINE_FAILS and _covers(blow, task, at) for blow in blows)


def _covers(blow: history.Blow, task: history.Task, at: float | None) -> bool:
    """Whether what happened to a task at that time may be the consequence of a fault."""
    return blow.touches(task) and (at is None or blow.at <= at <= blow.settled_at + LATE_S)


def removed(task: history.Task, part: str, blows: list[history.Blow]) -> bool:
    """Whether this container of the task was removed behind our back."""
    runtime_id = task.final(part).runtime_id
    return any(
        blow.fault == plan.Fault.CONTAINER_REMOVE
        and blow.details.get("task") == task.task_id
        and (not runtime_id or blow.details.get("runtime_id") == runtime_id)
        for blow in blows
    )


def anything_removed(task: history.Task, blows: list[history.Blow]) -> bool:
    """Whether any container of the task was removed behind our back."""
    return any(removed(task, part, blows) for part in task.kind.parts)


def killed(task: history.Task, blows: list[history.Blow]) -> bool:
    """Whether the engine was killed while the task lived."""
    return any(blow.fault == plan.Fault.ENGINE_KILL and blow.touches(task) for blow in blows)


def disk_full(task: history.Task, blows: list[history.Blow]) -> bool:
    """Whether the engine's disk was full while the task lived."""
    return any(blow.fault == plan.Fault.ENGINE_DISK_FULL and blow.touches(task) for blow in blows)


def agent_killed(task: history.Task, blows: list[history.Blow]) -> int:
    """How often the agent was killed while the task lived."""
    return sum(blow.fault == plan.Fault.AGENT_KILL and blow.touches(task) for blow in blows)


def may_fail_to_start(task: history.Task, blows: list[history.Blow]) -> bool:
    """Whether the task may have failed to start."""
    return engine_failed(task, task.stopped_at, blows) or anything_removed(task, blows)


def forgotten(task: history.Task, blows: list[history.Blow]) -> bool:
    """Whether the engine may have forgotten that a container runs: it could not write that down, and was killed then or later."""
    return killed(task, blows) and disk_full(task, blows)


def may_be_hurt(task: history.Task, part: str, blows: list[history.Blow]) -> bool:
    """Whether a container of the task may have ended otherwise than by itself or by our stop."""
    return ended_by_engine(task, part, blows) or removed(task, part, blows) or forgotten(task, blows)


def may_lose_output(task: history.Task, blows: list[history.Blow]) -> bool:
    """Whether output may be lost: it is the engine that writes it down, and removes it with the container."""
    return killed(task, blows) or disk_full(task, blows) or anything_removed(task, blows)


def engine_may_leave_processes(blows: list[history.Blow]) -> bool:
    """Whether the engine itself may have left processes that it does not know of any more."""
    return any(blow.fault in _ENGINE_FAILS for blow in blows)


def may_lose_its_code(task: history.Task, part: str, blows: list[history.Blow]) -> bool:
    """Whether the exit code of a container may be lost although it ended by itself."""
    return may_be_hurt(task, part, blows) or engine_failed(task, task.ended_at(part), blows)
