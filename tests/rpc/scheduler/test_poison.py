"""Requests that no database can take: refused by themselves, and nobody else's request or leader suffers."""

import asyncio
from typing import TypeAlias

import pytest

from longshore.rpc import errors
from longshore.scheduler import commit as commits
from longshore.scheduler import work
from longshore.storage import steps
from longshore.storage.dialect import Dialect
from longshore.v1 import scheduler_service_pb2, scheduler_service_pb2_grpc, task_pb2
from tests.rpc.scheduler.world import World

Stub: TypeAlias = "scheduler_service_pb2_grpc.SchedulerServiceAsyncStub"


def run_task(**fields: object) -> scheduler_service_pb2.RunTaskRequest:
    return scheduler_service_pb2.RunTaskRequest(**({"cluster": "web", "task_definition": "app"} | fields))  # type: ignore[arg-type]


@pytest.mark.parametrize(
    ("fields", "fault"),
    [
        ({"group": "a\0b"}, "group contains the character NUL"),
        ({"overrides": task_pb2.TaskOverride(cpu="9" * 20)}, "override of cpu"),
        ({"overrides": task_pb2.TaskOverride(memory="9" * 5000)}, "override of memory"),
        ({"overrides": task_pb2.TaskOverride(memory="99999999999 GB")}, "override of memory"),
    ],
)
async def test_what_cannot_be_stored_is_refused_by_name(
    scheduler: Stub, world: World, fields: dict[str, object], fault: str
) -> None:
    await world.add_instance()
    with pytest.raises(errors.InvalidParameterException, match=fault):
        await scheduler.RunTask(run_task(**fields))
    assert len((await scheduler.RunTask(run_task())).tasks) == 1


async def test_a_reason_that_cannot_be_stored_stops_nothing(scheduler: Stub, world: World) -> None:
    await world.add_instance()
    (task,) = (await scheduler.RunTask(run_task())).tasks
    request = scheduler_service_pb2.StopTaskRequest(cluster="web", task=task.task_arn, reason="a\0b")
    with pytest.raises(errors.InvalidParameterException, match="reason contains the character NUL"):
        await scheduler.StopTask(request)
    request.reason = "because"
    assert (await scheduler.StopTask(request)).task.stopped_reason == "because"


async def test_one_request_that_fails_its_commit_does_not_fail_those_beside_it(
    scheduler: Stub, world: World, monkeypatch: pytest.MonkeyPatch
) -> None:
    await world.add_instance(cpu=100_000, memory=100_000)
    real = commits.commit

    def poisoned(dialect: Dialect, batch: work.Batch) -> steps.Step[work.Outcome]:
        if any(decided.wanted.asked.group == "poison" for decided in batch.placements):
            raise ValueError("a fault that nobody foresaw")
        return (yield from real(dialect, batch))

    monkeypatch.setattr(commits, "commit", poisoned)
    groups = ["fine", "poison", "fine", "poison", "fine", "fine"]
    answers = await asyncio.gather(
        *(scheduler.RunTask(run_task(group=group)) for group in groups), return_exceptions=True
    )
    for group, answer in zip(groups, answers, strict=True):
        if group == "poison":
            assert isinstance(answer, errors.ServerException)
            assert "nobody foresaw" not in answer.message
        else:
            assert isinstance(answer, scheduler_service_pb2.RunTaskResponse)
            assert len(answer.tasks) == 1
    # What was reserved for the poison was given back: the view holds what the tables hold.
    assert await world.reserved() == {next(iter(await world.reserved())): (4 * 256, 4 * 128)}
    assert len((await scheduler.RunTask(run_task())).tasks) == 1
