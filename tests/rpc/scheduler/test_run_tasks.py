"""RunTasks over gRPC, on both engines: many tasks a call, in parts that a repetition finds again."""

import asyncio
from typing import TypeAlias

import pytest

from longshore.events import cursor
from longshore.rpc import errors
from longshore.scheduler import jobs, parts
from longshore.storage import steps
from longshore.v1 import scheduler_service_pb2, scheduler_service_pb2_grpc
from tests.rpc.scheduler.world import World, definition

Stub: TypeAlias = "scheduler_service_pb2_grpc.SchedulerServiceAsyncStub"
ROOM = 10_000_000
MANY = 2_500


def run_tasks(many: int = MANY, token: str = "", **fields: object) -> scheduler_service_pb2.RunTasksRequest:
    one = scheduler_service_pb2.RunTaskRequest(**({"cluster": "web", "task_definition": "app"} | fields))  # type: ignore[arg-type]
    request = scheduler_service_pb2.RunTasksRequest(run_task=one, count=many)
    if token:
        request.client_token = token
    return request


def same(answer: scheduler_service_pb2.RunTasksResponse) -> scheduler_service_pb2.RunTasksResponse:
    """An answer without its cursor: that of a repetition may be one before what was committed."""
    answer.ClearField("cursor")
    return answer


async def stored(world: World) -> int:
    return int(str(await world.value("SELECT COUNT(*) FROM task_intents WHERE cluster = 'web'")))


async def test_thousands_are_placed_in_one_call_and_answered_by_their_ids(scheduler: Stub, world: World) -> None:
    for _ in range(3):
        await world.add_instance(cpu=ROOM, memory=ROOM)
    before = (await world.events())[-1].sequence
    answer = await scheduler.RunTasks(run_tasks(started_by="bulk"))
    assert len(set(answer.task_ids)) == MANY == await stored(world)
    assert not answer.failures
    assert not answer.HasField("unplaced")
    assert answer.task_arn_prefix == "arn:aws:ecs:us-east-1:123456789012:task/web/"
    assert answer.task_definition_arn.endswith("task-definition/app:1")
    assert cursor.decode(answer.cursor, "web") == before + parts.PART_TASKS
    told = [event.task.task_id for event in await world.events() if event.HasField("task")]
    assert told == list(answer.task_ids)
    placed = await world.value("SELECT SUM(placed) FROM assignments WHERE cluster = 'web'")
    assert placed == MANY
    assert await world.value("SELECT COUNT(*) FROM task_intents WHERE started_by = 'bulk'") == MANY


async def test_a_repetition_under_a_token_is_answered_the_same_and_places_nothing(
    scheduler: Stub, world: World
) -> None:
    await world.add_instance(cpu=ROOM, memory=ROOM)
    first, joined = await asyncio.gather(*(scheduler.RunTasks(run_tasks(token="t")) for _ in range(2)))
    again = await scheduler.RunTasks(run_tasks(token="t"))
    assert first == joined
    assert same(first) == same(again)
    assert await stored(world) == MANY
    with pytest.raises(errors.ConflictException) as refused:
        await scheduler.RunTasks(run_tasks(MANY - 1, token="t"))
    assert f"{first.task_arn_prefix}{first.task_ids[0]}" in refused.value.metadata["resourceIds"]
    # A token of RunTask's is another one.
    other = scheduler_service_pb2.RunTaskRequest(cluster="web", task_definition="app", client_token="t")
    assert len((await scheduler.RunTask(other)).tasks) == 1


async def test_what_does_not_fit_is_summarised_and_the_rest_is_placed(scheduler: Stub, world: World) -> None:
    """1,203 fit: the second thousand falls short, the third is not tried; a repetition says so again when there is room."""
    for fitting in (1_000, 200, 3):
        await world.add_instance(cpu=256 * fitting, memory=ROOM)
    await world.add_instance(cpu=ROOM, memory=100)
    answer = await scheduler.RunTasks(run_tasks(token="t"))
    assert (len(answer.task_ids), answer.unplaced) == (1_203, MANY - 1_203)
    assert {failure.reason: failure.instances for failure in answer.failures} == {
        "RESOURCE:CPU": 3,
        "RESOURCE:MEMORY": 1,
    }
    assert all("free" in failure.detail and failure.container_instance_arn for failure in answer.failures)
    await world.add_instance(cpu=ROOM, memory=ROOM)
    assert same(await scheduler.RunTasks(run_tasks(token="t"))) == same(answer)
    assert await stored(world) == 1_203


async def test_a_part_that_places_nothing_is_remembered_where_one_before_it_did(scheduler: Stub, world: World) -> None:
    await world.add_instance(cpu=256 * parts.PART_TASKS, memory=ROOM)
    answer = await scheduler.RunTasks(run_tasks(token="t"))
    assert (len(answer.task_ids), answer.unplaced) == (1_000, 1_500)
    await world.add_instance(cpu=ROOM, memory=ROOM)
    assert same(await scheduler.RunTasks(run_tasks(token="t"))) == same(answer)


async def test_what_placed_nothing_is_not_remembered(scheduler: Stub, world: World) -> None:
    await world.add_instance(cpu=100)
    answer = await scheduler.RunTasks(run_tasks(token="t"))
    assert (len(answer.task_ids), answer.unplaced, answer.cursor) == (0, MANY, "")
    await world.add_instance(cpu=ROOM, memory=ROOM)
    assert len((await scheduler.RunTasks(run_tasks(token="t"))).task_ids) == MANY


async def test_what_a_leader_that_fell_had_placed_is_found_and_finished(scheduler: Stub, world: World) -> None:
    """The parts that were committed before the fall stay; the repetition adds what is missing, of the same revision."""
    await world.add_instance(cpu=ROOM, memory=ROOM)
    whole = await scheduler.RunTasks(run_tasks(token="t"))
    lost = list(whole.task_ids[1_000:])

    await world.database.run(lambda _: forget(lost, "t"))
    await world.register(definition(revision=2))
    again = await scheduler.RunTasks(run_tasks(token="t"))
    assert again.task_ids[:1_000] == whole.task_ids[:1_000]
    assert len(set(again.task_ids)) == MANY == await stored(world)
    assert again.task_definition_arn == whole.task_definition_arn
    assert await world.value("SELECT COUNT(*) FROM task_intents WHERE definition_revision = 2") == 0


def forget(task_ids: list[str], token: str) -> steps.Step[None]:
    """Undo the commits of all parts but the first."""
    for task_id in task_ids:
        yield from steps.execute("DELETE FROM task_intents WHERE task_id = $1", task_id)
    yield from steps.execute("DELETE FROM client_tokens WHERE token = $1 OR token = $2", f"{token} 1", f"{token} 2")


async def test_more_than_the_queue_takes_is_refused_with_a_delay(scheduler: Stub, world: World) -> None:
    await world.add_instance(cpu=ROOM, memory=ROOM)
    calls = [scheduler.RunTasks(run_tasks(10_000)) for _ in range(5)]
    answers = await asyncio.gather(*calls, return_exceptions=True)
    refused = [answer for answer in answers if isinstance(answer, errors.ResourceExhausted)]
    placed = [len(answer.task_ids) for answer in answers if isinstance(answer, scheduler_service_pb2.RunTasksResponse)]
    assert placed == [10_000] * 3
    assert len(refused) == 2
    assert refused[0].metadata["retry_after_ms"] == str(jobs.RETRY_AFTER_MS)
    assert refused[0].metadata["limit"] == str(jobs.MAX_QUEUED_TASKS)
    assert await stored(world) == 30_000


@pytest.mark.parametrize(
    ("request_", "said"),
    [
        (run_tasks(0), "count is 0; it must be between 1 and 10000"),
        (run_tasks(10_001), "count is 10001"),
        (run_tasks(5, count=5), "run_task.count is given"),
        (run_tasks(5, client_token="t"), "run_task.client_token is given"),
        (run_tasks(5, token="a b"), "clientToken"),
        (run_tasks(5, started_by="a b"), "startedBy"),
    ],
    ids=["none", "too many", "count", "inner token", "token", "run task"],
)
async def test_what_makes_no_sense_is_refused(
    scheduler: Stub, request_: scheduler_service_pb2.RunTasksRequest, said: str
) -> None:
    with pytest.raises(errors.InvalidParameterException, match=said):
        await scheduler.RunTasks(request_)


async def test_a_cluster_without_instances_is_told_as_run_task_tells_it(scheduler: Stub) -> None:
    with pytest.raises(errors.InvalidParameterException, match="No Container Instances were found"):
        await scheduler.RunTasks(run_tasks())
