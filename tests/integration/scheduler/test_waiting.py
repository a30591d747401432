"""The queue for capacity outlives its schedulers: processes of their own, killed with -9, on one real PostgreSQL."""

import asyncio
from collections.abc import Awaitable, Callable

from longshore.rpc import errors
from longshore.v1 import event_pb2, scheduler_service_pb2, task_pb2
from tests.integration.scheduler import test_failover
from tests.integration.scheduler.conftest import Stub
from tests.rpc.scheduler.world import World

spawn = test_failover.spawn
PATIENCE_S = 30.0


def waiting_request(**fields: object) -> scheduler_service_pb2.RunTaskRequest:
    wait = scheduler_service_pb2.WaitForCapacity(timeout_seconds=600)
    given = {"cluster": "web", "task_definition": "app:1", "wait_for_capacity": wait} | fields
    return scheduler_service_pb2.RunTaskRequest(**given)  # type: ignore[arg-type]


async def placed(world: World, count: int) -> list[event_pb2.TaskEvent]:
    """The first tasks that were placed after they had waited, in the log's order."""
    async with asyncio.timeout(PATIENCE_S):
        while True:
            found = [event.task for event in await world.events() if event.task.placed]
            if len(found) >= count:
                return found
            await asyncio.sleep(0.05)


async def test_another_scheduler_goes_on_with_the_queue_of_one_that_was_killed(
    spawn: Callable[[], Awaitable[test_failover.Process]], world: World
) -> None:
    instance_id = await world.add_instance(cpu=512)
    first, second = await spawn(), await spawn()
    running = await test_failover.answered([first.stub], waiting_request(count=2, client_token="run"))
    queued = await test_failover.answered([first.stub], waiting_request(count=3, client_token="wait"))
    address, epoch = await test_failover.leader(world)
    led, other = (first, second) if first.address == address else (second, first)
    led.server.kill()
    # Nobody asks the other one for anything: it takes the lease by itself, and hears what frees.
    await world.release(running[0])
    (one,) = await placed(world, 1)
    assert (one.task_id, one.container_instance_id) == (queued[0], instance_id)
    assert one.last_status == task_pb2.TASK_STATUS_PENDING
    other.server.kill()
    await world.release(running[1])
    third = await spawn()
    assert [task.task_id for task in await placed(world, 2)] == queued[:2]
    assert await test_failover.answered([third.stub], waiting_request(count=3, client_token="wait")) == queued
    stopped = await _stopped(third.stub, queued[2])
    assert stopped.last_status == task_pb2.TASK_STATUS_STOPPED
    assert (await test_failover.leader(world))[1] > epoch + 1
    assert (await world.reserved())[instance_id][0] == 512
    assert await world.value("SELECT COUNT(*) FROM waiting_requests") == 0


async def _stopped(stub: Stub, task_id: str) -> task_pb2.Task:
    async with asyncio.timeout(PATIENCE_S):
        while True:
            try:
                request = scheduler_service_pb2.StopTaskRequest(cluster="web", task=task_id)
                answer: scheduler_service_pb2.StopTaskResponse = await stub.StopTask(request)
            except errors.Unavailable:
                await asyncio.sleep(0.05)
            else:
                return answer.task
