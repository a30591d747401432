"""Indexes over the rows of a snapshot, one per shape that is asked for often: where its next task goes, without looking at all rows.

An index holds the rows that may fit, in the buckets of its `spread` and by the count of its group's tasks; what proves not to fit is
taken out when it is drawn, and comes back by the change that gives it room. Rows are never looked at because of time, only because
something about them changed.
"""

from array import array
from collections import OrderedDict
from collections.abc import Callable
from dataclasses import dataclass, field

import numpy as np

from longshore.scheduler import bags, columns, shapes, snapshot, strategies

INDEXES = 128
"""Indexes that are kept. Each costs two hundred kilobytes at 10,000 instances, and more while they are full."""

IDLE = 1024
"""Decisions after which an index that was not asked may make room for another."""

USES = 3
"""Decisions of a shape before it gets an index: what is asked once or twice is answered quicker by looking at all rows."""

_NOWHERE = -1
"""Of a row that an index does not hold; buckets count from 0."""

_DRAWS = 16
"""Draws of a row to pack that fails a test which no array answers, before all rows are put to it."""

_MOST = np.iinfo(np.int64).max

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
    """What an Index is for shapes that pack: it looks at the arrays of all rows, into memory of its own.

    An order of the rows by what they have left would have to move two rows at every decision, whatever its strategy, and be walked past
    all that does not fit; numbers in a row are compared faster than that.
    """

    def __init__(self, base: snapshot.Snapshot, shape: shapes.Shape, field: str, tally: Tally | None) -> None:
        self.shape = shape
        self.mask = base.masks.get(shape.needs.attributes, shape.static) if _has_mask(shape) else None
        self.tally = tally
        self._base = base
        self._left = base.cpu_free if field == "cpu" else base.memory_free
        self._plain = not (shape.once or shape.dynamic or shape.needs.resources)
        self._test = shapes.fits(base, shape)
        self._may = np.empty(len(base.open), np.bool_)
        self._fits = np.empty(len(base.open), np.bool_)
        self._also = np.empty(len(base.open), np.bool_)
        self._keys = np.empty(len(base.open), np.int64)

    def choose(self, draw: bags.Draw) -> int | None:
        """The row for the next task; None where none fits.

        Tests that no array answers are made of the row that is drawn, and the draw repeated without it where it fails them.
        """
        self._compare()
        for _ in range(_DRAWS):
            row = self._draw(draw)
            if row is None or self._plain or self._test(row):
                return row
            self._may[row] = False
        self._may[:] = shapes.mask(self._base, self.shape)
        return self._draw(draw)

    def _draw(self, draw: bags.Draw) -> int | None:
        fits = self._fits
        np.copyto(fits, self._may)
        if self.tally is not None and not self._spread(fits, self.tally):
            return None
        keys = self._keys
        keys.fill(_MOST)
        np.copyto(keys, self._left, where=fits)
        first = int(keys.argmin())
        if not fits[first]:
            return None
        np.equal(keys, keys[first], out=self._also)
        count = np.count_nonzero(self._also)
        if count == 1:
            return first
        return int(np.flatnonzero(self._also)[int(draw() * count)])

    def _compare(self) -> None:
        """The rows that have CPU and memory, are open and pass the mask."""
        base, needs, fits, also = self._base, self.shape.needs, self._may, self._also
        np.greater_equal(base.cpu_free, needs.cpu, out=fits)
        np.greater_equal(base.memory_free, needs.memory, out=also)
        fits &= also
        fits &= base.open
        if self.mask is not None:
            fits &= self.mask.bits

    def _spread(self, fits: snapshot.Bools, tally: Tally) -> bool:
        """Leave the rows of the buckets with fewest tasks among those that have rows which fit; false where there are none."""
        codes, counts = tally.column.codes, tally.counts
        left = list(tally.column.numbers.values())
        while left:
            least = min(counts.get(code, 0) for code in left)
            there = np.zeros(len(fits), np.bool_)
            for code in left:
                if counts.get(code, 0) == least:
                    np.equal(codes, code, out=self._also)
                    there |= self._also
            there &= fits
            if there.any():
                fits[:] = there
                return True
            left = [code for code in left if counts.get(code, 0) != least]
        return False


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
        """Indexes whose constraints ask for tasks of any group, or for their count: any change of these concerns them."""
        self._by_asked: dict[str, list[Index]] = {}
        """Indexes whose constraints ask whether there is a task of a group."""
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
        if (before > 0) != (after > 0):
            for index in self._by_asked.get(group, ()):
                index.consider(row)
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
        self._by_asked.clear()

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
            packed = Packed(self.base, shape, rest[0].packed, tally)
            if packed.mask is not None:
                packed.mask.users.append(shapes.unheard)
            return packed
        index = Index(self, shape, column, tally)
        if index.mask is not None:
            index.mask.users.append(index.consider)
        if column is not None:
            column.users.append(index.relocate)
        if rest:
            self._by_group.setdefault(shape.group, []).append(index)
        for listening in self._listening(shape):
            listening.append(index)
        return index

    def _listening(self, shape: shapes.Shape) -> list[list[Index]]:
        """The lists of indexes that are told of tasks for the sake of a shape's constraints."""
        if any(query.groups is None for query in shape.dynamic):
            return [self._askers]
        groups = {group for query in shape.dynamic for group in query.groups or ()}
        return [self._by_asked.setdefault(group, []) for group in sorted(groups)]

    def _make_room(self) -> bool:
        """Give up the index that was not asked for longest, unless all of them are in use."""
        oldest = min(self._asked, key=self._asked.__getitem__)
        if self._decisions - self._asked[oldest] < IDLE:
            return False
        del self._asked[oldest]
        index = self._kept.pop(oldest)
        if index.mask is not None:
            index.mask.users.remove(shapes.unheard if isinstance(index, Packed) else index.consider)
        if isinstance(index, Index):
            index.dead = True
            if index.column is not None:
                index.column.users.remove(index.relocate)
            if index.by_count:
                self._by_group[oldest.group].remove(index)
            for listening in self._listening(oldest):
                listening.remove(index)
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
