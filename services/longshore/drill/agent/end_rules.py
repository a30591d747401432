"""Rules about how tasks end: why, with which exit codes, and how soon that is told. Pure."""

from longshore.drill import judgement
from longshore.drill.agent import explanations, history, kinds

_WITH_TIME = 3
"""Words of a last line: one that was killed while it asked for the time has none."""

SOON_S = 30.0
"""Far above what an undisturbed end takes, on a busy machine, and far below the minutes after which the agent looks by itself."""

_ESSENTIAL, _FAILED, _REQUESTED = "ESSENTIAL_CONTAINER_EXITED", "TASK_FAILED_TO_START", "USER_INITIATED"

TERMINATED, KILLED, UNKNOWN = 143, 137, 255

IN_RUNC = 2
"""Of a process that was told to end before runc had become it: runc's own."""


def ends_are_explained(found: history.History) -> judgement.Breaches:
    """Every stop was asked for, or promised by its kind, or may come of a fault of the time."""
    for task in found.tasks.values():
        if task.last is None or task.stopped_at is None:
            continue
        if story := _unexplained(task, found.blows):
            yield task.title, story


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


def exit_codes_are_right(found: history.History) -> judgement.Breaches:
    """Exit codes told are those that the processes wrote down, where no fault may lose them."""
    for task in found.tasks.values():
        if task.stopped_at is None:
            continue
        for part in task.kind.parts:
            told = task.final(part).code
            allowed = _codes(task, part, found.blows)
            if told not in allowed:
                story = ", ".join(task.stories.get(part, ())) or "nothing"
                listed = ", ".join(sorted(str(code) for code in allowed))
                yield task.title, f"container {part} is told to have ended with {told}, not {listed}; it says: {story}"


def _codes(task: history.Task, part: str, blows: list[history.Blow]) -> set[int | None]:
    """The exit codes that a container may be told to have ended with."""
    lines = task.stories.get(part, ())
    allowed: set[int | None] = set()
    last = lines[-1].split() if lines else []
    if last[:1] == [kinds.ENDED] and last[1].isdigit():
        allowed.add(int(last[1]))
    elif last:
        # Its process began and did not come to its own end: somebody has killed it.
        may_be_killed = task.stop_asked_at is not None or len(task.kind.parts) > 1 or task.kind.code[part] == KILLED
        allowed |= {KILLED} if may_be_killed else set()
    else:
        # It has not run its first line: never created, never started (143, as ECS shows what it never started), or killed before it.
        allowed |= {None, TERMINATED, KILLED, IN_RUNC}
    if explanations.may_be_hurt(task, part, blows):
        allowed |= {None, KILLED, UNKNOWN, TERMINATED}
    if explanations.may_lose_its_code(task, part, blows):
        allowed |= {None, UNKNOWN}
    return allowed


def undisturbed_as_promised(found: history.History) -> judgement.Breaches:
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
                yield task.title, f"container {part} was to end with {due} and is told to have ended with {told}"


def _cut_short(task: history.Task, part: str, told: int | None) -> bool:
    """Whether a container beside the essential one was stopped before it had come to its own first line."""
    return not task.stories.get(part) and part != "main" and told in {None, TERMINATED, KILLED, IN_RUNC}


def ends_told_soon(found: history.History) -> judgement.Breaches:
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
                yield task.title, f"container {part} ended at {ended:.0f} s and was told to have at {told:.1f} s"


def _over_by(at: float, blows: list[history.Blow]) -> float:
    """When nothing was wrong any more, of what went wrong at that time or followed soon."""
    for blow in sorted(blows, key=lambda blow: blow.at):
        if blow.at <= at + SOON_S and blow.settled_at > at:
            at = blow.settled_at
    return at
