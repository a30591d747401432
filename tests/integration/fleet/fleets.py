"""A control plane in this process, and simulated fleets that join it over real sockets, as `longshore simulate` makes them."""

import asyncio
import contextlib
from collections.abc import AsyncIterator
from pathlib import Path
from typing import Any

from longshore.agent.simulated import __main__ as simulation
from longshore.agent.simulated import simulated_failures, simulated_fleet, simulation_config
from longshore.client import addresses
from longshore.client import client as clients
from longshore.embedded import config, control_plane
from longshore.rpc import loops
from longshore.v1 import (
    registry_service_pb2,
    scheduler_service_pb2,
    state_tracker_service_pb2,
    task_definition_pb2,
    task_pb2,
)
from tests.engines import ports

PORTS = 8
WAIT_S = 60.0
"""Everything happens within seconds; this is for a machine that is busy."""
INSTANT = dict.fromkeys(("pull_time", "check_time", "create_time", "start_time", "stop_time"), "0")


@contextlib.asynccontextmanager
async def control(folder: Path) -> AsyncIterator[clients.Client]:
    """An embedded control plane without an agent, and its client."""
    base = ports.free_range(PORTS)
    options = config.Up(state_dir=folder, port_base=base)
    async with (
        control_plane.running(options, config.folders(folder)),
        clients.Client(addresses=control_plane.client_addresses(base)) as client,
    ):
        yield client


@contextlib.asynccontextmanager
async def joined(
    at: addresses.Addresses, *, keep: bool = False, **settings: Any
) -> AsyncIterator[simulated_fleet.Fleet]:
    """A fleet of which every host holds a session, for the time of the block."""
    parsed = simulation_config.Config(registry=at.registry, state_tracker=at.state_tracker, **(INSTANT | settings))
    async with contextlib.AsyncExitStack() as stack:
        fleet = simulation.made(parsed)
        async with loops.supervised() as supervisor:
            supervisor.spawn("coming up", fleet.come_up(stack))
            await until(fleet, lambda count: count.sessions == parsed.instances)
            yield fleet
        await fleet.switch_off()
        if not keep:
            assert await fleet.deregister() == []


async def until(fleet: simulated_fleet.Fleet, holds: Any) -> simulated_fleet.Count:
    """Return once it holds of the fleet's count. Hosts tell nobody what they do, so they are asked."""
    async with asyncio.timeout(WAIT_S):
        while not holds(count := fleet.count()):  # noqa: ASYNC110 - see above
            await asyncio.sleep(0.02)
    return count


async def define(client: clients.Client, family: str = "sim", **changes: Any) -> None:
    """Register a definition of one small container."""
    container = task_definition_pb2.ContainerDefinition(name="main", image="busybox", cpu=16, memory=16, **changes)
    request = registry_service_pb2.RegisterTaskDefinitionRequest(family=family, container_definitions=[container])
    await client.call(client.registry.RegisterTaskDefinition, request)


async def run(client: clients.Client, count: int, family: str = "sim") -> list[task_pb2.Task]:
    """Run tasks, ten a call."""
    tasks: list[task_pb2.Task] = []
    for start in range(0, count, 10):
        request = scheduler_service_pb2.RunTaskRequest(task_definition=family, count=min(10, count - start))
        answer = await client.call(client.scheduler.RunTask, request)
        assert not answer.failures, answer.failures
        tasks += answer.tasks
    return tasks


async def instances(client: clients.Client) -> list[Any]:
    """The cluster's container instances, described."""
    listed = await client.call(
        client.state_tracker.ListContainerInstances, state_tracker_service_pb2.ListContainerInstancesRequest()
    )
    if not listed.container_instance_arns:
        return []
    described = await client.call(
        client.state_tracker.DescribeContainerInstances,
        state_tracker_service_pb2.DescribeContainerInstancesRequest(container_instances=listed.container_instance_arns),
    )
    return list(described.container_instances)


@contextlib.asynccontextmanager
async def happening(fleet: simulated_fleet.Fleet, script: str) -> AsyncIterator[None]:
    """What the script says happens in the block, whose end waits for the end of it all."""
    async with loops.supervised() as supervisor:
        failing = supervisor.spawn("failures", fleet.fail(simulated_failures.parse(script), supervisor))
        await failing
        assert fleet.count().failing
        yield
        await until(fleet, lambda count: not count.failing)
