"""What would fit where, and how many instances it takes: the scheduler's own decisions, on instances that there are not. Pure.

Tasks are placed the largest first. How many instances of a kind are needed is searched for with the same decisions, so it is what the
scheduler would do with them, by the strategy that was asked for; `at_least` is the number below which no placement at all would do.
"""

import math
import random
from collections import Counter
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, replace

from longshore.planning import asked
from longshore.scheduler import instances, placement, requirements, snapshot
from longshore.storage import ports
from longshore.v1 import task_definition_pb2, task_pb2

_SEED = 1
_CAPABILITIES = ("com.amazonaws.ecs.capability.", "ecs.capability.", "longshore.capability.")
"""Attributes that agents register by themselves: a plan takes it that its instances have them."""


@dataclass(frozen=True, slots=True)
class Wanted:
    """Tasks of one definition, with what each of them takes."""

    name: str
    request: placement.Request


@dataclass(frozen=True, slots=True)
class Unplaced:
    """Tasks that fit nowhere, and why: the nearest misses of the kinds of instances, with numbers."""

    name: str
    count: int
    reasons: tuple[tuple[str, str, str], ...]
    """Kind, reason, numbers."""


@dataclass(frozen=True, slots=True)
class Fit:
    """What goes where on certain instances: number of tasks by kind and definition, instances used by kind."""

    counts: Mapping[str, int]
    placed: Mapping[tuple[str, str], int]
    used: Mapping[str, int]
    unplaced: tuple[Unplaced, ...]


@dataclass(frozen=True, slots=True)
class Needed:
    """How many instances of a kind are needed beside those that are counted; None where no number would do."""

    kind: str
    count: int | None
    at_least: int
    fit: Fit


def wanted(tasks: asked.Tasks, definition: task_definition_pb2.TaskDefinition) -> Wanted:
    """Tasks as the scheduler would be asked for them."""
    needs = requirements.of(definition, task_pb2.TaskOverride())
    own = tuple(one for one in needs.attributes if not one.name.startswith(_CAPABILITIES))
    constraints = tuple(constraint.expression for constraint in definition.placement_constraints)
    request = placement.Request(
        needs=replace(needs, attributes=own),
        group=f"family:{definition.family}",
        count=tasks.count,
        distinct=tasks.distinct,
        strategy=tasks.strategy,
        constraints=(*constraints, *tasks.constraints),
    )
    return Wanted(tasks.definition, request)


def fit(kinds: Sequence[asked.Kind], counts: Mapping[str, int], tasks: Sequence[Wanted]) -> Fit:
    """Place what can be placed on so many instances of each kind."""
    base, of_kind = _snapshot(kinds, counts)
    source = random.Random(_SEED)  # noqa: S311 - chance, no secret
    placed: Counter[tuple[str, str]] = Counter()
    used: set[str] = set()
    unplaced: list[Unplaced] = []
    deciding = placement.Placement(base, source)
    for one in sorted(tasks, key=lambda one: (-one.request.needs.memory, -one.request.needs.cpu)):
        decision = deciding.decide(one.request)
        used.update(decision.instances)
        placed.update((of_kind[instance], one.name) for instance in decision.instances)
        if short := one.request.count - len(decision.instances):
            reasons = {
                of_kind[refusal.instance]: (of_kind[refusal.instance], refusal.reason, refusal.detail)
                for refusal in reversed(decision.refused)
            }
            unplaced.append(Unplaced(one.name, short, tuple(reasons.values())))
    return Fit(counts, placed, Counter(of_kind[instance] for instance in used), tuple(unplaced))


def needed(kinds: Sequence[asked.Kind], kind: asked.Kind, tasks: Sequence[Wanted]) -> Needed:
    """How many instances of one open kind, beside the counted ones, take all tasks."""
    counted = {one.name: one.count for one in kinds if one.count is not None}
    at_least = _at_least(kinds, kind, tasks)

    def tried(count: int) -> Fit:
        return fit(kinds, {**counted, kind.name: count}, tasks)

    most = sum(one.request.count for one in tasks)
    too_large = {one.name for one in tasks if fit([kind], {kind.name: 1}, [_single(one)]).unplaced}
    low, high, found = at_least - 1, at_least, tried(at_least)
    while found.unplaced:
        if high >= most or any(one.name in too_large for one in found.unplaced):
            return Needed(kind.name, None, at_least, found)
        low, high = high, min(most, max(1, 2 * high))
        found = tried(high)
    while high - low > 1:
        middle = (low + high) // 2
        trial = tried(middle)
        if trial.unplaced:
            low = middle
        else:
            high, found = middle, trial
    return Needed(kind.name, high, at_least, found)


def _single(one: Wanted) -> Wanted:
    """One task of them."""
    return replace(one, request=replace(one.request, count=1))


def _at_least(kinds: Sequence[asked.Kind], kind: asked.Kind, tasks: Sequence[Wanted]) -> int:
    """By sums alone: what the counted instances cannot hold has to go somewhere."""
    cpu = sum(one.request.needs.cpu * one.request.count for one in tasks)
    memory = sum(one.request.needs.memory * one.request.count for one in tasks)
    cpu -= sum(one.cpu * (one.count or 0) for one in kinds)
    memory -= sum(one.memory * (one.count or 0) for one in kinds)
    return max(0, math.ceil(cpu / kind.cpu), math.ceil(memory / kind.memory))


def _snapshot(kinds: Sequence[asked.Kind], counts: Mapping[str, int]) -> tuple[snapshot.Snapshot, dict[str, str]]:
    """Instances as the scheduler sees them, and the kind of each."""
    base = snapshot.Snapshot()
    of_kind: dict[str, str] = {}
    for kind in kinds:
        for number in range(counts.get(kind.name, 0)):
            name = f"{kind.name}-{number + 1}"
            of_kind[name] = kind.name
            base.apply(
                instances.Instance(
                    instance_id=name,
                    status=instances.ACTIVE,
                    connected=True,
                    membership_revision=1,
                    cpu=kind.cpu,
                    memory=kind.memory,
                    reserved_ports=frozenset(map(ports.tcp, kind.ports)),
                    offers=dict(kind.resources),
                    attributes=dict(kind.attributes),
                )
            )
    return base, of_kind
