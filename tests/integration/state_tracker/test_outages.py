"""The database and the bus go away under open sessions: nothing acknowledged is lost, nobody is disconnected for it."""

import asyncio
from contextlib import AsyncExitStack

from longshore.events import bus as buses
from longshore.events import memory_bus
from longshore.rpc import channels
from longshore.state_tracker import app
from longshore.state_tracker.config import Config
from longshore.storage import database
from longshore.v1 import agent_service_pb2, state_tracker_service_pb2_grpc
from tests.engines.postgres import PostgresServer
from tests.engines.redis import RedisServer
from tests.rpc.state_tracker import fake_agent
from tests.rpc.state_tracker.fake_agent import RUNNING, Identity, exited, observed, session
from tests.rpc.state_tracker.world import World, definition

Stub = state_tracker_service_pb2_grpc.StateTrackerServiceStub


async def begin(stack: AsyncExitStack, url: str, bus: buses.Bus) -> tuple[World, str]:
    opened = await database.open_database(url)
    stack.push_async_callback(opened.close)
    world = World(opened, bus)
    await world.create_cluster()
    await world.register(definition())
    config = Config(listen="127.0.0.1:0", agent_heartbeat=1.0, agent_lease=30.0)
    serving = await stack.enter_async_context(app.serve(config, database=opened, bus=bus))
    return world, serving.address


async def join(address: str) -> Identity:
    async with channels.connect(address) as channel:
        answer = await Stub(channel).RegisterContainerInstance(fake_agent.registration())
    return Identity(answer.container_instance.container_instance_arn[-32:], answer.instance_credential)


async def test_a_report_outlives_a_restart_of_postgresql(postgres: PostgresServer, postgres_url: str) -> None:
    async with AsyncExitStack() as stack:
        world, address = await begin(stack, postgres_url, memory_bus.MemoryBus())
        identity = await join(address)
        (task_id,) = (await world.place(identity.instance_id)).task_ids
        agent = await stack.enter_async_context(session(address, identity))
        await agent.report(observed(task_id, RUNNING))
        await asyncio.to_thread(postgres.crash)
        agent.number += 1
        await agent.send(report=agent_service_pb2.Report(number=agent.number, tasks=[exited(task_id, 3)]))
        await agent.heartbeat()
        await asyncio.to_thread(postgres.start)
        while agent.acknowledged < agent.number:
            await agent.receive()
        assert await world.counted() == await world.recounted() == (0, 0)
        versions = [event.task.version for event in await world.events() if event.HasField("task")]
        assert versions == [1, 2, 3]
        connections = [
            e.container_instance.agent_connected for e in await world.events() if e.HasField("container_instance")
        ]
        assert connections == [False, True]


async def test_assignments_arrive_while_redis_is_away_and_when_it_is_back(
    postgres_url: str, redis_server: RedisServer, redis_url: str
) -> None:
    async with AsyncExitStack() as stack:
        bus = await buses.open_bus(redis_url)
        stack.push_async_callback(bus.close)
        world, address = await begin(stack, postgres_url, bus)
        identity = await join(address)
        agent = await stack.enter_async_context(session(address, identity))
        await agent.assigned()
        before = await world.place(identity.instance_id)
        assert fake_agent.task_ids([await agent.assigned()]) == before.task_ids
        await asyncio.to_thread(redis_server.stop)
        during = await world.place(identity.instance_id)
        assert fake_agent.task_ids([await agent.assigned()]) == during.task_ids
        await asyncio.to_thread(redis_server.start)
        after = await world.place(identity.instance_id)
        assert fake_agent.task_ids([await agent.assigned()]) == after.task_ids
