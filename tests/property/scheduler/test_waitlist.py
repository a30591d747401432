"""The queue for capacity under all that can happen to it: nothing over-committed, nothing forgotten, in order, and nobody starves."""

import math
import random
from collections.abc import Sequence

import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st
from hypothesis.stateful import RuleBasedStateMachine, invariant, precondition, rule

from longshore.scheduler import instances, keeping, placement, requirements, snapshot, waitlist
from tests.property.scheduler import worlds

Entry = waitlist.Entry[None]
Pick = waitlist.Pick[None]


class Queue(RuleBasedStateMachine):
    """A queue over a cluster; `truth` is the cluster without what is kept, and without the queue's own bookkeeping."""

    def __init__(self) -> None:
        super().__init__()
        self.source = random.Random(0)
        self.base = snapshot.Snapshot()
        self.truth = snapshot.Snapshot()
        self.queue: waitlist.Waitlist[None] = waitlist.Waitlist(self.base, random.Random(1), at_once=2)
        self.waiting: dict[str, Entry] = {}
        self.running: list[tuple[str, snapshot.Load]] = []
        self.flying: list[Pick] = []
        self.now_s = 0.0
        self.revision = 0
        self.number = 0
        self.looked = True

    # ------------------------------------------------------------------------------------------- what happens

    @rule(seed=st.integers(0, 1 << 30))
    def reseed(self, seed: int) -> None:
        self.source = random.Random(seed)

    @rule(name=st.sampled_from("abcd"))
    def an_instance_changes(self, name: str) -> None:
        self.revision += 1
        fact = worlds.fact(self.source, name, self.revision)
        self.base.apply(fact)
        self.truth.apply(fact)
        self.queue.changed([name])
        self.looked = False

    @rule(tasks=st.integers(1, 3), priority=st.integers(0, 5))
    def a_request_comes(self, tasks: int, priority: int) -> None:
        self.look()
        request = worlds.request(self.source, most=1)
        ids = [f"{self.number + index:04}" for index in range(tasks)]
        self.number += tasks
        entry = Entry(ids[0], self.number - priority * 10, 1_000, request, None, dict.fromkeys(ids))
        self.queue.add(entry)
        self.waiting |= dict.fromkeys(ids, entry)
        self.looked = False

    @rule()
    def something_is_placed_past_it(self) -> None:
        self.look()
        request = worlds.request(self.source, most=2)
        placing = placement.Placement(self.base, self.source)
        decision = placing.decide(request)
        given = decision.given or ((),) * len(decision.instances)
        for name, dealt in zip(decision.instances, given, strict=True):
            load = placement.load_with(request, dealt)
            self.truth.reserve(name, load)
            self.running.append((name, load))
        self.queue.placed(decision.instances, self.now_s)
        self.looked = False

    @precondition(lambda self: self.running)
    @rule(data=st.data())
    def a_task_is_released(self, data: st.DataObject) -> None:
        name, load = self.running.pop(data.draw(st.integers(0, len(self.running) - 1)))
        self.base.give_back(name, load)
        self.truth.give_back(name, load)
        self.queue.gained([name])
        self.looked = False

    @precondition(lambda self: self.waiting)
    @rule(data=st.data())
    def one_is_cancelled(self, data: st.DataObject) -> None:
        task_id = data.draw(st.sampled_from(sorted(self.waiting)))
        flies = task_id in self.waiting[task_id].flying
        assert self.queue.remove(task_id) is not flies
        if not flies:
            del self.waiting[task_id]
        self.looked = False

    @precondition(lambda self: self.flying)
    @rule()
    def a_commit_goes_through(self) -> None:
        self.queue.settle(self.flying)
        for pick in self.flying:
            self.running.append((pick.instance_id, placement.load_with(pick.entry.request, pick.given)))
            del self.waiting[pick.task_id]
        self.flying = []

    @precondition(lambda self: self.flying)
    @rule()
    def a_commit_fails(self) -> None:
        self.queue.put_back(self.flying)
        for pick in self.flying:
            load = placement.load_with(pick.entry.request, pick.given)
            self.base.give_back(pick.instance_id, load)
            self.truth.give_back(pick.instance_id, load)
            self.queue.gained([pick.instance_id])
        self.flying = []
        self.looked = False

    @rule(seconds=st.sampled_from([1.0, 40.0, 400.0]))
    def time_passes(self, seconds: float) -> None:
        self.now_s += seconds

    # ------------------------------------------------------------------------------------------- what has to hold

    @rule()
    def look(self) -> None:
        calm = not self.queue.kept
        picks = self.queue.look(self.now_s)
        while self.queue.unfinished:
            picks += self.queue.look(self.now_s)
        calm = calm and not self.queue.kept
        for pick in picks:
            row, entry = self.truth.rows[pick.instance_id], pick.entry
            assert keeping.fits(self.truth, row, entry.request), "over-committed"
            if calm:
                for other in self.waiting.values():
                    ahead = bool(other.tasks) and other.order < entry.order
                    assert not (ahead and keeping.fits(self.truth, row, other.request)), "out of order"
            self.truth.reserve(pick.instance_id, placement.load_with(entry.request, pick.given))
        self.flying += picks
        self.looked = True

    @invariant()
    def all_are_there(self) -> None:
        assert len(self.queue) == len(self.waiting)
        listed = {task_id for entry in self.queue.entries for task_id in (*entry.tasks, *entry.flying)}
        assert listed == set(self.waiting)

    @invariant()
    def nobody_waits_who_fits(self) -> None:
        if not self.looked:
            return
        first = min(
            (entry.order for entry in self.waiting.values() if entry.tasks and self._could(entry)), default=None
        )
        for entry in self.waiting.values():
            base = self.truth if entry.order == first else self.base
            rows = range(len(base.facts))
            assert not entry.tasks or not any(keeping.fits(base, row, entry.request) for row in rows), "forgotten"

    @invariant()
    def what_is_kept_is_all_that_differs(self) -> None:
        rows = range(len(self.base.facts))
        differing = {self.base.ids[row] for row in rows if self._held(self.base, row) != self._held(self.truth, row)}
        assert differing <= set(self.queue.kept)

    def _could(self, entry: Entry) -> bool:
        return bool(keeping.suitable(self.truth, entry.request).any())

    @staticmethod
    def _held(base: snapshot.Snapshot, row: int) -> object:
        reserved = base.reserved(row)
        return (
            reserved.cpu,
            reserved.memory,
            {name: used.key() for name, used in reserved.named.items()},
            base.held[row],
        )


TestQueue = Queue.TestCase
TestQueue.settings = settings(
    max_examples=60, stateful_step_count=30, deadline=None, suppress_health_check=[HealthCheck.too_slow]
)


def _cluster(count: int, cpu: int) -> snapshot.Snapshot:
    base = snapshot.Snapshot()
    for number in range(count):
        base.apply(instances.Instance(f"i-{number}", instances.ACTIVE, True, 1, cpu, 100))
    return base


def _ask(cpu: int) -> placement.Request:
    return placement.Request(requirements.Needs(cpu, 0), "g")


@given(
    count=st.integers(1, 9),
    seed=st.integers(0, 1 << 30),
    queued=st.booleans(),
    lasting=st.lists(st.integers(0, 8), max_size=3),
)
@settings(max_examples=25, deadline=None)
def test_a_large_task_is_not_overtaken_for_ever(count: int, seed: int, queued: bool, lasting: Sequence[int]) -> None:  # noqa: FBT001
    """Whichever small tasks end, and however many others want their places: the large one gets its own, after so many at most.

    `lasting`: instances with a task that never ends, as a service's.
    """
    source = random.Random(seed)
    base = _cluster(count, 4)
    queue: waitlist.Waitlist[None] = waitlist.Waitlist(base, random.Random(seed))
    small, large = _ask(1), _ask(4)
    stay = {f"i-{number}" for number in lasting if number < count - 1}
    running = [f"i-{number}" for number in range(count) for _ in range(4)]
    for name in running:
        base.reserve(name, small.load)
    ends = [name for name in running if name not in stay]
    queue.add(Entry("large", 0, 1_000, large, None, {"large": None}))
    if queued:
        queue.add(Entry("small", 1, 1_000, small, None, {f"{number:05}": None for number in range(10_000)}))
    overtaken = 0
    bound = keeping.OVERTAKINGS * (math.ceil(math.log2(count)) + 2)
    for _ in range(bound + 16 * count):
        name = ends.pop(source.randrange(len(ends)))
        base.give_back(name, small.load)
        queue.gained([name])
        picks = queue.look(0.0)
        queue.settle(picks)
        if any(pick.task_id == "large" for pick in picks):
            break
        taken = [pick.instance_id for pick in picks]
        if not queued:
            decision = placement.Placement(base, source).decide(small)
            taken = list(decision.instances)
            queue.placed(taken, 0.0)
        ends += taken
        overtaken += len(taken)
        if not ends:
            break
    else:
        pytest.fail("the large task starved")
    assert overtaken <= bound


def test_time_counts_as_overtakings_do() -> None:
    assert keeping.instances_due(0, 1_000.0) == 0
    assert [keeping.instances_due(1, after) for after in (0.0, 29.0, 30.0, 60.0, 90.0)] == [0, 0, 1, 2, 4]
    assert [keeping.instances_due(count, 0.0) for count in (63, 64, 128, 192)] == [0, 1, 2, 4]


def test_nothing_is_kept_for_what_no_instance_could_take() -> None:
    base = _cluster(2, 4)
    queue: waitlist.Waitlist[None] = waitlist.Waitlist(base, random.Random(0))
    queue.add(Entry("huge", 0, 1_000, _ask(5), None, {"huge": None}))
    queue.add(Entry("large", 1, 1_000, _ask(4), None, {"large": None}))
    for name in ("i-0", "i-1"):
        base.reserve(name, _ask(1).load)
    assert queue.look(0.0) == []
    queue.placed(["i-0"] * 64, 0.0)
    assert queue.look(0.0) == []
    assert len(queue.kept) == 1
    queue.remove("large")
    assert queue.look(0.0) == []
    assert queue.kept == []
    assert base.reserved(0).cpu == 1


def test_a_release_tries_only_what_it_could_help() -> None:
    """Ten thousand wait, of a hundred shapes: one that ends makes room for the smallest alone."""
    base = _cluster(50, 100)
    queue: waitlist.Waitlist[None] = waitlist.Waitlist(base, random.Random(0))
    for name in base.ids:
        base.reserve(name, _ask(100).load)
    for number in range(10_000):
        key = f"{number:05}"
        queue.add(Entry(key, number, 1_000, _ask(1 + number % 100), None, {key: None}))
    assert queue.look(0.0) == []
    assert queue.looks == 100  # each shape once
    base.give_back("i-7", _ask(1).load)
    queue.gained(["i-7"])
    (pick,) = queue.look(0.0)
    queue.settle([pick])
    assert (pick.task_id, pick.instance_id) == ("00000", "i-7")
    assert queue.looks == 101
    assert queue.look(0.0) == []
    assert queue.looks == 101
