"""Rules about where tasks are placed: never beyond what an instance has, by the order of commits. Pure."""

from collections import Counter, defaultdict

from longshore.drill import judgement
from longshore.drill.control_plane import history
from longshore.v1 import container_instance_pb2

_ACTIVE = container_instance_pb2.CONTAINER_INSTANCE_STATUS_ACTIVE


def nothing_overcommitted(found: history.History) -> judgement.Breaches:
    """At no moment did the tasks of an instance that were not released come to more than it has; no host port was given twice."""
    taken: dict[str, Counter[str]] = defaultdict(Counter)
    told: set[str] = set()
    for task, change, first in _placements(found):
        needs = found.needs.get(task.definition)
        if needs is None:
            yield task.title, f"is of {task.definition}, which nobody has registered"
            continue
        held = taken[change.instance]
        amounts = Counter({"cpu": needs["cpu"], "memory": needs["memory"]})
        amounts.update(f"port {port}" for port in needs["ports"])
        (held.update if first else held.subtract)(amounts)
        over = [
            f"{name}: {amount} of {found.capacity.get(name, 1)}"
            for name, amount in held.items()
            if amount > found.capacity.get(name, 1)
        ]
        if over and change.instance not in told:
            told.add(change.instance)
            yield f"instance {change.instance}", f"with event {change.sequence} its tasks took {', '.join(over)}"


def _placements(found: history.History) -> list[tuple[history.Task, history.Change, bool]]:
    """By the order of the log: the event with which each task got its instance, at once or after waiting for it, and its release."""
    moments = []
    for task in found.tasks.values():
        placed = next((change for change in task.changes if change.instance), None)
        if placed is not None:
            moments.append((task, placed, True))
            released = next((change for change in task.changes if change.released), None)
            if released is not None:
                moments.append((task, released, False))
    # A task whose first event is its release takes its room and gives it back.
    return sorted(moments, key=lambda moment: (moment[1].sequence, not moment[2]))


def placed_where_it_may_be(found: history.History) -> judgement.Breaches:
    """A task is placed on an instance that was active and connected at that point of the log, and stays there."""
    standing: dict[str, tuple[int, bool]] = {}
    first: dict[str, str] = {}
    for event in found.log:
        sequence, kind, subject = event[:3]
        if kind == "instance":
            standing[subject] = (event[4], bool(event[5]))
            continue
        instance = event[4]
        if not instance and subject not in first:
            continue  # it waits for capacity, or was stopped before it had any
        if subject not in first:
            first[subject] = instance
            status, connected = standing.get(instance, (0, False))
            if status != _ACTIVE or not connected:
                story = f"status {status}, {'connected' if connected else 'disconnected'}"
                yield f"task {subject}", f"was placed with event {sequence} on instance {instance}, then {story}"
        elif first[subject] != instance:
            yield f"task {subject}", f"was placed on {first[subject]}, and event {sequence} has it on {instance}"
    for task in found.tasks.values():
        if (
            task.intent is not None
            and first.get(task.task_id, task.intent["instance_id"]) != task.intent["instance_id"]
        ):
            yield task.title, f"was placed on {first[task.task_id]}, and its row says {task.intent['instance_id']}"


def reserved_as_defined(found: history.History) -> judgement.Breaches:
    """What is reserved for a task is what its definition asks for."""
    for task in found.tasks.values():
        needs = found.needs.get(task.definition)
        if task.intent is not None and needs is not None:
            reserved = (task.intent["cpu"], task.intent["memory"])
            if reserved != (needs["cpu"], needs["memory"]):
                yield task.title, f"needs CPU and memory {needs['cpu']}, {needs['memory']}; reserved were {reserved}"
