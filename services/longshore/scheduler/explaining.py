"""Where a task would go and why not elsewhere: every instance against every test, and the smallest change that would make it fit. Pure.

A dry run: the snapshot is as it was afterwards.
"""

from collections import Counter
from collections.abc import Mapping, Sequence
from dataclasses import dataclass

from longshore.scheduler import instances, placement, refusals, snapshot

REMEDIED = 20
"""Nearest instances for which the tasks that would have to stop are looked for."""

SHOWN = 1_000
"""Instances that one answer shows, the nearest ones."""


@dataclass(frozen=True, slots=True)
class Held:
    """A task on an instance, and what it holds there."""

    task_id: str
    group: str
    load: snapshot.Load


@dataclass(frozen=True, slots=True)
class Verdict:
    """One instance's answer. `remedy`: what would make it fit, empty where it fits or nothing short of another instance would."""

    instance_id: str
    status: str
    misses: tuple[refusals.Miss, ...]
    remedy: str = ""

    @property
    def fits(self) -> bool:
        """Whether it takes the task."""
        return not self.misses


@dataclass(frozen=True, slots=True)
class Explanation:
    """All of it. `chosen`: where the tasks would go; `reasons`: how many instances fail which test first."""

    chosen: tuple[str, ...]
    verdicts: tuple[Verdict, ...]
    reasons: Mapping[str, int]
    instances: int
    fitting: int


def nearest(base: snapshot.Snapshot, request: placement.Request) -> list[str]:
    """Ids of the nearest instances that do not fit: those whose tasks are worth looking at."""
    rows, failing = refusals.nearest(base, request)
    return [base.ids[row] for row in rows[failing.any(axis=0)][:REMEDIED].tolist()]


def explain(
    base: snapshot.Snapshot,
    request: placement.Request,
    decision: placement.Decision,
    held: Mapping[str, Sequence[Held]],
) -> Explanation:
    """What a request meets. `decision` is the dry run's; `held` the tasks of the nearest instances."""
    verdicts = [_verdict(base, row, request, held) for row, fact in enumerate(base.facts) if _is_there(fact)]
    order = {base.ids[row]: place for place, row in enumerate(refusals.nearest(base, request)[0].tolist())}
    verdicts.sort(key=lambda verdict: (order.get(verdict.instance_id, len(order)), verdict.instance_id))
    return Explanation(
        chosen=decision.instances,
        verdicts=tuple(verdicts[:SHOWN]),
        reasons=dict(Counter(verdict.misses[0].reason for verdict in verdicts if verdict.misses).most_common()),
        instances=len(verdicts),
        fitting=sum(verdict.fits for verdict in verdicts),
    )


def _is_there(fact: instances.Instance | None) -> bool:
    return fact is not None and fact.status in {instances.ACTIVE, instances.DRAINING}


def _verdict(
    base: snapshot.Snapshot, row: int, request: placement.Request, held: Mapping[str, Sequence[Held]]
) -> Verdict:
    fact = base.facts[row]
    assert fact is not None  # noqa: S101 - the caller has looked
    status = refusals.status_word(fact)
    misses = refusals.misses(base, row, request)
    if fact.status != instances.ACTIVE:
        misses.insert(0, refusals.Miss(refusals.INACTIVE, f"the container instance is {status}, not ACTIVE"))
    if not misses:
        return Verdict(fact.instance_id, status, ())
    changes = _changes(base, row, request, misses)
    if changes:
        stop = _task_that_would_do(base, row, request, held.get(fact.instance_id, ()))
        if stop is not None and fact.status == instances.ACTIVE:
            changes += f" or if task {stop.task_id} (group {stop.group}) stops"
    return Verdict(fact.instance_id, status, tuple(misses), changes)


def _changes(base: snapshot.Snapshot, row: int, request: placement.Request, misses: Sequence[refusals.Miss]) -> str:
    """What of the task, or of the instance, would have to be another; empty where no number says."""
    parts: list[str] = []
    for miss in misses:
        part = _change(base, row, request, miss)
        if not part:
            return ""
        parts.append(part)
    return "fits if " + " and ".join(parts)


def _change(base: snapshot.Snapshot, row: int, request: placement.Request, miss: refusals.Miss) -> str:
    if miss.reason == refusals.CPU:
        return f"cpu <= {max(0, base.cpu_at[row])}"
    if miss.reason == refusals.MEMORY:
        return f"memory <= {left}" if (left := max(0, base.memory_at[row])) else ""
    if miss.reason == refusals.PORTS:
        return "its host ports are others, or 0 for dynamic ones"
    if miss.reason == refusals.AGENT:
        return "its agent connects again"
    if miss.reason == refusals.INACTIVE:
        return "it is set ACTIVE again"
    if miss.reason == refusals.DISTINCT:
        return f"no task of group {request.group} is there"
    if miss.reason == refusals.MEMBER_OF:
        return "the constraint is left out or the instance's attributes are changed"
    if miss.reason == refusals.ATTRIBUTE:
        return _attribute_change(base, row, request)
    name = miss.reason.removeprefix(refusals.RESOURCE)
    return f"it asks for {left} {name} at most" if (left := max(0, base.free(row, name))) else ""


def _attribute_change(base: snapshot.Snapshot, row: int, request: placement.Request) -> str:
    """Attributes that the agent sets say what its host can do; nobody can give them to it."""
    fact = base.facts[row]
    lacking = fact.lacks(request.needs.attributes) if fact is not None else ()
    if any(one.name.startswith(("ecs.", "com.amazonaws.ecs.")) for one in lacking):
        return ""
    return "it gets the attribute " + ", ".join(str(one) for one in lacking)


def _task_that_would_do(
    base: snapshot.Snapshot, row: int, request: placement.Request, held: Sequence[Held]
) -> Held | None:
    """The smallest task whose end would make the instance fit by itself."""
    for one in sorted(held, key=lambda task: (task.load.cpu + task.load.memory, task.task_id)):
        base.move(row, one.load, -1)
        fits = not refusals.misses(base, row, request)
        base.move(row, one.load, 1)
        if fits:
            return one
    return None
