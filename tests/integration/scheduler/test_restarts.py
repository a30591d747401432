"""PostgreSQL is restarted under load: whoever repeats under its token is answered, once, and truly."""

import asyncio

from longshore.rpc import errors
from longshore.v1 import scheduler_service_pb2
from tests.engines.postgres import PostgresServer
from tests.integration.scheduler.conftest import StartScheduler
from tests.rpc.scheduler.world import World

PATIENCE_S = 30.0


async def test_no_answer_is_lost_or_doubled(
    start: StartScheduler, world: World, postgres: PostgresServer, url: str
) -> None:
    await world.add_instance(cpu=1 << 20, memory=1 << 20)
    scheduler = await start()
    answers: dict[str, str] = {}
    restarted = asyncio.Event()

    async def client(number: int) -> None:
        count = 0
        while not (restarted.is_set() and count >= 5):
            count += 1
            token = f"{number}-{count}"
            request = scheduler_service_pb2.RunTaskRequest(cluster="web", task_definition="app", client_token=token)
            answers[token] = await _answered(scheduler.stub, request)

    async with asyncio.timeout(PATIENCE_S), asyncio.TaskGroup() as group:
        for number in range(8):
            group.create_task(client(number))
        await asyncio.to_thread(postgres.restart)
        await asyncio.to_thread(postgres.crash)
        await asyncio.to_thread(postgres.start)
        restarted.set()
    assert len(set(answers.values())) == len(answers) >= 40
    stored = {event.task.task_id for event in await world.events() if event.HasField("task")}
    assert stored == set(answers.values())


async def _answered(stub: object, request: scheduler_service_pb2.RunTaskRequest) -> str:
    while True:
        try:
            answer = await stub.RunTask(request)  # type: ignore[attr-defined]
        except errors.Unavailable:
            await asyncio.sleep(0.05)
        else:
            (task,) = answer.tasks
            return str(task.task_arn.rpartition("/")[2])
