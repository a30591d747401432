"""A simulated fleet, over the real protocol against a real control plane: it obeys, fails as told, and leaves the cluster clean."""

import asyncio
import json
import os
import signal
import sys
from collections.abc import AsyncIterator
from pathlib import Path

import pytest

from longshore.client import client as clients
from longshore.client import following, waiting
from longshore.v1 import state_tracker_service_pb2, task_pb2
from tests.integration.fleet import fleets

HOSTS = 6


@pytest.fixture
async def client(tmp_path: Path) -> AsyncIterator[clients.Client]:
    """A client of a control plane that nobody has joined yet."""
    async with fleets.control(tmp_path) as made:
        await fleets.define(made)
        yield made


async def shown(client: clients.Client, tasks: list[task_pb2.Task]) -> list[str]:
    """The tasks' status as DescribeTasks tells it."""
    described = await waiting.describe(client, "default", [task.task_arn for task in tasks])
    return sorted(task_pb2.TaskStatus.Name(task.last_status) for task in described)


async def running(client: clients.Client, tasks: list[task_pb2.Task]) -> None:
    """Wait until the control plane knows that they run."""
    follower = following.Follower(task.task_arn.rpartition("/")[2] for task in tasks)
    async with asyncio.timeout(fleets.WAIT_S):
        await waiting.follow(client, follower, cluster="default", until=following.Follower.settled)


async def test_hosts_of_a_mix_offer_what_it_says_run_what_they_get_and_leave(
    client: clients.Client, tmp_path: Path
) -> None:
    mix = tmp_path / "mix.json"
    mix.write_text(
        '[{"cpu": 1500, "memory": 2000, "weight": 2, "attributes": {"kind": "small"}}, {"cpu": 8192, "memory": 9000}]'
    )
    async with fleets.joined(client.addresses, instances=HOSTS, mix=mix, instance_attributes=("fleet=one",)) as fleet:
        offered = sorted(
            (resource.integer_value, [item.value for item in instance.attributes if item.name in {"kind", "fleet"}])
            for instance in await fleets.instances(client)
            for resource in instance.registered_resources
            if resource.name == "CPU"
        )
        assert offered == [(1500, ["one", "small"])] * 4 + [(8192, ["one"])] * 2
        tasks = await fleets.run(client, 60)
        await running(client, tasks)
        assert await shown(client, tasks) == ["TASK_STATUS_RUNNING"] * 60
        assert fleet.count().running == 60
    assert await fleets.instances(client) == []
    assert await shown(client, tasks) == ["TASK_STATUS_STOPPED"] * 60


async def test_containers_end_as_the_settings_say(client: clients.Client) -> None:
    async with fleets.joined(
        client.addresses, instances=2, run_time="0.05-0.1", failing_share=1.0, cleanup_wait=1
    ) as fleet:
        tasks = await fleets.run(client, 10)
        await fleets.until(fleet, lambda count: count.started == 10 and not count.stopped + count.running)
        described = await waiting.describe(client, "default", [task.task_arn for task in tasks])
        assert [(task.stop_code, task.containers[0].exit_code) for task in described] == [
            (task_pb2.TASK_STOP_CODE_ESSENTIAL_CONTAINER_EXITED, 1)
        ] * 10


async def test_a_host_that_crashed_comes_back_as_itself_and_says_what_became_of_its_tasks(
    client: clients.Client,
) -> None:
    script = '[{"what": "crash", "count": 1, "for": 0.2}]'
    async with fleets.joined(client.addresses, instances=1) as fleet:
        tasks = await fleets.run(client, 5)
        await running(client, tasks)
        identity = fleet.instances[0].identity
        async with fleets.happening(fleet, script):
            await fleets.until(fleet, lambda count: count.sessions == 1 and count.stopped == 5)
        assert fleet.instances[0].identity == identity
        follower = following.Follower(task.task_arn.rpartition("/")[2] for task in tasks)
        async with asyncio.timeout(fleets.WAIT_S):
            await waiting.follow(client, follower, cluster="default", until=following.Follower.finished)
        assert await shown(client, tasks) == ["TASK_STATUS_STOPPED"] * 5
        again = await fleets.run(client, 5)
        await running(client, again)


@pytest.mark.parametrize(
    "script",
    [
        '[{"what": "silent", "count": 2, "for": 0.5}]',
        '[{"what": "flap", "count": 2, "every": 0.1, "for": 0.5}]',
        '[{"what": "slow", "count": 2, "factor": 50, "for": 0.5}]',
        '[{"what": "wrong-clock", "count": 2, "offset": -3600, "for": 0.5}]',
    ],
    ids=["silent", "flap", "slow", "wrong-clock"],
)
async def test_what_a_fleet_is_asked_for_while_hosts_fail_runs_once_they_are_well(
    client: clients.Client, script: str
) -> None:
    async with fleets.joined(client.addresses, instances=3, create_time="0.01", start_time="0.01") as fleet:
        before = await fleets.run(client, 10)
        await running(client, before)
        async with fleets.happening(fleet, script):
            during = await fleets.run(client, 20)
            await running(client, during)
        assert await shown(client, before + during) == ["TASK_STATUS_RUNNING"] * 30
        assert fleet.count().running == 30
        assert fleet.count().started == 30


async def test_a_silent_host_is_heard_of_no_more_and_its_containers_run_on(client: clients.Client) -> None:
    async with fleets.joined(client.addresses, instances=1) as fleet:
        await running(client, await fleets.run(client, 3))
        fleet.instances[0].line.hold()
        late = await fleets.run(client, 2)
        assert fleet.count().running == 3
        fleet.instances[0].line.release()
        await running(client, late)


async def test_hosts_may_share_connections(client: clients.Client) -> None:
    async with fleets.joined(client.addresses, instances=HOSTS, connections=2) as fleet:
        tasks = await fleets.run(client, 20)
        await running(client, tasks)
        assert fleet.count().sessions == HOSTS


async def test_the_command_tells_its_progress_ends_at_a_signal_and_deregisters(client: clients.Client) -> None:
    at = client.addresses
    command = [sys.executable, "-m", "longshore.cli", "simulate", "--instances", "3", "--every", "0.2"]
    command += ["--output", "json", "--registry", at.registry[0], "--state-tracker", at.state_tracker[0]]
    process = await asyncio.create_subprocess_exec(*command, stdout=asyncio.subprocess.PIPE)
    assert process.stdout is not None
    async with asyncio.timeout(fleets.WAIT_S):
        while (told := json.loads(await process.stdout.readline()))["sessions"] < 3:
            pass
        assert (told["instances"], told["registered"]) == (3, 3)
        assert len(await fleets.instances(client)) == 3
        process.send_signal(signal.SIGINT)
        await process.stdout.read()
        assert await process.wait() == 0
    assert await fleets.instances(client) == []


async def test_instances_are_kept_where_that_is_asked_for(client: clients.Client) -> None:
    async with fleets.joined(client.addresses, keep=True, instances=2):
        pass
    listed = await fleets.instances(client)
    assert len(listed) == 2
    for instance in listed:
        await client.call(
            client.state_tracker.DeregisterContainerInstance,
            state_tracker_service_pb2.DeregisterContainerInstanceRequest(
                container_instance=instance.container_instance_arn, force=True
            ),
        )


async def test_the_command_runs_thousands_at_once_and_counts_them(client: clients.Client) -> None:
    at = client.addresses
    many = 2_500
    words = ["run", "sim", "--count", str(many)]
    environ = {"LONGSHORE_REGISTRY": at.registry[0], "LONGSHORE_SCHEDULER": at.scheduler[0]}
    environ |= {"LONGSHORE_STATE_TRACKER": at.state_tracker[0]}
    async with fleets.joined(client.addresses, instances=3, cpu=100_000, memory=100_000) as fleet:
        process = await asyncio.create_subprocess_exec(
            sys.executable,
            "-m",
            "longshore.cli",
            *words,
            env=os.environ | environ,
            stdout=asyncio.subprocess.PIPE,
        )
        async with asyncio.timeout(fleets.WAIT_S):
            said, _ = await process.communicate()
        lines = said.decode().splitlines()
        assert process.returncode == 0
        assert lines[0].startswith(f"Placed     {many} of {many} tasks in ")
        assert lines[-1].startswith(f"Running    {many} of {many} after ")
        assert fleet.count().running == many
