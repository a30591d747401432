"""What a request asks of an instance, as one value: the shape that everything which is kept per kind of request is kept under. Pure."""

import functools
from collections.abc import Callable, Iterable, Mapping
from dataclasses import dataclass
from typing import Any

import numpy as np

from longshore.query import evaluation
from longshore.scheduler import requirements, snapshot, strategies


@dataclass(frozen=True, slots=True, eq=False)
class Shape:
    """Needs, constraints and ranking of a request. One object per shape (`of`). `group`: whose tasks are looked at; empty: none's."""

    needs: requirements.Needs
    group: str
    distinct: bool
    constraints: tuple[evaluation.Query, ...]
    chain: tuple[strategies.Strategy, ...]
    """The links that rank; none where the choice is random."""
    static: tuple[str, ...]
    """The expressions that ask for the instance alone."""
    dynamic: tuple[evaluation.Query, ...]
    """The expressions that ask for its tasks too."""

    @property
    def once(self) -> bool:
        """Whether an instance takes one task of it and no second."""
        return self.distinct or bool(self.needs.ports)


@functools.lru_cache(maxsize=4096)
def of(
    needs: requirements.Needs,
    group: str,
    distinct: bool,  # noqa: FBT001 - a part of the key
    constraints: tuple[str, ...],
    chain: tuple[strategies.Strategy, ...],
) -> Shape:
    """The shape, always the same object for the same one, and for requests that differ in a group that nothing looks at."""
    links = strategies.effective(chain)
    counts = distinct or any(not link.packed for link in links)
    return _of(needs, group if counts else "", distinct, tuple(dict.fromkeys(constraints)), links)


@functools.lru_cache(maxsize=4096)
def _of(
    needs: requirements.Needs,
    group: str,
    distinct: bool,  # noqa: FBT001 - a part of the key
    constraints: tuple[str, ...],
    chain: tuple[strategies.Strategy, ...],
) -> Shape:
    queries = tuple(evaluation.compiled(text) for text in constraints)
    return Shape(
        needs,
        group,
        distinct,
        queries,
        chain,
        static=tuple(query.text for query in queries if not query.dynamic),
        dynamic=tuple(query for query in queries if query.dynamic),
    )


def mask(base: snapshot.Snapshot, shape: Shape) -> snapshot.Bools:
    """Per row, whether it takes one task of a shape now."""
    found = snapshot.needs_mask(base, shape.needs)
    static = shape.static
    if shape.needs.attributes or static:
        found &= base.masks.get(shape.needs.attributes, static).bits
    if shape.distinct:
        found[_held(base.group_counts(shape.group))] = False
    for query in shape.dynamic:
        found &= holding(base, query)
    return found


def holding(base: snapshot.Snapshot, query: evaluation.Query) -> snapshot.Bools:
    """Per row, whether an expression that asks for tasks holds: looked at one by one where there are such tasks."""
    if query.groups is None:
        found = np.zeros(len(base.open), np.bool_)
        rows: Iterable[int] = range(len(base))
    else:
        found = base.masks.get((), (query.text,)).bits.copy()
        rows = {row for group in query.groups for row in base.group_counts(group)}
    for row in rows:
        found[row] = base.holds(row, query)
    return found


def fits(base: snapshot.Snapshot, shape: Shape) -> Callable[[int], bool]:
    """A test of one row, as quick as it can be: it is made once per index and asked many times a decision."""
    needs, static = shape.needs, shape.static
    cpu, memory = needs.cpu, needs.memory
    cpu_at, memory_at, open_at = base.cpu_at, base.memory_at, base.open_at
    rest = _rest(base, shape)
    if needs.attributes or static:
        passes: Any = base.masks.get(needs.attributes, static).at
        if rest is None:
            return lambda row: cpu_at[row] >= cpu and memory_at[row] >= memory and passes[row] and open_at[row]
        return lambda row: (
            cpu_at[row] >= cpu and memory_at[row] >= memory and passes[row] and open_at[row] and rest(row)
        )
    if rest is None:
        return lambda row: cpu_at[row] >= cpu and memory_at[row] >= memory and open_at[row]
    return lambda row: cpu_at[row] >= cpu and memory_at[row] >= memory and open_at[row] and rest(row)


def _rest(base: snapshot.Snapshot, shape: Shape) -> Callable[[int], bool] | None:
    """The tests that few shapes have."""
    needs, group = shape.needs, shape.group
    dynamic = shape.dynamic
    held = base.held
    asked = [_asks(base, query) for query in dynamic]
    if not needs.ports and not needs.resources and not dynamic:
        return (lambda row: held[row].get(group, 0) <= 0) if shape.distinct else None

    def rest(row: int) -> bool:
        if shape.distinct and held[row].get(group, 0) > 0:
            return False
        if any(base.port_taken(row, port) for port in needs.ports):
            return False
        if any(base.free(row, name) < count for name, count in needs.resources):
            return False
        return all(asks(row) for asks in asked)

    return rest


def _asks(base: snapshot.Snapshot, query: evaluation.Query) -> Callable[[int], bool]:
    """A test of one row by an expression that asks for tasks: as a rule there are none of those that it names."""
    groups, held = query.groups, base.held
    if groups is None:
        return lambda row: base.holds(row, query)
    idle = base.masks.get((), (query.text,))
    idle.users.append(unheard)  # keeps it true for as long as the snapshot lives
    at: Any = idle.at
    return lambda row: at[row] if groups.isdisjoint(held[row]) else base.holds(row, query)


def unheard(_row: int) -> None:
    """Of a mask that is read and whose changes nobody needs to be told of."""


def _held(counts: Mapping[int, int]) -> list[int]:
    return [row for row, count in counts.items() if count > 0]
