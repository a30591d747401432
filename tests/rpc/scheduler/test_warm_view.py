"""A standby's view, whatever has happened since it was read, is the one that would be read anew."""

import asyncio
import contextlib
import random
from collections.abc import AsyncIterator
from typing import TypeAlias

import pytest

from longshore.scheduler import snapshot, view, warm_view
from longshore.storage import steps
from longshore.v1 import common_pb2, scheduler_service_pb2, scheduler_service_pb2_grpc, task_definition_pb2, task_pb2
from tests.rpc.scheduler.world import DRAINING, World, definition

Stub: TypeAlias = "scheduler_service_pb2_grpc.SchedulerServiceAsyncStub"

PATIENCE_S = 15.0
GPUS = common_pb2.Resource(name="GPU", type="STRINGSET", string_set_value=["g0", "g1"])
STATIC, DYNAMIC = 8080, range(40_000, 40_010)
FAMILIES = ("app", "static", "gpu")
STEPS = 25


@contextlib.asynccontextmanager
async def standing_by(world: World) -> AsyncIterator[tuple[warm_view.WarmView, "asyncio.Task[None]"]]:
    assert world.bus is not None
    loaded = await world.database.read(lambda _: view.load("web"))
    warm = warm_view.WarmView(world.database, world.bus, "web", loaded)
    task = asyncio.create_task(warm.run())
    yield warm, task
    task.cancel()
    await asyncio.wait((task,))


async def taken(warm: warm_view.WarmView, task: "asyncio.Task[None]") -> view.Taken:
    """What a takeover does."""
    await warm.catch_up()
    task.cancel()
    await asyncio.wait((task,))
    return await warm.finish()


def shown(base: snapshot.Snapshot) -> dict[str, object]:
    """All that a decision could see of a snapshot."""
    return {
        instance_id: (
            base.facts[row],
            base.reserved(row),
            {group: count for group, count in base.held[row].items() if count},
            base.tasks[row],
            [port for port in (STATIC, *DYNAMIC) if base.port_taken(row, port)],
        )
        for instance_id, row in sorted(base.rows.items())
    }


async def settled(world: World) -> None:
    """Return once the leader has given back all that was released; it tells nobody."""
    async with asyncio.timeout(PATIENCE_S):
        while await world.value(  # noqa: ASYNC110
            "SELECT COUNT(*) FROM task_intents i JOIN task_observations o ON o.task_id = i.task_id"
            " WHERE i.settled = 0 AND o.released = 1"
        ):
            await asyncio.sleep(0.01)


@pytest.mark.parametrize("seed", range(2))
async def test_what_is_followed_is_what_would_be_read(scheduler: Stub, world: World, seed: int) -> None:
    source = random.Random(seed)
    await world.register(definition("static", ports=[STATIC]))
    await world.register(definition("gpu", gpus=1))
    hosts = [await world.add_instance(resources=[GPUS]) for _ in range(3)]
    running: list[str] = []
    reported: set[str] = set()

    async def run() -> None:
        request = scheduler_service_pb2.RunTaskRequest(
            cluster="web", task_definition=source.choice(FAMILIES), count=source.randint(1, 4)
        )
        request.group = source.choice(("one", "two"))
        answer = await scheduler.RunTask(request)
        running.extend(task.task_arn.rpartition("/")[2] for task in answer.tasks)

    async def report() -> None:
        if new := [task_id for task_id in running if task_id not in reported]:
            task_id = source.choice(new)
            reported.add(task_id)
            await world.observe(
                task_id,
                [
                    task_pb2.NetworkBinding(
                        host_port=source.choice(DYNAMIC), protocol=task_definition_pb2.TRANSPORT_PROTOCOL_TCP
                    )
                ],
            )

    async def release() -> None:
        if running:
            await world.release(running.pop(source.randrange(len(running))))

    async def change() -> None:
        await world.set_instance(source.choice(hosts), status=source.choice((1, DRAINING)), connected=True)

    async def join() -> None:
        hosts.append(await world.add_instance())

    for _ in range(5):
        await run()
    async with standing_by(world) as (warm, task):
        for _ in range(STEPS):
            await source.choice((run, run, report, release, release, change, join))()
        await settled(world)
        got = await taken(warm, task)
        loaded = await world.database.read(lambda _: view.load("web"))
        assert shown(got.snapshot) == shown(view.build(loaded))
        assert (got.position, got.released, got.snapshot.seen) == (loaded.position, (), loaded.seen)


async def test_a_release_that_the_last_leader_has_not_settled_is_the_next_ones_to_settle(world: World) -> None:
    """Nobody settles here: what is released still counts, and is named."""
    instance_id = await world.add_instance()
    task_ids = [f"{number:032x}" for number in (1, 2)]
    for task_id in task_ids:
        await placed(world, task_id, instance_id)
    async with standing_by(world) as (warm, task):
        for task_id in task_ids:
            await world.release(task_id)
        await world.database.run(
            lambda _: steps.execute("UPDATE task_intents SET settled = 1 WHERE task_id = $1", task_ids[0])
        )
        got = await taken(warm, task)
    assert got.released == (task_ids[1],)
    assert got.snapshot.reserved(got.snapshot.rows[instance_id]).cpu == 256


async def test_a_release_that_is_told_twice_is_not_given_back_twice(world: World) -> None:
    """As trackers of older releases tell it, with an exit code that comes late."""
    instance_id = await world.add_instance()
    task_ids = [f"{number:032x}" for number in (1, 2)]
    for task_id in task_ids:
        await placed(world, task_id, instance_id)
    async with standing_by(world) as (warm, task):
        await world.release(task_ids[0])
        await world.database.run(
            lambda _: steps.execute("UPDATE task_intents SET settled = 1 WHERE task_id = $1", task_ids[0])
        )
        row = warm.snapshot.rows[instance_id]
        async with asyncio.timeout(PATIENCE_S):
            while warm.snapshot.reserved(row).cpu != 256:  # noqa: ASYNC110 - it tells nobody when it has read on
                await asyncio.sleep(0.01)
        await world.tell_again(task_ids[0])
        with pytest.raises(warm_view.Outdated):
            await taken(warm, task)


async def test_a_view_whose_released_tasks_are_forgotten_meanwhile_is_read_anew(world: World) -> None:
    instance_id = await world.add_instance()
    task_id = "f" * 32
    await placed(world, task_id, instance_id)
    async with standing_by(world) as (warm, task):
        await warm.catch_up()
        task.cancel()
        await asyncio.wait((task,))
        warm._released[task_id] = None  # as heard of, and not read yet
        await world.database.run(lambda _: steps.execute("DELETE FROM task_intents"))
        with pytest.raises(warm_view.Outdated):
            await warm.finish()


async def placed(world: World, task_id: str, instance_id: str) -> None:
    """A task as a leader that is gone has left it."""
    await world.database.run(
        lambda _: steps.execute(
            "INSERT INTO task_intents (task_id, cluster, instance_id, family, definition_revision, group_name, started_by,"
            " launch_type, desired_status, stop_code, stopped_reason, created_at, stopping_at, revision, assignment_revision,"
            " settled, cpu, memory, ports, body, resources) VALUES ($1, 'web', $2, 'app', 1, 'g', '', 1, 1, 0, '', 1, NULL, 1,"
            " 1, 0, 256, 128, NULL, $3, NULL)",
            task_id,
            instance_id,
            b"",
        )
    )
