"""What millions of stopped tasks cost those that run: the same calls, in turns, with and without them in the tables.

    make bench ARGS='--only history --history-tasks 10000000'

Two control planes over one PostgreSQL (fsync on), each with a simulated fleet and live tasks; the tables of one are filled by SQL with
copies of its first stopped task, indexes, observations and all. Every figure is the ratio of the two.
"""

import argparse
import asyncio
import contextlib
import functools
import sys
import time
from collections.abc import AsyncIterator, Awaitable, Callable, Sequence
from dataclasses import dataclass, field
from pathlib import Path

import asyncpg

from benchmarks import catalogue, figures, machine
from longshore.client import client as clients
from longshore.state_tracker import retention
from longshore.storage import database, steps
from longshore.storage.dialect import Dialect
from longshore.v1 import (
    common_pb2,
    registry_service_pb2,
    scheduler_service_pb2,
    state_tracker_service_pb2,
    task_definition_pb2,
    task_pb2,
)
from tests.integration.fleet import large

STOPPED = 1_000_000
INSTANCES = 50
LIVE = 500
"""Tasks that run all the while."""
TURNS = 20
PER_CALL = 100
"""Tasks of one RunTasks call, of one page, of one DescribeTasks."""
RESTARTS = 3
FORGOTTEN = 50_000
BOUND_S = 600.0
FAMILY = "sim"

Call = Callable[["Side"], Awaitable[object]]


@dataclass(slots=True)
class Side:
    """One of the two control planes, with its client and what runs on it."""

    plane: large.ControlPlane
    client: clients.Client
    live: list[str] = field(default_factory=list)
    surplus: list[str] = field(default_factory=list)
    """Tasks of the calls that were timed, to stop between them."""


def measure(folder: Path, options: argparse.Namespace) -> list[figures.Figure]:
    """Fill one side, and compare."""
    with machine.servers() as (server, events), contextlib.ExitStack() as stack:
        urls = [server.create_database() for _ in range(2)]
        planes = []
        for number, url in enumerate(urls):
            own = folder / str(number)
            own.mkdir()
            planes.append(stack.enter_context(large.control_plane(own, url, events.fresh_url())))
        return asyncio.run(_measure(planes, urls[0], options.history_tasks))


async def _measure(planes: Sequence[large.ControlPlane], url: str, stopped: int) -> list[figures.Figure]:
    async with contextlib.AsyncExitStack() as stack:
        full, empty = [await stack.enter_async_context(_side(plane)) for plane in planes]
        began = time.monotonic()
        mib = await _fill(url, stopped)
        sys.stderr.write(
            f"history: {stopped:,} stopped tasks are in the tables after {time.monotonic() - began:.0f} s\n"
        )
        found = [await _compared(what, call, (full, empty), stopped) for what, call in CALLS.items()]
        found.append(await _compared("a new scheduler's first RunTask", _restarted, (full, empty), stopped, RESTARTS))
        size = figures.Figure("tables and indexes per stopped task", mib * 2**20 / stopped, "bytes")
        return [*found, size, await _forgetting(url)]


@contextlib.asynccontextmanager
async def _side(plane: large.ControlPlane) -> AsyncIterator[Side]:
    size = large.Size(INSTANCES, LIVE * 4, BOUND_S)
    async with clients.Client(addresses=plane.addresses, deadline_s=BOUND_S) as client:
        await client.call(client.registry.CreateCluster, registry_service_pb2.CreateClusterRequest())
        container = task_definition_pb2.ContainerDefinition(name="main", image="busybox", cpu=large.CPU, memory=4)
        await client.call(
            client.registry.RegisterTaskDefinition,
            registry_service_pb2.RegisterTaskDefinitionRequest(family=FAMILY, container_definitions=[container]),
        )
        async with large.fleet(plane.addresses, size, large.Outcome()):
            side = Side(plane, client)
            side.live = await _run(side, LIVE)
            side.surplus = await _run(side, 1)
            await _stop_surplus(side)
            yield side


async def _run(side: Side, count: int) -> list[str]:
    one = scheduler_service_pb2.RunTaskRequest(task_definition=FAMILY)
    request = scheduler_service_pb2.RunTasksRequest(run_task=one, count=count)
    answer = await side.client.call(side.client.scheduler.RunTasks, request)
    if len(answer.task_ids) != count:
        raise AssertionError(f"{count} tasks were asked for, {len(answer.task_ids)} placed")
    return list(answer.task_ids)


async def _stop_surplus(side: Side) -> None:
    for task_id in side.surplus:
        await side.client.call(side.client.scheduler.StopTask, scheduler_service_pb2.StopTaskRequest(task=task_id))
    left = side.surplus
    while left:
        answer = await _described(side, left[:PER_CALL])
        if all(task.last_status == task_pb2.TASK_STATUS_STOPPED for task in answer.tasks):
            left = left[PER_CALL:]
    side.surplus = []


async def _described(side: Side, tasks: Sequence[str]) -> state_tracker_service_pb2.DescribeTasksResponse:
    request = state_tracker_service_pb2.DescribeTasksRequest(tasks=tasks)
    return await side.client.call(side.client.state_tracker.DescribeTasks, request)


async def _place(side: Side) -> None:
    side.surplus += await _run(side, PER_CALL)


async def _listed(side: Side, request: state_tracker_service_pb2.ListTasksRequest) -> None:
    request.max_results = PER_CALL
    await side.client.call(side.client.state_tracker.ListTasks, request)


async def _restarted(side: Side) -> None:
    await asyncio.to_thread(side.plane.restart, "scheduler")
    side.surplus += await _run(side, 1)


def _page(**filters: object) -> Call:
    return functools.partial(
        _listed,
        request=state_tracker_service_pb2.ListTasksRequest(**filters),  # type: ignore[arg-type] # the message's own fields
    )


_STOPPED = task_pb2.DESIRED_STATUS_STOPPED
CALLS: dict[str, Call] = {
    f"RunTasks of {PER_CALL}": _place,
    f"DescribeTasks of {PER_CALL} that run": lambda side: _described(side, side.live[:PER_CALL]),
    "ListTasks, RUNNING": _page(),
    "ListTasks, RUNNING, by family": _page(family=FAMILY),
    "ListTasks, STOPPED, by a startedBy that none has": _page(started_by="nobody", desired_status=_STOPPED),
    "ListTasks, STOPPED, by a service that has none": _page(service_name="none", desired_status=_STOPPED),
    "ListTasks, STOPPED, by a launch type that none has": _page(
        launch_type=common_pb2.LAUNCH_TYPE_EXTERNAL, desired_status=_STOPPED
    ),
}


async def _compared(
    what: str, call: Call, sides: tuple[Side, Side], stopped: int, turns: int = TURNS
) -> figures.Figure:
    samples: tuple[list[float], list[float]] = ([], [])
    for turn in range(turns + 1):
        for side, mine in zip(sides, samples, strict=True):
            began = time.perf_counter()
            await call(side)
            if turn:  # the first fills caches
                mine.append((time.perf_counter() - began) * 1000)
            await _stop_surplus(side)
    return figures.Figure(
        name=f"{what}, beside {stopped:,} stopped tasks",
        value=figures.median(samples[0]),
        unit="ms",
        peer=figures.median(samples[1]),
        peer_name="beside none",
        goal=figures.ratio_at_most(1.2),
        samples=samples[0],
        peer_samples=samples[1],
    )


# What is copied bears ids of the last days before today, in steps of a tenth of a second, so that nothing of it is due to be forgotten.
_COPIES = """
CREATE TEMPORARY TABLE copied AS SELECT lpad(to_hex(at), 14, '0') || lpad(to_hex(n), 18, '0') AS task_id, at
FROM (SELECT n, first + n::bigint * 100000 AS at FROM generate_series(1, {count}) n,
      (SELECT (extract(epoch FROM clock_timestamp()) * 1000000)::bigint - {count}::bigint * 100000 - 3600000000 AS first) f) c;
"""


async def _fill(url: str, count: int) -> float:
    """Copy a stopped task `count` times; gives by how many MiB the database grew. Indexes are made after their rows, which is faster."""
    connection = await asyncpg.connect(url)
    try:
        before = await connection.fetchval("SELECT pg_database_size(current_database())")
        await connection.execute(_COPIES.format(count=count))
        for table in ("task_intents", "task_observations"):
            await _copy(connection, table)
        await connection.execute("UPDATE log_head SET stopped_tasks = stopped_tasks + $1", count)
        await connection.execute("VACUUM (ANALYZE) task_intents, task_observations")
        return float(await connection.fetchval("SELECT pg_database_size(current_database())") - before) / 2**20
    finally:
        await connection.close()


async def _copy(connection: asyncpg.Connection, table: str) -> None:
    columns = [
        row["attname"]
        for row in await connection.fetch(
            "SELECT attname FROM pg_attribute WHERE attrelid = $1::regclass AND attnum > 0 AND NOT attisdropped", table
        )
    ]
    indexes = await connection.fetch(
        "SELECT indexname, indexdef FROM pg_indexes WHERE tablename = $1 AND indexname NOT LIKE '%_pkey'", table
    )
    own = {"task_id": "c.task_id"} | dict.fromkeys(("created_at", "stopping_at", "started_at", "stopped_at"), "c.at")
    values = ", ".join(own.get(name, f"o.{name}") for name in columns)
    for index in indexes:
        await connection.execute(f"DROP INDEX {index['indexname']}")
    await connection.execute(
        f"INSERT INTO {table} ({', '.join(columns)}) SELECT {values} FROM copied c,"  # noqa: S608 - names of our own tables
        f" (SELECT t.* FROM {table} t JOIN task_observations s ON s.task_id = t.task_id WHERE s.released = 1 LIMIT 1) o"
    )
    for index in indexes:
        await connection.execute(index["indexdef"])


async def _forgetting(url: str) -> figures.Figure:
    """How fast the surplus goes: the statements of a tracker's round, without its pauses."""
    opened = await database.open_database(url)
    try:
        began, total, after = time.monotonic(), 0, ""
        for _ in range(FORGOTTEN // retention.BATCH):
            gone = await opened.run(functools.partial(_surplus, after=after))
            total, after = total + gone.count, gone.last
        return figures.Figure(
            "stopped tasks forgotten", total / (time.monotonic() - began), "/s", notes=f"{total:,} of them"
        )
    finally:
        await opened.close()


def _surplus(dialect: Dialect, after: str) -> steps.Step[retention.Gone]:
    return retention.forget_surplus(dialect, "default", 0, after, retention.BATCH)


def _flags(parser: argparse.ArgumentParser) -> None:
    parser.add_argument("--history-tasks", type=int, default=STOPPED, help="history: stopped tasks in the tables")


BENCHMARK = catalogue.Benchmark("history", "what stopped tasks cost those that run", measure, flags=_flags)
