"""The agents' stream, spoken by a fake agent over a real port."""

import asyncio
from collections.abc import Awaitable, Callable

import pytest

from longshore.rpc import errors
from longshore.v1 import agent_service_pb2, common_pb2, event_pb2, task_pb2
from tests.rpc.state_tracker import fake_agent
from tests.rpc.state_tracker.fake_agent import PENDING, RUNNING, STOPPED, Identity, exited, observed, session
from tests.rpc.state_tracker.world import World

Join = Callable[..., Awaitable[Identity]]
Start = Callable[..., Awaitable[str]]


async def test_a_hello_is_welcomed_and_given_a_full_set(address: str, world: World, join: Join) -> None:
    identity = await join()
    placed = await world.place(identity.instance_id, 2, publish=False)
    async with session(address, identity) as agent:
        assert (agent.welcome.session_epoch, agent.welcome.recorded_report) == (1, 0)
        assert (agent.welcome.heartbeat_interval_ms, agent.welcome.lease_ms) == (5_000, 60_000)
        full = await agent.assigned()
    assert (full.base_revision, full.revision) == (0, 1)
    assert fake_agent.task_ids([full]) == placed.task_ids
    assert [definition.key for definition in full.definitions] == ["app:1"]
    assert [c.image for c in full.definitions[0].task_definition.container_definitions] == ["busybox", "alpine"]


async def test_published_assignments_arrive_as_increments(address: str, world: World, join: Join) -> None:
    identity = await join()
    async with session(address, identity) as agent:
        empty = await agent.assigned()
        assert (empty.base_revision, empty.revision, list(empty.tasks)) == (0, 0, [])
        await world.place(identity.instance_id)
        await agent.assigned()  # from now on the tracker hears the bus
        first = await world.place(identity.instance_id)
        second = await world.place(identity.instance_id)
        got = [await agent.assigned(), await agent.assigned()]
    assert [(one.base_revision, one.revision) for one in got] == [(1, 2), (2, 3)]
    assert fake_agent.task_ids(got) == first.task_ids + second.task_ids


async def test_what_is_published_while_a_message_is_unacknowledged_gathers_in_one(
    address: str, world: World, join: Join
) -> None:
    identity = await join()
    async with session(address, identity) as agent:
        await agent.assigned()
        await world.place(identity.instance_id)
        await agent.assigned()  # from now on the tracker hears the bus
        await world.place(identity.instance_id)
        first = await agent.receive()
        for _ in range(3):
            await world.place(identity.instance_id)
        task_id = first.assignments[0].tasks[0].task_id
        # The acknowledgement of a report is no content: it does not wait, and nothing came before it.
        await agent.report(observed(task_id, PENDING))
        assert [one.revision for one in agent.assignments] == [2]
        await agent.ack(2)
        gathered = await agent.receive()
    assert [(one.base_revision, one.revision) for one in gathered.assignments] == [(2, 3), (3, 4), (4, 5)]


async def test_a_lost_publication_is_read_from_the_tables(address: str, world: World, join: Join) -> None:
    identity = await join()
    async with session(address, identity) as agent:
        await agent.assigned()
        lost = await world.place(identity.instance_id, publish=False)
        heard = await world.place(identity.instance_id)
        got: list[agent_service_pb2.Assignment] = []
        while len(fake_agent.task_ids(got)) < 2:
            got.append(await agent.assigned())
    assert fake_agent.task_ids(got) == lost.task_ids + heard.task_ids
    assert (got[0].base_revision, got[-1].revision) == (0, 2)


async def test_with_the_bus_silent_the_log_leads_to_the_assignment(address: str, world: World, join: Join) -> None:
    identity = await join()
    async with session(address, identity, revision=0) as agent:
        await agent.assigned()
        placed = await world.place(identity.instance_id, publish=False)
        given = await agent.assigned()
        assert [(task.task_id, task.launch_type) for task in given.tasks] == [
            (placed.task_ids[0], common_pb2.LAUNCH_TYPE_EC2)
        ]
        await world.stop(placed.task_ids[0], publish=False)
        stopping = await agent.assigned()
    assert [stop.task_id for stop in stopping.stops] == placed.task_ids


async def test_a_returning_agent_is_given_what_changed_since_its_revision(
    address: str, world: World, join: Join
) -> None:
    identity = await join()
    known = await world.place(identity.instance_id)
    async with session(address, identity) as agent:
        await agent.assigned()
    fresh = await world.place(identity.instance_id, publish=False)
    await world.stop(known.task_ids[0], publish=False)
    async with session(address, identity, revision=1) as agent:
        got = await agent.assigned()
    assert (got.base_revision, got.revision) == (1, 3)
    assert fake_agent.task_ids([got]) == fresh.task_ids
    assert [stop.task_id for stop in got.stops] == known.task_ids


async def test_a_task_that_has_ended_is_never_assigned_again(address: str, world: World, join: Join) -> None:
    identity = await join()
    placed = await world.place(identity.instance_id, 2)
    async with session(address, identity) as agent:
        await agent.assigned()
        await agent.report(exited(placed.task_ids[0]))
    async with session(address, identity) as agent:
        full = await agent.assigned()
    assert fake_agent.task_ids([full]) == placed.task_ids[1:]


async def test_a_revision_that_the_tables_never_had_gets_a_full_set(address: str, world: World, join: Join) -> None:
    identity = await join()
    placed = await world.place(identity.instance_id)
    async with session(address, identity, revision=99) as agent:
        full = await agent.assigned()
    assert (full.base_revision, full.revision, fake_agent.task_ids([full])) == (0, 1, placed.task_ids)


async def test_reports_are_recorded_with_their_times_counters_and_events(
    address: str, world: World, join: Join
) -> None:
    identity = await join()
    placed = await world.place(identity.instance_id, 2)
    first, second = placed.task_ids
    async with session(address, identity) as agent:
        await agent.report(observed(first, PENDING), observed(second, PENDING))
        assert await world.counted() == await world.recounted() == (2, 0)
        await agent.report(observed(first, RUNNING), observed(second, RUNNING))
        assert await world.counted() == await world.recounted() == (0, 2)
        await agent.report(exited(first, code=7))
    assert await world.counted() == await world.recounted() == (0, 1)
    halves = await world.halves(first)
    assert halves.observation is not None
    assert halves.version == 4
    assert halves.observation.started_at is not None
    assert halves.observation.stopped_at is not None
    assert halves.observation.started_at <= halves.observation.stopped_at
    versions = [event.task.version for event in await world.events() if event.task.task_id == first]
    assert versions == [1, 2, 3, 4]
    row = await world.row("SELECT * FROM instance_sessions WHERE instance_id = $1", identity.instance_id)
    assert (row["recorded_report"], row["running"], row["left_pending"]) == (3, 1, 2)


async def test_a_repeated_report_changes_nothing_through_any_tracker(
    address: str, start: Start, world: World, join: Join
) -> None:
    other = await start(agent_heartbeat=5.0, agent_lease=60.0)
    identity = await join()
    task_id = (await world.place(identity.instance_id)).task_ids[0]
    async with session(address, identity, process_id="p") as agent:
        number = await agent.report(observed(task_id, RUNNING))
    before = await world.events()
    async with session(other, identity, revision=1, process_id="p") as agent:
        assert (agent.welcome.session_epoch, agent.welcome.recorded_report) == (2, number)
        await agent.report(observed(task_id, RUNNING), number=number)
        assert await world.events() == before
        await agent.report(exited(task_id), number=number + 1)
    assert await world.counted() == await world.recounted() == (0, 0)


async def test_a_half_dead_session_records_nothing(address: str, start: Start, world: World, join: Join) -> None:
    other = await start(agent_heartbeat=5.0, agent_lease=60.0)
    identity = await join()
    task_id = (await world.place(identity.instance_id)).task_ids[0]
    # One agent that came again: nothing but the epoch tells its older session from the newer.
    async with session(address, identity, process_id="p") as old, session(other, identity, process_id="p") as new:
        await old.send(report=agent_service_pb2.Report(number=1, tasks=[exited(task_id)]))
        assert isinstance(await old.ended(), errors.Unavailable)
        assert (await world.halves(task_id)).observation is None
        await new.report(observed(task_id, RUNNING))
    assert await world.counted() == (0, 1)


async def test_of_two_agents_with_one_identity_the_newer_wins(address: str, join: Join) -> None:
    identity = await join()
    async with session(address, identity, process_id="first") as first:
        await first.assigned()
        async with session(address, identity, process_id="second") as second:
            ended = await first.ended()
            assert isinstance(ended, errors.Aborted)
            assert "second" in ended.message
            assert second.welcome.session_epoch == 2
            await second.report(number=1)


async def test_an_agent_that_was_superseded_through_another_tracker_is_given_nothing_more(
    address: str, start: Start, world: World, join: Join
) -> None:
    other = await start(agent_heartbeat=5.0, agent_lease=60.0)
    identity = await join()
    async with session(address, identity, process_id="old") as old:
        await old.assigned()
        version = (await world.events())[-1].container_instance.version
        async with session(other, identity, process_id="new") as new:
            ended = await old.ended()
            assert isinstance(ended, errors.Aborted)
            assert ended.metadata["holder"] == "new"
            seized = (await world.events())[-1].container_instance
            assert (seized.agent_process_id, seized.agent_connected, seized.version) == ("new", True, version + 1)
            task_id = (await world.place(identity.instance_id)).task_ids[0]
            await new.report(observed(task_id, RUNNING))
    assert await world.counted() == await world.recounted()


async def test_an_agent_that_comes_again_through_another_tracker_makes_no_event(
    address: str, start: Start, world: World, join: Join
) -> None:
    other = await start(agent_heartbeat=5.0, agent_lease=60.0)
    identity = await join()
    async with session(address, identity, process_id="same"):
        before = await world.events()
    async with session(other, identity, process_id="same"):
        assert await world.events() == before


async def test_a_report_of_another_instances_task_is_dropped_and_the_rest_counts(
    address: str, world: World, join: Join
) -> None:
    mine, other = await join(), await join()
    own = (await world.place(mine.instance_id)).task_ids[0]
    foreign = (await world.place(other.instance_id)).task_ids[0]
    async with session(address, mine) as agent:
        await agent.report(
            exited(foreign),
            exited("f" * 32),
            observed(own, task_pb2.TASK_STATUS_PROVISIONING),
            observed(own, RUNNING),
        )
    assert (await world.halves(foreign)).observation is None
    kept = (await world.halves(own)).observation
    assert kept is not None
    assert kept.last_status == RUNNING
    assert await world.counted() == await world.recounted() == (1, 1)


async def test_a_wrong_credential_is_unauthenticated(address: str, join: Join) -> None:
    identity = await join()
    with pytest.raises(errors.Unauthenticated):
        async with session(address, Identity(identity.instance_id, "guess")):
            pass


async def test_an_unknown_instance_is_not_found(address: str) -> None:
    with pytest.raises(errors.ResourceNotFoundException):
        async with session(address, Identity("0" * 32, "x")):
            pass


@pytest.mark.parametrize(
    "wrong",
    [
        {"hello": agent_service_pb2.Hello(container_instance_id="x")},
        {"report": agent_service_pb2.Report(number=0)},
        {
            "report": agent_service_pb2.Report(
                number=1, tasks=[observed(f"{number:032x}", RUNNING) for number in range(1001)]
            )
        },
    ],
    ids=["second hello", "report zero", "too many tasks"],
)
async def test_a_message_against_the_protocol_ends_the_session(
    address: str, join: Join, wrong: dict[str, object]
) -> None:
    identity = await join()
    async with session(address, identity) as agent:
        await agent.send(**wrong)
        assert isinstance(await agent.ended(), errors.InvalidParameterException)


async def test_a_task_of_twenty_milliseconds_has_all_its_times(address: str, world: World, join: Join) -> None:
    identity = await join()
    task_id = (await world.place(identity.instance_id)).task_ids[0]
    async with session(address, identity) as agent:
        await agent.report(exited(task_id, code=3))
    seen = (await world.halves(task_id)).observation
    assert seen is not None
    assert seen.last_status == STOPPED
    assert seen.started_at == seen.stopped_at is not None
    last = (await world.events())[-1].task
    assert [(c.name, c.exit_code) for c in last.containers] == [("main", 3)]
    assert last.released


async def test_many_agents_are_admitted_together(address: str, world: World, join: Join) -> None:
    identities = [await join() for _ in range(20)]

    async def run(identity: Identity) -> int:
        async with session(address, identity) as agent:
            await agent.assigned()
            task_id = (await world.place(identity.instance_id)).task_ids[0]
            await agent.assigned()
            await agent.report(observed(task_id, RUNNING))
            return await agent.report(exited(task_id))

    assert await asyncio.gather(*(run(identity) for identity in identities)) == [2] * 20
    assert await world.counted() == await world.recounted() == (0, 0)
    sequences = [event.sequence for event in await world.events()]
    assert sequences == list(range(1, len(sequences) + 1))


async def test_containers_carry_what_was_observed_into_the_event(address: str, world: World, join: Join) -> None:
    identity = await join()
    task_id = (await world.place(identity.instance_id)).task_ids[0]
    running = event_pb2.ContainerObservation(
        name="main", runtime_id="c1", last_status=task_pb2.CONTAINER_STATUS_RUNNING, image_digest="sha256:1"
    )
    async with session(address, identity) as agent:
        await agent.report(observed(task_id, PENDING))
        await agent.report(observed(task_id, RUNNING, running))
    assert list((await world.events())[-1].task.containers) == [running]
