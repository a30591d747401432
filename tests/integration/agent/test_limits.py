"""Limits of whole tasks on a real Docker Engine and the kernel's own control groups (ecs.md 1.1)."""

import asyncio
import signal
import subprocess
from collections.abc import Iterator
from pathlib import Path

import pytest

from longshore.agent import cgroups, task_limits
from longshore.v1 import task_definition_pb2, task_pb2
from tests.engines import docker
from tests.integration.agent import conftest, definitions, fake_tracker


@pytest.fixture(autouse=True)
def _limits_tasks(docker_engine: docker.DockerEngine) -> None:
    """Where the engine leaves its groups to systemd they have other names; the unit tests hold what systemd is told."""
    if docker_engine.docker("info", "--format", "{{.CgroupDriver}}") != "cgroupfs":
        pytest.skip("this engine's control groups are systemd's")


def group(home: str, task: str) -> list[Path]:
    """Folders of a task's group."""
    return sorted(cgroups.ROOT.glob(f"*/{cgroups.BASE}/{home}/{task}")) + sorted(
        cgroups.ROOT.glob(f"{cgroups.BASE}/{home}/{task}")
    )


def whole(
    *containers: task_definition_pb2.ContainerDefinition, cpu: str = "", memory: str = ""
) -> task_definition_pb2.TaskDefinition:
    """A definition that limits the task and not its containers."""
    for container in containers:
        container.ClearField("memory")
    return definitions.definition(*containers, cpu=cpu, memory=memory)


async def test_a_task_may_use_no_more_memory_than_it_has_in_all_its_containers_together(
    tracker: fake_tracker.FakeTracker, make_agent: conftest.MakeAgent
) -> None:
    task = definitions.task_id()
    # Each takes less than the task may have, and both take more.
    eater = "sleep 0.3; dd if=/dev/zero of=/dev/shm/filled bs=1M count=30 2>/dev/null || exit 9; sleep 1000"
    one, other = definitions.shell("one", eater), definitions.shell("other", eater)
    async with make_agent():
        await tracker.assign(whole(one, other, memory="48"), task)
        stopped = await tracker.stopped(task)
    assert 137 in [container.exit_code for container in stopped.containers]
    assert any(container.out_of_memory for container in stopped.containers)


async def test_a_tasks_cpu_is_a_hard_limit(
    tracker: fake_tracker.FakeTracker, make_agent: conftest.MakeAgent, state_dir: Path
) -> None:
    task = definitions.task_id()
    async with make_agent():
        await tracker.assign(whole(definitions.shell("app", "while :; do :; done"), cpu="128", memory="64"), task)
        await tracker.running(task)
        (statistics,) = (
            folder / "cpu.stat" for folder in group(conftest.home(state_dir), task) if "nr_throttled" in _read(folder)
        )
        async with asyncio.timeout(20):
            # It would use a whole CPU if it could: so the kernel holds it back, period after period.
            while int(statistics.read_text().split("nr_throttled")[1].split()[0]) < 3:  # noqa: ASYNC110 - the kernel does not tell
                await asyncio.sleep(0.1)
        await tracker.end(task)
        await tracker.stopped(task)


def _read(folder: Path) -> str:
    statistics = folder / "cpu.stat"
    return statistics.read_text() if statistics.exists() else ""


async def test_the_group_has_the_limits_under_overrides_and_goes_with_the_task(
    tracker: fake_tracker.FakeTracker, make_agent: conftest.MakeAgent, state_dir: Path
) -> None:
    task, home = definitions.task_id(), conftest.home(state_dir)
    overrides = task_pb2.TaskOverride(memory="96")
    async with make_agent("--cleanup-wait=1", "--task-pids-limit=50"):
        await tracker.assign(whole(definitions.container(), cpu=".25 vCPU", memory="64"), task, overrides=overrides)
        await tracker.running(task)
        values = {
            name: (folder / name).read_text().split()
            for folder in group(home, task)
            for name in ("cpu.cfs_quota_us", "memory.limit_in_bytes", "cpu.max", "memory.max", "pids.max")
            if (folder / name).exists()
        }
        assert "25000" in (values.get("cpu.cfs_quota_us") or values["cpu.max"])
        assert (values.get("memory.limit_in_bytes") or values["memory.max"]) == [str(96 << 20)]
        assert values["pids.max"] == ["50"]
        await tracker.end(task)
        await tracker.stopped(task)
        async with asyncio.timeout(20):
            while group(home, task):  # noqa: ASYNC110 - the kernel does not tell
                await asyncio.sleep(0.1)


async def test_where_limits_are_turned_off_such_a_task_is_refused_and_the_host_does_not_offer_it(
    tracker: fake_tracker.FakeTracker, make_agent: conftest.MakeAgent
) -> None:
    task = definitions.task_id()
    async with make_agent("--no-task-cpu-mem-limit"):
        await tracker.assign(whole(definitions.container(), memory="64"), task)
        reason = (await tracker.stopped(task)).containers[0].reason
    assert "cpu and memory of a whole task cannot be limited on this host" in reason
    offered = {attribute.name for attribute in tracker.registrations[0].attributes}
    assert "ecs.capability.task-cpu-mem-limit" not in offered


@pytest.fixture
def forgotten() -> Iterator["subprocess.Popen[bytes]"]:
    """A process that no engine knows of."""
    process = subprocess.Popen(["sleep", "600"])
    yield process
    process.kill()
    process.wait()


async def test_a_process_that_the_engine_has_forgotten_ends_with_its_tasks_group(
    forgotten: "subprocess.Popen[bytes]",
) -> None:
    """Found by the drill: an engine killed while it started a container leaves a process behind (tests/chaos/README.md)."""
    version = 2 if (cgroups.ROOT / "cgroup.controllers").exists() else 1
    hierarchy = cgroups.V2(cgroups.ROOT) if version == 2 else cgroups.V1(cgroups.ROOT)
    home, task = definitions.task_id(), definitions.task_id()
    groups = cgroups.Cgroups(hierarchy, home)
    await groups.limit(task, task_limits.TaskLimits(cpu_units=128, memory_mib=64))
    for folder in group(home, task):
        inner = folder / "container"
        inner.mkdir()
        (inner / "cgroup.procs").write_text(str(forgotten.pid))
    await groups.remove(task)
    assert forgotten.wait(10) == -signal.SIGKILL
    assert group(home, task) == []
