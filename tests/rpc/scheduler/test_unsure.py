"""A database that does not say whether a commit went through, or is away: no answer is wrong and nothing is lost or overcommitted."""

import asyncio
import enum
from collections.abc import AsyncIterator, Callable
from typing import Any, TypeAlias, TypeVar

import pytest

from longshore.rpc import channels, errors
from longshore.scheduler import app, config
from longshore.storage import database, sessions, steps
from longshore.storage import errors as storage_errors
from longshore.storage.dialect import Dialect
from longshore.v1 import scheduler_service_pb2, scheduler_service_pb2_grpc, task_pb2
from tests.rpc.scheduler.world import World

Stub: TypeAlias = "scheduler_service_pb2_grpc.SchedulerServiceAsyncStub"
T = TypeVar("T")


class Fate(enum.Enum):
    """What becomes of the next write transaction."""

    COMMITTED_UNHEARD = enum.auto()
    LOST_UNHEARD = enum.auto()
    REFUSED = enum.auto()


class UnsureDatabase:
    """A real database whose next write transactions meet the given fates."""

    def __init__(self, inner: database.Database) -> None:
        self._inner = inner
        self.fates: list[Fate] = []

    @property
    def dialect(self) -> Dialect:
        return self._inner.dialect

    @property
    def sessions(self) -> sessions.Sessions | None:
        return self._inner.sessions

    async def run(self, work: Callable[[Dialect], steps.Step[T]]) -> T:
        fate = self.fates.pop(0) if self.fates else None
        if fate is Fate.REFUSED:
            raise storage_errors.Unavailable("the database is away")
        if fate is Fate.LOST_UNHEARD:
            raise storage_errors.CommitUnknown("the connection broke at the commit")
        result = await self._inner.run(work)
        if fate is Fate.COMMITTED_UNHEARD:
            raise storage_errors.CommitUnknown("the connection broke at the commit")
        return result

    async def read(self, work: Callable[[Dialect], steps.Step[T]]) -> T:
        return await self._inner.read(work)

    async def close(self) -> None:
        await self._inner.close()


@pytest.fixture
def unsure(db: database.Database) -> UnsureDatabase:
    return UnsureDatabase(db)


@pytest.fixture
async def scheduler(world: World, unsure: UnsureDatabase) -> AsyncIterator[Stub]:
    """Leads the cluster already, whose one instance has room for one task; renewals keep out of the way."""
    assert world.bus is not None
    await world.add_instance(cpu=256)
    options = config.Config(listen="127.0.0.1:0", leader_lease_ms=3_600_000)
    async with (
        app.serve(options, database=unsure, bus=world.bus) as serving,
        channels.connect(serving.address) as channel,
    ):
        stub: Stub = scheduler_service_pb2_grpc.SchedulerServiceStub(channel)
        first = await stub.RunTask(run_task())
        await world.release(first.tasks[0].task_arn.rpartition("/")[2])
        await _settled(world, 1)
        yield stub


def run_task(**fields: Any) -> scheduler_service_pb2.RunTaskRequest:
    return scheduler_service_pb2.RunTaskRequest(**({"cluster": "web", "task_definition": "app:1"} | fields))


async def _settled(world: World, count: int) -> None:
    async with asyncio.timeout(10), world.bus.subscribe("web"):  # type: ignore[union-attr]
        while await world.value("SELECT COUNT(*) FROM task_intents WHERE settled = 1") != count:  # noqa: ASYNC110 - nothing tells
            await asyncio.sleep(0.01)


async def test_a_commit_that_went_through_unheard_is_answered(
    scheduler: Stub, world: World, unsure: UnsureDatabase
) -> None:
    before = len(await world.events())
    unsure.fates = [Fate.COMMITTED_UNHEARD]
    answer = await scheduler.RunTask(run_task())
    assert (
        await world.value("SELECT COUNT(*) FROM task_intents WHERE task_id = $1", answer.tasks[0].task_arn[-32:]) == 1
    )
    assert len(await world.events()) == before + 1
    refused = await scheduler.RunTask(run_task())
    assert [failure.detail for failure in refused.failures] == ["needs 256 CPU units, 0 of 256 free"]


async def test_a_commit_that_was_lost_unheard_is_unavailable_and_its_room_is_free_again(
    scheduler: Stub, world: World, unsure: UnsureDatabase
) -> None:
    unsure.fates = [Fate.LOST_UNHEARD]
    with pytest.raises(errors.Unavailable, match="did not commit"):
        await scheduler.RunTask(run_task())
    assert len((await scheduler.RunTask(run_task())).tasks) == 1


async def test_the_truth_is_asked_for_until_the_database_tells(
    scheduler: Stub, world: World, unsure: UnsureDatabase
) -> None:
    unsure.fates = [Fate.COMMITTED_UNHEARD, Fate.REFUSED, Fate.REFUSED, Fate.LOST_UNHEARD]
    assert len((await scheduler.RunTask(run_task(client_token="t"))).tasks) == 1
    again = await scheduler.RunTask(run_task(client_token="t"))
    assert len(again.tasks) == 1
    assert await world.value("SELECT COUNT(*) FROM task_intents WHERE settled = 0") == 1


async def test_a_database_that_is_away_is_unavailable_and_its_room_is_free_again(
    scheduler: Stub, unsure: UnsureDatabase
) -> None:
    unsure.fates = [Fate.REFUSED]
    with pytest.raises(errors.Unavailable, match="the database is away"):
        await scheduler.RunTask(run_task())
    assert len((await scheduler.RunTask(run_task())).tasks) == 1


@pytest.mark.parametrize("fate", list(Fate))
async def test_a_stop_is_carried_out_once_whatever_was_heard_of_it(
    scheduler: Stub, world: World, unsure: UnsureDatabase, fate: Fate
) -> None:
    arn = (await scheduler.RunTask(run_task())).tasks[0].task_arn
    unsure.fates = [fate]
    request = scheduler_service_pb2.StopTaskRequest(cluster="web", task=arn)
    if fate is Fate.REFUSED:
        with pytest.raises(errors.Unavailable):
            await scheduler.StopTask(request)
    answer = await scheduler.StopTask(request)
    assert (answer.task.last_status, answer.task.version) == (task_pb2.TASK_STATUS_STOPPING, 2)
    assert [event.task.version for event in await world.events() if event.task.task_id == arn[-32:]] == [1, 2]


@pytest.mark.parametrize("fate", list(Fate))
async def test_a_release_gives_its_room_back_once_whatever_was_heard_of_it(
    scheduler: Stub, world: World, unsure: UnsureDatabase, fate: Fate
) -> None:
    task_id = (await scheduler.RunTask(run_task())).tasks[0].task_arn[-32:]
    unsure.fates = [fate]
    await world.release(task_id)
    await _settled(world, 2)
    placed = [len((await _answered(scheduler, run_task())).tasks) for _ in range(2)]
    assert placed == [1, 0]


async def _answered(
    scheduler: Stub, request: scheduler_service_pb2.RunTaskRequest
) -> scheduler_service_pb2.RunTaskResponse:
    async with asyncio.timeout(10):
        while True:
            try:
                return await scheduler.RunTask(request)
            except errors.Unavailable:
                await asyncio.sleep(0.02)
