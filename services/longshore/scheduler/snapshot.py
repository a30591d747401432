"""The instances of one cluster as arrays: what each has, what is free of it, which tests it passes.

Pure state without I/O, changed in place by its owner in small steps (never rebuilt). An instance has a row for good; instances
that are gone keep theirs, not ACTIVE, because what was placed on them counts until it is released. Reserving and giving back
commute, so their order does not matter; `apply` takes an instance only when it is newer than the one it has.

Numbers are numpy arrays, for what looks at all rows, and views of the same memory, for what looks at one: reading an element of a
view costs a third of an array's. Whoever keeps sets of rows is told of instances (`Watcher`), and finds what else has changed in `marks`.
"""

import sys
from collections.abc import Iterable, Mapping
from dataclasses import dataclass, field
from typing import Protocol, TypeAlias

import numpy as np
from numpy.typing import NDArray

from longshore.query import evaluation
from longshore.scheduler import host_ports, instances, resources
from longshore.scheduler import marks as marking
from longshore.storage import held

Ints: TypeAlias = NDArray[np.int64]
Bools: TypeAlias = NDArray[np.bool_]

_FIRST_CAPACITY = 64


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


class Watcher(Protocol):
    """Told of instances as they come and change."""

    def applied(self, row: int, before: instances.Instance | None, fact: instances.Instance) -> None:
        """What is known of a row's instance now, and was before."""


class Snapshot:
    """Instances and their reservations. `seen` is the membership revision up to which instances are known."""

    def __init__(self) -> None:
        self.seen = 0
        self.rows: dict[str, int] = {}
        self.ids: list[str] = []
        self.facts: list[instances.Instance | None] = []
        self.tasks: list[int] = []
        """By row, how many tasks it holds."""
        self.held: list[dict[str, int]] = []
        """By row, how many tasks of each group it holds."""
        self.cpu: Ints = np.zeros(_FIRST_CAPACITY, np.int64)
        self.memory: Ints = np.zeros(_FIRST_CAPACITY, np.int64)
        self.cpu_free: Ints = np.zeros(_FIRST_CAPACITY, np.int64)
        self.memory_free: Ints = np.zeros(_FIRST_CAPACITY, np.int64)
        self.active: Bools = np.zeros(_FIRST_CAPACITY, np.bool_)
        self.connected: Bools = np.zeros(_FIRST_CAPACITY, np.bool_)
        self.open: Bools = np.zeros(_FIRST_CAPACITY, np.bool_)
        """ACTIVE and connected: takes new tasks."""
        self.watcher: Watcher | None = None
        self.marks = marking.Marks()
        self.changes = 0
        """Grows with every change; what was concluded from one state holds while it stays."""
        self._ports = host_ports.HostPorts()
        self._used: dict[int, dict[str, resources.Used]] = {}
        self._look()

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
            int(self.cpu[row] - self.cpu_free[row]),
            int(self.memory[row] - self.memory_free[row]),
            {name: resources.Used(used.count, dict(used.ids)) for name, used in self._used.get(row, {}).items()},
        )

    def port_taken(self, row: int, port: int) -> bool:
        """Whether a task, a report or the instance itself has the port."""
        return self._ports.count(row, port) > 0

    def port_mask(self, port: int) -> Bools:
        """Per row, whether the port is taken."""
        mask = np.zeros(len(self.cpu), np.bool_)
        mask[self._ports.rows(port)] = True
        return mask

    def used(self, row: int) -> Mapping[str, resources.Used]:
        """What tasks hold in a row of the resources that are offered by name."""
        return self._used.get(row, {})

    def free(self, row: int, name: str) -> int:
        """How many of a resource are free in a row."""
        fact = self.facts[row]
        offer = fact.offers.get(name, 0) if fact is not None else 0
        return resources.free(offer, self.used(row).get(name, resources.NOTHING))

    def has(self, name: str, count: int) -> Bools:
        """Per row, whether so many of a resource are free. Few instances offer any, so rows are looked at one by one."""
        mask = np.zeros(len(self.cpu), np.bool_)
        for row, fact in enumerate(self.facts):
            if fact is not None and name in fact.offers:
                mask[row] = self.free(row, name) >= count
        return mask

    def load(self, row: int) -> evaluation.Load:
        """What runs in a row, as the query language sees it."""
        return evaluation.Load(self.tasks[row], [group for group, count in self.held[row].items() if count > 0])

    def holds(self, row: int, query: evaluation.Query) -> bool:
        """Whether an expression holds for the instance of a row."""
        fact = self.facts[row]
        return fact is not None and query.holds(fact, self.load(row) if query.dynamic else evaluation.IDLE)

    # ------------------------------------------------------------------------------------------------- changing

    def apply(self, fact: instances.Instance) -> bool:
        """Take what is known of an instance; False, and without effect, unless it is newer."""
        row = self._row(fact.instance_id)
        before = self.facts[row]
        if before is not None and fact.membership_revision <= before.membership_revision:
            return False
        self.facts[row] = fact
        self.changes += 1
        self.cpu_free[row] += fact.cpu - self.cpu[row]
        self.memory_free[row] += fact.memory - self.memory[row]
        self.cpu[row], self.memory[row] = fact.cpu, fact.memory
        self.active[row] = fact.status == instances.ACTIVE
        self.connected[row] = fact.connected
        self.open[row] = fact.placeable
        old = before.reserved_ports if before is not None else frozenset()
        if old != fact.reserved_ports:
            self._count_ports(row, old - fact.reserved_ports, -1)
            self._count_ports(row, fact.reserved_ports - old, 1)
        self.marks.moved.add(row)
        for marked in self.marks.names.values():
            for rows in marked:
                rows.add(row)
        if self.watcher is not None:
            self.watcher.applied(row, before, fact)
        return True

    def reserve(self, instance_id: str, load: Load) -> None:
        """Take what a task needs."""
        self.move(self._row(instance_id), load, 1)

    def give_back(self, instance_id: str, load: Load) -> None:
        """The reverse of `reserve`, once for each."""
        self.move(self._row(instance_id), load, -1)

    def observe(self, instance_id: str, task_id: str, ports: tuple[int, ...]) -> None:
        """Count the host ports that a task's agent reports, until `forget`: the more it has reported, the more are counted."""
        row, new = self._ports.report(self._row(instance_id), task_id, ports)
        if new:
            self._mark_ports(row, new)
            self.changes += 1

    def forget(self, task_id: str) -> None:
        """A task's release is settled: what its agent had reported is free."""
        row, ports = self._ports.forget(task_id)
        if ports:
            self._mark_ports(row, ports)
            self.changes += 1

    def move(self, row: int, load: Load, sign: int) -> None:
        """Reserve in a row, or give back there with a sign of -1."""
        marks = self.marks
        marks.moved.add(row)
        self.changes += 1
        self.cpu_at[row] -= sign * load.cpu
        self.memory_at[row] -= sign * load.memory
        if load.ports:
            self._count_ports(row, load.ports, sign)
        for name, amount in load.named:
            self._use(row, name, amount, sign)
        tasks = load.tasks
        if tasks:
            tasks *= sign
            self.tasks[row] += tasks
            group = load.group
            counts = self.held[row]
            tasks += counts.get(group, 0)
            if tasks:
                # One text a group, however many rows of the database have brought it.
                counts[sys.intern(group)] = tasks
            else:
                del counts[group]
            if group in marks.groups:
                for rows in marks.groups[group]:
                    rows.add(row)
            for rows in marks.counts:
                rows.add(row)

    def _count_ports(self, row: int, ports: Iterable[int], sign: int) -> None:
        change = self._ports.take if sign > 0 else self._ports.give_back
        for port in ports:
            change(row, port)
        self._mark_ports(row, ports)

    def _mark_ports(self, row: int, ports: Iterable[int]) -> None:
        for port in ports:
            for rows in self.marks.ports.get(port, ()):
                rows.add(row)

    def _use(self, row: int, name: str, amount: held.Amount, sign: int) -> None:
        names = self._used.setdefault(row, {})
        used = names.setdefault(name, resources.Used())
        used.add(amount, sign)
        for rows in self.marks.names.get(name, ()):
            rows.add(row)
        if used.nothing:
            del names[name]
            if not names:
                del self._used[row]

    def _row(self, instance_id: str) -> int:
        row = self.rows.get(instance_id)
        if row is None:
            row = self.rows[instance_id] = len(self.facts)
            self.ids.append(instance_id)
            self.facts.append(None)
            self.tasks.append(0)
            self.held.append({})
            if row == len(self.cpu):
                self._grow()
        return row

    def _grow(self) -> None:
        """Double the arrays. What is added reads as: nothing there, not ACTIVE."""
        more = len(self.cpu)
        for name in ("cpu", "memory", "cpu_free", "memory_free"):
            setattr(self, name, np.concatenate([getattr(self, name), np.zeros(more, np.int64)]))
        for name in ("active", "connected", "open"):
            setattr(self, name, np.concatenate([getattr(self, name), np.zeros(more, np.bool_)]))
        self._look()

    def _look(self) -> None:
        """Views of the arrays' memory, for one element at a time."""
        self.cpu_at: memoryview = memoryview(self.cpu_free)  # type: ignore[arg-type] # numpy's arrays have a buffer
        self.memory_at: memoryview = memoryview(self.memory_free)  # type: ignore[arg-type]
