"""Indexes over the rows of a snapshot, one per shape that is asked for often: where its next task goes, without looking at all rows.

An index holds the rows that may fit, in the buckets of its `spread` and by the count of its group's tasks; what proves not to fit is
taken out when it is drawn, and comes back by the change that gives it room. Rows are never looked at because of time, only because
something about them changed.
"""

from array import array
from collections import OrderedDict
from collections.abc import Callable
from dataclasses import dataclass, field

from longshore.scheduler import bags, columns, orders, shapes, snapshot, strategies

INDEXES = 128
"""Indexes that are kept. Each costs two hundred kilobytes at 10,000 instances, and more while they are full."""

_PICKS = 64
"""Draws among rows of which some fit."""

IDLE = 1024
"""Decisions after which an index that was not asked may make room for another."""

USES = 3
"""Decisions of a shape before it gets an index: what is asked once or twice is answered quicker by looking at all rows."""

_NOWHERE = -1
"""Of a row that an index does not hold; buckets count from 0."""

_COUNTED = 8192
"""Shapes whose uses are counted."""


@dataclass(slots=True, eq=False)
class Tally:
    """The tasks of one group in each bucket of a column."""

    group: str
    column: columns.Column
    counts: dict[int, int] = field(default_factory=dict)
    indexes: int = 0
    """How many use it."""
    move: Callable[[int, int, int], None] = field(default=lambda _row, _old, _new: None)
    """Takes in that a row belongs to another bucket."""

    def add(self, row: int, change: int) -> None:
        """A row holds so many more."""
        code = self.column.at[row]
        self.counts[code] = self.counts.get(code, 0) + change


class Index:
    """The rows that may take a task of one shape."""

    def __init__(
        self, owner: "Indexes", shape: shapes.Shape, column: columns.Column | None, tally: Tally | None
    ) -> None:
        base = owner.base
        self.shape = shape
        self.fits = shapes.fits(base, shape)
        self.column = column
        self.tally = tally
        self.dead = False
        self.by_count = bool(shape.chain) and shape.chain[-1].hosts
        self._owner = owner
        self._held = base.held
        capacity = len(base.open)
        self._homes = array("i", [_NOWHERE]) * capacity
        self._places = array("i", [0]) * capacity
        self._levels = array("i", [0]) * (capacity if self.by_count else 0)
        self._bags: dict[int, bags.Rows] = {}
        self._codes = column.at if column is not None else None
        self.mask = base.masks.get(shape.needs.attributes, shape.static) if _has_mask(shape) else None
        fitting = shapes.mask(base, shape)
        for row in range(len(base)):
            if fitting[row]:
                self._add(row)
            else:
                self._park(row)

    def consider(self, row: int) -> None:
        """Something about a row has changed for the better, maybe."""
        if self._homes[row] != _NOWHERE:
            return
        if self.fits(row):
            self._add(row)
        else:
            self._park(row)

    def recount(self, row: int, count: int) -> None:
        """A row holds another number of the group's tasks."""
        home = self._homes[row]
        if home != _NOWHERE:
            bag = self._bags[home]
            bag.remove(row)
            bag.add(row, count)

    def relocate(self, row: int, _old: int, _new: int) -> None:
        """A row belongs to another bucket."""
        if self._homes[row] != _NOWHERE:
            self._remove(row)
            self._add(row)

    def choose(self, draw: bags.Draw) -> int | None:
        """The row for the next task; None where none fits."""
        if self.tally is None:
            bag = self._bags.get(0)
            return None if bag is None else self._draw((bag,), draw)
        counts = self.tally.counts
        filled = [code for code, bag in self._bags.items() if bag.lowest() is not None]
        while filled:
            least = min(counts.get(code, 0) for code in filled)
            row = self._draw([self._bags[code] for code in filled if counts.get(code, 0) == least], draw)
            if row is not None:
                return row
            filled = [code for code in filled if counts.get(code, 0) != least]
        return None

    def _draw(self, among: "list[bags.Rows] | tuple[bags.Rows, ...]", draw: bags.Draw) -> int | None:
        """One of the rows of the lowest level among these bags, all with the same chance."""
        fits = self.fits
        while True:
            if len(among) == 1:
                lowest = among[0].lowest()
                if lowest is None:
                    return None
                rows = lowest[1]
                row = rows[int(draw() * len(rows))]
            else:
                found = [lowest for bag in among if (lowest := bag.lowest()) is not None]
                if not found:
                    return None
                level = min(lowest[0] for lowest in found)
                lists = [lowest[1] for lowest in found if lowest[0] == level]
                place = int(draw() * sum(map(len, lists)))
                for rows in lists:
                    if place < len(rows):
                        break
                    place -= len(rows)
                row = rows[place]
            if fits(row):
                return row
            self._remove(row)
            self._park(row)

    def _add(self, row: int) -> None:
        home = self._codes[row] if self._codes is not None else 0
        bag = self._bags.get(home)
        if bag is None:
            bag = self._bags[home] = (
                bags.Ladder(self._places, self._levels) if self.by_count else bags.Bag(self._places)
            )
        bag.add(row, self._held[row].get(self.shape.group, 0) if self.by_count else 0)
        self._homes[row] = home

    def _remove(self, row: int) -> None:
        self._bags[self._homes[row]].remove(row)
        self._homes[row] = _NOWHERE

    def _park(self, row: int) -> None:
        """Remember by whose change a row that does not fit may fit again. A mask tells of its own changes."""
        if self.mask is None or self.mask.at[row]:
            self._owner.parked.setdefault(row, {})[self] = None


def _has_mask(shape: shapes.Shape) -> bool:
    return bool(shape.needs.attributes or shape.static)


class Packed:
    """What an Index is for shapes that pack: it has no rows of its own but walks an order that it shares."""

    def __init__(
        self, base: snapshot.Snapshot, shape: shapes.Shape, order: orders.Order, field: str, tally: Tally | None
    ) -> None:
        self.shape = shape
        self.fits = shapes.fits(base, shape)
        self.mask = base.masks.get(shape.needs.attributes, shape.static) if _has_mask(shape) else None
        self.tally = tally
        self._order = order
        self._least = shape.needs.cpu if field == "cpu" else shape.needs.memory

    def choose(self, draw: bags.Draw) -> int | None:
        """The row for the next task; None where none fits. Raises orders.GaveUp."""
        order = self._order
        order.refresh()
        if self.tally is None:
            found = order.first(0, self._least, self.fits, draw)
            return None if found is None else self._pick(found[1], draw)
        counts = self.tally.counts
        waiting = list(order.buckets())
        while waiting:
            least = min(counts.get(code, 0) for code in waiting)
            tied = [code for code in waiting if counts.get(code, 0) == least]
            row = self._first_of(tied, draw)
            if row is not None:
                return row
            waiting = [code for code in waiting if counts.get(code, 0) != least]
        return None

    def _first_of(self, tied: list[int], draw: bags.Draw) -> int | None:
        levels = [
            found for code in tied if (found := self._order.first(code, self._least, self.fits, draw)) is not None
        ]
        if not levels:
            return None
        value = min(level for level, _ in levels)
        best = [rows for level, rows in levels if level == value]
        return self._pick(best[0] if len(best) == 1 else [row for rows in best for row in rows], draw)

    def _pick(self, rows: list[int], draw: bags.Draw) -> int:
        """One of those among the rows that fit; some of them does."""
        fits = self.fits
        for _ in range(_PICKS):
            row = rows[int(draw() * len(rows))]
            if fits(row):
                return row
        raise orders.GaveUp


class Indexes:
    """The indexes of one snapshot, told of its changes."""

    def __init__(self, base: snapshot.Snapshot) -> None:
        self.base = base
        self.parked: dict[int, dict[Index, None]] = {}
        """By row, the indexes that took it out for want of room."""
        self._kept: OrderedDict[shapes.Shape, Index | Packed] = OrderedDict()
        self._asked: dict[shapes.Shape, int] = {}
        self._decisions = 0
        self._uses: OrderedDict[shapes.Shape, int] = OrderedDict()
        self._by_group: dict[str, list[Index]] = {}
        self._tallies: dict[str, list[Tally]] = {}
        self._askers: list[Index] = []
        """Indexes whose constraints ask for tasks: any change of these concerns them."""
        self._orders: dict[tuple[str, tuple[str, ...]], orders.Order] = {}
        base.watcher = self

    def get(self, shape: shapes.Shape) -> "Index | Packed | None":
        """The index of a shape; None where it has none, or is not asked for often enough yet."""
        self._decisions += 1
        found = self._kept.get(shape)
        if found is not None:
            self._asked[shape] = self._decisions
            return found
        uses = self._uses.get(shape, 0) + 1
        self._uses[shape] = uses
        if len(self._uses) > _COUNTED:
            self._uses.popitem(last=False)
        if uses < USES or (len(self._kept) >= INDEXES and not self._make_room()):
            return None
        made = self._make(shape)
        if made is not None:
            self._kept[shape] = made
            self._asked[shape] = self._decisions
        return made

    # ------------------------------------------------------------------------------------------------- what is told

    def changed(self, row: int) -> None:
        """Free CPU or memory of a row is another, or whether it is open."""
        for order in self._orders.values():
            order.dirty.add(row)

    def appeared(self, row: int) -> None:
        """A row has an instance now, and had none."""
        for index in self._kept.values():
            if isinstance(index, Index):
                index.consider(row)

    def gained(self, row: int) -> None:
        """What did not fit a row before may fit now."""
        waiting = self.parked.get(row)
        if waiting:
            for index in [index for index in waiting if index.dead or index.fits(row)]:
                del waiting[index]
                if not index.dead:
                    index.consider(row)
            if not waiting:
                del self.parked[row]
        for index in self._askers:
            index.consider(row)

    def counted(self, group: str, row: int, before: int, after: int) -> None:
        """A row holds so many tasks of a group now."""
        indexes = self._by_group.get(group)
        if indexes is not None:
            for index in indexes:
                index.recount(row, after)
        tallies = self._tallies.get(group)
        if tallies is not None:
            for tally in tallies:
                tally.add(row, after - before)
        for index in self._askers:
            index.consider(row)

    def grown(self) -> None:
        """The arrays have been replaced by larger ones: begin anew."""
        self.parked.clear()
        self._kept.clear()
        self._asked.clear()
        self._by_group.clear()
        self._tallies.clear()
        self._askers.clear()
        self._orders.clear()

    # ------------------------------------------------------------------------------------------------- making them

    def _make(self, shape: shapes.Shape) -> "Index | Packed | None":
        """An index, where the chain is one that an index can serve: at most one attribute, and after it at most one other link."""
        chain = strategies.effective(shape.chain)
        names = tuple(link.attribute for link in chain if link.attribute)
        rest = chain[len(names) :]
        if len(names) > 1 or len(rest) > 1 or any(link.attribute for link in rest):
            return None
        column = self.base.columns.get(names) if names else None
        tally = self._tally(shape.group, column) if column is not None else None
        if tally is not None:
            tally.indexes += 1
        if rest and rest[0].packed:
            packed = Packed(self.base, shape, self._order(rest[0].packed, names, column), rest[0].packed, tally)
            if packed.mask is not None:
                packed.mask.users.append(_kept_true)
            return packed
        index = Index(self, shape, column, tally)
        if index.mask is not None:
            index.mask.users.append(index.consider)
        if column is not None:
            column.users.append(index.relocate)
        if rest:
            self._by_group.setdefault(shape.group, []).append(index)
        if shape.dynamic:
            self._askers.append(index)
        return index

    def _make_room(self) -> bool:
        """Give up the index that was not asked for longest, unless all of them are in use."""
        oldest = min(self._asked, key=self._asked.__getitem__)
        if self._decisions - self._asked[oldest] < IDLE:
            return False
        del self._asked[oldest]
        index = self._kept.pop(oldest)
        if index.mask is not None:
            index.mask.users.remove(_kept_true if isinstance(index, Packed) else index.consider)
        if isinstance(index, Index):
            index.dead = True
            if index.column is not None:
                index.column.users.remove(index.relocate)
            if index.by_count:
                self._by_group[oldest.group].remove(index)
            if oldest.dynamic:
                self._askers.remove(index)
        tally = index.tally
        if tally is not None:
            tally.indexes -= 1
            if not tally.indexes:
                tally.column.users.remove(tally.move)
                self._tallies[tally.group].remove(tally)
        return True

    def _tally(self, group: str, column: columns.Column) -> Tally:
        for tally in self._tallies.get(group, ()):
            if tally.column is column:
                return tally
        tally = Tally(group, column)
        tally.move = _mover(self.base, tally)
        for row, count in self.base.group_counts(group).items():
            tally.add(row, count)
        self._tallies.setdefault(group, []).append(tally)
        column.users.append(tally.move)
        return tally

    def _order(self, field: str, names: tuple[str, ...], column: columns.Column | None) -> orders.Order:
        order = self._orders.get((field, names))
        if order is None:
            order = self._orders[field, names] = orders.Order(self.base, field, column)
            if column is not None:
                dirty = order.dirty
                column.users.append(lambda row, _old, _new: dirty.add(row))
        return order


def _kept_true(_row: int) -> None:
    """Of a mask that is read and whose changes nobody needs to be told of."""


def of(base: snapshot.Snapshot) -> Indexes:
    """The indexes of a snapshot, the same ones for its whole life."""
    watcher = base.watcher
    return watcher if isinstance(watcher, Indexes) else Indexes(base)


def _mover(base: snapshot.Snapshot, tally: Tally) -> Callable[[int, int, int], None]:
    def move(row: int, old: int, new: int) -> None:
        count = base.held[row].get(tally.group, 0)
        tally.counts[old] = tally.counts.get(old, 0) - count
        tally.counts[new] = tally.counts.get(new, 0) + count

    return move
