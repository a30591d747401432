"""Rules about the host: what ran there, what it wrote, what it took and what it left. Pure."""

import itertools

from longshore.drill import judgement
from longshore.drill.agent import end_rules, explanations, history, kinds

_START_S = 30.0

_EXPECTED_ENDS = (1, 5)
"""Its statuses for what may work another time (docs/design/agent.md): engine silent, no socket."""


def none_run_twice(found: history.History) -> judgement.Breaches:
    """Nothing was started more often than was told, and nothing that nobody asked for."""
    for task in found.tasks.values():
        for part in task.kind.parts:
            starts = sum(line.split()[0] == kinds.STARTED for line in task.stories.get(part, ()))
            allowed = 1
            if task.kind.restarts(part):
                # An agent that dies between an end and the restart may miss that one in its count.
                allowed += task.final(part).restarts + explanations.agent_killed(task, found.blows)
            if starts > allowed:
                yield task.title, f"container {part} was started {starts} times, and may have been {allowed} times"
            if not starts and _surely_ran(task, part, found.blows):
                yield task.title, f"container {part} was told to have run, and its process never began"
        for part in task.kind.parts:
            if len(ids := _started(task, part)) > 1:
                yield task.title, f"container {part} was started as {len(ids)} containers: {', '.join(sorted(ids))}"
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


def _surely_ran(task: history.Task, part: str, blows: list[history.Blow]) -> bool:
    """Whether it was told to have ended by itself, so that it must have come to its first line."""
    code = task.final(part).code
    return code not in {
        None,
        end_rules.KILLED,
        end_rules.TERMINATED,
        end_rules.UNKNOWN,
        end_rules.IN_RUNC,
    } and not explanations.may_lose_its_code(task, part, blows)


def output_whole(found: history.History) -> judgement.Breaches:
    """What a talker writes is read from the first line to the last, each once, whatever goes wrong on the way."""
    for task in found.tasks.values():
        if not task.kind.talks or task.stopped_at is None:
            continue
        if task.read is None:
            yield task.title, "nobody has read what it wrote"
            continue
        if task.read["repeated"]:
            yield task.title, f"output came twice: {'; '.join(task.read['repeated'])}"
        if explanations.may_lose_output(task, found.blows):
            continue
        if task.read["error"]:
            yield task.title, f"its output could not be read: {task.read['error']}"
        if task.read["missing"]:
            yield task.title, f"output is missing: {'; '.join(task.read['missing'])}"
        wrote = next(
            (int(line.split()[1]) for line in task.stories.get("main", ()) if line.startswith(kinds.WROTE)), None
        )
        if wrote is not None and task.read["lines"] != wrote and not task.read["kept"]:
            yield task.title, f"wrote {wrote} lines, and {task.read['lines']} were read"


def nothing_overcommitted(found: history.History) -> judgement.Breaches:
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


def ports_given_once(found: history.History) -> judgement.Breaches:
    """No host port was given to two containers at a time."""
    spans: dict[str, list[tuple[float, float, str]]] = {}
    for task in found.tasks.values():
        for part in task.kind.parts:
            for port in task.final(part).ports:
                since = next(change.at for change in task.changes if _has(change, part, port))
                spans.setdefault(port, []).append((since, task.stopped_at or float("inf"), f"{task.title} {part}"))
    for port, held in spans.items():
        for (_, until, first), (since, _, second) in itertools.pairwise(sorted(held)):
            if since < until:
                yield f"port {port}", f"{first} had it until {until:.1f} s, and {second} from {since:.1f} s"


def _has(change: history.Change, part: str, port: str) -> bool:
    container = change.container(part)
    return container is not None and port in container.ports


def nothing_left(found: history.History) -> judgement.Breaches:
    """Nothing of the tasks or of the drill is left on the host."""
    for kind, names in found.left.items():
        if kind == history.FORGOTTEN and explanations.engine_may_leave_processes(found.blows):
            continue
        yield kind, f"left on the host: {', '.join(names)}"


def refusals_are_explained(found: history.History) -> judgement.Breaches:
    """A task is refused for want of room, or because the agent is away while something is wrong; never for what the host could do before."""
    for record in found.refused:
        at, said = record["at"], record["said"]
        away = said.startswith("AGENT:") and any(blow.at <= at <= blow.settled_at for blow in found.blows)
        if not said.startswith("RESOURCE:") and not away:
            yield f"{record['kind']} {record['key']}", f"was refused at {at:.1f} s: {said}"


def agent_lives(found: history.History) -> judgement.Breaches:
    """The agent ends only when it is killed, or when it cannot begin because its engine is away."""
    for record in found.agent_ends:
        excused = any(
            blow.fault.startswith("engine-")
            for blow in found.blows
            if blow.at <= record["at"] <= min(blow.settled_at, blow.over_at + _START_S)
        )
        if not record["told"] and not (excused and record["code"] in _EXPECTED_ENDS):
            yield "agent", f"ended by itself at {record['at']:.1f} s with {record['code']}: {record['said']}"
