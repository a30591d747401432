"""The tail of a cluster's log, over a real database and a bus that loses, repeats and reorders."""

import asyncio
import contextlib
import random
import uuid
from collections.abc import AsyncIterator, Callable
from contextlib import AbstractAsyncContextManager
from pathlib import Path
from typing import TypeVar

import pytest

from longshore.events import bus as buses
from longshore.events import heads, lag, tail
from longshore.storage import database, errors, log, steps
from longshore.storage.dialect import Dialect
from longshore.v1 import event_pb2, record_pb2
from tests.engines.postgres import PostgresServer
from tests.engines.redis import RedisServer

T = TypeVar("T")

SOON = 20.0


class UnreliableBus:
    """A bus that may, by a seeded chance, lose a publication, repeat it, or let it be overtaken."""

    def __init__(self, bus: buses.Bus, *, loss: float, seed: int) -> None:
        self._bus = bus
        self._loss = loss
        self._random = random.Random(seed)
        self._held: list[tuple[str, bytes]] = []

    async def publish(self, cluster: str, payload: bytes) -> None:
        self._held.append((cluster, payload))
        if self._random.random() < 0.5:
            self._random.shuffle(self._held)
            held, self._held = self._held, []
            for item in held:
                for _ in range(self._random.choice((1, 1, 2))):
                    if self._random.random() >= self._loss:
                        await self._bus.publish(*item)

    def subscribe(self, cluster: str) -> AbstractAsyncContextManager[buses.Subscription]:
        return self._bus.subscribe(cluster)

    async def reachable(self) -> bool:
        return await self._bus.reachable()

    async def close(self) -> None:
        await self._bus.close()


class CountingDatabase:
    """A database that counts its reads."""

    def __init__(self, db: database.Database) -> None:
        self._db = db
        self.dialect = db.dialect
        self.sessions = db.sessions
        self.reads = 0

    async def run(self, work: Callable[[Dialect], steps.Step[T]]) -> T:
        return await self._db.run(work)

    async def read(self, work: Callable[[Dialect], steps.Step[T]]) -> T:
        self.reads += 1
        return await self._db.read(work)

    async def close(self) -> None:
        await self._db.close()


@pytest.fixture
async def db(tmp_path: Path) -> AsyncIterator[database.Database]:
    opened = await database.open_database(f"sqlite://{tmp_path}/state.db")
    yield opened
    await opened.close()


@pytest.fixture
async def bus() -> AsyncIterator[buses.Bus]:
    opened = await buses.open_bus("memory://")
    yield opened
    await opened.close()


@pytest.fixture
async def web(db: database.Database) -> str:
    return await created(db)


async def created(db: database.Database) -> str:
    cluster = f"web-{uuid.uuid4().hex}"
    await db.run(lambda _: log.create(cluster))
    return cluster


async def commit(db: database.Database, bus: buses.Bus | None, cluster: str, count: int = 1) -> int:
    """Commit events, and publish them where there is a bus; the sequence they end with."""

    def work(dialect: Dialect) -> steps.Step[tuple[log.Head, list[event_pb2.Event]]]:
        head = yield from log.take(dialect, cluster, count)
        events = [event_pb2.Event(task=event_pb2.TaskEvent(task_id="t")) for _ in range(count)]
        yield from log.append(cluster, head, events)
        return head, events

    head, events = await db.run(work)
    if bus is not None:
        publication = record_pb2.Publication(
            cluster=cluster,
            previous_sequence=head.previous,
            sequence=head.sequence,
            events=events,
            assignments=[record_pb2.PublishedAssignment(container_instance_id="i")],
        )
        await bus.publish(cluster, publication.SerializeToString())
    return head.sequence


class Consumer:
    """Applies what a tail delivers, and checks that nothing is missing, repeated or out of order."""

    def __init__(self, followed: tail.LogTail) -> None:
        self.tail = followed
        self.position = followed.position
        self.publications: list[record_pb2.Publication] = []
        self._moved = asyncio.Event()

    async def run(self) -> None:
        async for publication in self.tail:
            assert publication.previous_sequence == self.position
            expected = list(range(self.position + 1, publication.sequence + 1))
            assert [event.sequence for event in publication.events] == expected
            self.position = publication.sequence
            self.publications.append(publication)
            self._moved.set()

    async def reach(self, sequence: int) -> None:
        async with asyncio.timeout(SOON):
            while self.position < sequence:
                self._moved.clear()
                await self._moved.wait()


@contextlib.asynccontextmanager
async def following(db: database.Database, bus: buses.Bus, cluster: str, start: int = 0) -> AsyncIterator[Consumer]:
    async with tail.LogTail(db, bus, cluster, start) as followed:
        consumer = Consumer(followed)
        running = asyncio.ensure_future(consumer.run())
        try:
            yield consumer
        finally:
            running.cancel()
            with contextlib.suppress(asyncio.CancelledError):
                await running


@pytest.mark.parametrize("seed", range(4))
@pytest.mark.parametrize("loss", [0.0, 0.3, 1.0])
async def test_every_event_is_delivered_once_and_in_order_whatever_the_bus_does(
    db: database.Database, bus: buses.Bus, web: str, loss: float, seed: int, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(heads, "INTERVAL", 0.05)
    monkeypatch.setattr(tail, "PAGE", 7)
    unreliable = UnreliableBus(bus, loss=loss, seed=seed)
    await commit(db, None, web, 5)
    chance = random.Random(seed)
    async with following(db, unreliable, web, start=2) as consumer:

        async def write() -> int:
            sequence = 0
            for _ in range(25):
                sequence = await commit(db, unreliable, web, chance.randint(1, 3))
                await asyncio.sleep(chance.random() * 0.003)
            return sequence

        await consumer.reach(max(await asyncio.gather(*(write() for _ in range(4)))))
    assert consumer.publications[0].previous_sequence == 2


async def test_publications_that_overtake_each_other_keep_their_assignments(
    db: database.Database, bus: buses.Bus, web: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(tail, "PATIENCE", 1.0)
    counting = CountingDatabase(db)
    async with following(counting, bus, web) as consumer:
        await consumer.reach(await commit(db, bus, web))
        reads = counting.reads
        unreliable = UnreliableBus(bus, loss=0.0, seed=1)
        last = 0
        for _ in range(50):
            last = await commit(db, unreliable, web)
        unreliable._random.seed(2)
        while unreliable._held:
            await unreliable.publish("nobody", b"")
        await consumer.reach(last)
    # The first may have come from the log, with what was there before the subscription.
    assert all(len(publication.assignments) == 1 for publication in consumer.publications[1:])
    assert counting.reads - reads <= 1


async def test_a_lost_publication_with_nothing_after_it_is_found_by_the_head(
    db: database.Database, bus: buses.Bus, web: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(heads, "INTERVAL", 0.05)
    async with following(db, bus, web) as consumer:
        await consumer.reach(await commit(db, bus, web))
        await consumer.reach(await commit(db, None, web, 3))
    assert not consumer.publications[-1].assignments


async def test_clusters_that_are_silent_share_one_question(
    db: database.Database, bus: buses.Bus, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(heads, "INTERVAL", 0.1)
    counting = CountingDatabase(db)
    clusters = [await created(db) for _ in range(30)]
    async with contextlib.AsyncExitStack() as stack:
        consumers = [await stack.enter_async_context(following(counting, bus, cluster)) for cluster in clusters]
        for consumer, cluster in zip(consumers, clusters, strict=True):
            await consumer.reach(await commit(db, bus, cluster))
        before, began = counting.reads, asyncio.get_running_loop().time()
        # The last lost publication is found by the shared question, so at least one was asked meanwhile.
        await consumers[-1].reach(await commit(db, None, clusters[-1]))
        await consumers[0].reach(await commit(db, None, clusters[0]))
        intervals = (asyncio.get_running_loop().time() - began) / 0.1
    asked = counting.reads - before
    assert 1 <= asked <= intervals + 2 + 2  # the questions, and the two reads of the log


async def test_silence_asks_only_the_head_and_not_the_log(
    db: database.Database, bus: buses.Bus, web: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(heads, "INTERVAL", 0.02)
    pages: list[int] = []
    real = tail._page

    def page(cluster: str, position: int) -> steps.Step[tuple[list[event_pb2.Event], int]]:
        pages.append(position)
        return real(cluster, position)

    monkeypatch.setattr(tail, "_page", page)
    counting = CountingDatabase(db)
    async with following(counting, bus, web) as consumer:
        await consumer.reach(await commit(db, bus, web))
        before = counting.reads
        async with asyncio.timeout(SOON):
            while counting.reads < before + 4:  # noqa: ASYNC110 - time itself is the subject
                await asyncio.sleep(0.01)
    assert pages == [0]  # the one at the start


async def test_catching_up_waits_until_the_consumer_has_applied_all_that_was_committed(
    db: database.Database, bus: buses.Bus, web: str
) -> None:
    async with following(db, bus, web) as consumer:
        for _ in range(20):
            sequence = await commit(db, None, web, 2)
            assert await consumer.tail.catch_up() >= sequence
            assert consumer.position >= sequence


async def test_catching_up_where_nothing_is_missing_returns_at_once(
    db: database.Database, bus: buses.Bus, web: str
) -> None:
    followed = tail.LogTail(db, bus, web, await commit(db, None, web, 3))
    assert await followed.catch_up() == 3
    await followed.aclose()


async def test_catching_up_without_a_consumer_is_unavailable(
    db: database.Database, bus: buses.Bus, web: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(tail, "CATCH_UP_TIMEOUT", 0.02)
    await commit(db, None, web)
    async with tail.LogTail(db, bus, web, 0) as followed:
        with pytest.raises(errors.Unavailable):
            await followed.catch_up()


async def test_who_waits_for_a_tail_that_is_closed_is_told(db: database.Database, bus: buses.Bus, web: str) -> None:
    await commit(db, None, web)
    followed = tail.LogTail(db, bus, web, 0)
    waiting = asyncio.ensure_future(followed.catch_up())
    async with asyncio.timeout(SOON):
        while not followed._waiting:  # noqa: ASYNC110 - the question to the database is on its way
            await asyncio.sleep(0.001)
    await followed.aclose()
    with pytest.raises(errors.Unavailable, match="no longer followed"):
        await waiting


async def test_a_cancelled_consumer_that_goes_on_misses_nothing(
    db: database.Database, bus: buses.Bus, web: str
) -> None:
    async with tail.LogTail(db, bus, web, 0) as followed:
        seen: list[int] = []
        committed = 0
        for round_ in range(40):
            committed = await commit(db, bus if round_ % 3 else None, web)
            with contextlib.suppress(TimeoutError):
                async with asyncio.timeout(round_ % 4 * 0.001):
                    seen += [event.sequence for event in (await anext(followed)).events]
        while not seen or seen[-1] < committed:
            seen += [event.sequence for event in (await anext(followed)).events]
    assert seen == list(range(1, committed + 1))


async def test_what_is_no_publication_is_read_from_the_log_instead(
    db: database.Database, bus: buses.Bus, web: str
) -> None:
    async with following(db, bus, web) as consumer:
        await consumer.reach(await commit(db, bus, web))
        sequence = await commit(db, None, web)
        await bus.publish(web, b"\xff\xff\xff")
        await consumer.reach(sequence)


async def test_a_position_that_was_pruned_ends_the_stream_with_the_oldest_there_is(
    db: database.Database, bus: buses.Bus, web: str
) -> None:
    await commit(db, None, web, 10)
    await db.run(lambda _: log.prune(web, 2**62, 6))
    async with tail.LogTail(db, bus, web, 3) as followed:
        with pytest.raises(errors.CursorPruned) as caught:
            await anext(followed)
    assert caught.value.oldest == 6


async def test_a_cluster_without_a_log_ends_the_stream(db: database.Database, bus: buses.Bus) -> None:
    async with tail.LogTail(db, bus, "none", 0) as followed:
        with pytest.raises(errors.NoLog):
            await anext(followed)


async def test_a_database_restored_from_an_older_copy_ends_the_stream(
    db: database.Database, bus: buses.Bus, web: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(heads, "INTERVAL", 0.02)
    await commit(db, None, web, 5)
    async with tail.LogTail(db, bus, web, 0) as followed:
        assert (await anext(followed)).sequence == 5
        await db.run(lambda _: steps.execute("UPDATE log_head SET sequence = 2"))
        with pytest.raises(errors.LogRewound) as caught:
            await asyncio.wait_for(anext(followed), SOON)
    assert (caught.value.position, caught.value.head) == (5, 2)


async def test_the_stream_goes_on_over_restarts_of_postgresql_and_redis(
    postgres_url: str, postgres: PostgresServer, redis_url: str, redis_server: RedisServer
) -> None:
    db = await database.open_database(postgres_url)
    bus = await buses.open_bus(redis_url)
    web = await created(db)
    stop = asyncio.Event()
    committed = [0]

    async def write() -> None:
        while not stop.is_set():
            with contextlib.suppress(errors.Unavailable):
                committed.append(await commit(db, bus, web))
            await asyncio.sleep(0.002)

    async with following(db, bus, web) as consumer:
        writing = asyncio.ensure_future(write())
        await consumer.reach(20)
        await asyncio.to_thread(redis_server.restart)
        await consumer.reach(committed[-1] + 20)
        await asyncio.to_thread(postgres.restart)
        await consumer.reach(committed[-1] + 20)
        stop.set()
        await writing
        await consumer.reach(max(committed))
        # The bus works again: what is committed now comes with its assignments.
        async with asyncio.timeout(SOON):
            while not consumer.publications[-1].assignments:
                await consumer.reach(await commit(db, bus, web))
    await bus.close()
    await db.close()


async def test_the_lag_is_what_was_committed_and_not_taken_in(db: database.Database, web: str) -> None:
    other = await created(db)
    await commit(db, None, web, 5)
    await commit(db, None, other, 2)
    reached = {web: 3, other: 2}
    shown: dict[str, int] = {}

    await lag.look(db, lambda: reached, shown)
    assert shown == {web: 2, other: 0}

    del reached[other]
    reached[web] = 7  # taken in since the head was read
    await lag.look(db, lambda: reached, shown)
    assert shown == {web: 0}

    shown[web] = 9
    await db.close()
    await lag.look(db, lambda: reached, shown)
    assert shown == {web: 9}, "while the database is away nobody knows better"
