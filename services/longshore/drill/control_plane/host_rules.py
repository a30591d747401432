"""Rules about what really ran, by the journal of the simulated engines: once, where it was placed, within what there is. Pure."""

from collections import Counter, defaultdict

from longshore.drill import judgement
from longshore.drill.control_plane import history
from longshore.v1 import task_pb2

_STARTED, _ENDED = "start", "die"
_RUNNING = task_pb2.TASK_STATUS_RUNNING
_MAIN = "main"
"""The essential container of each family."""


def nothing_run_twice(found: history.History) -> judgement.Breaches:
    """The containers of a task are started on one instance, the one it was placed on, once, and none that nobody has asked for."""
    starts = Counter((news["task"], news["container"]) for news in found.containers if news["what"] == _STARTED)
    for (task_id, container), times in starts.items():
        if times > 1:
            yield f"task {task_id}", f"container {container} was started {times} times"
    for news in found.containers:
        task = found.tasks.get(news["task"])
        if news["what"] != _STARTED:
            continue
        if task is None or task.intent is None:
            yield f"task {news['task']}", f"was started on host {news['host']}, and is in no table"
        elif task.intent["instance_id"] != news["instance"]:
            yield task.title, f"is placed on {task.intent['instance_id']}, and was started by {news['instance']}"


def running_is_true(found: history.History) -> judgement.Breaches:
    """A task that was told to run has been started; and nothing runs on when all was told to have stopped."""
    started = {(news["task"], news["container"]) for news in found.containers if news["what"] == _STARTED}
    ended = {(news["task"], news["container"]) for news in found.containers if news["what"] == _ENDED}
    for task in found.tasks.values():
        ran = any(change.status == _RUNNING for change in task.changes)
        if ran and (task.task_id, _MAIN) not in started:
            yield task.title, "was told to run, and its container was never started"
    if found.complete:
        for task_id, container in sorted(started - ended):
            yield f"task {task_id}", f"container {container} still runs at the end"


def hosts_not_overcommitted(found: history.History) -> judgement.Breaches:
    """At no moment did the containers that ran on a host come to more than it has; no port was held twice."""
    taken: dict[str, Counter[str]] = defaultdict(Counter)
    told: set[str] = set()
    for news in found.containers:
        task = found.tasks.get(news["task"])
        needs = found.needs.get(task.definition) if task is not None else None
        if needs is None or news["what"] not in {_STARTED, _ENDED}:
            continue
        cpu, memory = needs["containers"][news["container"]]
        amounts = Counter({"cpu": cpu, "memory": memory})
        amounts.update(f"port {port}" for port in needs["ports"])
        held = taken[news["host"]]
        (held.update if news["what"] == _STARTED else held.subtract)(amounts)
        over = [name for name, amount in held.items() if amount > found.capacity.get(name, 1)]
        if over and news["host"] not in told:
            told.add(news["host"])
            yield (
                f"host {news['host']}",
                f"with task {news['task']} its containers take more {', '.join(over)} than it has",
            )


def ends_are_explained(found: history.History) -> judgement.Breaches:
    """A task stops because somebody asked for it, its container ended, or its host was lost; never for anything else."""
    stops = {call.about["task"] for call in found.calls.values() if call.name == "StopTask"}
    ended = {news["task"] for news in found.containers if news["what"] == _ENDED and news["container"] == _MAIN}
    waiting = {call.key for call in found.calls.values() if call.about.get("waits")}
    lost: set[str] = set()
    for event in found.log:
        if event[1] == "instance":
            if not event[5]:
                lost.add(event[2])
            continue
        task_id, instance, code = event[2], event[4], event[7]
        gave_up_waiting = not instance and event[10] in waiting
        explained = {
            task_pb2.TASK_STOP_CODE_UNSPECIFIED: True,
            task_pb2.TASK_STOP_CODE_USER_INITIATED: task_id in stops,
            task_pb2.TASK_STOP_CODE_ESSENTIAL_CONTAINER_EXITED: task_id in ended,
            task_pb2.TASK_STOP_CODE_TASK_FAILED_TO_START: instance in lost or gave_up_waiting,
            task_pb2.TASK_STOP_CODE_INFRASTRUCTURE_HEALTH: instance in lost,
        }.get(code, False)
        if not explained:
            yield f"task {task_id}", f"stopped with code {code} (event {event[0]}), and nothing explains it"
