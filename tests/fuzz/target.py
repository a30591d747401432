"""The stack that is shot at: control plane, two gateways and an agent, all in this process over real sockets and a real file."""

import asyncio
import contextlib
import ctypes
import gc
import os
import sqlite3
import time
from collections.abc import AsyncIterator, Iterator
from dataclasses import dataclass
from pathlib import Path

from longshore.client import addresses, client, following, waiting
from longshore.embedded import config, control_plane
from longshore.gateway import app
from longshore.gateway import config as gateway_config
from longshore.rpc import codec, tls
from longshore.v1 import (
    registry_service_pb2,
    scheduler_service_pb2,
    state_tracker_service_pb2,
    task_definition_pb2,
    task_pb2,
)
from tests.engines import ports
from tests.fuzz import agents, plausible

CLUSTERS = ("default", "fuzz")
CANARY = "canary"
"""A cluster, a family and a task's group that no mutant names."""

PORTS = 8

SETTLED_WITHIN_S = 20.0

FELT_EVERY_S = 0.005


@dataclass(frozen=True, slots=True)
class Target:
    """A running stack."""

    client: client.Client
    addresses: addresses.Addresses
    database: Path
    gateway: tls.HostPort
    """Takes requests unsigned."""
    verifying: tls.HostPort
    """Verifies every request."""
    known: plausible.Known


@dataclass(frozen=True, slots=True)
class Footprint:
    """What a process holds: what must not grow with the requests that it has answered."""

    resident_kb: int
    objects: int
    tasks: int
    files: int

    @classmethod
    def now(cls) -> "Footprint":
        """This process's."""
        gc.collect()
        ctypes.CDLL(None).malloc_trim(0)  # what the allocator keeps of large bodies is not held by anybody
        pages = int(Path("/proc/self/statm").read_text().split()[1])
        return cls(
            pages * os.sysconf("SC_PAGE_SIZE") // 1024,
            len(gc.get_objects()),
            len(asyncio.all_tasks()),
            len(list(Path("/proc/self/fd").iterdir())),
        )


class Pulse:
    """Feels for turns of the event loop that work for long: whoever else is served here waits for them.

    It counts this thread's own processor time, which a busy machine does not prolong.
    """

    def __init__(self) -> None:
        self.longest_s = 0.0
        """The longest turn so far."""

    @contextlib.contextmanager
    def felt(self) -> Iterator[None]:
        """Feel for as long as the block runs."""
        # What the tests before have left is not looked through again in here: a whole collection of it is a long turn, and not ours.
        gc.collect()
        gc.freeze()
        feeling = asyncio.create_task(self._feel(), name="pulse")
        try:
            yield
        finally:
            feeling.cancel()
            gc.unfreeze()

    async def _feel(self) -> None:
        last = time.thread_time()
        while True:
            await asyncio.sleep(FELT_EVERY_S)
            now = time.thread_time()
            self.longest_s = max(self.longest_s, now - last)
            last = now


@contextlib.asynccontextmanager
async def running(folder: Path) -> AsyncIterator[Target]:
    """A stack with something of everything in it."""
    base = ports.free_range(PORTS)
    options = config.Up(state_dir=folder, port_base=base)
    folders = config.folders(folder)
    at = control_plane.client_addresses(base)
    async with contextlib.AsyncExitStack() as stack:
        await stack.enter_async_context(control_plane.running(options, folders))
        open_to_all, verifying = [
            await stack.enter_async_context(_gateway(at, verify))
            for verify in (gateway_config.WHEN_KEYS_EXIST, gateway_config.ALWAYS)
        ]
        caller = await stack.enter_async_context(client.Client(addresses=at))
        for name in (*CLUSTERS, CANARY):
            await caller.call(
                caller.registry.CreateCluster, registry_service_pb2.CreateClusterRequest(cluster_name=name)
            )
        identities = [await agents.register(at.state_tracker[0], name) for name in (*CLUSTERS, CANARY)]
        for identity in identities:
            await stack.enter_async_context(agents.connected(at.state_tracker[0], identity))
        known = await _furnish(caller, [identity.instance_id for identity in identities[:-1]])
        yield Target(caller, at, folders.database, open_to_all, verifying, known)


@contextlib.asynccontextmanager
async def _gateway(at: addresses.Addresses, verify: str) -> AsyncIterator[tls.HostPort]:
    settings = gateway_config.Config(
        listen="127.0.0.1:0",
        verify=verify,
        registry=at.registry,
        scheduler=at.scheduler,
        state_tracker=at.state_tracker,
        any_region=True,
    )
    async with app.serve(settings) as serving:
        yield tls.HostPort.parse(serving.address)


async def _furnish(caller: client.Client, instances: list[str]) -> plausible.Known:
    """Definitions and tasks; the names of all that a mutant may name."""
    definitions = [await _register(caller, family) for family in ("web", "web", "batch")]
    await _register(caller, CANARY)
    tasks = []
    for cluster in (*CLUSTERS, CANARY):
        family = CANARY if cluster == CANARY else "web"
        request = scheduler_service_pb2.RunTaskRequest(cluster=cluster, task_definition=family, count=3)
        answer = await caller.call(caller.scheduler.RunTask, request)
        assert not answer.failures, answer.failures
        tasks += [task.task_arn for task in answer.tasks]
        follower = following.Follower(task.task_arn.rpartition("/")[2] for task in answer.tasks)
        async with asyncio.timeout(SETTLED_WITHIN_S):
            await waiting.follow(
                caller, follower, cluster=cluster, cursor=answer.cursor, until=following.Follower.settled
            )
    return plausible.Known(
        clusters=(*CLUSTERS, f"arn:aws:ecs:us-east-1:123456789012:cluster/{CLUSTERS[1]}", "absent"),
        definitions=(*definitions, "web", "batch:7"),
        instances=(*instances, "0" * 32),
        tasks=(*tasks[:6], "f" * 32),
    )


async def _register(caller: client.Client, family: str) -> str:
    container = task_definition_pb2.ContainerDefinition(name="main", image="busybox", cpu=1, memory=4)
    request = registry_service_pb2.RegisterTaskDefinitionRequest(family=family, container_definitions=[container])
    made = (await caller.call(caller.registry.RegisterTaskDefinition, request)).task_definition
    return f"{made.family}:{made.revision}"


# ------------------------------------------------------------------------------------------- what must be so afterwards


async def canary(target: Target) -> str:
    """What nobody may have changed: the canary's cluster, definition and tasks, as text."""
    caller = target.client
    cluster = await caller.call(
        caller.registry.DescribeClusters, registry_service_pb2.DescribeClustersRequest(clusters=[CANARY])
    )
    definition = await caller.call(
        caller.registry.DescribeTaskDefinition,
        registry_service_pb2.DescribeTaskDefinitionRequest(task_definition=f"{CANARY}:1"),
    )
    listed = await caller.call(
        caller.state_tracker.ListTasks, state_tracker_service_pb2.ListTasksRequest(cluster=CANARY)
    )
    tasks = await caller.call(
        caller.state_tracker.DescribeTasks,
        state_tracker_service_pb2.DescribeTasksRequest(cluster=CANARY, tasks=listed.task_arns),
    )
    return codec.dumps([codec.to_json(answer) for answer in (cluster, definition, tasks)], indent=1)


async def inconsistencies(target: Target) -> list[str]:
    """What the stack says of itself that cannot be: nothing, whatever it was asked before."""
    found = [row[0] for row in _integrity(target.database) if row[0] != "ok"]
    caller = target.client
    listing = caller.pages(caller.registry.ListClusters, registry_service_pb2.ListClustersRequest())
    for arn in [arn async for page in listing for arn in page.cluster_arns]:
        request = registry_service_pb2.DescribeClustersRequest(clusters=[arn])
        (cluster,) = (await caller.call(caller.registry.DescribeClusters, request)).clusters
        instances = caller.pages(
            caller.state_tracker.ListContainerInstances,
            state_tracker_service_pb2.ListContainerInstancesRequest(cluster=arn),
        )
        listed = [instance async for page in instances for instance in page.container_instance_arns]
        if len(listed) != cluster.registered_container_instances_count:
            found.append(f"{arn}: {len(listed)} instances, {cluster.registered_container_instances_count} counted")
        tasks = await _tasks(caller, arn)
        going = [task for task in tasks if task.last_status != task_pb2.TASK_STATUS_STOPPED]
        counted = cluster.running_tasks_count + cluster.pending_tasks_count
        if len(going) != counted:
            found.append(f"{arn}: {len(going)} tasks, {counted} counted")
    return found


async def _tasks(caller: client.Client, cluster: str) -> list[task_pb2.Task]:
    found: list[task_pb2.Task] = []
    for status in (task_pb2.DESIRED_STATUS_RUNNING, task_pb2.DESIRED_STATUS_STOPPED):
        asked = state_tracker_service_pb2.ListTasksRequest(cluster=cluster, desired_status=status)
        async for page in caller.pages(caller.state_tracker.ListTasks, asked):
            request = state_tracker_service_pb2.DescribeTasksRequest(cluster=cluster, tasks=page.task_arns)
            if page.task_arns:
                answer = await caller.call(caller.state_tracker.DescribeTasks, request)
                found += answer.tasks
    return found


def _integrity(file: Path) -> list[tuple[str]]:
    # The file is locked by a lock file of its owner, not by SQLite: reading beside it is allowed.
    with contextlib.closing(sqlite3.connect(f"file:{file}?mode=ro", uri=True)) as connection:
        return connection.execute("PRAGMA integrity_check").fetchall()
