"""What becomes of a host that is not heard, sentence by sentence, with agents, scheduler and state-tracker as they are."""

import asyncio
from pathlib import Path
from typing import Any

import pytest

from longshore.agent import container_names
from longshore.agent.simulated import simulated_instance
from longshore.client import client as clients
from longshore.client import waiting
from longshore.v1 import scheduler_service_pb2, state_tracker_service_pb2, task_pb2
from tests.engines import postgres
from tests.integration.fleet import fleets, planes

# A host of four places.
HOST: dict[str, Any] = {"cpu": 64, "memory": 1024, "instances": 2}
QUICK: dict[str, Any] = {"agent_heartbeat": 0.25, "agent_lease": 2.5, "agent_give_up": 3.0}
SHORT: dict[str, Any] = {"agent_heartbeat": 0.2, "agent_lease": 1.0, "agent_give_up": 1.5}
STOPPED, RUNNING = task_pb2.TASK_STATUS_STOPPED, task_pb2.TASK_STATUS_RUNNING


async def on(client: clients.Client, tasks: list[task_pb2.Task]) -> dict[str, list[task_pb2.Task]]:
    """The tasks as they are now, by the id of their instance."""
    found: dict[str, list[task_pb2.Task]] = {}
    for task in await waiting.describe(client, "default", [task.task_arn for task in tasks]):
        found.setdefault(task.container_instance_arn.rpartition("/")[2], []).append(task)
    return found


async def placed(client: clients.Client, count: int) -> int:
    """How many of so many more tasks find a place; the others are refused at once."""
    request = scheduler_service_pb2.RunTaskRequest(task_definition="sim", count=count)
    answer = await client.call(client.scheduler.RunTask, request)
    assert answer.failures or len(answer.tasks) == count
    return len(answer.tasks)


async def spread(client: clients.Client, count: int) -> list[task_pb2.Task]:
    """Run tasks, as many on each host."""
    strategy = task_pb2.PlacementStrategy(type=task_pb2.PLACEMENT_STRATEGY_TYPE_SPREAD, field="instanceId")
    request = scheduler_service_pb2.RunTaskRequest(task_definition="sim", count=count, placement_strategy=[strategy])
    answer = await client.call(client.scheduler.RunTask, request)
    assert not answer.failures, answer.failures
    return list(answer.tasks)


def hold_stops(monkeypatch: pytest.MonkeyPatch, instance: simulated_instance.Instance) -> asyncio.Event:
    """No container of the host stops before the event is set."""
    gate, stop = asyncio.Event(), instance.runtime.stop

    async def gated(runtime_id: str, timeout_s: int | None) -> None:
        await gate.wait()
        await stop(runtime_id, timeout_s)

    monkeypatch.setattr(instance.runtime, "stop", gated)
    return gate


async def until(holds: Any, what: str) -> None:
    """Ask until it holds; each answer takes the service's own time."""
    try:
        async with asyncio.timeout(fleets.WAIT_S):
            while not await holds():  # noqa: ASYNC110 - see above
                await asyncio.sleep(0.02)
    except TimeoutError:
        raise AssertionError(f"never came: {what}") from None


async def containers(instance: simulated_instance.Instance) -> list[str]:
    """The tasks whose containers run on a host."""
    found = await instance.runtime.list_labelled(container_names.CLUSTER, "default")
    return sorted(each.labels[container_names.TASK_ID] for each in found if each.running)


def ids(tasks: list[task_pb2.Task]) -> list[str]:
    return sorted(task.task_arn.rpartition("/")[2] for task in tasks)


async def test_a_silent_host_gets_nothing_is_given_up_and_counts_until_it_has_stopped_what_it_ran(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    async with planes.plane(tmp_path, **QUICK) as made, clients.Client(addresses=made.at) as client:
        await fleets.define(client)
        async with fleets.joined(made.at, keep=True, **HOST) as fleet:
            tasks = await spread(client, 6)
            await fleets.until(fleet, lambda count: count.running == 6)
            lost = fleet.instances[0]
            assert lost.identity is not None
            name = lost.identity.instance_id
            mine = (await on(client, tasks))[name]
            assert len(mine) == 3
            gate = hold_stops(monkeypatch, lost)
            lost.line.hold()

            async def disconnected() -> bool:
                return [found.agent_connected for found in await fleets.instances(client)].count(False) == 1

            await until(disconnected, "the silent host is disconnected")
            # One place is free on either; what is placed goes to the one that is heard, and there is no other.
            more = await fleets.run(client, 1)
            assert name not in await on(client, more)
            assert await placed(client, 1) == 0

            async def given_up() -> bool:
                return all(task.last_status == STOPPED for task in (await on(client, tasks))[name])

            await until(given_up, "its tasks are declared stopped")
            seen = (await on(client, tasks))[name]
            assert {task.stop_code for task in seen} == {task_pb2.TASK_STOP_CODE_INFRASTRUCTURE_HEALTH}
            assert await containers(lost) == ids(mine)  # it runs on, and nobody starts them elsewhere
            lost.line.release()

            async def back() -> bool:
                return all(found.agent_connected for found in await fleets.instances(client))

            await until(back, "it is heard again")
            # What it ran counts until it is gone: of the host's four places one is free, not four.
            assert await placed(client, 4) == 1
            gate.set()

            async def free() -> bool:
                return await placed(client, 1) == 1

            for _ in range(3):
                await until(free, "a place is free again")
            assert await placed(client, 1) == 0
            await fleets.until(fleet, lambda count: count.running == 8)
            assert not set(await containers(lost)) & set(ids(mine))
            # Nothing ran twice: each task that was ever placed was started once.
            assert fleet.count().started == 6 + 1 + 4


async def test_a_host_that_was_deregistered_by_force_stops_all_it_ran_before_it_registers_anew(tmp_path: Path) -> None:
    patient = QUICK | {"agent_give_up": 600.0}
    async with planes.plane(tmp_path, **patient) as made, clients.Client(addresses=made.at) as client:
        await fleets.define(client)
        async with fleets.joined(made.at, keep=True, **HOST | {"instances": 1, "stop_time": "0.5"}) as fleet:
            tasks = await fleets.run(client, 4)
            await fleets.until(fleet, lambda count: count.running == 4)
            lost = fleet.instances[0]
            assert lost.identity is not None
            former = lost.identity.instance_id
            lost.line.hold()
            request = state_tracker_service_pb2.DeregisterContainerInstanceRequest(
                container_instance=former, force=True
            )
            await client.call(client.state_tracker.DeregisterContainerInstance, request)
            (seen,) = (await on(client, tasks)).values()
            assert {task.last_status for task in seen} == {STOPPED}
            assert await containers(lost) == ids(tasks)
            lost.line.release()

            async def anew() -> bool:
                return any(found.container_instance_arn[-32:] != former for found in await fleets.instances(client))

            await until(anew, "it is registered as another instance")
            assert await containers(lost) == []
            await fleets.until(fleet, lambda count: count.sessions == 1)
            await fleets.run(client, 4)
            await fleets.until(fleet, lambda count: count.running == 4)
            assert fleet.count().started == 8


async def test_a_database_that_was_away_for_longer_than_both_thresholds_loses_no_host(
    tmp_path: Path, postgres: postgres.PostgresServer, postgres_url: str
) -> None:
    async with planes.plane(tmp_path, url=postgres_url, **SHORT) as made, clients.Client(addresses=made.at) as client:
        await fleets.define(client)
        async with fleets.joined(made.at, keep=True, **HOST) as fleet:
            tasks = await fleets.run(client, 6)
            await fleets.until(fleet, lambda count: count.running == 6)

            async def recorded() -> bool:
                found = (await on(client, tasks)).values()
                return all(task.last_status == RUNNING for mine in found for task in mine)

            await until(recorded, "all run, and that is written down")
            before = await made.changes()
            await asyncio.to_thread(postgres.crash)
            # The agents' sessions break too, so that nobody can come back before the database does.
            for instance in fleet.instances:
                await instance.break_line()
            await asyncio.sleep(2 * (SHORT["agent_lease"] + SHORT["agent_give_up"]))  # the thresholds themselves
            await asyncio.to_thread(postgres.start)
            await fleets.until(fleet, lambda count: count.sessions == HOST["instances"])
            more = await fleets.run(client, 2)
            await fleets.until(fleet, lambda count: count.running == 8)
            assert await recorded()
            assert not any(task.last_status == STOPPED for mine in (await on(client, more)).values() for task in mine)
            # At most the lease ran out on the way back, and was begun anew.
            assert await made.changes() - before <= 2 * HOST["instances"]
            assert fleet.count().started == 8
