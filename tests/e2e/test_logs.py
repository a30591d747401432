"""Logs through the whole stack, on real containers: every byte, in order, once, whoever breaks on the way."""

import asyncio
import contextlib
from collections.abc import Sequence
from datetime import UTC
from typing import Any

import pytest

from longshore.client import client as clients
from longshore.rpc import errors
from longshore.v1 import log_pb2, scheduler_service_pb2, task_definition_pb2
from tests.e2e import calls, containers, stacks

BOUND_S = 60.0
OUT, ERR = log_pb2.LOG_STREAM_STDOUT, log_pb2.LOG_STREAM_STDERR

Piece = tuple[str, int, bytes]


async def collected(client: clients.Client, task: str, **wanted: Any) -> list[Piece]:
    """What a reader gets, consecutive pieces of one container and stream joined."""
    found: list[Piece] = []
    async with asyncio.timeout(BOUND_S), contextlib.aclosing(client.logs(task, **wanted)) as outputs:
        async for output in outputs:
            add(found, output.pieces)
    return found


def add(found: list[Piece], pieces: Sequence[log_pb2.LogPiece]) -> None:
    for piece in pieces:
        if found and found[-1][:2] == (piece.container, piece.stream):
            found[-1] = (*found[-1][:2], found[-1][2] + piece.data)
        else:
            found.append((piece.container, piece.stream, piece.data))


def bytes_of(found: Sequence[Piece], stream: int = OUT, container: str = "main") -> bytes:
    return b"".join(data for name, kind, data in found if (name, kind) == (container, stream))


async def started(client: clients.Client, family: str, script: str, **container: object) -> str:
    """Run a task of one container; its id."""
    name = await calls.register(client, calls.definition(family, script, **container))
    return (await calls.run_one(client, name)).task_arn.rpartition("/")[2]


async def test_a_follower_gets_every_byte_of_both_streams_in_order_and_then_the_end(stack: stacks.Stack) -> None:
    """The order is the engine's: on a busy machine it may take up one stream's line before the other's earlier one."""
    script = "for n in 1 2 3; do echo out $n; sleep 0.05; echo err $n >&2; sleep 0.05; done"
    async with stack.client() as client:
        task = await started(client, "logs-order", script)
        found = await collected(client, task, follow=True)
        assert bytes_of(found) == b"out 1\nout 2\nout 3\n"
        assert bytes_of(found, ERR) == b"err 1\nerr 2\nerr 3\n"
        (witness,) = containers.of_task(stack.engine, task)
        assert b"".join(data for _, _, data in found).decode().strip() == stack.engine.logs(witness.container_id)
        assert await collected(client, task) == found


async def test_nothing_is_lost_of_tasks_that_live_for_a_moment(stack: stacks.Stack) -> None:
    async with stack.client() as client:
        name = await calls.register(client, calls.definition("logs-short", "echo here; printf gone >&2"))
        request = scheduler_service_pb2.RunTaskRequest(task_definition=name, count=5)
        tasks = (await client.call(client.scheduler.RunTask, request)).tasks
        for found in await asyncio.gather(*(collected(client, task.task_arn, follow=True) for task in tasks)):
            assert (bytes_of(found), bytes_of(found, ERR)) == (b"here\n", b"gone")


async def test_binary_long_and_unfinished_lines_come_as_they_are(stack: stacks.Stack) -> None:
    """Engines cut lines at 16 KiB; the last one may have no end. What is no UTF-8 json-file itself does not keep."""
    script = (
        'i=0; while [ $i -lt 128 ]; do printf "\\\\$(printf %03o $i)"; i=$((i+1)); done;'
        " echo; head -c 100000 /dev/zero | tr '\\0' x; echo; printf end"
    )
    expected = bytes(range(128)) + b"\n" + b"x" * 100_000 + b"\nend"
    async with stack.client() as client:
        task = await started(client, "logs-bytes", script)
        assert bytes_of(await collected(client, task, follow=True)) == expected
        terminal = await started(client, "logs-terminal", script, pseudo_terminal=True)
        assert bytes_of(await collected(client, terminal, follow=True)) == expected.replace(b"\n", b"\r\n")


async def test_several_containers_are_merged_by_time(stack: stacks.Stack) -> None:
    async with stack.client() as client:
        definition = calls.definition("logs-several", "for n in 1 2 3; do echo a$n; sleep 0.3; done", name="a")
        other = task_definition_pb2.ContainerDefinition(
            name="b", image="busybox", cpu=16, memory=16, essential=False, stop_timeout=1
        )
        other.command.values[:] = ["sh", "-c", "sleep 0.15; for n in 1 2; do echo b$n; sleep 0.3; done; sleep 30"]
        definition.container_definitions.append(other)
        request = scheduler_service_pb2.RunTaskRequest(task_definition=await calls.register(client, definition))
        task = (await client.call(client.scheduler.RunTask, request)).tasks[0].task_arn
        followed = await collected(client, task, follow=True)
        assert {bytes_of(followed, OUT, "a"), bytes_of(followed, OUT, "b")} == {b"a1\na2\na3\n", b"b1\nb2\n"}
        history = await collected(client, task)
        merged = [line for _, _, data in history for line in data.split()]
        assert sorted(merged) == [b"a1", b"a2", b"a3", b"b1", b"b2"]
        assert [line for line in merged if line.startswith(b"a")] == [b"a1", b"a2", b"a3"]
        assert len(history) > 2, "one container after the other is not merged"
        assert await collected(client, task, containers=["b"]) == [("b", OUT, b"b1\nb2\n")]
        with pytest.raises(errors.ClientException, match="has no container c; it has a, b"):
            await collected(client, task, containers=["c"])


async def test_tail_since_and_times(stack: stacks.Stack) -> None:
    async with stack.client() as client:
        task = await started(client, "logs-tail", "for n in 1 2 3 4; do echo $n; sleep 0.05; done")
        await collected(client, task, follow=True)
        assert bytes_of(await collected(client, task, tail=2)) == b"3\n4\n"
        assert await collected(client, task, tail=0) == []
        outputs = [output async for output in client.logs(task, timestamps=True)]
        pieces = [piece for output in outputs for piece in output.pieces]
        assert [piece.data for piece in pieces] == [b"1\n", b"2\n", b"3\n", b"4\n"]
        times = [piece.time.ToNanoseconds() for piece in pieces]
        assert times == sorted(times)
        third = pieces[2].time.ToDatetime(tzinfo=UTC)
        assert bytes_of(await collected(client, task, since=third)) == b"3\n4\n"


async def test_a_reader_goes_on_at_its_cursor(stack: stacks.Stack) -> None:
    """Also where many entries have one time: parts of a long line."""
    async with stack.client() as client:
        script = "head -c 400000 /dev/zero | tr '\\0' y; for n in 1 2 3; do echo e$n >&2; echo o$n; done"
        task = await started(client, "logs-cursor", script)
        whole = await collected(client, task, follow=True)
        found: list[Piece] = []
        cursor, readings = "", 0
        while True:
            async with contextlib.aclosing(client.logs(task, cursor=cursor)) as outputs:
                output = await anext(outputs, None)
            if output is None or not output.pieces:
                break
            add(found, output.pieces)
            cursor, readings = output.cursor, readings + 1
        assert readings > 1
        assert found == whole


async def test_a_driver_that_keeps_nothing_is_named(stack: stacks.Stack) -> None:
    async with stack.client() as client:
        # An engine of today keeps a copy of what it gives to other drivers, unless it is told not to.
        options = {"fluentd-async-connect": "true", "cache-disabled": "true"}
        unread = task_definition_pb2.LogConfiguration(log_driver="fluentd", options=options)
        task = await started(client, "logs-unread", "echo nowhere", log_configuration=unread)
        with pytest.raises(
            errors.ClientException, match="log driver fluentd: configured logging driver does not support"
        ):
            await collected(client, task, follow=True)


async def test_what_would_go_to_aws_is_kept_and_read_here(stack: stacks.Stack) -> None:
    """As people have it: awslogs with an execution role, and a FireLens router beside what it routes."""
    async with stack.client() as client:
        options = {"awslogs-group": "/ecs/app", "awslogs-region": "eu-west-1", "awslogs-stream-prefix": "app"}
        to_cloudwatch = task_definition_pb2.LogConfiguration(log_driver="awslogs", options=options)
        definition = calls.definition("logs-aws", "echo kept", log_configuration=to_cloudwatch)
        definition.execution_role_arn = "arn:aws:iam::123456789012:role/ecsTaskExecutionRole"
        router = task_definition_pb2.ContainerDefinition(
            name="router", image="busybox", cpu=16, memory=16, stop_timeout=1
        )
        router.command.values[:] = ["sh", "-c", "echo routing; sleep 30"]
        router.firelens_configuration.type = task_definition_pb2.FIRELENS_CONFIGURATION_TYPE_FLUENTBIT
        routed = task_definition_pb2.ContainerDefinition(
            name="routed", image="busybox", cpu=16, memory=16, essential=False
        )
        routed.command.values[:] = ["echo", "routed"]
        routed.log_configuration.log_driver = "awsfirelens"
        definition.container_definitions.extend([router, routed])
        after = definition.container_definitions[0].depends_on.add(container_name="routed")
        after.condition = task_definition_pb2.CONTAINER_CONDITION_COMPLETE
        task = (await calls.run_one(client, await calls.register(client, definition))).task_arn
        found = await collected(client, task, follow=True)
        assert bytes_of(found) == b"kept\n"
        assert bytes_of(found, OUT, "routed") == b"routed\n"
        engine_ids = [witness.container_id for witness in containers.of_task(stack.engine, task)]
        template = '{{.HostConfig.LogConfig.Type}}:{{index .HostConfig.LogConfig.Config "max-size"}}'
        drivers = stack.engine.docker("inspect", "--format", template, *engine_ids).splitlines()
        assert sorted(drivers) == ["json-file:", "json-file:20m", "json-file:20m"]


async def test_what_there_is_not_is_said(stack: stacks.Stack) -> None:
    async with stack.client() as client:
        with pytest.raises(errors.ResourceNotFoundException, match="There is no task 0000"):
            await collected(client, "0" * 32)
        task = await started(client, "logs-bad", "true")
        with pytest.raises(errors.InvalidParameterException, match="cursor"):
            await collected(client, task, cursor="x")
        with pytest.raises(errors.InvalidParameterException, match="tail is -1"):
            await collected(client, task, tail=-1)
