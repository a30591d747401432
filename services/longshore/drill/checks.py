"""The judgement: what a drill's history shows that must not be. Pure.

Each check is a rule of its own over the whole history, and tells each breach of it as a story. What a fault may do is in
`explanations`; what it may not, it must not have done.
"""

import itertools
from collections.abc import Callable, Iterable, Iterator
from dataclasses import dataclass

from longshore.drill import explanations, history, kinds

TASK_MOVES = {
    "": {"PENDING"},
    "PENDING": {"PENDING", "RUNNING", "STOPPING", "STOPPED"},
    "RUNNING": {"RUNNING", "STOPPING", "STOPPED"},
    "STOPPING": {"STOPPING", "STOPPED"},
    "STOPPED": {"STOPPED"},
}
"""What may follow what in a task's events (docs/design/task-lifecycle.md). The first of them tells of a task that was just placed."""

CONTAINER_MOVES = {
    "": {"PENDING", "RUNNING", "STOPPED"},
    "PENDING": {"PENDING", "RUNNING", "STOPPED"},
    "RUNNING": {"RUNNING", "STOPPED"},
    "STOPPED": {"STOPPED"},
}

_WITH_TIME = 3
"""Words of a last line: one that was killed while it asked for the time has none."""
SOON_S = 30.0
"""Far above what an undisturbed end takes, on a busy machine, and far below the minutes after which the agent looks by itself."""

_ESSENTIAL, _FAILED, _REQUESTED = "ESSENTIAL_CONTAINER_EXITED", "TASK_FAILED_TO_START", "USER_INITIATED"
_TERMINATED, _KILLED, _UNKNOWN = 143, 137, 255
_IN_RUNC = 2
"""Of a process that was told to end before runc had become it: runc's own."""


@dataclass(frozen=True, slots=True)
class Finding:
    """One breach of a rule."""

    rule: str
    subject: str
    story: str


def judge(found: history.History) -> list[Finding]:
    """Every breach of every rule."""
    return [Finding(name, subject, story) for name, rule in RULES.items() for subject, story in rule(found)]


_Breaches = Iterator[tuple[str, str]]


def _log_gapless(found: history.History) -> _Breaches:
    for before, after in itertools.pairwise(found.sequences):
        if after != before + 1:
            yield "log", f"sequence {after} came after {before}"


def _versions_grow_by_one(found: history.History) -> _Breaches:
    for task in found.tasks.values():
        for before, after in itertools.pairwise(task.changes):
            if after.version != before.version + 1:
                yield _name(task), f"version {after.version} came after {before.version}"


def _moves_are_legal(found: history.History) -> _Breaches:
    for task in found.tasks.values():
        status, desired, released = "", "RUNNING", False
        containers = dict.fromkeys(task.kind.parts, "")
        for change in task.changes:
            if change.status not in TASK_MOVES.get(status, ()):
                yield _name(task), f"{change.status} came after {status or 'nothing'}"
            if (desired, change.desired) == ("STOPPED", "RUNNING") or (released and not change.released):
                yield _name(task), f"went back to desired {change.desired}, released {change.released}"
            status, desired, released = change.status, change.desired, change.released
            for container in change.containers:
                if container.status not in CONTAINER_MOVES.get(containers.get(container.name, "?"), ()):
                    was = containers.get(container.name, "not of the task")
                    yield _name(task), f"container {container.name}: {container.status} came after {was or 'nothing'}"
                containers[container.name] = container.status


def _none_lost(found: history.History) -> _Breaches:
    if not found.complete:
        yield "drill", "it did not come to its end"
    for task in found.tasks.values():
        if task.stopped_at is None:
            told = f"last told {task.last.status} at {task.last.at:.1f} s" if task.last else "never told of"
            yield _name(task), f"was accepted at {task.accepted_at:.1f} s and never stopped: {told}"
        elif task.released_at is None:
            yield _name(task), "has stopped, and what it took was never free again"
    for record in found.not_recovered:
        yield f"strike {record['strike']}", f"after {_faults(record)} no task ran for {record['bound']:.0f} s"


def _descriptions_agree(found: history.History) -> _Breaches:
    for task in found.tasks.values():
        if task.described is None or task.last is None:
            if found.complete:
                yield _name(task), "cannot be described"
            continue
        said = (
            task.described["version"],
            task.described["status"],
            task.described["stop_code"],
            task.described["reason"],
        )
        told = (task.last.version, task.last.status, task.last.stop_code, task.last.reason)
        if said != told:
            yield _name(task), f"is described as {said}, its last event says {told}"


def _ends_are_explained(found: history.History) -> _Breaches:
    for task in found.tasks.values():
        if task.last is None or task.stopped_at is None:
            continue
        if story := _unexplained(task, found.blows):
            yield _name(task), story


def _unexplained(task: history.Task, blows: list[history.Blow]) -> str:
    end = task.last
    assert end is not None  # noqa: S101 - the caller has looked
    said = f"{end.stop_code} ({end.reason})"
    details = "; ".join(f"{c.name}: {c.code} {c.reason}".strip() for c in end.containers)
    if end.stop_code == _REQUESTED:
        return "" if task.stop_asked_at is not None else f"{said}, and nobody had asked for it"
    if end.stop_code == _FAILED:
        allowed = not task.kind.starts or explanations.may_fail_to_start(task, blows)
        return "" if allowed else f"{said} without a fault that explains it: {details}"
    if end.stop_code != _ESSENTIAL:
        return f"{said}, which nothing here may lead to"
    allowed = task.kind.ends or _hurt(task, blows)
    return "" if allowed else f"{said}, and its containers do not end by themselves: {details}"


def _hurt(task: history.Task, blows: list[history.Blow]) -> bool:
    return any(explanations.may_be_hurt(task, part, blows) for part in task.kind.parts)


def _exit_codes_are_right(found: history.History) -> _Breaches:
    for task in found.tasks.values():
        if task.stopped_at is None:
            continue
        for part in task.kind.parts:
            told = task.final(part).code
            allowed = _codes(task, part, found.blows)
            if told not in allowed:
                story = ", ".join(task.stories.get(part, ())) or "nothing"
                listed = ", ".join(sorted(str(code) for code in allowed))
                yield _name(task), f"container {part} is told to have ended with {told}, not {listed}; it says: {story}"


def _codes(task: history.Task, part: str, blows: list[history.Blow]) -> set[int | None]:
    """The exit codes that a container may be told to have ended with."""
    lines = task.stories.get(part, ())
    allowed: set[int | None] = set()
    last = lines[-1].split() if lines else []
    if last[:1] == [kinds.ENDED] and last[1].isdigit():
        allowed.add(int(last[1]))
    elif last:
        # Its process began and did not come to its own end: somebody has killed it.
        may_be_killed = task.stop_asked_at is not None or len(task.kind.parts) > 1 or task.kind.code[part] == _KILLED
        allowed |= {_KILLED} if may_be_killed else set()
    else:
        # It has not run its first line: never created, never started (143, as ECS shows what it never started), or killed before it.
        allowed |= {None, _TERMINATED, _KILLED, _IN_RUNC}
    if explanations.may_be_hurt(task, part, blows):
        allowed |= {None, _KILLED, _UNKNOWN, _TERMINATED}
    if explanations.may_lose_its_code(task, part, blows):
        allowed |= {None, _UNKNOWN}
    return allowed


def _undisturbed_as_promised(found: history.History) -> _Breaches:
    """A task that no fault may touch, and that nobody stopped, ends exactly as its kind promises."""
    for task in found.tasks.values():
        if task.stopped_at is None or task.stop_asked_at is not None or not task.kind.starts:
            continue
        if explanations.may_fail_to_start(task, found.blows) or _hurt(task, found.blows):
            continue
        if explanations.disk_full(task, found.blows):
            continue  # a container that writes to its volume may have had no room
        for part, promised in task.kind.code.items():
            told, due = task.final(part).code, task.code if promised is None else promised
            if told != due and not _cut_short(task, part, told):
                yield _name(task), f"container {part} was to end with {due} and is told to have ended with {told}"


def _cut_short(task: history.Task, part: str, told: int | None) -> bool:
    """Whether a container beside the essential one was stopped before it had come to its own first line."""
    return not task.stories.get(part) and part != "main" and told in {None, _TERMINATED, _KILLED, _IN_RUNC}


def _none_run_twice(found: history.History) -> _Breaches:
    for task in found.tasks.values():
        for part in task.kind.parts:
            starts = sum(line.split()[0] == kinds.STARTED for line in task.stories.get(part, ()))
            allowed = 1
            if task.kind.restarts(part):
                # An agent that dies between an end and the restart may miss that one in its count.
                allowed += task.final(part).restarts + explanations.agent_killed(task, found.blows)
            if starts > allowed:
                yield _name(task), f"container {part} was started {starts} times, and may have been {allowed} times"
            if not starts and _surely_ran(task, part, found.blows):
                yield _name(task), f"container {part} was told to have run, and its process never began"
        for part in task.kind.parts:
            if len(ids := _started(task, part)) > 1:
                yield _name(task), f"container {part} was started as {len(ids)} containers: {', '.join(sorted(ids))}"
    for task_id in found.unknown:
        yield f"task {task_id}", "events tell of it, and nobody has asked for it"
    for name in found.stray_stories:
        yield f"story {name}", "a container ran that belongs to no accepted task"


def _started(task: history.Task, part: str) -> set[str]:
    """The engine's ids of what was told to have begun to run. One that did not may be made again, when its host port was taken."""
    told = (change.container(part) for change in task.changes)
    return {
        container.runtime_id
        for container in told
        if container and container.runtime_id and container.status != "PENDING"
    }


def _ends_told_soon(found: history.History) -> _Breaches:
    """A container that ended by itself is told to have, within seconds of that or of the end of whatever went wrong then."""
    clock = found.began.get("clock")
    if clock is None:
        yield "drill", "it does not tell by which clock it went"
        return
    for task in found.tasks.values():
        for part, lines in task.stories.items():
            words = lines[-1].split() if lines else []
            told = task.ended_at(part)
            if words[:1] != [kinds.ENDED] or len(words) < _WITH_TIME or told is None:
                continue
            ended = float(words[2]) - clock + found.began["at"]
            due = _over_by(ended, found.blows) + SOON_S
            if told > due:
                yield _name(task), f"container {part} ended at {ended:.0f} s and was told to have at {told:.1f} s"


def _output_whole(found: history.History) -> _Breaches:
    """What a talker writes is read from the first line to the last, each once, whatever goes wrong on the way."""
    for task in found.tasks.values():
        if not task.kind.talks or task.stopped_at is None:
            continue
        if task.read is None:
            yield _name(task), "nobody has read what it wrote"
            continue
        if task.read["repeated"]:
            yield _name(task), f"output came twice: {'; '.join(task.read['repeated'])}"
        if explanations.may_lose_output(task, found.blows):
            continue
        if task.read["error"]:
            yield _name(task), f"its output could not be read: {task.read['error']}"
        if task.read["missing"]:
            yield _name(task), f"output is missing: {'; '.join(task.read['missing'])}"
        wrote = next(
            (int(line.split()[1]) for line in task.stories.get("main", ()) if line.startswith(kinds.WROTE)), None
        )
        if wrote is not None and task.read["lines"] != wrote and not task.read["kept"]:
            yield _name(task), f"wrote {wrote} lines, and {task.read['lines']} were read"


def _over_by(at: float, blows: list[history.Blow]) -> float:
    """When nothing was wrong any more, of what went wrong at that time or followed soon."""
    for blow in sorted(blows, key=lambda blow: blow.at):
        if blow.at <= at + SOON_S and blow.settled_at > at:
            at = blow.settled_at
    return at


def _surely_ran(task: history.Task, part: str, blows: list[history.Blow]) -> bool:
    """Whether it was told to have ended by itself, so that it must have come to its first line."""
    code = task.final(part).code
    return code not in {None, _KILLED, _TERMINATED, _UNKNOWN, _IN_RUNC} and not explanations.may_lose_its_code(
        task, part, blows
    )


def _nothing_overcommitted(found: history.History) -> _Breaches:
    """At no moment did the tasks that were not released come to more than the instance has."""
    for name in ("cpu", "memory"):
        limit = found.capacity.get(name)
        if limit is None:
            yield "instance", f"it never told how much {name} it has"
            continue
        # By the order of commits: what an answer and a watch tell may overtake each other on the way.
        moments = [(task.changes[0].sequence, getattr(task, name)) for task in found.tasks.values() if task.changes]
        moments += [
            (next(change.sequence for change in task.changes if change.released), -getattr(task, name))
            for task in found.tasks.values()
            if task.released_at is not None
        ]
        taken = 0
        for sequence, amount in sorted(moments):
            taken += amount
            if taken > limit:
                yield "instance", f"with event {sequence} its tasks took {taken} of {limit} {name}"
                break


def _ports_given_once(found: history.History) -> _Breaches:
    """No host port was given to two containers at a time."""
    spans: dict[str, list[tuple[float, float, str]]] = {}
    for task in found.tasks.values():
        for part in task.kind.parts:
            for port in task.final(part).ports:
                since = next(change.at for change in task.changes if _has(change, part, port))
                spans.setdefault(port, []).append((since, task.stopped_at or float("inf"), f"{_name(task)} {part}"))
    for port, held in spans.items():
        for (_, until, first), (since, _, second) in itertools.pairwise(sorted(held)):
            if since < until:
                yield f"port {port}", f"{first} had it until {until:.1f} s, and {second} from {since:.1f} s"


def _has(change: history.Change, part: str, port: str) -> bool:
    container = change.container(part)
    return container is not None and port in container.ports


def _nothing_left(found: history.History) -> _Breaches:
    for kind, names in found.left.items():
        if kind == history.FORGOTTEN and explanations.engine_may_leave_processes(found.blows):
            continue
        yield kind, f"left on the host: {', '.join(names)}"


def _refusals_are_explained(found: history.History) -> _Breaches:
    """A task is refused for want of room, or because the agent is away while something is wrong; never for what the host could do before."""
    for record in found.refused:
        at, said = record["at"], record["said"]
        away = said.startswith("AGENT:") and any(blow.at <= at <= blow.settled_at for blow in found.blows)
        if not said.startswith("RESOURCE:") and not away:
            yield f"{record['kind']} {record['key']}", f"was refused at {at:.1f} s: {said}"


def _agent_lives(found: history.History) -> _Breaches:
    """The agent ends only when it is killed, or when it cannot begin because its engine is away."""
    for record in found.agent_ends:
        excused = any(
            blow.fault.startswith("engine-")
            for blow in found.blows
            if blow.at <= record["at"] <= min(blow.settled_at, blow.over_at + _START_S)
        )
        if not record["told"] and not (excused and record["code"] in _EXPECTED_ENDS):
            yield "agent", f"ended by itself at {record['at']:.1f} s with {record['code']}: {record['said']}"


_START_S = 30.0
_EXPECTED_ENDS = (1, 5)
"""Its statuses for what may work another time (docs/design/agent.md): engine silent, no socket."""

RULES: dict[str, Callable[[history.History], Iterable[tuple[str, str]]]] = {
    "the log has no gap": _log_gapless,
    "versions grow by one": _versions_grow_by_one,
    "every move is legal": _moves_are_legal,
    "no task is lost": _none_lost,
    "descriptions agree with events": _descriptions_agree,
    "every end is explained": _ends_are_explained,
    "exit codes are those of the processes": _exit_codes_are_right,
    "ends are told soon": _ends_told_soon,
    "output is whole": _output_whole,
    "what nothing touched ends as promised": _undisturbed_as_promised,
    "nothing is run twice": _none_run_twice,
    "nothing is over-committed": _nothing_overcommitted,
    "no port is given twice": _ports_given_once,
    "nothing is left on the host": _nothing_left,
    "refusals are explained": _refusals_are_explained,
    "the agent does not end by itself": _agent_lives,
}


def _name(task: history.Task) -> str:
    return f"{task.kind.name} {task.key} ({task.task_id})"


def _faults(record: history.Record) -> str:
    return " + ".join(record["faults"])
