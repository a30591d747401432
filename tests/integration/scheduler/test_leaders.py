"""Several schedulers on one PostgreSQL: who decides, who passes on, what a takeover keeps."""

import asyncio
from collections import Counter
from collections.abc import Awaitable, Callable

import pytest
import structlog

from longshore.rpc import errors
from longshore.scheduler import leaders
from longshore.storage import steps
from longshore.v1 import scheduler_service_pb2
from tests.integration.scheduler.conftest import StartScheduler
from tests.rpc.scheduler.world import World

PATIENCE_S = 15.0


def run_task(**fields: object) -> scheduler_service_pb2.RunTaskRequest:
    return scheduler_service_pb2.RunTaskRequest(**({"cluster": "web", "task_definition": "app:1"} | fields))  # type: ignore[arg-type]


def ids(answer: scheduler_service_pb2.RunTaskResponse) -> list[str]:
    return [task.task_arn.rpartition("/")[2] for task in answer.tasks]


async def test_a_standby_passes_on_and_the_leader_decides(start: StartScheduler, world: World) -> None:
    await world.add_instance()
    first, second = await start(), await start()
    await first.stub.RunTask(run_task())
    answer = await second.stub.RunTask(run_task(started_by="two"))
    assert len(answer.tasks) == 1
    (leader,) = (await second.stub.DescribeLeaders(scheduler_service_pb2.DescribeLeadersRequest())).leaders
    assert (leader.cluster, leader.address, leader.epoch, leader.expired) == ("web", first.address, 1, False)
    last = (await world.events())[-1]
    assert (last.task.started_by, last.principal) == ("two", "local-admin")
    refused = run_task(count=0)
    with pytest.raises(errors.InvalidParameterException, match="count is 0"):
        await second.stub.RunTask(refused)


async def test_a_refusal_of_the_leader_reaches_the_standbys_caller_as_it_is(
    start: StartScheduler, world: World
) -> None:
    first, second = await start(), await start()
    with pytest.raises(errors.InvalidParameterException):
        await first.stub.RunTask(run_task())
    with pytest.raises(errors.InvalidParameterException, match="No Container Instances were found"):
        await second.stub.RunTask(run_task())


async def test_a_leader_that_leaves_hands_over_at_once_with_its_reservations(
    start: StartScheduler, world: World
) -> None:
    await world.add_instance(cpu=1024)
    first, second = await start(lease_ms=60_000), await start(lease_ms=60_000)
    placed = ids(await first.stub.RunTask(run_task(count=3)))
    assert len(ids(await second.stub.RunTask(run_task()))) == 1
    await first.stack.aclose()
    refused = await _answered(second, run_task())
    assert [failure.detail for failure in refused.failures] == ["needs 256 CPU units, 0 of 1024 free"]
    await world.release(placed[0])
    assert len(ids(await second.stub.RunTask(run_task()))) == 1
    assert await world.value("SELECT epoch FROM leases WHERE cluster = 'web'") == 2
    assert (await world.reserved()).popitem()[1][0] == 1024


async def test_a_leader_whose_lease_was_taken_steps_down_and_passes_on(start: StartScheduler, world: World) -> None:
    await world.add_instance()
    first, second = await start(lease_ms=400), await start(lease_ms=400)
    await first.stub.RunTask(run_task())
    # The row says that another leads: what a takeover while this process was frozen leaves behind.
    await world.database.run(
        lambda dialect: steps.execute(
            f"UPDATE leases SET holder = 'x', address = $1, epoch = 9, expires_at = {dialect.now} + 800000",  # noqa: S608
            "127.0.0.1:1",
        )
    )
    with pytest.raises(errors.Unavailable):
        await first.stub.RunTask(run_task())
    answer = await _answered(first, run_task())
    assert len(answer.tasks) == 1
    assert await world.value("SELECT epoch FROM leases WHERE cluster = 'web'") == 10
    assert len((await second.stub.RunTask(run_task())).tasks) == 1


async def test_a_leader_that_leaves_is_not_missed_by_those_who_ask_another_replica(
    start: StartScheduler, world: World
) -> None:
    """No call is repeated here: what the leaving one had not taken up yet is decided by the other."""
    await world.add_instance(cpu=1 << 20, memory=1 << 20)
    first, second = await start(lease_ms=60_000), await start(lease_ms=60_000)
    await first.stub.RunTask(run_task())
    await known_to(world, 2)
    left = asyncio.Event()
    answered: list[str] = []

    async def ask(caller: int) -> None:
        number = 0
        while not left.is_set() or number < 10:
            answered.extend(ids(await second.stub.RunTask(run_task(client_token=f"{caller}-{number}"))))
            number += 1

    async with asyncio.TaskGroup() as group:
        for caller in range(8):
            group.create_task(ask(caller))
        await asyncio.sleep(0)
        await first.stack.aclose()
        left.set()
    assert await led(world) == {"web": second.address}
    assert await world.value("SELECT epoch FROM leases WHERE cluster = 'web'") == 2
    assert len(set(answered)) == len(answered)
    assert await world.value("SELECT COUNT(*) FROM task_intents") == len(answered) + 1


async def test_clusters_are_spread_and_one_that_comes_back_is_given_its_share(
    start: StartScheduler, world: World, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(leaders, "SETTLED_US", 0)
    names = [f"c{number}" for number in range(5)]
    for name in names:
        await world.create_cluster(name)
    first = await start()
    for name in names:
        with pytest.raises(errors.InvalidParameterException, match="No Container Instances"):
            await first.stub.RunTask(run_task(cluster=name))
    assert set((await led(world)).values()) == {first.address}
    second = await start()
    await until(lambda: spread_as(world, {first.address: 3, second.address: 2}))
    had = {cluster for cluster, address in (await led(world)).items() if address == second.address}
    for name in names:
        for one in (first, second):
            with pytest.raises(errors.InvalidParameterException, match="No Container Instances"):
                await _answered(one, run_task(cluster=name))
    await second.stack.aclose()
    assert set((await led(world)).values()) == {first.address}
    third = await start(listen=second.address)
    assert third.address == second.address
    await until(lambda: spread_as(world, {first.address: 3, third.address: 2}))
    assert {cluster for cluster, address in (await led(world)).items() if address == third.address} == had


async def led(world: World) -> dict[str, str]:
    """Who leads each cluster that anybody leads."""
    rows = await world.database.read(lambda _: steps.fetch("SELECT cluster, address FROM leases WHERE holder <> ''"))
    return {row["cluster"]: row["address"] for row in rows}


async def spread_as(world: World, wanted: dict[str, int]) -> bool:
    return Counter((await led(world)).values()) == wanted


async def known_to(world: World, count: int) -> None:
    """Return once so many schedulers have said that they are there."""

    async def there() -> bool:
        return await world.value("SELECT COUNT(*) FROM schedulers") == count

    await until(there)


async def until(holds: Callable[[], Awaitable[bool]]) -> None:
    """Return once it holds; the tables are asked, who tell nobody."""
    async with asyncio.timeout(PATIENCE_S):
        while not await holds():  # noqa: ASYNC110
            await asyncio.sleep(0.02)


async def test_a_takeover_goes_on_with_the_view_that_was_kept_up(start: StartScheduler, world: World) -> None:
    await world.add_instance(cpu=1024)
    with structlog.testing.capture_logs() as told:

        async def said(event: str, **fields: object) -> bool:
            return any(line["event"] == event and fields.items() <= line.items() for line in told)

        first, second = await start(lease_ms=60_000), await start(lease_ms=60_000)
        (released,) = ids(await first.stub.RunTask(run_task()))
        await until(lambda: said("standing_by", cluster="web"))
        await first.stub.RunTask(run_task(count=3))  # heard of, not read with the rest
        await first.stack.aclose()
        await world.release(released)
        assert len(ids(await second.stub.RunTask(run_task(count=2)))) == 1
        assert await said("view_loaded", epoch=2, warm=True)
    assert (await world.reserved()).popitem()[1][0] == 1024


async def test_releases_that_were_never_settled_are_after_a_takeover(start: StartScheduler, world: World) -> None:
    await world.add_instance(cpu=256)
    first = await start()
    (task_id,) = ids(await first.stub.RunTask(run_task()))
    await first.stack.aclose()
    await world.release(task_id)  # nobody leads, nobody hears
    second = await start()
    assert len(ids(await _answered(second, run_task()))) == 1
    assert await world.value("SELECT settled FROM task_intents WHERE task_id = $1", task_id) == 1


# ------------------------------------------------------------------------------------------------- client tokens


async def test_repetitions_in_flight_at_two_schedulers_are_one_request(start: StartScheduler, world: World) -> None:
    await world.add_instance(cpu=1 << 20, memory=1 << 20)
    first, second = await start(), await start()
    await first.stub.RunTask(run_task())
    answers = await asyncio.gather(
        *(scheduler.stub.RunTask(run_task(client_token="t", count=3)) for scheduler in (first, second) * 5)
    )
    assert len({tuple(ids(answer)) for answer in answers}) == 1
    assert len(ids(answers[0])) == 3
    assert await world.value("SELECT COUNT(*) FROM task_intents") == 4


async def test_a_repetition_is_answered_alike_after_a_takeover_whatever_has_happened_since(
    start: StartScheduler, world: World
) -> None:
    instance_id = await world.add_instance()
    first = await start()
    request = run_task(task_definition="app", client_token="t", count=2)
    answer = await first.stub.RunTask(request)
    await first.stack.aclose()
    await world.deregister("app", 1)
    await world.set_instance(instance_id, connected=False)
    second = await start()
    repeated = await _answered(second, request)
    assert ids(repeated) == ids(answer)
    assert repeated.HasField("cursor")
    assert await world.value("SELECT COUNT(*) FROM task_intents") == 2


async def test_another_request_under_a_used_token_conflicts_and_names_the_tasks(
    start: StartScheduler, world: World
) -> None:
    await world.add_instance()
    scheduler = await start()
    answer = await scheduler.stub.RunTask(run_task(client_token="t"))
    with pytest.raises(errors.ConflictException) as conflict:
        await scheduler.stub.RunTask(run_task(client_token="t", count=2))
    assert conflict.value.metadata["resourceIds"] == answer.tasks[0].task_arn


async def test_two_different_requests_race_for_a_token_and_one_wins(start: StartScheduler, world: World) -> None:
    await world.add_instance(cpu=1 << 20, memory=1 << 20)
    first, second = await start(), await start()
    outcomes = await asyncio.gather(
        *(
            scheduler.stub.RunTask(run_task(client_token="t", started_by=f"n{number % 2}"))
            for number, scheduler in enumerate((first, first, second, second) * 3)
        ),
        return_exceptions=True,
    )
    won = {tuple(ids(one)) for one in outcomes if isinstance(one, scheduler_service_pb2.RunTaskResponse)}
    lost = [one for one in outcomes if isinstance(one, errors.ConflictException)]
    assert (len(won), len(lost)) == (1, 6)
    assert await world.value("SELECT COUNT(*) FROM task_intents") == 1


async def test_a_request_that_placed_nothing_is_not_remembered(start: StartScheduler, world: World) -> None:
    await world.add_instance(cpu=64)
    scheduler = await start()
    assert not (await scheduler.stub.RunTask(run_task(client_token="t"))).tasks
    await world.add_instance()
    assert len((await scheduler.stub.RunTask(run_task(client_token="t", started_by="other"))).tasks) == 1


async def test_a_token_is_forgotten_after_a_day(start: StartScheduler, world: World) -> None:
    await world.add_instance()
    scheduler = await start()
    first = await scheduler.stub.RunTask(run_task(client_token="t"))
    day = 24 * 3600 * 1_000_000
    await world.database.run(lambda _: steps.execute(f"UPDATE client_tokens SET created_at = created_at - {day}"))  # noqa: S608
    second = await scheduler.stub.RunTask(run_task(client_token="t", count=2))
    assert len(ids(second)) == 2
    assert not set(ids(second)) & set(ids(first))
    assert ids(await scheduler.stub.RunTask(run_task(client_token="t", count=2))) == ids(second)


async def _answered(
    scheduler: object, request: scheduler_service_pb2.RunTaskRequest
) -> scheduler_service_pb2.RunTaskResponse:
    """What a client does: repeat while the answer is UNAVAILABLE."""
    async with asyncio.timeout(PATIENCE_S):
        while True:
            try:
                return await scheduler.stub.RunTask(request)  # type: ignore[attr-defined,no-any-return]
            except errors.Unavailable:
                await asyncio.sleep(0.02)
