"""Why an instance cannot take a task, with the numbers. Pure.

An instance's `reason` is the first test it fails, in ECS's words; `detail` names every test it fails. A refusal by the whole cluster
lists the nearest misses first, bounded, with a count of all instances by reason, so that its size does not grow with the cluster.
"""

from collections import Counter
from collections.abc import Sequence
from dataclasses import dataclass
from typing import Protocol

import numpy as np

from longshore.scheduler import bits, candidates, instances, requirements, resources, shapes, snapshot
from longshore.storage import ports
from longshore.v1 import container_instance_pb2

AGENT = "AGENT"
ATTRIBUTE = "ATTRIBUTE"
CPU = "RESOURCE:CPU"
MEMORY = "RESOURCE:MEMORY"
PORTS = "RESOURCE:PORTS"
DISTINCT = "DistinctInstance placement constraint unsatisfied."
MEMBER_OF = "MemberOf placement constraint unsatisfied."
MISSING = "MISSING"
INACTIVE = "INACTIVE"

RESOURCE = "RESOURCE:"
"""What a resource by name is refused with: `RESOURCE:GPU`."""

_SHORT = {DISTINCT: "distinctInstance", MEMBER_OF: "memberOf"}
"""Reasons as they are counted, where ECS's is a sentence."""

LISTED = 100
"""Instances that one refusal lists. ECS lists all; a cluster of 10,000 would make that an answer of megabytes."""


@dataclass(frozen=True, slots=True)
class Refusal:
    """One instance's answer. `instance` is its id, or what the caller wrote where there is none."""

    instance: str
    reason: str
    detail: str


@dataclass(frozen=True, slots=True)
class Miss:
    """One test that an instance fails. `short`: how much is missing of an amount, 0 where it is none."""

    reason: str
    detail: str
    short: int = 0


class Wanted(Protocol):
    """What is read of a request."""

    @property
    def needs(self) -> requirements.Needs:
        """What a task takes."""

    @property
    def group(self) -> str:
        """The task group."""

    @property
    def shape(self) -> shapes.Shape:
        """The tests."""


def of_target(base: snapshot.Snapshot, target: str, row: int | None, wanted: Wanted) -> Refusal | None:
    """Why one named instance cannot take a task; None where it can."""
    fact = None if row is None else base.facts[row]
    if row is None or fact is None:
        return Refusal(target, MISSING, "no container instance of this cluster has this id")
    if fact.status != instances.ACTIVE:
        return Refusal(target, INACTIVE, f"the container instance is {status_word(fact)}, not ACTIVE")
    return of_row(base, row, wanted)


def status_word(fact: instances.Instance) -> str:
    """ECS's word for an instance's status."""
    status = container_instance_pb2.ContainerInstanceStatus.ValueType(fact.status)
    return container_instance_pb2.ContainerInstanceStatus.Name(status).removeprefix("CONTAINER_INSTANCE_STATUS_")


def of_row(base: snapshot.Snapshot, row: int, wanted: Wanted) -> Refusal | None:
    """Why an ACTIVE instance cannot take a task; None where it can."""
    fact = base.facts[row]
    found = misses(base, row, wanted)
    if fact is None or not found:
        return None
    return Refusal(fact.instance_id, found[0].reason, "; ".join(miss.detail for miss in found))


def misses(base: snapshot.Snapshot, row: int, wanted: Wanted) -> list[Miss]:
    """Every test that an instance fails, in the order of the tests. Whether it is ACTIVE is none of them."""
    fact = base.facts[row]
    if fact is None:
        return []
    needs, shape = wanted.needs, wanted.shape
    failed: list[Miss] = []
    if not fact.connected:
        failed.append(Miss(AGENT, "the agent is not connected"))
    if lacking := fact.lacks(needs.attributes):
        failed.append(Miss(ATTRIBUTE, "lacks " + ", ".join(str(attribute) for attribute in lacking)))
    if (free := base.cpu_at[row]) < needs.cpu:
        told = f"needs {needs.cpu} CPU units, {max(0, free)} of {fact.cpu} free"
        failed.append(Miss(CPU, told, needs.cpu - free))
    if (free := base.memory_at[row]) < needs.memory:
        told = f"needs {needs.memory} MiB memory, {max(0, free)} of {fact.memory} free"
        failed.append(Miss(MEMORY, told, needs.memory - free))
    if taken := [ports.render(port) for port in needs.ports if base.port_taken(row, port)]:
        failed.append(Miss(PORTS, f"needs ports that are taken: {', '.join(taken)}"))
    for name, count in needs.resources:
        if (free := base.free(row, name)) < count:
            told = f"needs {count} {name}, {_stock(max(0, free), fact.offers.get(name, 0))}"
            failed.append(Miss(RESOURCE + name, told, count - free))
    if shape.distinct and (held := base.held[row].get(wanted.group, 0)) > 0:
        failed.append(Miss(DISTINCT, f"holds {held} of group {wanted.group} already"))
    broken = [query.text for query in shape.constraints if not base.holds(row, query)]
    if broken:
        failed.append(Miss(MEMBER_OF, "; ".join(f"not so: {text}" for text in broken)))
    return failed


def _stock(free: int, offer: resources.Offer) -> str:
    total = offer if isinstance(offer, int) else len(offer)
    return f"{free} of {total} free" if total else "the instance has none"


def of_all(base: snapshot.Snapshot, wanted: Wanted) -> tuple[Refusal, ...]:
    """Why no ACTIVE instance takes the task: those that miss the fewest tests, by the least, come first."""
    rows, failing = nearest(base, wanted)
    listed = [refusal for row in rows[:LISTED].tolist() if (refusal := of_row(base, row, wanted)) is not None]
    if len(rows) > 1 and listed:
        first = listed[0]
        told = f"{first.detail}. Nearest of {len(rows)} instances: {counted(wanted, failing)}"
        if len(rows) > LISTED:
            told += f"; the nearest {LISTED} are listed"
        listed[0] = Refusal(first.instance, first.reason, told)
    return tuple(listed)


def order(wanted: Wanted) -> tuple[str, ...]:
    """The reasons, in the order of the tests."""
    named = (RESOURCE + name for name, _ in wanted.needs.resources)
    return (AGENT, ATTRIBUTE, CPU, MEMORY, PORTS, *named, DISTINCT, MEMBER_OF)


def counted(wanted: Wanted, failing: snapshot.Bools) -> str:
    """How many instances fail which test first, most first: `90 RESOURCE:CPU, 2 AGENT`."""
    reasons = order(wanted)
    columns = failing[:, failing.any(axis=0)]
    counts = Counter(reasons[first] for first in columns.argmax(axis=0).tolist())
    ranked: Sequence[tuple[str, int]] = sorted(counts.items(), key=lambda item: (-item[1], reasons.index(item[0])))
    return ", ".join(f"{count} {_SHORT.get(reason, reason)}" for reason, count in ranked)


def nearest(base: snapshot.Snapshot, wanted: Wanted) -> tuple[snapshot.Ints, snapshot.Bools]:
    """The ACTIVE instances, those that miss the fewest tests by the least first, and which tests each of them fails."""
    rows = np.flatnonzero(base.active)
    failing = _failing(base, wanted)[:, rows]
    needs = wanted.needs
    shortfall = np.maximum(0, needs.cpu - base.cpu_free[rows]) / max(1, needs.cpu)
    shortfall += np.maximum(0, needs.memory - base.memory_free[rows]) / max(1, needs.memory)
    ranked = np.lexsort((shortfall, failing.sum(axis=0)))
    return rows[ranked], failing[:, ranked]


def _failing(base: snapshot.Snapshot, wanted: Wanted) -> snapshot.Bools:
    """A line per test in `order`, a column per row: True where the row fails it."""
    needs, shape = wanted.needs, wanted.shape
    size = len(base.open)
    taken = np.zeros(size, np.bool_)
    for port in needs.ports:
        taken |= base.port_mask(port)
    sets = candidates.of(base)
    distinct = sets.levels(wanted.group).holding() if shape.distinct else 0
    return np.stack(
        [
            ~base.connected,
            ~bits.to_array(sets.having(needs.attributes), size),
            base.cpu_free < needs.cpu,
            base.memory_free < needs.memory,
            taken,
            *(~base.has(name, count) for name, count in needs.resources),
            bits.to_array(distinct, size),
            ~bits.to_array(sets.member(shape), size),
        ]
    )
