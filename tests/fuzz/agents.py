"""Agents without containers: whatever is assigned runs at once, whatever is to stop has stopped."""

import asyncio
import contextlib
from collections.abc import AsyncIterator, Iterator

import grpc.aio

from longshore.rpc import channels, errors
from longshore.v1 import agent_service_pb2, event_pb2, state_tracker_service_pb2_grpc, task_pb2
from tests.rpc.state_tracker import fake_agent

ROOM = 100_000_000
"""CPU units and MiB of an instance that never is full."""

CAPABILITIES = ("docker-remote-api.1.17", "docker-remote-api.1.18", "docker-remote-api.1.19", "docker-remote-api.1.25")
"""What plain definitions need of an instance."""


AGAIN_AFTER_S = 0.1


async def register(tracker: str, cluster: str, *, room: int = ROOM) -> fake_agent.Identity:
    """Register an instance at a state-tracker."""
    request = fake_agent.registration(cluster, total_resources=fake_agent.resources(room, room))
    for capability in CAPABILITIES:
        request.attributes.add(name=f"com.amazonaws.ecs.capability.{capability}")
    async with channels.connect(tracker) as channel:
        stub = state_tracker_service_pb2_grpc.StateTrackerServiceStub(channel)
        made = await stub.RegisterContainerInstance(request)
    arn = made.container_instance.container_instance_arn
    return fake_agent.Identity(arn.rpartition("/")[2], made.instance_credential)


@contextlib.asynccontextmanager
async def connected(tracker: str, identity: fake_agent.Identity) -> AsyncIterator[None]:
    """An agent that obeys, for as long as the block runs and its instance is known."""
    welcomed = asyncio.Event()
    staying = asyncio.create_task(_stay(tracker, identity, welcomed), name="agent")
    try:
        async with asyncio.timeout(fake_agent.TIMEOUT_S):
            await welcomed.wait()
        yield
    finally:
        staying.cancel()
        await asyncio.gather(staying, return_exceptions=True)


async def _stay(tracker: str, identity: fake_agent.Identity, welcomed: asyncio.Event) -> None:
    """One session after the other: on a busy machine one may be given up."""
    while True:
        try:
            async with fake_agent.session(tracker, identity) as session:
                welcomed.set()
                beating = asyncio.create_task(_beat(session), name="heartbeat")
                try:
                    await _obey(session)
                finally:
                    beating.cancel()
                    await asyncio.gather(beating, return_exceptions=True)
        except errors.ServiceError as error:
            if error.code is errors.Code.NOT_FOUND:  # deregistered
                return
        await asyncio.sleep(AGAIN_AFTER_S)


async def _beat(session: fake_agent.Session) -> None:
    while True:
        await asyncio.sleep(session.welcome.heartbeat_interval_ms / 1000)
        await session.heartbeat()


async def _obey(session: fake_agent.Session) -> None:
    """Answer assignments until the session ends."""
    while True:
        while session.assignments:
            assignment = session.assignments.pop(0)
            await session.ack(assignment.revision)
            if reported := list(_outcomes(assignment)):
                await session.report(*reported)
        # Not by `receive`, whose deadline would end the stream of an agent that has nothing to do.
        response = await session.call.read()
        if response is grpc.aio.EOF:
            return
        session.assignments.extend(response.assignments)


def _outcomes(assignment: agent_service_pb2.Assignment) -> Iterator[agent_service_pb2.TaskObservation]:
    containers = {
        definition.key: [container.name for container in definition.task_definition.container_definitions]
        for definition in assignment.definitions
    }
    for task in assignment.tasks:
        yield fake_agent.observed(
            task.task_id,
            fake_agent.RUNNING,
            *(
                event_pb2.ContainerObservation(name=name, last_status=task_pb2.CONTAINER_STATUS_RUNNING)
                for name in containers.get(task.definition_key, ())
            ),
        )
    for stop in assignment.stops:
        yield fake_agent.observed(stop.task_id, fake_agent.STOPPED, released=True)
