"""History goes after its time, whole, and nothing that is still needed goes with it."""

import asyncio
import random

import pytest

from longshore.state_tracker import retention
from longshore.storage import log, tasks
from longshore.v1 import task_pb2
from tests.rpc.state_tracker.world import World

DAY_US = 86_400 * 1_000_000


async def observe(world: World, task_id: str, *, stopped_at: int, released: int = 1) -> None:
    await world.execute(
        "INSERT INTO task_observations (task_id, cluster, instance_id, last_status, stop_code, stopped_reason,"
        " stopped_at, released, revision, body) VALUES ($1, 'web', 'i', $2, 0, '', $3, $4, 1, $5)",
        task_id,
        task_pb2.TASK_STATUS_STOPPED,
        stopped_at,
        released,
        b"",
    )


def loop(world: World, **fields: float) -> retention.Retention:
    kept = {"task_days": 14.0, "max_tasks": 1_000, "event_days": 7.0, "max_events": 1_000_000} | fields
    return retention.Retention(world.database, rng=random.Random(1), **kept)  # type: ignore[arg-type]  # fields of the test


async def now(world: World) -> int:
    row = await world.row(f"SELECT {world.database.dialect.now} AS now")
    return int(row["now"])


async def test_only_settled_tasks_that_stopped_long_ago_are_forgotten(world: World) -> None:
    old, young, unsettled, unreleased, live = (await world.place("i", 5, publish=False)).task_ids
    at = await now(world)
    await observe(world, old, stopped_at=at - 15 * DAY_US)
    await observe(world, young, stopped_at=at - 13 * DAY_US)
    await observe(world, unsettled, stopped_at=at - 15 * DAY_US)
    await observe(world, unreleased, stopped_at=at - 15 * DAY_US, released=0)
    await world.settle(old, young)
    assert await loop(world).round() == 1
    left = await world.database.read(lambda _: tasks.listed("web", tasks.Filters(), "", 100))
    assert left == [young, unsettled, unreleased, live]
    seen = await world.database.read(lambda dialect: tasks.observations(dialect, [old, young]))
    assert list(seen) == [young]
    assert await loop(world).round() == 0


async def stopped_tasks(world: World) -> int:
    return int((await world.row("SELECT stopped_tasks FROM log_head WHERE cluster = 'web'"))["stopped_tasks"])


async def listed(world: World) -> list[str]:
    return await world.database.read(lambda _: tasks.listed("web", tasks.Filters(), "", 10_000))


async def test_of_too_many_stopped_tasks_the_oldest_go_and_the_latest_hour_stays(world: World) -> None:
    made = (await world.place("i", 6, publish=False)).task_ids
    at = await now(world)
    for task_id in made[1:5]:
        await observe(world, task_id, stopped_at=at - DAY_US // 2)
    await observe(world, made[0], stopped_at=at - 60_000_000)  # ran for long, stopped a minute ago
    await world.settle(*made[:5])
    await world.execute("UPDATE log_head SET stopped_tasks = 5")
    assert await loop(world, max_tasks=3).round() == 2
    assert await listed(world) == [made[0], *made[3:]]
    assert await stopped_tasks(world) == 3
    assert await loop(world, max_tasks=0).round() == 2
    assert await listed(world) == [made[0], made[5]]


async def test_the_count_of_stopped_tasks_goes_down_with_those_of_age_too_and_never_below_zero(world: World) -> None:
    made = (await world.place("i", 3, publish=False)).task_ids
    at = await now(world)
    for task_id in made:
        await observe(world, task_id, stopped_at=at - 15 * DAY_US)
    await world.settle(*made)
    await world.execute("UPDATE log_head SET stopped_tasks = 2")
    assert await loop(world).round() == 3
    assert await stopped_tasks(world) == 0


async def test_a_round_goes_on_behind_each_batch_to_the_end(world: World, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(retention, "BATCH", 2)
    monkeypatch.setattr(retention, "SHORTEST_PAUSE_S", 0.0)
    made = (await world.place("i", 9, publish=False)).task_ids
    at = await now(world)
    for task_id in made:
        await observe(world, task_id, stopped_at=at - 15 * DAY_US)
    await world.settle(*(task_id for task_id in made if task_id != made[3]))
    assert await loop(world).round() == 8
    assert await listed(world) == [made[3]]


async def test_two_trackers_that_forget_at_once_count_once(world: World) -> None:
    made = (await world.place("i", 400, publish=False)).task_ids
    at = await now(world)
    for task_id in made:
        await observe(world, task_id, stopped_at=at - 15 * DAY_US)
    await world.execute("UPDATE task_intents SET settled = 1")
    await world.execute("UPDATE log_head SET stopped_tasks = 1000")
    await asyncio.gather(*(loop(world).round() for _ in range(4)))
    assert await listed(world) == []
    assert await stopped_tasks(world) == 600


async def test_a_task_that_never_reached_a_host_is_forgotten_by_the_time_it_was_stopped(world: World) -> None:
    old, young = (await world.place("i", 2, publish=False)).task_ids
    at = await now(world)
    for task_id, days in ((old, 15), (young, 13)):
        await world.execute("UPDATE task_intents SET stopping_at = $2 WHERE task_id = $1", task_id, at - days * DAY_US)
    await world.settle(old, young)
    assert await loop(world).round() == 1
    assert await listed(world) == [young]


async def test_a_log_is_pruned_by_count_from_its_beginning(world: World) -> None:
    for _ in range(6):
        await world.place("i", 1, publish=False)
    await loop(world, max_events=2).round()
    kept = await world.events(after=4)
    assert [event.sequence for event in kept] == [5, 6]
    head = await world.row("SELECT pruned_sequence FROM log_head WHERE cluster = 'web'")
    assert head["pruned_sequence"] == 4


async def test_a_log_is_pruned_by_age(world: World) -> None:
    await world.place("i", 2, publish=False)
    await world.execute("UPDATE events SET at = at - $1 WHERE sequence = 1", 8 * DAY_US)
    assert await loop(world).round() == 1
    assert await world.database.read(lambda _: log.read_after("web", 1, 10)) == await world.events(after=1)
