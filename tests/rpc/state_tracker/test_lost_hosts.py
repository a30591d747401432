"""Agents that fall silent: disconnected after the lease, given up later, back again; and trackers that are gone."""

import asyncio
from collections.abc import Awaitable, Callable
from typing import Any

import pytest

from longshore.rpc import channels, errors
from longshore.state_tracker import liveness, tracker_lease
from longshore.v1 import container_instance_pb2, event_pb2, state_tracker_service_pb2, task_pb2
from tests.rpc.state_tracker import fake_agent
from tests.rpc.state_tracker.conftest import Stub
from tests.rpc.state_tracker.fake_agent import RUNNING, TIMEOUT_S, Identity, observed, session
from tests.rpc.state_tracker.test_watch import Watcher
from tests.rpc.state_tracker.world import World

Start = Callable[..., Awaitable[str]]
pb = state_tracker_service_pb2

# Short enough for a test, long enough for a machine that is busy.
HEARTBEAT_S = 0.2
LEASE_S = 1.0
GIVE_UP_S = 1.0


@pytest.fixture
async def address(start: Start) -> str:
    return await start(agent_heartbeat=HEARTBEAT_S, agent_lease=LEASE_S, agent_give_up=GIVE_UP_S)


async def connection(tracker: Any, instance_id: str) -> bool:
    answer = await tracker.DescribeContainerInstances(
        pb.DescribeContainerInstancesRequest(cluster="web", container_instances=[instance_id])
    )
    return bool(answer.container_instances[0].agent_connected)


async def instance_event(watcher: Watcher, *, connected: bool) -> event_pb2.ContainerInstanceEvent:
    while True:
        event = await watcher.next()
        if event.HasField("container_instance") and event.container_instance.agent_connected is connected:
            return event.container_instance


async def task_event(watcher: Watcher, status: int) -> event_pb2.TaskEvent:
    while True:
        event = await watcher.next()
        if event.HasField("task") and event.task.last_status == status:
            return event.task


async def test_an_agent_that_speaks_stays_connected_and_one_that_is_silent_does_not(
    tracker: Any, address: str, join: Callable[..., Awaitable[Identity]]
) -> None:
    loud, quiet = await join(), await join()
    async with session(address, loud) as speaking, session(address, quiet) as silent:
        done = asyncio.Event()
        beating = asyncio.ensure_future(speaking.beat_until(done, HEARTBEAT_S))
        watcher = Watcher(tracker.WatchEvents(pb.WatchEventsRequest(cluster="web")))
        await watcher.batch()
        assert await connection(tracker, quiet.instance_id)
        assert isinstance(await silent.ended(), errors.Unavailable)
        gone = await instance_event(watcher, connected=False)
        assert gone.container_instance_id == quiet.instance_id
        assert await connection(tracker, loud.instance_id)
        assert not await connection(tracker, quiet.instance_id)
        done.set()
        await beating


async def test_a_short_reconnection_does_not_flap(
    tracker: Any, address: str, join: Callable[..., Awaitable[Identity]], world: World
) -> None:
    identity = await join()
    async with session(address, identity, process_id="p"):
        pass
    async with session(address, identity, process_id="p") as again:
        assert again.welcome.session_epoch == 2
        await again.heartbeat()
    changes = [event.container_instance.agent_connected for event in await world.events()]
    assert changes == [False, True]


async def test_a_given_up_host_loses_its_tasks_keeps_its_resources_and_is_stopped_when_it_returns(
    tracker: Any, address: str, join: Callable[..., Awaitable[Identity]], world: World
) -> None:
    identity = await join()
    watcher = Watcher(tracker.WatchEvents(pb.WatchEventsRequest(cluster="web")))
    await watcher.batch()
    (task_id,) = (await world.place(identity.instance_id)).task_ids
    async with session(address, identity) as agent:
        await agent.assigned()
        await agent.report(observed(task_id, RUNNING))
    await instance_event(watcher, connected=False)
    stopped = await task_event(watcher, task_pb2.TASK_STATUS_STOPPED)
    assert stopped.stop_code == task_pb2.TASK_STOP_CODE_INFRASTRUCTURE_HEALTH
    assert identity.instance_id in stopped.stopped_reason
    assert not stopped.released
    assert await world.counted() == await world.recounted() == (0, 0)
    async with session(address, identity, revision=1) as agent:
        full = await agent.assigned()
        assert (full.base_revision, [(task.task_id, task.stopping) for task in full.tasks]) == (0, [(task_id, True)])
        await agent.report(observed(task_id, RUNNING))  # what it still believes: too late
        seen = (await world.halves(task_id)).observation
        assert seen is not None
        assert (seen.last_status, seen.released) == (task_pb2.TASK_STATUS_STOPPED, False)
        await agent.report(fake_agent.exited(task_id, 137))
        released = await task_event(watcher, task_pb2.TASK_STATUS_STOPPED)
    assert released.released
    assert [(c.name, c.exit_code) for c in released.containers] == [("main", 137)]
    row = await world.row(
        "SELECT given_up, connected FROM container_instances WHERE instance_id = $1", identity.instance_id
    )
    assert row["given_up"] == 0


async def test_a_host_that_is_back_in_time_keeps_its_tasks(start: Start, world: World) -> None:
    patient = await start(agent_heartbeat=HEARTBEAT_S, agent_lease=LEASE_S, agent_give_up=3600.0)
    async with channels.connect(patient) as channel:
        watcher = Watcher(Stub(channel).WatchEvents(pb.WatchEventsRequest(cluster="web")))
        await watcher.batch()
        answer = await Stub(channel).RegisterContainerInstance(fake_agent.registration())
        identity = Identity(answer.container_instance.container_instance_arn[-32:], answer.instance_credential)
        (task_id,) = (await world.place(identity.instance_id)).task_ids
        async with session(patient, identity) as agent:
            await agent.assigned()
            await agent.report(observed(task_id, RUNNING))
        await instance_event(watcher, connected=False)
        async with session(patient, identity, revision=1) as agent:
            back = await instance_event(watcher, connected=True)
            await agent.report(observed(task_id, RUNNING))
    assert back.status == container_instance_pb2.CONTAINER_INSTANCE_STATUS_ACTIVE
    seen = (await world.halves(task_id)).observation
    assert seen is not None
    assert seen.last_status == RUNNING


async def test_a_fenced_session_of_the_same_agent_is_told_to_come_again_not_to_wait(
    address: str, join: Callable[..., Awaitable[Identity]], world: World
) -> None:
    identity = await join()
    (task_id,) = (await world.place(identity.instance_id)).task_ids
    async with session(address, identity) as agent:
        await world.execute(
            "UPDATE instance_sessions SET epoch = epoch + 1 WHERE instance_id = $1", identity.instance_id
        )
        with pytest.raises(errors.Unavailable):
            await agent.report(observed(task_id, RUNNING))
    assert (await world.halves(task_id)).observation is None


async def test_the_instances_of_a_tracker_that_is_gone_get_a_lease_and_are_then_disconnected(
    address: str, join: Callable[..., Awaitable[Identity]], world: World
) -> None:
    identity = await join()
    await world.execute("INSERT INTO trackers (tracker_id, address, expires_at) VALUES ('ghost', 'x', 1)")
    await world.execute(
        "UPDATE instance_sessions SET tracker_id = 'ghost', epoch = 5 WHERE instance_id = $1", identity.instance_id
    )
    await world.execute("UPDATE container_instances SET connected = 1 WHERE instance_id = $1", identity.instance_id)
    leases = liveness.Leases()
    lease = tracker_lease.TrackerLease(
        world.database,
        tracker_id="mine",
        address="y",
        leases=leases,
        lease_s=LEASE_S,
        continuity=liveness.Continuity(),
    )
    await lease.renew()
    assert leases.epoch(identity.instance_id) == 5
    await lease.renew()  # noticed once, not again and again
    await lease.resign()
    row = await world.row("SELECT COUNT(*) AS n FROM trackers WHERE expires_at > 1 AND tracker_id = 'mine'")
    assert row["n"] == 1


async def test_the_tracker_beside_disconnects_what_a_dead_one_left(
    start: Start, world: World, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(tracker_lease, "RENEWALS_PER_LEASE", 50)  # looks for the dead five times a second
    alive = await start(agent_heartbeat=HEARTBEAT_S, agent_lease=LEASE_S, agent_give_up=60.0)
    async with channels.connect(alive) as channel:
        watcher = Watcher(Stub(channel).WatchEvents(pb.WatchEventsRequest(cluster="web")))
        await watcher.batch()
        answer = await Stub(channel).RegisterContainerInstance(fake_agent.registration())
        instance_id = answer.container_instance.container_instance_arn[-32:]
        await world.execute(
            "UPDATE instance_sessions SET tracker_id = 'ghost', epoch = 5 WHERE instance_id = $1", instance_id
        )
        await world.execute("UPDATE container_instances SET connected = 1 WHERE instance_id = $1", instance_id)
        await world.execute("INSERT INTO trackers (tracker_id, address, expires_at) VALUES ('ghost', 'x', 1)")
        async with asyncio.timeout(TIMEOUT_S):
            await instance_event(watcher, connected=False)  # its registration
            gone = await instance_event(watcher, connected=False)
    assert gone.container_instance_id == instance_id
    row = await world.row("SELECT epoch FROM instance_sessions WHERE instance_id = $1", instance_id)
    assert row["epoch"] == 6
