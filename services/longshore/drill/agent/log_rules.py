"""Rules about what was told: the log, the moves of tasks, and that none is lost. Pure."""

import itertools

from longshore.drill import judgement, moves
from longshore.drill.agent import history


def log_gapless(found: history.History) -> judgement.Breaches:
    """The sequence numbers of the log follow each other."""
    for before, after in itertools.pairwise(found.sequences):
        if after != before + 1:
            yield "log", f"sequence {after} came after {before}"


def versions_grow_by_one(found: history.History) -> judgement.Breaches:
    """Each event of a task has the version after the one before."""
    for task in found.tasks.values():
        for before, after in itertools.pairwise(task.changes):
            if after.version != before.version + 1:
                yield task.title, f"version {after.version} came after {before.version}"


def moves_are_legal(found: history.History) -> judgement.Breaches:
    """Every status is one that may follow the one before, and nothing goes back."""
    for task in found.tasks.values():
        status, desired, released = "", "RUNNING", False
        containers = dict.fromkeys(task.kind.parts, "")
        for change in task.changes:
            if change.status not in moves.TASK.get(status, ()):
                yield task.title, f"{change.status} came after {status or 'nothing'}"
            if (desired, change.desired) == ("STOPPED", "RUNNING") or (released and not change.released):
                yield task.title, f"went back to desired {change.desired}, released {change.released}"
            status, desired, released = change.status, change.desired, change.released
            for container in change.containers:
                if container.status not in moves.CONTAINER.get(containers.get(container.name, "?"), ()):
                    was = containers.get(container.name, "not of the task")
                    yield task.title, f"container {container.name}: {container.status} came after {was or 'nothing'}"
                containers[container.name] = container.status


def none_lost(found: history.History) -> judgement.Breaches:
    """Every task that was accepted has stopped and is released at the end, and the host has always recovered."""
    if not found.complete:
        yield "drill", "it did not come to its end"
    for task in found.tasks.values():
        if task.stopped_at is None:
            told = f"last told {task.last.status} at {task.last.at:.1f} s" if task.last else "never told of"
            yield task.title, f"was accepted at {task.accepted_at:.1f} s and never stopped: {told}"
        elif task.released_at is None:
            yield task.title, "has stopped, and what it took was never free again"
    for record in found.not_recovered:
        yield f"strike {record['strike']}", f"after {_faults(record)} no task ran for {record['bound']:.0f} s"


def _faults(record: history.Record) -> str:
    return " + ".join(record["faults"])


def descriptions_agree(found: history.History) -> judgement.Breaches:
    """What DescribeTasks says is what the last event says."""
    for task in found.tasks.values():
        if task.described is None or task.last is None:
            if found.complete:
                yield task.title, "cannot be described"
            continue
        said = (
            task.described["version"],
            task.described["status"],
            task.described["stop_code"],
            task.described["reason"],
        )
        told = (task.last.version, task.last.status, task.last.stop_code, task.last.reason)
        if said != told:
            yield task.title, f"is described as {said}, its last event says {told}"
