"""What has been answered binds every later placement: two real connections race on PostgreSQL."""

import asyncio
import random
from collections.abc import Awaitable, Callable

import asyncpg
import pytest

from longshore.rpc import arns, errors
from longshore.scheduler import asked, commit, leadership, requirements, resolving, snapshot, work
from longshore.storage import definitions, steps
from longshore.storage.dialect import Dialect
from longshore.v1 import event_pb2, scheduler_service_pb2, task_pb2
from tests.integration.scheduler.conftest import Held, StartScheduler
from tests.rpc.scheduler.world import ACTIVE, DRAINING, INACTIVE, World, definition

Hold = Callable[..., Awaitable[Held]]
Waits = Callable[[], Awaitable[None]]

PLACE = arns.Place("123456789012", "us-east-1")


def run_task(count: int = 1, **fields: object) -> scheduler_service_pb2.RunTaskRequest:
    return scheduler_service_pb2.RunTaskRequest(
        **({"cluster": "web", "task_definition": "app:1", "count": count} | fields)  # type: ignore[arg-type]
    )


def batch(instance_id: str, *, seen: int, epoch: int = 1, holder: str = "old", task_id: str = "f" * 32) -> work.Batch:
    """What a leader that has decided is about to commit: one task of `app:1`."""
    made = definition()
    wanted = work.Wanted(
        asked=asked.of_run_task(run_task(), place=PLACE),
        revision=definitions.Key("app", 1),
        definition=made,
        needs=requirements.of(made, task_pb2.TaskOverride()),
        body=b"",
        cause=work.Cause("test", "r"),
        place=PLACE,
    )
    return work.Batch(
        cluster="web",
        holder=holder,
        epoch=epoch,
        footing=work.Footing(seen, {instance_id: snapshot.Reserved(256, 128)}),
        placements=(work.Decided(0, wanted, (work.Slot(task_id, instance_id),), ()),),
        stops=(),
    )


async def lead(world: World, holder: str) -> leadership.Lease:
    candidate = leadership.Candidate(holder, f"{holder}:1", lease_us=60_000_000)
    return await world.database.run(lambda dialect: leadership.take_over(dialect, "web", candidate))


async def let_lapse(world: World) -> None:
    await world.database.run(lambda _: steps.execute("UPDATE leases SET expires_at = 0"))


# ------------------------------------------------------------------------------------------------- drain


@pytest.mark.parametrize("change", [{"status": DRAINING}, {"status": INACTIVE}, {"connected": False}])
async def test_a_change_of_an_instance_that_commits_first_binds_the_placement_that_waits_for_it(
    start: StartScheduler, world: World, hold: Hold, somebody_waits: Waits, change: dict[str, object]
) -> None:
    leaving, staying = await world.add_instance(), await world.add_instance(cpu=64)
    scheduler = await start()
    await scheduler.stub.RunTask(run_task())  # the view is warm and knows both
    other = await hold()
    await other.drive(world.setting(leaving, **change))  # type: ignore[arg-type]
    placing = asyncio.ensure_future(scheduler.stub.RunTask(run_task()))
    await somebody_waits()
    await other.commit()
    answer = await placing
    assert not answer.tasks
    reasons = {failure.arn.rpartition("/")[2]: failure.reason for failure in answer.failures}
    assert reasons[staying] == "RESOURCE:CPU"
    assert reasons.get(leaving, "AGENT") == "AGENT"


async def test_a_drain_waits_for_the_placement_that_holds_the_membership_and_then_sees_its_task(
    world: World, hold: Hold, somebody_waits: Waits
) -> None:
    instance_id = await world.add_instance()
    await lead(world, "old")
    placing, draining = await hold(), await hold()
    await placing.drive(commit.commit(world.database.dialect, batch(instance_id, seen=1)), until=2)
    drain = asyncio.ensure_future(draining.drive(world.setting(instance_id, status=DRAINING)))
    await somebody_waits()
    outcome = await placing.go_on()
    await placing.commit()
    await drain
    seen = await draining.connection.fetchval("SELECT count(*) FROM task_intents WHERE instance_id = $1", instance_id)
    assert (len(outcome.intents[0]), seen) == (1, 1)


async def test_a_deregistration_that_found_no_task_leaves_none_behind(
    world: World, hold: Hold, somebody_waits: Waits
) -> None:
    instance_id = await world.add_instance()
    await lead(world, "old")
    leaving, placing = await hold(), await hold()
    await leaving.drive(world.setting(instance_id, status=INACTIVE))
    assert await leaving.connection.fetchval("SELECT count(*) FROM task_intents") == 0
    committing = asyncio.ensure_future(placing.drive(commit.commit(world.database.dialect, batch(instance_id, seen=1))))
    await somebody_waits()
    await leaving.commit()
    outcome: work.Outcome = await committing
    await placing.commit()
    assert (outcome.deferred, outcome.head, outcome.seen) == (frozenset({0}), None, 2)
    assert [fact.status for fact in outcome.changed] == [INACTIVE]
    assert await world.value("SELECT COUNT(*) FROM task_intents") == 0


async def test_an_instance_that_shrank_or_lost_an_attribute_is_decided_again(world: World) -> None:
    instance_id = await world.add_instance(cpu=256)
    await lead(world, "old")
    ready = batch(instance_id, seen=1)
    await world.set_instance(instance_id)  # changed, but not so that it matters
    assert (await world.database.run(lambda dialect: commit.commit(dialect, ready))).intents
    small = await world.add_instance(cpu=128)
    decided_before = batch(small, seen=2, task_id="e" * 32)
    outcome = await world.database.run(lambda dialect: commit.commit(dialect, decided_before))
    assert outcome.deferred == frozenset({0})


async def test_drains_under_load_bind_by_the_order_of_the_log(start: StartScheduler, world: World) -> None:
    ids = [await world.add_instance(cpu=1 << 20, memory=1 << 20) for _ in range(4)]
    scheduler = await start()
    stop = asyncio.Event()
    answered = 0

    async def place() -> None:
        nonlocal answered
        while not stop.is_set():
            answered += len((await scheduler.stub.RunTask(run_task(count=3))).tasks)

    async def move() -> None:
        chance = random.Random(1)
        moved = 0
        while moved < 60 or answered <= 50:  # however busy the machine is
            moved += 1
            instance_id = chance.choice(ids)
            await world.set_instance(instance_id, status=chance.choice([ACTIVE, DRAINING]))
        for instance_id in ids:
            await world.set_instance(instance_id)
        stop.set()

    async with asyncio.TaskGroup() as group:
        for _ in range(6):
            group.create_task(place())
        # One instance stays open, so that placements never run dry.
        ids.pop()
        group.create_task(move())
    placed_on_closed, placements = _replay(await world.events())
    assert placements > 50
    assert placed_on_closed == []


def _replay(events: list[event_pb2.Event]) -> tuple[list[str], int]:
    """Placements, in commit order, onto instances that were not ACTIVE then."""
    open_now: dict[str, bool] = {}
    wrong, placements = [], 0
    for event in events:
        if event.HasField("container_instance"):
            change = event.container_instance
            open_now[change.container_instance_id] = change.status == ACTIVE and change.agent_connected
        elif event.task.version == 1:
            placements += 1
            if not open_now[event.task.container_instance_id]:
                wrong.append(event.task.task_id)
    return wrong, placements


# ------------------------------------------------------------------------------------------------- takeover


async def test_a_leader_that_was_overtaken_commits_nothing(world: World) -> None:
    instance_id = await world.add_instance()
    old = await lead(world, "old")
    await let_lapse(world)
    new = await lead(world, "new")
    assert (old.epoch, new.epoch, new.holder) == (1, 2, "new")
    before = len(await world.events())
    with pytest.raises(leadership.Deposed):
        await world.database.run(lambda dialect: commit.commit(dialect, batch(instance_id, seen=1)))
    assert await world.value("SELECT COUNT(*) FROM task_intents") == 0
    assert len(await world.events()) == before


async def test_a_lease_that_has_not_run_out_is_not_taken(world: World) -> None:
    await lead(world, "old")
    lease = await lead(world, "new")
    assert (lease.holder, lease.epoch) == ("old", 1)


async def test_a_takeover_waits_for_the_commit_that_holds_the_lease_and_the_next_one_is_fenced(
    world: World, hold: Hold, somebody_waits: Waits
) -> None:
    instance_id = await world.add_instance()
    await lead(world, "old")
    await let_lapse(world)
    placing = await hold()
    await placing.drive(commit.commit(world.database.dialect, batch(instance_id, seen=1)), until=3)
    taking = asyncio.ensure_future(lead(world, "new"))
    await somebody_waits()
    await placing.go_on()
    await placing.commit()
    lease = await taking
    assert (lease.holder, lease.epoch) == ("new", 2)
    assert await world.value("SELECT COUNT(*) FROM task_intents") == 1
    with pytest.raises(leadership.Deposed):
        await world.database.run(lambda dialect: commit.commit(dialect, batch(instance_id, seen=1, task_id="e" * 32)))


async def _length(world: World, instance_id: str) -> int:
    """Statements of one commit."""

    def count(dialect: Dialect) -> steps.Step[int]:
        inner, sent, number = commit.commit(dialect, batch(instance_id, seen=1)), None, 0
        while True:
            try:
                statement = inner.send(sent)
            except StopIteration:
                raise _CountedError(number) from None
            sent = yield statement
            number += 1

    with pytest.raises(_CountedError) as counted:
        await world.database.run(count)
    return counted.value.number


class _CountedError(Exception):
    def __init__(self, number: int) -> None:
        super().__init__(number)
        self.number = number


async def test_a_leader_frozen_at_any_statement_of_its_commit_loses_the_lease_and_leaves_nothing(
    world: World, hold: Hold
) -> None:
    instance_id = await world.add_instance()
    await lead(world, "old")
    length = await _length(world, instance_id)
    assert length > 6
    for frozen_after in range(1, length + 1):
        await world.database.run(lambda _: steps.execute("UPDATE leases SET holder = 'old', epoch = 1, expires_at = 0"))
        placing = await hold(idle_timeout_ms=50)
        await placing.drive(commit.commit(world.database.dialect, batch(instance_id, seen=1)), until=frozen_after)
        lease = await lead(world, "new")  # waits until the server has ended the frozen session
        assert (lease.holder, lease.epoch) == ("new", 2)
        with pytest.raises((asyncpg.PostgresError, asyncpg.InterfaceError, asyncpg.InternalClientError)):
            await _finish(placing)
    assert await world.value("SELECT COUNT(*) FROM task_intents") == 0
    assert await world.value("SELECT COUNT(*) FROM assignments") == 0


async def _finish(held: Held) -> None:
    await held.go_on()
    await held.commit()


# ------------------------------------------------------------------------------------------------- definitions, clusters


async def test_a_deregistered_definition_binds_the_placement_that_waits_for_it(
    start: StartScheduler, world: World, hold: Hold, somebody_waits: Waits
) -> None:
    await world.add_instance()
    scheduler = await start()
    assert (await scheduler.stub.RunTask(run_task())).tasks
    registry = await hold()
    await registry.drive(world.deregistering("app", 1))
    placing = asyncio.ensure_future(scheduler.stub.RunTask(run_task()))
    await somebody_waits()
    await registry.commit()
    with pytest.raises(errors.ClientException, match="TaskDefinition is inactive"):
        await placing
    assert await world.value("SELECT COUNT(*) FROM task_intents") == 1


async def test_a_family_whose_latest_revision_goes_meanwhile_runs_the_one_before(
    start: StartScheduler, world: World, hold: Hold, somebody_waits: Waits
) -> None:
    await world.add_instance()
    await world.register(definition("app", 2))
    scheduler = await start()
    registry = await hold()
    await registry.drive(world.deregistering("app", 2, latest=1))
    placing = asyncio.ensure_future(scheduler.stub.RunTask(run_task(task_definition="app")))
    await somebody_waits()
    await registry.commit()
    (task,) = (await placing).tasks
    assert task.task_definition_arn.endswith("app:1")


# ------------------------------------------------------------------------------------------------- room


async def test_nothing_is_overcommitted_however_many_ask_at_once(start: StartScheduler, world: World) -> None:
    for _ in range(3):
        await world.add_instance(cpu=1024, memory=4096)
    scheduler = await start()
    answers = await asyncio.gather(*(scheduler.stub.RunTask(run_task(count=2)) for _ in range(20)))
    assert sum(len(answer.tasks) for answer in answers) == 12
    assert all(cpu <= 1024 for cpu, _ in (await world.reserved()).values())
    placed = [task for answer in answers for task in answer.tasks]
    await world.release(placed[0].task_arn.rpartition("/")[2])
    again = await asyncio.gather(*(scheduler.stub.RunTask(run_task()) for _ in range(5)))
    assert sum(len(answer.tasks) for answer in again) == 1
    assert all(cpu <= 1024 for cpu, _ in (await world.reserved()).values())


# ------------------------------------------------------------------------------------------------- unheard commits


async def test_reading_back_waits_for_a_commit_that_is_still_on_its_way(
    world: World, hold: Hold, somebody_waits: Waits
) -> None:
    instance_id = await world.add_instance()
    await lead(world, "old")
    ready = batch(instance_id, seen=1)
    placing = await hold()
    await placing.drive(commit.commit(world.database.dialect, ready))
    reading = asyncio.ensure_future(world.database.run(lambda dialect: resolving.read_back(dialect, ready)))
    await somebody_waits()
    await placing.commit()
    assert list(await reading) == ["f" * 32]
