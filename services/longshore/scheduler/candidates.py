"""Where the next task of a shape may go, and where it goes best: sets of rows, kept true while the snapshot changes.

Every test of a shape is a set of rows that some other shapes share: so much CPU, so much memory, an attribute, an expression, a port.
What all of them have in common are the candidates; each link of the chain leaves those that rank first; the last word is a draw. So
nothing is kept per shape but the list of its sets, a change of a row touches the sets that it concerns, and every chain is served alike.
"""

from collections.abc import Callable
from dataclasses import dataclass
from typing import Protocol

from longshore.query import evaluation
from longshore.scheduler import (
    amounts,
    bits,
    columns,
    conditions,
    instances,
    levels,
    masks,
    requirements,
    shapes,
    snapshot,
)

SHAPES = 512
"""Shapes whose sets are kept. With one more all are forgotten: to make them again takes each shape a fraction of a millisecond, and
at 10,000 instances a shape that shares nothing takes ten kilobytes."""

MANY = 8
"""One part in so many of the rows that has to change before looking at all of them is quicker."""


class Rows(Protocol):
    """A set that is kept true."""

    rows: int


class _Open:
    """The rows that are ACTIVE and connected."""

    __slots__ = ("rows",)

    def __init__(self, rows: int) -> None:
        self.rows = rows


@dataclass(frozen=True, slots=True)
class _Plan:
    """The sets of one shape. `true` are kept so, `passing` and `barred` are when they are asked; `links` narrow the candidates down."""

    true: tuple[Rows, ...]
    passing: tuple[Callable[[], int], ...]
    barred: tuple[Callable[[], int], ...]
    links: tuple[Callable[[int], int], ...]


class Candidates:
    """The sets over the rows of one snapshot, told of its changes."""

    def __init__(self, base: snapshot.Snapshot) -> None:
        self._base = base
        self._moved = base.marks.moved
        self._open = _Open(bits.of_array(base.open))
        self._masks = masks.Masks(base.facts)
        self._cpu = amounts.Amount(base.cpu_free)
        self._memory = amounts.Amount(base.memory_free)
        self._columns: dict[tuple[str, ...], columns.Column] = {}
        self._levels: dict[tuple[str, tuple[str, ...]], levels.Levels] = {}
        self._holding: dict[str, conditions.Condition] = {}
        self._others: dict[tuple[str, int], conditions.Condition] = {}
        self._plans: dict[shapes.Shape, _Plan] = {}
        base.marks.clear()
        self._moved.clear()
        base.watcher = self

    def choose(self, shape: shapes.Shape, draw: bits.Draw) -> int | None:
        """The row for the next task of a shape; None where it fits nowhere."""
        plan = self._plans.get(shape) or self._plan(shape)
        rows = self._rows(plan)
        if not rows:
            return None
        for narrow in plan.links:
            rows = narrow(rows)
        return bits.draw(rows, draw)

    def rows(self, shape: shapes.Shape) -> int:
        """The rows that take one task of a shape."""
        return self._rows(self._plans.get(shape) or self._plan(shape))

    def _rows(self, plan: _Plan) -> int:
        if self._moved:
            self._look()
        rows = self._open.rows
        for one in plan.true:
            rows &= one.rows
        for passing in plan.passing:
            rows &= passing()
        for barred in plan.barred:
            rows ^= rows & barred()
        return rows

    def having(self, required: tuple[requirements.Attribute, ...]) -> int:
        """The rows that have all required attributes, instances that take no tasks included."""
        return self._all(*(self._masks.attribute(one) for one in required))

    def member(self, shape: shapes.Shape) -> int:
        """The rows for which all expressions of a shape hold."""
        rows = self._all(*(self._masks.expression(text) for text in shape.static))
        for query in shape.dynamic:
            rows &= self._condition(query).rows()
        return rows

    def levels(self, group: str, attributes: tuple[str, ...] = ()) -> levels.Levels:
        """The rows by the number of a group's tasks in their buckets; each row by itself where there are no attributes."""
        found = self._levels.get((group, attributes))
        if found is None:
            held = self._base.held
            found = (
                levels.BucketLevels(held, group, self._column(attributes)) if attributes else levels.Levels(held, group)
            )
            self._levels[group, attributes] = found
            self._base.marks.groups.setdefault(group, []).append(found.marked)
        return found

    def applied(self, row: int, before: instances.Instance | None, fact: instances.Instance) -> None:
        """An instance has come or changed."""
        if before is None or before.placeable != fact.placeable:
            one = 1 << row
            self._open.rows = self._open.rows | one if fact.placeable else self._open.rows & ~one
        self._masks.apply(row, before, fact)
        for column in self._columns.values():
            column.apply(row, before, fact)
        for condition in self._holding.values():
            condition.marked.add(row)

    def forget(self) -> None:
        """Keep nothing: what is needed is made again."""
        self._base.marks.clear()
        self._masks.clear()
        self._cpu = amounts.Amount(self._base.cpu_free)
        self._memory = amounts.Amount(self._base.memory_free)
        self._columns.clear()
        self._levels.clear()
        self._holding.clear()
        self._others.clear()
        self._plans.clear()

    def _look(self) -> None:
        base = self._base
        moved = self._moved
        if len(moved) > len(base) // MANY:
            self._cpu.look_at_all(base.cpu_free)
            self._memory.look_at_all(base.memory_free)
        else:
            self._cpu.look(base.cpu_at, moved)
            self._memory.look(base.memory_at, moved)
        moved.clear()

    def _all(self, *those: Rows) -> int:
        rows = (1 << len(self._base)) - 1
        for one in those:
            rows &= one.rows
        return rows

    # ------------------------------------------------------------------------------------------------- making them

    def _plan(self, shape: shapes.Shape) -> _Plan:
        if len(self._plans) >= SHAPES:
            self.forget()
        if self._moved:
            self._look()
        needs = shape.needs
        made = self._plans[shape] = _Plan(
            true=(
                self._cpu.at_least(needs.cpu),
                self._memory.at_least(needs.memory),
                *map(self._masks.attribute, needs.attributes),
                *map(self._masks.expression, shape.static),
            ),
            passing=(
                *(self._other((name, count)).rows for name, count in needs.resources),
                *(self._condition(query).rows for query in shape.dynamic),
            ),
            barred=(
                *(self._other(("", port)).rows for port in needs.ports),
                *((self.levels(shape.group).holding,) if shape.distinct else ()),
            ),
            links=tuple(self._links(shape)),
        )
        return made

    def _links(self, shape: shapes.Shape) -> list[Callable[[int], int]]:
        """Each leaves those of some rows that rank first. A spread by an attribute counts within the values of those before it."""
        made: list[Callable[[int], int]] = []
        attributes: tuple[str, ...] = ()
        for link in shape.chain:
            if link.packed:
                made.append((self._cpu if link.packed == "cpu" else self._memory).least)
            elif link.hosts:
                made.append(self.levels(shape.group).fewest)
            else:
                attributes = (*attributes, link.attribute)
                made.append(self.levels(shape.group, attributes).fewest)
        return made

    def _condition(self, query: evaluation.Query) -> conditions.Condition:
        if query.text not in self._holding:
            self._holding[query.text] = conditions.holding(self._base, query)
        return self._holding[query.text]

    def _other(self, key: tuple[str, int]) -> conditions.Condition:
        """So many of a resource, or without a name a port."""
        if key not in self._others:
            name, number = key
            make = conditions.offering(self._base, name, number) if name else conditions.port_taken(self._base, number)
            self._others[key] = make
        return self._others[key]

    def _column(self, names: tuple[str, ...]) -> columns.Column:
        if names not in self._columns:
            self._columns[names] = columns.Column(names, self._base.facts)
        return self._columns[names]


def of(base: snapshot.Snapshot) -> Candidates:
    """Those of a snapshot, the same for its whole life."""
    watcher = base.watcher
    return watcher if isinstance(watcher, Candidates) else Candidates(base)
