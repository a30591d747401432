"""Rules about calls: what was answered holds, once, and what was refused has done nothing. Pure."""

from longshore.drill import judgement
from longshore.drill.control_plane import history

STARTING = {"RunTask", "RunTasks", "StartTask"}

_STOPPED = 3
"""DesiredStatus."""

_ROOM = ("RESOURCE:", "AGENT", "INACTIVE", "DRAINING")
"""Why tasks are not placed: there is no room, or nobody speaks for the instances that have it, or that one takes nothing."""

AFTER = "-after"
"""How the keys of calls end that run a revision after its deregistration was answered."""


def acknowledged_tasks_exist(found: history.History) -> judgement.Breaches:
    """Every task that a call was answered with is in the tables and in the log, and was released in the end."""
    if not found.complete:
        yield "drill", "it did not come to its end"
    for call in found.calls.values():
        for task_id in call.told.get("tasks", ()):
            task = found.tasks.get(task_id)
            if task is None or task.intent is None:
                yield call.title, f"was answered with task {task_id}, which is in no table"
            elif not task.changes:
                yield call.title, f"was answered with task {task_id}, of which the log does not tell"
            elif task.key != call.key:
                yield call.title, f"was answered with task {task_id}, which {task.key} has started"
    for task in found.tasks.values():
        if task.changes and not task.changes[-1].released:
            yield task.title, f"was never released; its last status is {task.changes[-1].status}"


def calls_act_once(found: history.History) -> judgement.Breaches:
    """However often it is repeated, a call has placed what it was answered with; without an answer at most what it asked for."""
    by_key = found.of_key()
    known = {call.key for call in found.calls.values() if call.name in STARTING}
    for call in found.calls.values():
        if call.name not in STARTING:
            continue
        placed = {task.task_id for task in by_key.get(call.key, ())}
        if call.outcome == history.ANSWERED and placed != set(call.told["tasks"]):
            yield call.title, f"was answered with {sorted(call.told['tasks'])} and has placed {sorted(placed)}"
        elif call.outcome == history.REFUSED and placed:
            yield call.title, f"was refused ({call.told['reason']}) and has placed {sorted(placed)}"
        elif len(placed) > call.about["count"]:
            yield call.title, f"asked for {call.about['count']} tasks and has placed {sorted(placed)}"
    for key, tasks in by_key.items():
        if key not in known:
            yield tasks[0].title, "exists, and nobody has asked for it"


def answers_bind(found: history.History) -> judgement.Breaches:
    """What a call was answered, the next one sees: tasks that were placed, stops, and deregistered revisions."""
    gone: dict[str, float] = {}
    for call in found.calls.values():
        if call.name == "DeregisterTaskDefinition" and call.outcome == history.ANSWERED:
            gone[call.about["definition"]] = call.ended_at
    for call in found.calls.values():
        if call.name == "DescribeTasks" and call.outcome == history.ANSWERED:
            known = dict(call.told["known"])
            for task_id in call.about["asked"]:
                if task_id not in known:
                    yield call.title, f"does not know task {task_id}, which an earlier answer had told of"
                elif call.about.get("stopped") and known[task_id] != _STOPPED:
                    yield call.title, f"shows task {task_id} as wanted, after the answer that it is to stop"
        definition = call.about.get("definition")
        if call.name in STARTING and definition in gone and call.at > gone[definition] and call.told.get("tasks"):
            yield call.title, f"placed {call.told['tasks']} of {definition}, whose deregistration had been answered"


def stops_are_kept(found: history.History) -> judgement.Breaches:
    """A task whose stop was answered is wanted no more, unless it had stopped by itself before."""
    for call in found.calls.values():
        if call.name != "StopTask" or call.outcome != history.ANSWERED:
            continue
        task = found.tasks.get(call.about["task"])
        if task is None or not task.changes:
            yield call.title, "was answered for a task of which nothing tells"
        elif task.changes[-1].desired != _STOPPED:
            yield call.title, "was answered, and the task is still wanted at the end"


def refusals_are_explained(found: history.History) -> judgement.Breaches:
    """A call is refused for want of room, or because it must be; never for what goes wrong inside."""
    for call in found.calls.values():
        if call.outcome == history.REFUSED and not (
            call.key.endswith(AFTER) and call.told["reason"] == "ClientException"
        ):
            yield call.title, f"was refused: {call.told['reason']}: {call.told['said']}"
        for reason in call.told.get("failures", ()):
            if not reason.startswith(_ROOM):
                yield call.title, f"was told {reason}"
