"""A few hundred agents lose their state-tracker at once and are taken by another: admitted in turn, and sent nothing that they know."""

import asyncio
from pathlib import Path
from typing import Any

import pytest

from longshore.client import client as clients
from longshore.state_tracker import admission, balance
from longshore.v1 import scheduler_service_pb2
from tests.integration.fleet import fleets, planes

HOSTS = 200
TASKS = 400
AT_ONCE = 8
# Leases longer than any test: nobody is to be lost because the machine is busy.
PATIENT: dict[str, Any] = {"agent_lease": 60.0, "agent_heartbeat": 1.0, "agent_openings": AT_ONCE}


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
    async with planes.plane(tmp_path, trackers=2, **PATIENT) as made, clients.Client(addresses=made.at) as client:
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
            # A tracker that is back takes its share again.
            monkeypatch.setattr(balance, "LOOK_S", 0.2)
            await made.start_tracker(made.at.state_tracker[0])
            third = made.measured[2]
            await fleets.until(fleet, lambda _: third.sessions >= HOSTS // 2 - balance.SLACK_SESSIONS)
            assert second.sessions_moved >= third.sessions
            assert third.sessions_moved == 0
            assert await made.changes() == before
