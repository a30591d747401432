"""The queue for capacity of one cluster: who is next, who is worth another look, who has waited long enough that room is kept for it.

Pure but for the snapshot, in which it reserves what it decides; the moment is given. docs/design/waiting.md, "The order".
"""

import bisect
import dataclasses
import heapq
import random as random_module
from collections.abc import Iterable, Sequence
from dataclasses import dataclass, field
from typing import Generic, TypeAlias, TypeVar

import numpy as np

from longshore.scheduler import bulk, candidates, keeping, placement, refusals, resources, shapes, snapshot

T = TypeVar("T")

Order: TypeAlias = tuple[int, str]
"""Rank and key: the lowest is the next."""

ONE_BY_ONE = 16
"""Tasks of one request that are placed by themselves before the rest is worked out in bulk: what frees is mostly room for a few."""

AT_ONCE = 200
"""Tasks after which a look ends for now: some milliseconds."""

ALL_ROWS = 256
"""Changed rows from which on every group is looked at again, without asking which of them could help."""


@dataclass(slots=True, eq=False)
class Entry(Generic[T]):
    """A request of which tasks wait. `body` is the caller's own. Times are microseconds by the database's clock."""

    key: str
    rank: int
    deadline: int
    request: placement.Request
    body: T
    tasks: dict[str, None]
    """Those that wait, in order."""
    since: int = 0
    priority: int = 0
    flying: set[str] = field(default_factory=set)
    """Those that were decided and are not committed yet."""
    overtaken: int = 0
    first_overtaken_s: float = 0.0

    @property
    def order(self) -> Order:
        """Its place."""
        return self.rank, self.key


@dataclass(frozen=True, slots=True)
class Pick(Generic[T]):
    """A task that was decided: reserved in the snapshot, to be committed or put back."""

    entry: Entry[T]
    task_id: str
    instance_id: str
    given: tuple[resources.Given, ...] = ()


@dataclass(slots=True, eq=False)
class _Group(Generic[T]):
    """Requests of one shape. What does not take the first of them takes none."""

    shape: shapes.Shape
    order: list[Order] = field(default_factory=list)
    blocked: bool = False
    hints: list[int] | None = None
    """The changed rows that one of them may fit on; None: any row."""
    suitable: snapshot.Bools | None = None
    some: bool = False
    """Whether any row is suitable."""


class Waitlist(Generic[T]):
    """The queue over one snapshot."""

    def __init__(self, base: snapshot.Snapshot, random: random_module.Random, *, at_once: int = AT_ONCE) -> None:
        self._at_once = at_once
        self._base = base
        self._placing = placement.Placement(base, random)
        self._candidates = candidates.of(base)
        self._keeper = keeping.Keeper(base)
        self._entries: dict[str, Entry[T]] = {}
        self._of_task: dict[str, Entry[T]] = {}
        self._groups: dict[shapes.Shape, _Group[T]] = {}
        self._dirty: set[int] = set()
        self._needs: tuple[list[_Group[T]], snapshot.Ints, snapshot.Ints] | None = None
        self._dynamic = 0
        """Groups that ask for tasks."""
        self.unfinished = False
        self.looks = 0
        """Requests that were tried: what a release costs."""

    def __len__(self) -> int:
        """Tasks that wait or are being placed."""
        return len(self._of_task)

    @property
    def entries(self) -> Iterable[Entry[T]]:
        """All requests."""
        return self._entries.values()

    @property
    def kept(self) -> list[str]:
        """Instances that are kept for the head of the queue."""
        return [self._base.ids[row] for row in self._keeper.rows]

    def in_order(self, count: int) -> list[Entry[T]]:
        """The first requests of the queue."""
        return heapq.nsmallest(count, (entry for entry in self.entries if entry.tasks), key=lambda entry: entry.order)

    # ------------------------------------------------------------------------------------------------- what happens

    def add(self, entry: Entry[T]) -> None:
        """A request begins to wait, or is found waiting."""
        self._entries[entry.key] = entry
        for task_id in entry.tasks:
            self._of_task[task_id] = entry
        self._enlist(entry)

    def remove(self, task_id: str) -> bool:
        """A task waits no longer; False where it did not. One that is being placed is left to its commit."""
        entry = self._of_task.get(task_id)
        if entry is None or task_id in entry.flying:
            return False
        del entry.tasks[task_id], self._of_task[task_id]
        self._tidy(entry)
        return True

    def gained(self, instance_ids: Iterable[str]) -> None:
        """Something was given back on instances, or they are as they were not before."""
        if self._entries:
            self._dirty.update(self._base.rows[instance_id] for instance_id in instance_ids)

    def changed(self, instance_ids: Iterable[str]) -> None:
        """Instances have come or have changed."""
        for group in self._groups.values():
            group.suitable = None
        self.gained(instance_id for instance_id in instance_ids if instance_id in self._base.rows)

    def placed(self, instance_ids: Iterable[str], now_s: float) -> None:
        """Tasks that do not wait were placed past the queue."""
        if not self._entries:
            return
        rows = [self._base.rows[instance_id] for instance_id in instance_ids]
        if self._stirs:
            self._dirty.update(rows)
        self._overtake(self._head(), rows, now_s)

    # ------------------------------------------------------------------------------------------------- decisions

    def look(self, now_s: float) -> list[Pick[T]]:
        """Place what fits, in the order of the queue; cheap where nothing has changed for the better.

        Ends once `at_once` tasks are placed or a few more, with `unfinished` set: whoever asks has to look again before anything else is decided.
        """
        picks: list[Pick[T]] = []
        self._keep(now_s)
        self.unfinished = False
        while not self.unfinished:
            self._wake()
            picks += self._pass(now_s)
            self.unfinished = len(picks) >= self._at_once
            if not self._dirty:
                break
        return picks

    def _pass(self, now_s: float) -> list[Pick[T]]:
        """Go through the groups that are open, once; up to where what was placed may have opened one that is ahead."""
        picks: list[Pick[T]] = []
        ahead = [(group.order[0], id(group), group) for group in self._groups.values() if not group.blocked]
        heapq.heapify(ahead)
        while ahead and len(picks) < self._at_once:
            order, _, group = heapq.heappop(ahead)
            entry, head = self._entries[order[1]], self._head()
            took = self._try(entry, group, is_head=entry is head)
            if entry.tasks and not (took and self._stirs):
                group.blocked, group.hints = True, []
            elif group.order:
                heapq.heappush(ahead, (group.order[0], id(group), group))
            if not took:
                continue
            picks += took
            if head is not None and order > head.order:
                self._overtake(head, [self._base.rows[pick.instance_id] for pick in took], now_s)
            self._keep(now_s)
            self._stir(took)
            if self._dirty:
                break
        return picks

    def settle(self, picks: Iterable[Pick[T]]) -> None:
        """They were committed, or found stopped: they wait no longer."""
        for pick in picks:
            pick.entry.flying.discard(pick.task_id)
            del self._of_task[pick.task_id]
            self._tidy(pick.entry)

    def put_back(self, picks: Iterable[Pick[T]]) -> None:
        """They were not committed: they wait as before. What was reserved for them is the caller's to give back."""
        for pick in picks:
            entry = pick.entry
            entry.flying.discard(pick.task_id)
            entry.tasks = dict.fromkeys(sorted((*entry.tasks, pick.task_id)))
            self._enlist(entry)

    def overdue(self, now: int) -> list[Entry[T]]:
        """Requests with tasks that wait whose deadline has passed by then."""
        return [entry for entry in self.entries if entry.tasks and entry.deadline <= now]

    def next_deadline(self) -> int | None:
        """The first deadline of a task that waits."""
        return min((entry.deadline for entry in self.entries if entry.tasks), default=None)

    def reason(self, entry: Entry[T]) -> str:
        """Why no instance takes the tasks of a request now, the nearest with its numbers; and what is kept for them."""
        if entry is not self._head() or not self._keeper.rows:
            return why(self._base, entry.request)
        with self._keeper.lifted():
            told = why(self._base, entry.request)
        kept = len(self._keeper.rows)
        return f"{told}; room is kept for it on {kept} instance{'s' if kept > 1 else ''} as tasks end there"

    # ------------------------------------------------------------------------------------------------- inside

    def _enlist(self, entry: Entry[T]) -> None:
        """It goes where its rank says, in the group of its shape; a new one may fit where others of the group do not wait yet."""
        group = self._groups.get(entry.request.shape)
        if group is None:
            group = self._groups[entry.request.shape] = _Group(entry.request.shape)
            self._dynamic += bool(group.shape.dynamic)
            self._needs = None
        place = bisect.bisect_left(group.order, entry.order)
        if place == len(group.order) or group.order[place] != entry.order:
            group.order.insert(place, entry.order)

    def _tidy(self, entry: Entry[T]) -> None:
        """Take a request of which nothing waits out of the order, and forget it where nothing is on its way either."""
        if not entry.tasks:
            self._delist(entry)
            if not entry.flying:
                self._entries.pop(entry.key, None)

    def _delist(self, entry: Entry[T]) -> None:
        group = self._groups.get(entry.request.shape)
        if group is None:
            return
        place = bisect.bisect_left(group.order, entry.order)
        if place < len(group.order) and group.order[place] == entry.order:
            del group.order[place]
        if not group.order:
            del self._groups[group.shape]
            self._dynamic -= bool(group.shape.dynamic)
            self._needs = None

    def _try(self, entry: Entry[T], group: _Group[T], *, is_head: bool) -> list[Pick[T]]:
        """Place as many tasks of a request as fit now."""
        if not is_head or not self._keeper.rows:
            return self._place(entry, group)
        with self._keeper.lifted():
            return self._place(entry, group)

    def _place(self, entry: Entry[T], group: _Group[T]) -> list[Pick[T]]:
        if group.hints is not None and not any(keeping.fits(self._base, row, entry.request) for row in group.hints):
            return []  # somebody ahead has taken it
        self.looks += 1
        took: list[Pick[T]] = []
        while entry.tasks:
            count = len(entry.tasks) if len(took) >= ONE_BY_ONE and len(entry.tasks) >= bulk.LEAST else 1
            if count == 1 and not self._candidates.rows(entry.request.shape):
                break
            decision = self._placing.decide(dataclasses.replace(entry.request, count=count))
            given = decision.given or ((),) * len(decision.instances)
            for task_id, instance_id, dealt in zip(
                list(entry.tasks)[: len(decision.instances)], decision.instances, given, strict=True
            ):
                del entry.tasks[task_id]
                entry.flying.add(task_id)
                took.append(Pick(entry, task_id, instance_id, dealt))
            if len(decision.instances) < count or self._stirs:
                break
        if not entry.tasks:
            self._delist(entry)
        return took

    def _wake(self) -> None:
        """Open the groups that one of the changed rows would take."""
        dirty, self._dirty = self._dirty, set()
        if not dirty:
            return
        blocked = [group for group in self._groups.values() if group.blocked]
        if len(dirty) >= ALL_ROWS:
            for group in blocked:
                group.blocked, group.hints = False, None
            return
        for row in dirty:
            if self._keeper.fits(row) and (head := self._head()) is not None:
                self._open(self._groups[head.request.shape], row)
            for group in self._roomy(row):
                if group.hints is not None and keeping.fits(self._base, row, self._entries[group.order[0][1]].request):
                    self._open(group, row)

    def _open(self, group: _Group[T], row: int) -> None:
        group.blocked = False
        if group.hints is not None:
            group.hints.append(row)

    def _roomy(self, row: int) -> Sequence[_Group[T]]:
        """The groups whose CPU and memory a row has."""
        if self._needs is None:
            groups = list(self._groups.values())
            cpu = np.array([group.shape.needs.cpu for group in groups], np.int64)
            memory = np.array([group.shape.needs.memory for group in groups], np.int64)
            self._needs = (groups, cpu, memory)
        groups, cpu, memory = self._needs
        fitting = np.flatnonzero((cpu <= self._base.cpu_at[row]) & (memory <= self._base.memory_at[row]))
        return [groups[index] for index in fitting.tolist()]

    @property
    def _stirs(self) -> bool:
        """Whether a placement may open a group; then tasks are placed one by one."""
        return self._dynamic > 0

    def _stir(self, took: Sequence[Pick[T]]) -> None:
        """What was placed may be what others wait for, where they ask for tasks: a group beside which they want to be."""
        if self._stirs:
            self._dirty.update(self._base.rows[pick.instance_id] for pick in took)

    def _suitable(self, group: _Group[T], entry: Entry[T]) -> snapshot.Bools:
        if group.suitable is None or len(group.suitable) != len(self._base.open):
            group.suitable = keeping.suitable(self._base, entry.request)
            group.some = bool(group.suitable.any())
        return group.suitable

    def _head(self) -> Entry[T] | None:
        """The first request that some instance would take were it empty."""
        rows = len(self._base.open)
        first: Order | None = None
        for group in self._groups.values():
            order = group.order[0]
            if first is not None and order > first:
                continue
            if group.suitable is None or len(group.suitable) != rows:
                self._suitable(group, self._entries[order[1]])
            if group.some:
                first = order
        return None if first is None else self._entries[first[1]]

    def _overtake(self, head: Entry[T] | None, rows: Sequence[int], now_s: float) -> None:
        """Tasks went past the head to these rows: those count on which it could have run."""
        if head is None:
            return
        mask = self._suitable(self._groups[head.request.shape], head)
        count = sum(1 for row in rows if mask[row])
        if count and not head.overtaken:
            head.first_overtaken_s = now_s
        head.overtaken += count

    def _keep(self, now_s: float) -> None:
        """Keep as many instances for the head as are due, and none for anybody else."""
        head = self._head()
        count = 0 if head is None else keeping.instances_due(head.overtaken, now_s - head.first_overtaken_s)
        before = set(self._keeper.rows)
        if head is None or not count:
            self._keeper.drop()
        else:
            self._keeper.keep(head.request, self._suitable(self._groups[head.request.shape], head), count)
        self._dirty.update(before.difference(self._keeper.rows))


def why(base: snapshot.Snapshot, request: placement.Request) -> str:
    """Why no instance takes a task, the nearest with its numbers; one sentence."""
    if not base.candidates:
        return "the cluster has no ACTIVE container instance"
    rows, failing = refusals.nearest(base, request)
    refusal = refusals.of_row(base, int(rows[0]), request)
    if refusal is None:
        return "an instance has room by now"
    told = f"{refusal.detail}, on {refusal.instance}"
    return told if len(rows) == 1 else f"{told}, the nearest of {len(rows)}: {refusals.counted(request, failing)}"
