"""WatchEvents: in order, without gaps, resumable; over a real port and both engines."""

import asyncio
from collections.abc import AsyncIterator, Awaitable, Callable
from contextlib import AsyncExitStack, asynccontextmanager
from typing import Any

import grpc.aio
import pytest

from longshore.events import cursor
from longshore.rpc import channels, errors, server
from longshore.state_tracker import app, rings, watch
from longshore.state_tracker.config import Config
from longshore.storage import log
from longshore.v1 import event_pb2, state_tracker_service_pb2
from tests.rpc.state_tracker import fake_agent
from tests.rpc.state_tracker.conftest import Stub
from tests.rpc.state_tracker.fake_agent import RUNNING, TIMEOUT_S, Identity, exited, observed, session
from tests.rpc.state_tracker.world import World, definition

Join = Callable[..., Awaitable[Identity]]
pb = state_tracker_service_pb2


class Watcher:
    """Reads a stream event by event, and knows the last cursor."""

    def __init__(self, call: Any) -> None:
        self._call = call
        self._events: list[event_pb2.Event] = []
        self.cursor = ""

    async def next(self) -> event_pb2.Event:
        while not self._events:
            await self.batch()
        return self._events.pop(0)

    async def to_the_end(self) -> None:
        while True:
            await self.batch()

    async def batch(self) -> pb.WatchEventsResponse:
        async with asyncio.timeout(TIMEOUT_S):
            response: Any = await self._call.read()
        if response is grpc.aio.EOF:
            await self._call.code()
            raise AssertionError("the stream ended without an error")
        assert isinstance(response, pb.WatchEventsResponse)
        self._events += response.events
        self.cursor = response.cursor
        return response


@asynccontextmanager
async def watching(tracker: Any, **fields: Any) -> AsyncIterator[Watcher]:
    call = tracker.WatchEvents(pb.WatchEventsRequest(cluster="web", **fields))
    watcher = Watcher(call)
    try:
        yield watcher
    finally:
        call.cancel()


async def test_the_first_batch_comes_at_once_with_a_cursor(tracker: Any, join: Join) -> None:
    await join()
    async with watching(tracker) as watcher:
        first = await watcher.batch()
    assert not first.events
    assert cursor.decode(first.cursor, "web") == 1


async def test_a_watcher_sees_every_event_of_a_task_in_order(
    tracker: Any, address: str, world: World, join: Join
) -> None:
    identity = await join()
    async with watching(tracker) as watcher, session(address, identity) as agent:
        await watcher.batch()
        (task_id,) = (await world.place(identity.instance_id)).task_ids
        await agent.report(observed(task_id, RUNNING))
        await agent.report(exited(task_id))
        seen: list[event_pb2.Event] = []
        while not (seen and seen[-1].task.released):
            event = await watcher.next()
            if event.task.task_id:
                seen.append(event)
    assert [event.task.version for event in seen] == [1, 2, 3]
    assert [event.sequence for event in seen] == list(range(seen[0].sequence, seen[0].sequence + 3))


async def test_a_watch_is_resumed_without_loss_or_repetition(tracker: Any, world: World, join: Join) -> None:
    identity = await join()
    async with watching(tracker) as watcher:
        await watcher.batch()
        await world.place(identity.instance_id, 3)
        last = [await watcher.next() for _ in range(3)][-1]
        resume = watcher.cursor
    await world.place(identity.instance_id, 2)
    async with watching(tracker, cursor=resume) as watcher:
        again = [await watcher.next() for _ in range(2)]
        await world.place(identity.instance_id)
        again.append(await watcher.next())
    assert [event.sequence for event in again] == [last.sequence + step for step in (1, 2, 3)]


async def test_the_cursor_of_an_answer_shows_what_came_after_it(tracker: Any, world: World, join: Join) -> None:
    identity = await join()
    placed = await world.place(identity.instance_id, 2)
    start = cursor.encode("web", placed.publication.previous_sequence)
    async with watching(tracker, cursor=start, tasks=[placed.task_ids[1]]) as watcher:
        assert (await watcher.next()).task.task_id == placed.task_ids[1]


async def test_filters_leave_out_and_the_cursor_goes_on(tracker: Any, world: World, join: Join) -> None:
    await world.register(definition("batch"))
    here, there = await join(), await join()
    filters: dict[str, dict[str, Any]] = {
        "family": {"family": "batch"},
        "started_by": {"started_by": "ci"},
        "group": {"group": "service:shop"},
        "instance": {"container_instances": [there.instance_id]},
    }
    async with AsyncExitStack() as stack:
        by = {name: await stack.enter_async_context(watching(tracker, **fields)) for name, fields in filters.items()}
        for watcher in by.values():
            await watcher.batch()
        await world.place(here.instance_id)
        batch = (await world.place(here.instance_id, family="batch")).task_ids
        ci = (await world.place(here.instance_id, started_by="ci")).task_ids
        shop = (await world.place(here.instance_id, group="service:shop")).task_ids
        far = (await world.place(there.instance_id)).task_ids
        found = {name: [(await watcher.next()).task.task_id] for name, watcher in by.items()}
    assert found == {"family": batch, "started_by": ci, "group": shop, "instance": far}


async def test_a_pruned_cursor_names_the_oldest(tracker: Any, world: World, join: Join) -> None:
    identity = await join()
    for _ in range(3):
        await world.place(identity.instance_id)
    await world.database.run(lambda _: log.prune("web", 1 << 60, 3))
    with pytest.raises(errors.OutOfRange) as refusal:
        async with watching(tracker, cursor=cursor.encode("web", 1)) as watcher:
            await watcher.batch()
    oldest = refusal.value.metadata["oldest_cursor"]
    async with watching(tracker, cursor=oldest) as watcher:
        assert (await watcher.next()).sequence == 4


async def test_a_cursor_that_is_none_or_of_the_future_is_refused(tracker: Any) -> None:
    for wrong in ("nonsense", cursor.encode("other", 1), cursor.encode("web", 1_000)):
        with pytest.raises(errors.InvalidParameterException):
            async with watching(tracker, cursor=wrong) as watcher:
                await watcher.batch()


async def test_a_watcher_behind_the_ring_pages_the_log(
    tracker: Any, world: World, join: Join, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(rings, "MAX_BATCHES", 2)
    monkeypatch.setattr(watch, "PAGE", 2)
    identity = await join()
    async with watching(tracker) as other:  # keeps the ring alive and short
        await other.batch()
        start = other.cursor
        for _ in range(8):
            await world.place(identity.instance_id)
            await other.next()
        async with watching(tracker, cursor=start) as late:
            seen = [(await late.next()).sequence for _ in range(8)]
            await world.place(identity.instance_id)
            seen.append((await late.next()).sequence)
    assert seen == list(range(seen[0], seen[0] + 9))


async def test_watches_and_sessions_end_promptly_when_the_server_leaves(world: World) -> None:
    config = Config(listen="127.0.0.1:0", agent_heartbeat=5.0, agent_lease=60.0)
    async with AsyncExitStack() as stack:
        serving = await stack.enter_async_context(app.serve(config, database=world.database, bus=world.bus))
        async with channels.connect(serving.address) as channel:
            answer = await Stub(channel).RegisterContainerInstance(fake_agent.registration())
            identity = Identity(answer.container_instance.container_instance_arn[-32:], answer.instance_credential)
            async with watching(Stub(channel)) as watcher, session(serving.address, identity) as agent:
                await watcher.batch()
                leaving = asyncio.ensure_future(stack.aclose())
                with pytest.raises(errors.Unavailable, match="resume"):
                    await watcher.to_the_end()
                assert isinstance(await agent.ended(), errors.Unavailable)
                async with asyncio.timeout(server.GRACE_S - 1):  # ended by themselves, not by the grace
                    await leaving
