"""The event log on both engines."""

import asyncio
from collections.abc import Callable

import pytest

from longshore.storage import database, errors, log, steps
from longshore.storage.dialect import Dialect
from longshore.v1 import event_pb2


def event(task_id: str = "t") -> event_pb2.Event:
    return event_pb2.Event(task=event_pb2.TaskEvent(task_id=task_id))


def commit(dialect: Dialect, cluster: str, *task_ids: str, counts: log.Counts = log.NO_COUNTS) -> steps.Step[log.Head]:
    head = yield from log.take(dialect, cluster, len(task_ids), counts)
    yield from log.append(cluster, head, [event(task_id) for task_id in task_ids])
    return head


def committing(cluster: str, *task_ids: str) -> Callable[[Dialect], steps.Step[log.Head]]:
    return lambda dialect: commit(dialect, cluster, *task_ids)


@pytest.fixture
async def cluster(db: database.Database) -> str:
    await db.run(lambda _: log.create("web"))
    return "web"


async def test_events_are_stamped_with_sequence_and_time_in_order(db: database.Database, cluster: str) -> None:
    first = await db.run(lambda d: commit(d, cluster, "a", "b"))
    second = await db.run(lambda d: commit(d, cluster, "c"))
    assert (first.previous, first.sequence, second.previous, second.sequence) == (0, 2, 2, 3)
    assert first.now < second.now
    events = await db.read(lambda _: log.read_after(cluster, 0, 10))
    assert [(e.sequence, e.task.task_id) for e in events] == [(1, "a"), (2, "b"), (3, "c")]
    assert [e.at.ToMicroseconds() for e in events] == [first.now, first.now, second.now]


async def test_fifty_at_once_get_sequences_without_gaps_in_commit_order(db: database.Database, cluster: str) -> None:
    heads = await asyncio.gather(*(db.run(committing(cluster, *["t"] * (n % 3 + 1))) for n in range(50)))
    ordered = sorted(heads, key=lambda head: head.sequence)
    assert [head.previous for head in ordered] == [0, *(head.sequence for head in ordered[:-1])]
    assert [head.now for head in ordered] == sorted(head.now for head in heads)
    events = await db.read(lambda _: log.read_after(cluster, 0, 1_000))
    assert [e.sequence for e in events] == list(range(1, ordered[-1].sequence + 1))


async def test_numbers_of_a_failed_commit_are_given_again(db: database.Database, cluster: str) -> None:
    def failing(dialect: Dialect) -> steps.Step[None]:
        yield from commit(dialect, cluster, "lost", counts=log.Counts(pending=1))
        raise LookupError

    with pytest.raises(LookupError):
        await db.run(failing)
    assert (await db.run(lambda d: commit(d, cluster, "kept"))).sequence == 1


async def test_counters_ride_on_the_head(db: database.Database, cluster: str) -> None:
    await db.run(lambda d: commit(d, cluster, "a", counts=log.Counts(pending=3, instances=2)))
    await db.run(lambda d: commit(d, cluster, "b", counts=log.Counts(pending=-2, running=2)))
    row = await db.read(lambda _: steps.fetch_row("SELECT * FROM log_head"))
    assert row is not None
    assert (row["pending_tasks"], row["running_tasks"], row["registered_instances"]) == (1, 2, 2)


async def test_as_many_events_as_numbers_or_none(db: database.Database, cluster: str) -> None:
    def wrong(dialect: Dialect) -> steps.Step[None]:
        head = yield from log.take(dialect, cluster, 2)
        yield from log.append(cluster, head, [event()])

    with pytest.raises(ValueError, match="2 sequence numbers were taken for 1 events"):
        await db.run(wrong)
    assert await db.read(lambda _: log.sequence_of(cluster)) == 0


async def test_reading_is_paged_and_per_cluster(db: database.Database, cluster: str) -> None:
    await db.run(lambda _: log.create("other"))
    await db.run(lambda d: commit(d, cluster, *"abcde"))
    await db.run(lambda d: commit(d, "other", "x"))
    page = await db.read(lambda _: log.read_after(cluster, 1, 3))
    assert [e.task.task_id for e in page] == ["b", "c", "d"]
    assert await db.read(lambda _: log.read_after(cluster, 5, 3)) == []
    assert await db.read(lambda d: log.sequences_of(d, [cluster, "other", "none"])) == {cluster: 5, "other": 1}


async def test_a_cluster_without_a_log_says_so(db: database.Database) -> None:
    for work in (
        lambda d: log.take(d, "none", 1),
        lambda _: log.read_after("none", 0, 1),
        lambda _: log.sequence_of("none"),
    ):
        with pytest.raises(errors.NoLog, match="none"):
            await db.run(work)


async def test_creating_a_log_again_changes_nothing(db: database.Database, cluster: str) -> None:
    await db.run(lambda d: commit(d, cluster, "a"))
    await db.run(lambda _: log.create(cluster))
    assert await db.read(lambda _: log.sequence_of(cluster)) == 1


async def test_pruning_takes_the_oldest_and_a_pruned_cursor_names_what_is_left(
    db: database.Database, cluster: str
) -> None:
    heads = [await db.run(committing(cluster, f"{n}")) for n in range(6)]
    assert await db.run(lambda _: log.prune(cluster, heads[3].now, 100)) == 3
    assert await db.run(lambda _: log.prune(cluster, heads[3].now, 100)) == 0
    with pytest.raises(errors.CursorPruned) as caught:
        await db.read(lambda _: log.read_after(cluster, 2, 10))
    assert (caught.value.cluster, caught.value.cursor, caught.value.oldest) == (cluster, 2, 3)
    events = await db.read(lambda _: log.read_after(cluster, caught.value.oldest, 10))
    assert [e.sequence for e in events] == [4, 5, 6]


async def test_pruning_stops_at_its_limit(db: database.Database, cluster: str) -> None:
    await db.run(lambda d: commit(d, cluster, *"abcde"))
    future = (await db.run(lambda d: commit(d, cluster, "f"))).now + 1
    assert [await db.run(lambda _: log.prune(cluster, future, 4)) for _ in range(3)] == [4, 2, 0]
    assert await db.read(lambda _: log.read_after(cluster, 6, 10)) == []
    assert (await db.run(lambda d: commit(d, cluster, "g"))).sequence == 7


async def test_pruning_leaves_no_gap_where_the_clock_stepped_back(db: database.Database, cluster: str) -> None:
    await db.run(lambda d: commit(d, cluster, *"abc"))
    await db.run(lambda _: steps.execute("UPDATE events SET at = CASE sequence WHEN 2 THEN 100 ELSE 10 END"))
    assert await db.run(lambda _: log.prune(cluster, 50, 10)) == 1
    assert [e.sequence for e in await db.read(lambda _: log.read_after(cluster, 1, 10))] == [2, 3]
