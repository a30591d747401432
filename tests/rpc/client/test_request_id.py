"""One request keeps its id from the client, through the components, to the log of the agent that runs its task, and into the events."""

import asyncio
import logging
from collections.abc import Iterator, MutableMapping, Sequence
from contextlib import aclosing
from typing import Any

import pytest
from structlog.contextvars import merge_contextvars
from structlog.testing import capture_logs

from longshore.client import addresses
from longshore.client import client as clients
from longshore.v1 import event_pb2, scheduler_service_pb2
from tests.conformance import world

BOUND_S = 20.0
OWN = "deploy-4711"


@pytest.fixture(scope="module")
def stack(tmp_path_factory: pytest.TempPathFactory) -> Iterator[world.World]:
    with world.running(tmp_path_factory.mktemp("stack")) as made:
        container = {"name": "app", "image": world.IMAGE, "memory": 64, "essential": True}
        made.ecs.register_task_definition(family="app", containerDefinitions=[container])
        yield made


@pytest.fixture(autouse=True)
def _debugging(caplog: pytest.LogCaptureFixture) -> None:
    caplog.set_level(logging.DEBUG, logger="longshore")


async def placed_by(client: clients.Client, request_id: str) -> tuple[str, str]:
    """Run a task under an id; its ARN and the cursor after it."""
    request = scheduler_service_pb2.RunTaskRequest(task_definition="app")
    answer = await client.call(client.scheduler.RunTask, request, request_id=request_id)
    return answer.tasks[0].task_arn, answer.cursor


async def first_event(client: clients.Client, task_id: str, cause: str) -> event_pb2.Event:
    """The first event of a task that some request caused, from another one's cursor on."""
    async with asyncio.timeout(BOUND_S), aclosing(client.watch(cursor=cause, tasks=[task_id])) as batches:
        async for batch in batches:
            for event in batch.events:
                return event
    raise AssertionError("the watch ended")


def connected(stack: world.World) -> clients.Client:
    replicas = ((stack.at[name],) for name in ("registry", "scheduler", "state_tracker"))
    return clients.Client(addresses=addresses.Addresses(*replicas))


def lines(logged: Sequence[MutableMapping[str, Any]], request_id: str) -> set[str]:
    """What was logged under an id."""
    return {str(line["event"]) for line in logged if line.get("request_id") == request_id}


def test_the_id_that_a_gateway_answers_is_in_the_logs_of_scheduler_and_agent_and_in_the_event(
    stack: world.World,
) -> None:
    async def cause(request_id: str) -> str:
        async with connected(stack) as client:
            return (await placed_by(client, request_id))[1]

    before = asyncio.run(cause("before"))
    with capture_logs(processors=[merge_contextvars]) as logged:
        answer = stack.ecs.run_task(taskDefinition="app")
        (task,) = answer["tasks"]
        stack.running(task["taskArn"])
        request_id = answer["ResponseMetadata"]["RequestId"]
        stack.wait(lambda: {"rpc_ended", "container_moved"} <= lines(logged, request_id))

    moved = [line for line in logged if line["event"] == "container_moved" and line.get("request_id") == request_id]
    task_id = task["taskArn"].rpartition("/")[2]
    assert {line["task_id"] for line in moved} == {task_id}
    assert answer["ResponseMetadata"]["HTTPHeaders"]["x-amzn-requestid"] == request_id

    async def event() -> event_pb2.Event:
        async with connected(stack) as client:
            return await first_event(client, task_id, before)

    assert asyncio.run(event()).request_id == request_id


def test_a_program_may_name_its_requests_itself_and_each_call_has_a_name(stack: world.World) -> None:
    async def run() -> tuple[str, str]:
        async with connected(stack) as client:
            return (await placed_by(client, OWN))[0], (await placed_by(client, ""))[0]

    with capture_logs(processors=[merge_contextvars]) as logged:
        own, other = asyncio.run(run())
        stack.running(own)
        stack.running(other)
        stack.wait(lambda: "container_moved" in lines(logged, OWN))
    names = {line["request_id"] for line in logged if line["event"] == "container_moved"}
    assert OWN in names
    assert len(names) == 2
    assert all(names)
