"""What an agent takes on a host with 50 running containers: resident memory while they log and are sampled, processor time while they idle.

Both with the agent's settings as they are by themselves: statistics every ten seconds, task metadata served.
"""

import asyncio
import os
import time
from pathlib import Path

from benchmarks import figures, memory
from longshore.client import client as clients
from longshore.v1 import (
    registry_service_pb2,
    scheduler_service_pb2,
    state_tracker_service_pb2,
    task_definition_pb2,
    task_pb2,
)
from tests.e2e import stacks

CONTAINERS = 50
PER_CALL = 10
"""Most tasks of one RunTask call."""
SETTLE_S = 30.0
"""Three passes of statistics, and the garbage of 50 launches given back."""
WATCHED_S = 60.0
WAIT_S = 180.0
LOGGING = [
    "sh",
    "-c",
    "trap 'exit 0' TERM; while :; do echo a line of output, as programs write it; sleep 1 & wait $!; done",
]
IDLE = ["sh", "-c", "trap 'exit 0' TERM; sleep 3600 & wait"]
_STAT_FIELDS_AFTER_NAME = 11
"""Of /proc/PID/stat, from the closing parenthesis to utime."""


def measure(stack: stacks.Stack) -> list[figures.Figure]:
    """Both figures of a running stack with one agent."""
    return asyncio.run(_measure(stack))


async def _measure(stack: stacks.Stack) -> list[figures.Figure]:
    pid = memory.find(stack, "longshore.agent")
    async with stack.client() as client:
        idle = await _run(client, "bench-idle", IDLE)
        await asyncio.sleep(SETTLE_S)
        before, began = cpu_s(pid), time.monotonic()
        await asyncio.sleep(WATCHED_S)
        percent = 100 * (cpu_s(pid) - before) / (time.monotonic() - began)
        idle_mb = memory.resident_mb(pid)
        await _stop(client, idle)
        logging = await _run(client, "bench-logging", LOGGING)
        await asyncio.sleep(SETTLE_S)
        crowded_mb = memory.resident_mb(pid)
        await _stop(client, logging)
    with memory.base(stack) as base_mb:
        return [
            figures.Figure(
                name=f"agent with {CONTAINERS} containers that log",
                value=crowded_mb,
                unit="MB",
                peer=base_mb,
                peer_name="base: same imports, both connections",
                goal=figures.more_at_most(16, "MB"),
                notes=f"{idle_mb:.1f} MB with as many idle ones; sampled every 10 s, task metadata served",
            ),
            figures.Figure(
                name=f"agent's CPU with {CONTAINERS} idle containers",
                value=percent,
                unit="% of a core",
                goal=figures.at_most(2, "% of a core"),
                notes=f"user and system time over {WATCHED_S:.0f} s",
            ),
        ]


def cpu_s(pid: int) -> float:
    """Processor time of a process up to now, its threads' included."""
    fields = Path(f"/proc/{pid}/stat").read_text().rpartition(")")[2].split()
    user, system = fields[_STAT_FIELDS_AFTER_NAME : _STAT_FIELDS_AFTER_NAME + 2]
    return (int(user) + int(system)) / os.sysconf("SC_CLK_TCK")


async def _run(client: clients.Client, family: str, command: list[str]) -> list[str]:
    """Run the containers until all run; the tasks' ARNs."""
    container = task_definition_pb2.ContainerDefinition(name="main", image="busybox", cpu=2, memory=16, stop_timeout=2)
    container.command.values[:] = command
    made = await client.call(
        client.registry.RegisterTaskDefinition,
        registry_service_pb2.RegisterTaskDefinitionRequest(family=family, container_definitions=[container]),
    )
    arns: list[str] = []
    for _ in range(CONTAINERS // PER_CALL):
        request = scheduler_service_pb2.RunTaskRequest(
            task_definition=f"{family}:{made.task_definition.revision}", count=PER_CALL
        )
        answer = await client.call(client.scheduler.RunTask, request)
        if len(answer.tasks) < PER_CALL:
            raise RuntimeError(str(answer.failures))
        arns += [task.task_arn for task in answer.tasks]
    await _until(client, arns, task_pb2.TASK_STATUS_RUNNING)
    return arns


async def _stop(client: clients.Client, arns: list[str]) -> None:
    for arn in arns:
        await client.call(client.scheduler.StopTask, scheduler_service_pb2.StopTaskRequest(task=arn))
    await _until(client, arns, task_pb2.TASK_STATUS_STOPPED)


async def _until(client: clients.Client, arns: list[str], status: "task_pb2.TaskStatus.ValueType") -> None:
    async with asyncio.timeout(WAIT_S):
        async for _ in client.watch():
            request = state_tracker_service_pb2.DescribeTasksRequest(tasks=arns)
            described = (await client.call(client.state_tracker.DescribeTasks, request)).tasks
            if all(task.last_status == status for task in described):
                return
