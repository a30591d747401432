"""What containers use, measured on a real engine from the kernel's files and by the engine itself, and told to the state-tracker."""

import asyncio
from pathlib import Path

from longshore.agent import app
from longshore.agent.metadata import cgroup_statistics, sampling
from longshore.v1 import statistics_pb2
from longshore.v1 import task_definition_pb2 as definition_pb2
from tests.engines import docker
from tests.integration.agent import conftest, definitions, fake_tracker

WAIT_S = 20.0
BUSY = "trap 'exit 0' TERM; while :; do :; done"
WRITES = "dd if=/dev/zero of=/dev/shm/x bs=1M count=8 2>/dev/null; exec sleep 1000"


def only(found: statistics_pb2.InstanceStatistics | None, task_id: str) -> statistics_pb2.ContainerStatistics:
    """The only container of a task."""
    assert found is not None
    (task,) = (task for task in found.tasks if task.task == task_id)
    (container,) = task.containers
    return container


async def settled(agent: app.Agent, task_id: str) -> None:
    """Return when the container has done what it does at its start, and only sleeps."""
    async with asyncio.timeout(WAIT_S):
        while True:
            await agent.sampled.pass_once()
            found = only(agent.sampled.take(), task_id)
            if found.pids == 1 and found.memory_used_bytes > 8 << 20:
                return
            await asyncio.sleep(0.05)


async def test_a_busy_container_is_told_from_an_idle_one_and_each_sample_is_told_once(
    tracker: fake_tracker.FakeTracker, make_agent: conftest.MakeAgent, docker_engine: docker.DockerEngine
) -> None:
    busy, idle = definitions.task_id(), definitions.task_id()
    # The hidden container that holds the address is not measured; what it holds is the task's.
    mode = definition_pb2.NETWORK_MODE_AWSVPC
    async with make_agent("--statistics-interval=1"):
        await tracker.assign(definitions.definition(definitions.shell("busy", BUSY), network_mode=mode), busy)
        await tracker.assign(definitions.definition(definitions.shell("idle", WRITES), memory="128"), idle)
        await tracker.running(busy)
        observed = await tracker.running(idle)

        def told() -> bool:
            return len(tracker.statistics) >= 3 and all(len(found.tasks) == 2 for found in tracker.statistics[-2:])

        await tracker.until(told, "three samples")
        before, last = tracker.statistics[-2:]
    first, second = only(before, busy), only(last, busy)
    # It takes what it can get; how much that is depends on who else is on this machine.
    assert second.cpu_total_ns > first.cpu_total_ns
    assert second.cpu_percent > 0
    quiet = only(last, idle)
    assert quiet.cpu_percent < second.cpu_percent
    assert (quiet.name, quiet.runtime_id) == ("idle", observed.containers[0].runtime_id)
    assert 8 << 20 <= quiet.memory_used_bytes < quiet.memory_limit_bytes
    # Its own limit is the smaller one; the task's is around it.
    assert quiet.memory_limit_bytes == 64 << 20
    assert second.HasField("network_rx_bytes")
    assert not quiet.HasField("network_rx_bytes")
    assert (second.pids, quiet.pids) == (1, 1)
    moments = [found.tasks[0].sampled_at.ToMicroseconds() for found in tracker.statistics if found.tasks]
    assert moments == sorted(set(moments))


async def test_where_the_kernels_files_cannot_be_seen_the_engine_is_asked(
    tracker: fake_tracker.FakeTracker,
    make_agent: conftest.MakeAgent,
    docker_engine: docker.DockerEngine,
    tmp_path: Path,
) -> None:
    task_id = definitions.task_id()
    limited_by_its_task = definitions.shell("app", WRITES)
    limited_by_its_task.ClearField("memory")
    async with make_agent("--statistics=false") as agent:
        await tracker.assign(definitions.definition(limited_by_its_task, memory="64"), task_id)
        await tracker.running(task_id)
        files = cgroup_statistics.CgroupStatistics(version=1, root=tmp_path)
        by_engine = sampling.Sampling(agent.host, files.read, memory_bytes=1 << 40, every_s=1)
        await settled(agent, task_id)
        await by_engine.pass_once()
        await agent.sampled.pass_once()
        asked, read = only(by_engine.take(), task_id), only(agent.sampled.take(), task_id)
        assert by_engine.take() is None
        await tracker.end(task_id)
        await tracker.stopped(task_id)
        await agent.sampled.pass_once()
        after = agent.sampled.take()
    assert asked.memory_limit_bytes == read.memory_limit_bytes == 64 << 20
    assert abs(asked.memory_used_bytes - read.memory_used_bytes) < 1 << 20
    assert asked.cpu_total_ns <= read.cpu_total_ns
    assert asked.pids == read.pids == 1
    assert after is not None
    assert not after.tasks
