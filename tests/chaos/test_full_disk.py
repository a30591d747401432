"""An agent whose state folder has no block free (found by the drill; see README.md)."""

import os
import sys
from collections.abc import AsyncIterator
from pathlib import Path

import pytest

from longshore.drill import child, disk
from longshore.v1 import task_pb2
from tests.engines import docker
from tests.engines.missing import missing
from tests.integration.agent import definitions, fake_tracker


@pytest.fixture
async def small(tmp_path: Path) -> AsyncIterator[disk.Disk]:
    if os.geteuid() != 0:
        missing("a file system of a test's own needs root")
    made = disk.Disk(tmp_path / "image", tmp_path / "agent", 8)
    await made.mount()
    yield made
    await made.unmount()


async def test_an_agent_that_comes_back_to_a_full_disk_lives_and_goes_on_when_there_is_room(
    small: disk.Disk, docker_engine: docker.DockerEngine, tmp_path: Path
) -> None:
    tracker = fake_tracker.FakeTracker()
    await tracker.start()
    command = [
        *(sys.executable, "-m", "longshore.agent", "--introspection-port=0", f"--docker-host={docker_engine.url}"),
        *(f"--state-tracker={tracker.address}", f"--registry={tracker.address}", f"--state-dir={small.path}"),
        "--cleanup-wait=1",
    ]
    log = tmp_path / "agent.log"
    agent = await child.started(command, log=log)
    try:
        task, after = definitions.task_id(), definitions.task_id()
        await tracker.assign(definitions.definition(definitions.container()), task)
        await tracker.running(task)
        await agent.kill()
        small.fill()
        agent = await child.started(command, log=log)
        await tracker.until(lambda: len(tracker.hellos) == 2, "the session of an agent on a full disk")
        await tracker.assign(definitions.definition(definitions.container()), after)
        await tracker.end(task)
        await tracker.until(lambda: "assignment_not_saved" in log.read_text(), "an assignment that finds no room")
        assert agent.running
        assert after not in tracker.observations
        small.free()
        await tracker.running(after)
        assert len(tracker.hellos) == 2  # the session went on
        await tracker.end(after)
        for ended in (task, after):
            assert (await tracker.stopped(ended)).last_status == task_pb2.TASK_STATUS_STOPPED
        assert agent.running
        assert tracker.violations == []
    finally:
        await agent.stop()
        docker_engine.remove_labelled(f"com.longshore.task-id={task}")
        docker_engine.remove_labelled(f"com.longshore.task-id={after}")
        await tracker.stop()
