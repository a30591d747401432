"""The instances of one cluster as arrays: what each has, what is reserved of it, which tests it passes.

Pure state without I/O, changed in place by its owner in small steps (never rebuilt). An instance has a row for good; instances
that are gone keep theirs, not ACTIVE, because what was placed on them counts until it is released. Reserving and giving back
commute, so their order does not matter; `apply` takes an instance only when it is newer than the one it has.
"""

import copy
from collections import OrderedDict
from collections.abc import Iterable, Mapping
from dataclasses import dataclass, field
from typing import TypeAlias

import numpy as np
from numpy.typing import NDArray

from longshore.scheduler import instances, requirements, resources
from longshore.storage import held

Ints: TypeAlias = NDArray[np.int64]
Bools: TypeAlias = NDArray[np.bool_]

_FIRST_CAPACITY = 64

# Masks of attribute sets and columns of attribute values are kept for the most recently used ones.
_CACHED_MASKS = 256
_CACHED_COLUMNS = 32


@dataclass(frozen=True, slots=True)
class Load:
    """What one or several tasks of one group take of an instance."""

    cpu: int
    memory: int
    ports: tuple[int, ...] = ()
    group: str = ""
    tasks: int = 1
    named: held.Resources = ()


@dataclass(frozen=True, slots=True)
class Reserved:
    """What is reserved on one instance."""

    cpu: int
    memory: int
    named: Mapping[str, resources.Used] = field(default_factory=dict)


class Snapshot:
    """Instances and their reservations. `seen` is the membership revision up to which instances are known."""

    def __init__(self) -> None:
        self.seen = 0
        self.rows: dict[str, int] = {}
        self.ids: list[str] = []
        self.facts: list[instances.Instance | None] = []
        self.cpu: Ints = np.zeros(_FIRST_CAPACITY, np.int64)
        self.memory: Ints = np.zeros(_FIRST_CAPACITY, np.int64)
        self.cpu_reserved: Ints = np.zeros(_FIRST_CAPACITY, np.int64)
        self.memory_reserved: Ints = np.zeros(_FIRST_CAPACITY, np.int64)
        self.active: Bools = np.zeros(_FIRST_CAPACITY, np.bool_)
        self.connected: Bools = np.zeros(_FIRST_CAPACITY, np.bool_)
        # By port the rows that have it, and how often: dynamic ports are many and each in a few rows.
        self._ports: dict[int, dict[int, int]] = {}
        self._observed: dict[str, tuple[int, tuple[int, ...]]] = {}
        self._used: dict[int, dict[str, resources.Used]] = {}
        self._groups: dict[str, dict[int, int]] = {}
        self._masks: OrderedDict[tuple[requirements.Attribute, ...], Bools] = OrderedDict()
        self._columns: OrderedDict[str, Ints] = OrderedDict()
        self._codes: dict[str, dict[str, int]] = {}

    def __len__(self) -> int:
        return len(self.facts)

    # ------------------------------------------------------------------------------------------------- reading

    @property
    def candidates(self) -> int:
        """How many instances are ACTIVE, connected or not."""
        return int(self.active.sum())

    def count_of(self, status: int) -> int:
        """How many instances have this status."""
        return sum(1 for fact in self.facts if fact is not None and fact.status == status)

    def instance(self, instance_id: str) -> instances.Instance | None:
        """What is known of an instance; None where nothing but reservations are."""
        row = self.rows.get(instance_id)
        return None if row is None else self.facts[row]

    def reserved(self, row: int) -> Reserved:
        """What tasks have reserved in a row."""
        return Reserved(
            int(self.cpu_reserved[row]),
            int(self.memory_reserved[row]),
            {name: copy.deepcopy(used) for name, used in self._used.get(row, {}).items()},
        )

    def ports_of(self, port: int) -> Mapping[int, int]:
        """Rows in which a port is taken, by the instance itself, by a task or by a report, and how often."""
        return self._ports.get(port, {})

    def used(self, row: int) -> Mapping[str, resources.Used]:
        """What tasks hold in a row of the resources that are offered by name."""
        return self._used.get(row, {})

    def free(self, row: int, name: str) -> int:
        """How many of a resource are free in a row."""
        fact = self.facts[row]
        offer = fact.offers.get(name, 0) if fact is not None else 0
        return resources.free(offer, self.used(row).get(name, resources.NOTHING))

    def group_counts(self, group: str) -> Mapping[int, int]:
        """Rows with tasks of a group, and how many."""
        return self._groups.get(group, {})

    def mask(self, required: tuple[requirements.Attribute, ...]) -> Bools:
        """Per row, whether the instance has all of these attributes."""
        cached = self._masks.get(required)
        if cached is None:
            cached = np.zeros(len(self.cpu), np.bool_)
            for row, fact in enumerate(self.facts):
                cached[row] = fact is not None and not fact.lacks(required)
            self._masks[required] = cached
            if len(self._masks) > _CACHED_MASKS:
                self._masks.popitem(last=False)
        else:
            self._masks.move_to_end(required)
        return cached

    def column(self, attribute: str) -> Ints:
        """Per row, a number for the value of an attribute; -1 where the instance does not have it."""
        cached = self._columns.get(attribute)
        if cached is None:
            cached = np.full(len(self.cpu), -1, np.int64)
            self._codes[attribute] = {}
            self._columns[attribute] = cached
            for row in range(len(self.facts)):
                self._set_code(attribute, cached, row)
            if len(self._columns) > _CACHED_COLUMNS:
                oldest, _ = self._columns.popitem(last=False)
                del self._codes[oldest]
        else:
            self._columns.move_to_end(attribute)
        return cached

    # ------------------------------------------------------------------------------------------------- changing

    def apply(self, fact: instances.Instance) -> bool:
        """Take what is known of an instance; False, and without effect, unless it is newer."""
        row = self._row(fact.instance_id)
        before = self.facts[row]
        if before is not None and fact.membership_revision <= before.membership_revision:
            return False
        self.facts[row] = fact
        self.cpu[row], self.memory[row] = fact.cpu, fact.memory
        self.active[row] = fact.status == instances.ACTIVE
        self.connected[row] = fact.connected
        old = before.reserved_ports if before is not None else frozenset()
        self._count_ports(row, old - fact.reserved_ports, -1)
        self._count_ports(row, fact.reserved_ports - old, 1)
        for required, mask in self._masks.items():
            mask[row] = not fact.lacks(required)
        for attribute, column in self._columns.items():
            self._set_code(attribute, column, row)
        return True

    def reserve(self, instance_id: str, load: Load) -> None:
        """Take what a task needs."""
        self._move(self._row(instance_id), load, 1)

    def give_back(self, instance_id: str, load: Load) -> None:
        """The reverse of `reserve`, once for each."""
        self._move(self._row(instance_id), load, -1)

    def observe(self, instance_id: str, task_id: str, ports: tuple[int, ...]) -> None:
        """Count the host ports that a task's agent reports, until `forget`: the more it has reported, the more are counted."""
        row, known = self._observed.get(task_id, (self._row(instance_id), ()))
        new = set(ports).difference(known)
        if new:
            self._observed[task_id] = (row, (*known, *sorted(new)))
            self._count_ports(row, new, 1)

    def forget(self, task_id: str) -> None:
        """A task's release is settled: what its agent had reported is free."""
        row, ports = self._observed.pop(task_id, (0, ()))
        self._count_ports(row, ports, -1)

    def _move(self, row: int, load: Load, sign: int) -> None:
        self.cpu_reserved[row] += sign * load.cpu
        self.memory_reserved[row] += sign * load.memory
        self._count_ports(row, load.ports, sign)
        for name, amount in load.named:
            self._use(row, name, amount, sign)
        if load.tasks:
            group = self._groups.setdefault(load.group, {})
            group[row] = group.get(row, 0) + sign * load.tasks
            if not group[row]:
                del group[row]
                if not group:
                    del self._groups[load.group]

    def _count_ports(self, row: int, ports: Iterable[int], sign: int) -> None:
        for port in ports:
            taken = self._ports.setdefault(port, {})
            taken[row] = taken.get(row, 0) + sign
            if not taken[row]:
                del taken[row]
                if not taken:
                    del self._ports[port]

    def _use(self, row: int, name: str, amount: held.Amount, sign: int) -> None:
        names = self._used.setdefault(row, {})
        used = names.setdefault(name, resources.Used())
        used.add(amount, sign)
        if used.nothing:
            del names[name]
            if not names:
                del self._used[row]

    def _set_code(self, attribute: str, column: Ints, row: int) -> None:
        fact = self.facts[row]
        value = None if fact is None else fact.attributes.get(attribute)
        codes = self._codes[attribute]
        column[row] = -1 if value is None else codes.setdefault(value, len(codes))

    def _row(self, instance_id: str) -> int:
        row = self.rows.get(instance_id)
        if row is None:
            row = self.rows[instance_id] = len(self.facts)
            self.ids.append(instance_id)
            self.facts.append(None)
            if row == len(self.cpu):
                self._grow()
        return row

    def _grow(self) -> None:
        """Double the arrays. What is added reads as: nothing there, not ACTIVE, no attribute."""
        more = len(self.cpu)
        for name in ("cpu", "memory", "cpu_reserved", "memory_reserved"):
            setattr(self, name, np.concatenate([getattr(self, name), np.zeros(more, np.int64)]))
        for name in ("active", "connected"):
            setattr(self, name, np.concatenate([getattr(self, name), np.zeros(more, np.bool_)]))
        for required, mask in self._masks.items():
            self._masks[required] = np.concatenate([mask, np.zeros(more, np.bool_)])
        for attribute, column in self._columns.items():
            self._columns[attribute] = np.concatenate([column, np.full(more, -1, np.int64)])
