"""Rules about what was told: the log, those who watch it, and that tables and descriptions say the same. Pure."""

import itertools

from longshore.drill import judgement, moves
from longshore.drill.control_plane import history
from longshore.v1 import task_pb2

_STATUS = {int(number): name.removeprefix("TASK_STATUS_") for name, number in task_pb2.TaskStatus.items()}
_STOPPED = task_pb2.DESIRED_STATUS_STOPPED


def log_is_gapless(found: history.History) -> judgement.Breaches:
    """The sequence numbers of the log follow each other from 1 on, up to its head."""
    for place, event in enumerate(found.log, start=1):
        if event[0] != place:
            yield "log", f"its event {place} has sequence {event[0]}"
            break
    if found.log and found.head.get("sequence") != found.log[-1][0]:
        yield "log", f"it ends with {found.log[-1][0]}, and its head says {found.head.get('sequence')}"


def watches_are_complete(found: history.History) -> judgement.Breaches:
    """Each watcher was told every event that concerns it, once, in order, as it is in the log, whatever connection was lost."""
    for name, watcher in found.watchers.items():
        wanted = [event for event in found.log if not watcher.family or _family(event) == watcher.family]
        due = sum(event[0] <= found.due for event in wanted)
        if story := _difference(wanted, watcher.events, due):
            yield f"watch {name}", story
    if found.complete and not found.due:
        yield "watches", "never came to the end of the log"


def _family(event: tuple[object, ...]) -> str:
    return str(event[9]).partition(":")[0] if event[1] == "task" else ""


def _difference(wanted: list[tuple[object, ...]], told: list[tuple[object, ...]], due: int) -> str:
    """Where what a watcher was told first differs from what there was, `due` events at least; empty where it does not."""
    for there, came in zip(wanted, told, strict=False):
        if there != came:
            return f"where event {there[0]} was due ({there}) it was told {came[0]} ({came})"
    if len(told) < due:
        return f"was never told event {wanted[len(told)][0]}"
    return f"was told event {told[len(wanted)][0]} of which the log knows nothing" if len(told) > len(wanted) else ""


def versions_grow_by_one(found: history.History) -> judgement.Breaches:
    """Each event of a task has the version after the one before, from 1 on."""
    for task in found.tasks.values():
        for place, change in enumerate(task.changes, start=1):
            if change.version != place:
                yield task.title, f"its change {place} has version {change.version}"
                break


def moves_are_legal(found: history.History) -> judgement.Breaches:
    """Every status is one that may follow the one before, and nothing goes back."""
    for task in found.tasks.values():
        status = ""
        for change in task.changes:
            told = _STATUS.get(change.status, str(change.status))
            if told not in moves.TASK.get(status, ()):
                yield task.title, f"{told} came after {status or 'nothing'}"
            status = told
        for before, after in itertools.pairwise(task.changes):
            if before.released and not after.released:
                yield task.title, "was released, and then no more"
            if before.desired == _STOPPED and after.desired != _STOPPED:
                yield task.title, "was to stop, and then no more"


def tables_agree(found: history.History) -> judgement.Breaches:
    """Tables, descriptions and the last event say the same of each task."""
    if not found.complete:
        return
    for task in found.tasks.values():
        if not task.changes or task.intent is None:
            yield task.title, f"the log tells {len(task.changes)} changes of it, and its intent is {task.intent}"
            continue
        last = task.changes[-1]
        version = task.intent["revision"] + (task.observation["revision"] if task.observation else 0)
        if version != last.version:
            yield task.title, f"its rows have version {version}, its last event {last.version}"
        if task.observation is not None and bool(task.observation["released"]) is not last.released:
            yield task.title, f"its rows say released {task.observation['released']}, its last event {last.released}"
        said = task.described
        if said is None:
            yield task.title, "cannot be described"
        elif (said["version"], said["status"], said["desired"]) != (last.version, last.status, last.desired):
            yield task.title, f"is described as {said}, its last event says {last}"


def counters_agree(found: history.History) -> judgement.Breaches:
    """What is counted is what there is: of the cluster, and of each instance."""
    if not found.complete:
        return
    for name in ("pending_tasks", "running_tasks"):
        if found.head.get(name) != 0:
            yield "cluster", f"{found.head.get(name)} {name} are counted when all have stopped"
    placed: dict[str, int] = {}
    for task in found.tasks.values():
        if task.intent is not None and task.intent["instance_id"]:
            placed[task.intent["instance_id"]] = placed.get(task.intent["instance_id"], 0) + 1
    for instance, row in found.instances.items():
        counted = (row["placed"], row["running"], row["left_pending"])
        due = placed.get(instance, 0)
        if counted != (due, 0, due):
            yield f"instance {instance}", f"{due} tasks were placed on it; placed, running, left pending: {counted}"
