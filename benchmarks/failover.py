"""How long nobody decides when the leading scheduler is killed, or frozen, under load.

    make bench ARGS='--only failover --failover-tasks 100000 --failover-rounds 20'

PostgreSQL with fsync on, two schedulers, each a process of its own. The tasks are placed by RunTasks, and shown RUNNING by rows such as a
state-tracker writes; agents have no part in a change of leaders. Clients of both schedulers call RunTask all the while and are never restarted. A
round ends the leader (kill -9, or SIGSTOP) and takes the time until the first call that began after that has its answer; then the old one is
started, or woken, and stands by before the next round.
"""

import argparse
import asyncio
import contextlib
import sys
import time
from collections.abc import AsyncIterator, Iterator, Sequence
from dataclasses import dataclass, field
from pathlib import Path

from benchmarks import catalogue, figures, machine
from longshore.client import addresses
from longshore.client import client as clients
from longshore.rpc import errors, probe
from longshore.storage import database, steps
from longshore.v1 import registry_service_pb2, scheduler_service_pb2, task_pb2
from tests.engines import ports, processes
from tests.integration.fleet import large
from tests.rpc.scheduler import world

TASKS = 100_000
ROUNDS = 20
INSTANCES = 100
CPU = 16
BULK = 5_000
CALLS_PER_S = 100
CLIENTS = 16
HEADROOM = 60_000
"""Places for the tasks that are run while it is measured."""
BEFORE_S = 1.0
"""Undisturbed load before each round's fault."""
BOUND_S = 600.0
GOAL_S = 2.0


@dataclass(slots=True)
class Replica:
    """One of the schedulers."""

    address: str
    server: processes.ServerProcess
    log: Path

    def start(self) -> None:
        """Start it; returns once it serves."""
        self.server.start(lambda: asyncio.run(probe.check(self.address, timeout_s=1.0)) == "SERVING")

    def stood_by(self) -> int:
        """How often it has said that it stands by."""
        return self._said('"standing_by"')

    def warm(self) -> int:
        """How often it has led with the view that it had kept up."""
        return self._said('"warm": true')

    def _said(self, what: str) -> int:
        return sum(what in line for line in self.log.read_text().splitlines())


@dataclass(slots=True)
class Load:
    """The calls of all clients: when each began and when it had its answer."""

    answered: list[tuple[float, float]] = field(default_factory=list)
    failed: int = 0
    on_answer: asyncio.Event = field(default_factory=asyncio.Event)

    async def first_after(self, moment: float) -> float:
        """When the first call that began after a moment had its answer."""
        async with asyncio.timeout(BOUND_S):
            seen = len(self.answered)
            while True:
                self.on_answer.clear()
                for began, ended in self.answered[seen:]:
                    if began >= moment:
                        return ended
                seen = len(self.answered)
                await self.on_answer.wait()


def measure(folder: Path, options: argparse.Namespace) -> list[figures.Figure]:
    """Both figures."""
    with machine.servers() as (server, events):
        url = server.create_database()
        with _stack(folder, url, events.fresh_url()) as (at, schedulers):
            return asyncio.run(_measure(url, at, schedulers, options.failover_tasks, options.failover_rounds))


@contextlib.contextmanager
def _stack(folder: Path, url: str, events: str) -> Iterator[tuple[addresses.Addresses, list[Replica]]]:
    """The control plane of `large`, with two schedulers of our own instead of its one."""
    with large.control_plane(folder, url, events) as plane, contextlib.ExitStack() as stack:
        for name in ("scheduler", "state_tracker"):
            plane.processes[name].stop()
        schedulers = []
        for number in range(2):
            address, log = f"127.0.0.1:{ports.free_port()}", folder / f"scheduler-{number}.log"
            command = [sys.executable, "-m", "longshore.scheduler", "--listen", address, "--log-format", "json"]
            command += ["--database-url", url, "--events-url", events]
            server = processes.ServerProcess(f"scheduler-{number}", command, log=log)
            stack.callback(server.kill)
            schedulers.append(Replica(address, server, log))
            schedulers[-1].start()
        at = addresses.Addresses(
            plane.addresses.registry, tuple(one.address for one in schedulers), plane.addresses.state_tracker
        )
        yield at, schedulers


async def _measure(
    url: str, at: addresses.Addresses, schedulers: Sequence[Replica], tasks: int, rounds: int
) -> list[figures.Figure]:
    opened = await database.open_database(url)
    async with contextlib.AsyncExitStack() as stack:
        stack.push_async_callback(opened.close)
        client = await stack.enter_async_context(clients.Client(addresses=at, deadline_s=BOUND_S))
        await client.call(client.registry.CreateCluster, registry_service_pb2.CreateClusterRequest())
        hosts = world.World(opened, cluster="default")
        await hosts.register(world.definition("sim", cpu=CPU, memory=4))
        for _ in range(INSTANCES):
            await hosts.add_instance(cpu=CPU * (tasks + HEADROOM) // INSTANCES, memory=1 << 30)
        await _fill(client, opened, tasks)
        load = await stack.enter_async_context(_loaded(at))
        found = []
        for what, fault in (("kill -9", _kill), ("SIGSTOP", _freeze)):
            first, warm = len(load.answered), sum(one.warm() for one in schedulers)
            samples = [await fault(client, schedulers, load) for _ in range(rounds)]
            longest = max(ended - began for began, ended in load.answered[first:])
            found.append(
                figures.Figure(
                    f"leader ended by {what}, {tasks:,} tasks running, {CALLS_PER_S} RunTask/s: next RunTask accepted",
                    figures.median(samples),
                    "s",
                    goal=figures.at_most(GOAL_S, "s"),
                    samples=samples,
                    notes=f"longest of {rounds}: {max(samples):.2f} s, by {sum(one.warm() for one in schedulers) - warm} warm standbys;"
                    f" {load.failed} calls failed, the longest took {longest:.1f} s",
                )
            )
        return found


async def _fill(client: clients.Client, opened: database.Database, tasks: int) -> None:
    """Place the tasks, and have the tables say that all of them run."""
    began = time.monotonic()
    for start in range(0, tasks, BULK):
        one = scheduler_service_pb2.RunTaskRequest(task_definition="sim")
        request = scheduler_service_pb2.RunTasksRequest(run_task=one, count=min(BULK, tasks - start))
        answer = await client.call(client.scheduler.RunTasks, request)
        if len(answer.task_ids) != request.count:
            raise AssertionError(f"{request.count} tasks were asked for, {len(answer.task_ids)} placed")
    await opened.run(
        lambda _: steps.execute(
            "INSERT INTO task_observations (task_id, cluster, instance_id, last_status, stop_code, stopped_reason, stop_cause_at,"
            " started_at, stopped_at, released, revision, body, ports) SELECT task_id, cluster, instance_id, $1, 0, '', NULL,"
            " created_at, NULL, 0, 1, $2, '' FROM task_intents",
            task_pb2.TASK_STATUS_RUNNING,
            b"",
        )
    )
    sys.stderr.write(f"failover: {tasks:,} tasks run after {time.monotonic() - began:.0f} s\n")


@contextlib.asynccontextmanager
async def _loaded(at: addresses.Addresses) -> AsyncIterator[Load]:
    """RunTask all the while, so many a second whether or not those before have their answers."""
    load = Load()
    async with contextlib.AsyncExitStack() as stack:
        callers = [
            await stack.enter_async_context(clients.Client(addresses=at, deadline_s=BOUND_S)) for _ in range(CLIENTS)
        ]
        under_way: set[asyncio.Task[None]] = set()

        async def call(caller: clients.Client) -> None:
            began = time.monotonic()
            try:
                request = scheduler_service_pb2.RunTaskRequest(task_definition="sim")
                answer = await caller.call(caller.scheduler.RunTask, request)
            except errors.ServiceError as error:
                answer = None
                sys.stderr.write(f"failover: a call failed: {error!r}\n")
            if answer is None or not answer.tasks:
                load.failed += 1
                return
            load.answered.append((began, time.monotonic()))
            load.on_answer.set()

        async def go_on() -> None:
            due, number = time.monotonic(), 0
            while True:
                task = asyncio.create_task(call(callers[number % CLIENTS]))
                under_way.add(task)
                task.add_done_callback(under_way.discard)
                number += 1
                due += 1 / CALLS_PER_S
                await asyncio.sleep(max(0.0, due - time.monotonic()))

        going = asyncio.create_task(go_on())
        try:
            yield load
        finally:
            going.cancel()
            for task in under_way:
                task.cancel()
            await asyncio.gather(going, *under_way, return_exceptions=True)


async def _leader(client: clients.Client, schedulers: Sequence[Replica]) -> Replica:
    """Who leads now, and has led for a moment."""
    await asyncio.sleep(BEFORE_S)
    answer = await client.call(client.scheduler.DescribeLeaders, scheduler_service_pb2.DescribeLeadersRequest())
    (address,) = {leader.address for leader in answer.leaders}
    return next(one for one in schedulers if one.address == address)


async def _kill(client: clients.Client, schedulers: Sequence[Replica], load: Load) -> float:
    leader = await _leader(client, schedulers)
    before = leader.stood_by()
    moment = time.monotonic()
    leader.server.kill()
    took = await load.first_after(moment) - moment
    await asyncio.to_thread(leader.start)
    await _standing_by(leader, before)
    return took


async def _freeze(client: clients.Client, schedulers: Sequence[Replica], load: Load) -> float:
    leader = await _leader(client, schedulers)
    before = leader.stood_by()
    moment = time.monotonic()
    leader.server.pause()
    took = await load.first_after(moment) - moment
    leader.server.resume()
    await _standing_by(leader, before)
    return took


async def _standing_by(replica: Replica, before: int) -> None:
    """Return once it has its view; its log tells."""
    async with asyncio.timeout(BOUND_S):
        while replica.stood_by() == before:  # noqa: ASYNC110 - a log file tells nobody
            await asyncio.sleep(0.1)


def _flags(parser: argparse.ArgumentParser) -> None:
    parser.add_argument("--failover-tasks", type=int, default=TASKS, help="failover: tasks that run all the while")
    parser.add_argument("--failover-rounds", type=int, default=ROUNDS, help="failover: leaders ended of each kind")


BENCHMARK = catalogue.Benchmark("failover", "the leading scheduler killed and frozen under load", measure, flags=_flags)
