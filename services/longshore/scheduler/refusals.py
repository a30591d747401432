"""Why an instance cannot take a task, with the numbers. Pure.

An instance's `reason` is the first test it fails, in ECS's words; `detail` names every test it fails. A refusal by the whole cluster
lists the nearest misses first, bounded, and sums up the rest, so that its size does not grow with the cluster.
"""

from collections import Counter
from dataclasses import dataclass
from typing import Protocol

import numpy as np

from longshore.scheduler import instances, requirements, resources, snapshot
from longshore.storage import ports
from longshore.v1 import container_instance_pb2

AGENT = "AGENT"
ATTRIBUTE = "ATTRIBUTE"
CPU = "RESOURCE:CPU"
MEMORY = "RESOURCE:MEMORY"
PORTS = "RESOURCE:PORTS"
DISTINCT = "DistinctInstance placement constraint unsatisfied."
MISSING = "MISSING"
INACTIVE = "INACTIVE"

RESOURCE = "RESOURCE:"
"""What a resource by name is refused with: `RESOURCE:GPU`."""

ORDER = (AGENT, ATTRIBUTE, CPU, MEMORY, PORTS, DISTINCT)
"""The order of the tests."""

LISTED = 100
"""Instances that one refusal lists. ECS lists all; a cluster of 10,000 would make that an answer of megabytes."""


@dataclass(frozen=True, slots=True)
class Refusal:
    """One instance's answer. `instance` is its id, or what the caller wrote where there is none."""

    instance: str
    reason: str
    detail: str


class Wanted(Protocol):
    """What is read of a request."""

    @property
    def needs(self) -> requirements.Needs:
        """The shape."""

    @property
    def group(self) -> str:
        """The task group."""

    @property
    def distinct(self) -> bool:
        """Whether distinctInstance was asked for."""


class Room(Protocol):
    """What is read of a trial."""

    base: snapshot.Snapshot
    cpu_free: snapshot.Ints
    memory_free: snapshot.Ints

    def port_taken(self, row: int, port: int) -> bool:
        """Whether the port is taken in a row."""

    def port_mask(self, port: int) -> snapshot.Bools:
        """Per row, whether the port is taken."""

    def group(self, name: str) -> snapshot.Ints:
        """Per row, how many tasks of a group it holds."""

    def free(self, row: int, name: str) -> int:
        """How many of a resource by name are free in a row."""

    def has(self, name: str, count: int) -> snapshot.Bools:
        """Per row, whether so many of a resource by name are free."""


def of_target(room: Room, target: str, row: int | None, wanted: Wanted) -> Refusal | None:
    """Why one named instance cannot take a task; None where it can."""
    fact = None if row is None else room.base.facts[row]
    if row is None or fact is None:
        return Refusal(target, MISSING, "no container instance of this cluster has this id")
    if fact.status != instances.ACTIVE:
        status = container_instance_pb2.ContainerInstanceStatus.Name(
            container_instance_pb2.ContainerInstanceStatus.ValueType(fact.status)
        ).removeprefix("CONTAINER_INSTANCE_STATUS_")
        return Refusal(target, INACTIVE, f"the container instance is {status}, not ACTIVE")
    return of_row(room, row, wanted)


def of_row(room: Room, row: int, wanted: Wanted) -> Refusal | None:
    """Why an ACTIVE instance cannot take a task; None where it can."""
    fact = room.base.facts[row]
    if fact is None:
        return None
    found = _tests(room, row, fact, wanted)
    if not found:
        return None
    return Refusal(fact.instance_id, found[0][0], "; ".join(detail for _, detail in found))


def _tests(room: Room, row: int, fact: instances.Instance, wanted: Wanted) -> list[tuple[str, str]]:
    needs = wanted.needs
    failed: list[tuple[str, str]] = []
    if not fact.connected:
        failed.append((AGENT, "the agent is not connected"))
    if lacking := fact.lacks(needs.attributes):
        failed.append((ATTRIBUTE, "lacks " + ", ".join(str(attribute) for attribute in lacking)))
    if room.cpu_free[row] < needs.cpu:
        failed.append((CPU, f"needs {needs.cpu} CPU units, {_free(room.cpu_free, row)} of {fact.cpu} free"))
    if room.memory_free[row] < needs.memory:
        failed.append(
            (MEMORY, f"needs {needs.memory} MiB memory, {_free(room.memory_free, row)} of {fact.memory} free")
        )
    if taken := [ports.render(port) for port in needs.ports if room.port_taken(row, port)]:
        failed.append((PORTS, f"needs ports that are taken: {', '.join(taken)}"))
    for name, count in needs.resources:
        if (free := room.free(row, name)) < count:
            failed.append((RESOURCE + name, f"needs {count} {name}, {_stock(max(0, free), fact.offers.get(name, 0))}"))
    if wanted.distinct and (held := int(room.group(wanted.group)[row])):
        failed.append((DISTINCT, f"holds {held} of group {wanted.group} already"))
    return failed


def _stock(free: int, offer: resources.Offer) -> str:
    total = offer if isinstance(offer, int) else len(offer)
    return f"{free} of {total} free" if total else "the instance has none"


def _free(free: snapshot.Ints, row: int) -> int:
    """An instance that shrank may have less than nothing; that reads as 0."""
    return max(0, int(free[row]))


def of_all(room: Room, wanted: Wanted) -> tuple[Refusal, ...]:
    """Why no ACTIVE instance takes the task: those that miss the fewest tests, by the least, come first."""
    failing = _failing(room, wanted)
    rows = np.flatnonzero(room.base.active)
    misses = failing[:, rows].sum(axis=0)
    shortfall = np.maximum(0, wanted.needs.cpu - room.cpu_free[rows]) / max(1, wanted.needs.cpu)
    shortfall += np.maximum(0, wanted.needs.memory - room.memory_free[rows]) / max(1, wanted.needs.memory)
    nearest = rows[np.lexsort((shortfall, misses))]
    listed = [refusal for row in nearest[:LISTED] if (refusal := of_row(room, int(row), wanted)) is not None]
    rest = nearest[LISTED:]
    if listed and len(rest):
        order = (*ORDER[:-1], *(RESOURCE + name for name, _ in wanted.needs.resources), ORDER[-1])
        counts = Counter(order[int(first)] for first in failing[:, rest].argmax(axis=0))
        summary = ", ".join(f"{count} {reason}" for reason, count in sorted(counts.items()))
        last = listed[-1]
        listed[-1] = Refusal(last.instance, last.reason, f"{last.detail}; and {len(rest)} more instances: {summary}")
    return tuple(listed)


def _failing(room: Room, wanted: Wanted) -> snapshot.Bools:
    """A line per test in `ORDER`, resources by name before the last, a column per row: True where the row fails it."""
    needs = wanted.needs
    taken = np.zeros(len(room.cpu_free), np.bool_)
    for port in needs.ports:
        taken |= room.port_mask(port)
    held = room.group(wanted.group) > 0 if wanted.distinct else np.zeros(len(room.cpu_free), np.bool_)
    return np.stack(
        [
            ~room.base.connected,
            ~room.base.mask(needs.attributes),
            room.cpu_free < needs.cpu,
            room.memory_free < needs.memory,
            taken,
            *(~room.has(name, count) for name, count in needs.resources),
            held,
        ]
    )
