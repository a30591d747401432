"""Trackers that do everything at once on one database: nothing deadlocks, and what remains adds up."""

import asyncio
import functools
import random
from collections import defaultdict

import pytest

from longshore.events import memory_bus
from longshore.rpc import caller
from longshore.state_tracker import (
    giving_up,
    instance_changes,
    presence,
    report_commit,
    submission_commit,
    submissions,
)
from longshore.storage import database
from longshore.v1 import agent_service_pb2, container_instance_pb2, task_pb2
from tests.rpc.state_tracker import fake_agent
from tests.rpc.state_tracker.world import World, definition

pytestmark = pytest.mark.postgres

INSTANCES = 4
TASKS_EACH = 5
WORKERS = 6
STEPS = 40
WHO = caller.Caller("tester", "r-1", "us-east-1")
STATUSES = (task_pb2.TASK_STATUS_PENDING, task_pb2.TASK_STATUS_RUNNING, task_pb2.TASK_STATUS_STOPPED)


class Tracker:
    """One tracker's transactions, in a random order."""

    def __init__(self, name: str, opened: database.Database, placed: dict[str, list[str]], seed: int) -> None:
        self.name = name
        self._database = opened
        self._placed = placed
        self._rng = random.Random(seed)

    async def work(self) -> None:
        for _ in range(STEPS):
            act = self._rng.choice(
                (
                    self._report,
                    self._report,
                    self._submit,
                    self._open,
                    self._disconnect,
                    self._give_up,
                    self._drain,
                )
            )
            await act(self._rng.sample(sorted(self._placed), self._rng.randint(1, INSTANCES)))

    async def _open(self, ids: list[str]) -> None:
        wanted = [presence.Wanted(key, self.name) for key in ids]
        await self._database.run(
            functools.partial(presence.open_sessions, cluster="web", wanted=wanted, tracker_id=self.name)
        )

    async def _disconnect(self, ids: list[str]) -> None:
        silent = [presence.Silent(key, await self._epoch(key)) for key in ids]
        await self._database.run(
            functools.partial(presence.disconnect, cluster="web", silent=silent, tracker_id=self.name)
        )

    async def _give_up(self, ids: list[str]) -> None:
        for key in ids:
            lost = giving_up.Lost(key, "web")
            await self._database.run(functools.partial(giving_up.give_up, lost=lost, give_up_s=0.0))

    async def _drain(self, ids: list[str]) -> None:
        status = self._rng.choice(
            (
                container_instance_pb2.CONTAINER_INSTANCE_STATUS_ACTIVE,
                container_instance_pb2.CONTAINER_INSTANCE_STATUS_DRAINING,
            )
        )
        change = instance_changes.to_state(status)
        await self._database.run(
            functools.partial(instance_changes.apply, cluster="web", ids=ids, change=change, required=False, who=WHO)
        )

    async def _report(self, ids: list[str]) -> None:
        reports = []
        for key in ids:
            tasks = self._rng.sample(self._placed[key], 2)
            status = self._rng.choice(STATUSES)
            report = agent_service_pb2.Report(
                number=self._rng.randint(1, 1_000),
                tasks=[
                    fake_agent.observed(task, status, released=status == task_pb2.TASK_STATUS_STOPPED) for task in tasks
                ],
            )
            reports.append(report_commit.Reported(key, await self._epoch(key), self.name, report))
        await self._database.run(lambda dialect: report_commit.commit(dialect, "web", reports))

    async def _submit(self, ids: list[str]) -> None:
        batch = [
            submission_commit.Submitted(
                submissions.Submission(task, self._rng.choice(STATUSES), "said so", (), {}), key, frozenset(), WHO
            )
            for key in ids
            for task in self._rng.sample(self._placed[key], 2)
        ]
        await self._database.run(lambda dialect: submission_commit.commit(dialect, "web", batch))

    async def _epoch(self, instance_id: str) -> int:
        row = await World(self._database, memory_bus.MemoryBus()).row(
            "SELECT epoch FROM instance_sessions WHERE instance_id = $1", instance_id
        )
        return int(row["epoch"])


async def test_everything_at_once_adds_up(postgres_url: str) -> None:
    pools = [await database.open_database(postgres_url) for _ in range(2)]
    try:
        world = World(pools[0], memory_bus.MemoryBus())
        await world.create_cluster()
        await world.register(definition())
        placed = {f"{number:032x}": list[str]() for number in range(INSTANCES)}
        for key in placed:
            await _register(world, key)
            placed[key] = (await world.place(key, TASKS_EACH, publish=False)).task_ids
        trackers = [Tracker(f"t{number}", pools[number % 2], placed, seed=number) for number in range(WORKERS)]
        await asyncio.gather(*(tracker.work() for tracker in trackers))
        await _check(world, placed)
    finally:
        for pool in pools:
            await pool.close()


async def _register(world: World, instance_id: str) -> None:
    await world.execute(
        "INSERT INTO container_instances (instance_id, cluster, status, status_reason, connected, given_up,"
        " membership_revision, version, registered_at, credential_hash, body) VALUES ($1, 'web', $2, '', 0, 0, 0, 0, 1, $3, $3)",
        instance_id,
        container_instance_pb2.CONTAINER_INSTANCE_STATUS_ACTIVE,
        b"",
    )
    await world.execute(
        "INSERT INTO instance_sessions (instance_id, cluster, epoch, tracker_id, process_id, recorded_report, running,"
        " left_pending) VALUES ($1, 'web', 0, '', '', 0, 0, 0)",
        instance_id,
    )


async def _check(world: World, placed: dict[str, list[str]]) -> None:
    assert await world.counted() == await world.recounted()
    events = await world.events()
    assert [event.sequence for event in events] == list(range(1, len(events) + 1))
    versions: dict[str, list[int]] = defaultdict(list)
    memberships = []
    for event in events:
        if event.HasField("task"):
            versions[event.task.task_id].append(event.task.version)
        else:
            versions[event.container_instance.container_instance_id].append(event.container_instance.version)
            # Zero: an agent process took over from another, which placement need not know.
            if event.container_instance.membership_revision:
                memberships.append(event.container_instance.membership_revision)
    for seen in versions.values():
        assert seen == list(range(1, len(seen) + 1))
    assert memberships == sorted(memberships)
    for key, tasks in placed.items():
        row = await world.row(
            "SELECT version, membership_revision FROM container_instances WHERE instance_id = $1", key
        )
        assert row["version"] == len(versions[key])
        counters = await world.row("SELECT running, left_pending FROM instance_sessions WHERE instance_id = $1", key)
        halves = [await world.halves(task) for task in tasks]
        states = [half.observation.last_status if half.observation is not None else None for half in halves]
        assert counters["running"] == states.count(task_pb2.TASK_STATUS_RUNNING)
        assert counters["left_pending"] == sum(
            state in {task_pb2.TASK_STATUS_RUNNING, task_pb2.TASK_STATUS_STOPPED} for state in states
        )
