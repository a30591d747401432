"""A few hundred agents lose their state-tracker at once and are taken by another: admitted in turn, and sent nothing that they know."""

import asyncio
import contextlib
import functools
from collections.abc import AsyncIterator
from pathlib import Path
from typing import Any

import pytest

from longshore.client import addresses
from longshore.client import client as clients
from longshore.events import memory_bus
from longshore.metrics import exposition
from longshore.registry import app as registry_app
from longshore.registry import config as registry_config
from longshore.scheduler import app as scheduler_app
from longshore.scheduler import config as scheduler_config
from longshore.state_tracker import admission, metrics
from longshore.state_tracker import app as tracker_app
from longshore.state_tracker import config as tracker_config
from longshore.storage import database as databases
from longshore.storage import steps
from longshore.v1 import scheduler_service_pb2
from tests.engines import ports
from tests.integration.fleet import fleets

HOSTS = 200
TASKS = 400
AT_ONCE = 8
CLUSTER = "default"


class Plane:
    """A control plane with two state-trackers, one of which can be taken away."""

    def __init__(self, database: databases.Database, at: addresses.Addresses) -> None:
        self.database = database
        self.at = at
        self.measured: list[metrics.Metrics] = []
        self._trackers: list[contextlib.AsyncExitStack] = []
        self._bus = memory_bus.MemoryBus()

    @property
    def on(self) -> dict[str, Any]:
        return {"database": self.database, "bus": self._bus}

    async def start_tracker(self, address: str) -> None:
        shown = exposition.Sources()
        stack = contextlib.AsyncExitStack()
        # Leases longer than any test: nobody is to be lost because the machine is busy.
        config = tracker_config.Config(listen=address, agent_lease=60.0, agent_heartbeat=1.0, agent_openings=AT_ONCE)
        await stack.enter_async_context(tracker_app.serve(config, **self.on, shown=shown))
        self.measured += [found.measured for found in shown.all if isinstance(found.measured, metrics.Metrics)]
        self._trackers.append(stack)

    async def stop_tracker(self, number: int) -> None:
        await self._trackers[number].aclose()

    async def changes(self) -> int:
        """How often any instance has changed: registration, connection, state."""
        found = await self.database.read(
            lambda _: steps.fetch_value("SELECT CAST(SUM(version) AS BIGINT) FROM container_instances")
        )
        return int(found)


@contextlib.asynccontextmanager
async def plane(folder: Path) -> AsyncIterator[Plane]:
    at = [f"127.0.0.1:{ports.free_port()}" for _ in range(4)]
    told: dict[str, Any] = {"registry": (at[0],), "scheduler": (at[1],), "state_tracker": (at[2], at[3])}
    async with contextlib.AsyncExitStack() as stack:
        database = await databases.open_database(f"sqlite://{folder}/state.db")
        stack.push_async_callback(database.close)
        made = Plane(database, addresses.Addresses((at[0],), (at[1],), (at[2], at[3])))
        seal: dict[str, Any] = {"seal_key_file": folder / "seal.key", "make_seal_key": True}
        registry = registry_config.Config(listen=at[0], state_dir=folder, **told, **seal)
        await stack.enter_async_context(registry_app.serve(registry, **made.on))
        await stack.enter_async_context(
            scheduler_app.serve(scheduler_config.Config(listen=at[1], state_dir=folder, **told), **made.on)
        )
        for number, address in enumerate(at[2:]):
            await made.start_tracker(address)
            stack.push_async_callback(functools.partial(made.stop_tracker, number))
        yield made


async def test_agents_whose_tracker_leaves_are_taken_by_the_other_a_few_at_a_time_and_told_nothing_twice(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    inside: list[int] = []
    enter = admission.Admission.enter

    def watched(door: admission.Admission, now: float) -> float:
        wait_s = enter(door, now)
        inside.append(door.inside)
        return wait_s

    monkeypatch.setattr(admission.Admission, "enter", watched)
    async with plane(tmp_path) as made, clients.Client(addresses=made.at) as client:
        await fleets.define(client)
        async with fleets.joined(made.at, instances=HOSTS, keep=True) as fleet:
            first, second = made.measured
            assert first.sessions + second.sessions == HOSTS
            assert first.sessions > HOSTS // 4 < second.sessions  # each agent takes the trackers in its own order
            one = scheduler_service_pb2.RunTaskRequest(task_definition="sim")
            answer = await client.call(
                client.scheduler.RunTasks, scheduler_service_pb2.RunTasksRequest(run_task=one, count=TASKS)
            )
            assert len(answer.task_ids) == TASKS
            await fleets.until(fleet, lambda count: count.running == TASKS)
            async with asyncio.timeout(fleets.WAIT_S):
                while first.reports_recorded + second.reports_recorded < HOSTS:  # noqa: ASYNC110 - a count
                    await asyncio.sleep(0.02)
            before, opened, postponed = await made.changes(), second.sessions_opened, second.sessions_postponed
            moving = first.sessions
            await made.stop_tracker(0)
            await fleets.until(fleet, lambda _: second.sessions == HOSTS)
            assert second.sessions_opened - opened == moving
            assert second.sessions_postponed > postponed
            assert max(inside) == AT_ONCE
            # Who is back within its lease was never away, and an agent that knows what runs is told nothing.
            assert await made.changes() == before
            assert (first.full_sets, second.full_sets) == (0, 0)
            count = fleet.count()
            assert (count.sessions, count.running, count.stopped, count.started) == (HOSTS, TASKS, 0, TASKS)
            # What is placed now arrives through the other.
            await client.call(client.scheduler.RunTasks, scheduler_service_pb2.RunTasksRequest(run_task=one, count=50))
            await fleets.until(fleet, lambda count: count.running == TASKS + 50)
