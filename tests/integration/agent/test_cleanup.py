"""Nothing of a task is left after its clean-up, and nothing that is not ours is touched."""

import asyncio
import shutil
import sqlite3
import tempfile
import uuid
from collections.abc import Callable, Iterator
from pathlib import Path

import pytest

from longshore.agent import app, cgroups, container_names
from longshore.v1 import task_definition_pb2 as definition_pb2
from tests.engines import docker, waiting
from tests.integration.agent import conftest, definitions, fake_tracker

Tracker = fake_tracker.FakeTracker
WAIT_S = 20.0
Left = dict[str, set[str]]


def left(engine: docker.DockerEngine, state_dir: Path, *names: str) -> Left:
    """Everything that a task could leave, of these tasks or of these names."""

    def ours(listed: str) -> set[str]:
        # Labels come in any order, so only the name is kept.
        return {line.split()[0] for line in listed.splitlines() if any(name in line for name in names)}

    labels = "{{.Names}} {{.Labels}}"
    base = f"{cgroups.BASE}/*"
    groups = {str(path) for name in names for top in (base, f"*/{base}") for path in cgroups.ROOT.glob(f"{top}/{name}")}
    rows = written(state_dir)
    return {
        "containers": ours(engine.docker("ps", "--all", "--no-trunc", f"--format={labels}")),
        "volumes": ours(engine.docker("volume", "ls", "--format={{.Name}} {{.Labels}}")),
        "networks": ours(engine.docker("network", "ls", "--format={{.Name}} {{.Labels}}")),
        "groups": groups,
        "rows": rows,
    }


def written(state_dir: Path) -> set[str]:
    """Tasks and definitions in the agent's state file, which it lets nobody else open: a copy is read."""
    with tempfile.TemporaryDirectory() as folder:
        for file in state_dir.glob(f"{app.STATE_FILE}*"):
            shutil.copy(file, folder)
        database = sqlite3.connect(Path(folder) / app.STATE_FILE)
        rows = {row[0] for row in database.execute("SELECT task_id FROM tasks")}
        rows |= {row[0] for row in database.execute("SELECT key FROM definitions")}
        database.close()
    return rows


def definition() -> definition_pb2.TaskDefinition:
    """Two containers with a volume of every kind that lives with a task, limits, and a part of the file system that is kept in memory."""
    own = definition_pb2.Volume(name="own")
    own.docker_volume_configuration.scope = definition_pb2.SCOPE_TASK
    plain = definition_pb2.Volume(name="plain")
    mounts = [definition_pb2.MountPoint(source_volume=name, container_path=f"/{name}") for name in ("own", "plain")]
    first = definitions.shell("first", "echo 1 >/own/file; echo 1 >/plain/file; sleep 1000", mount_points=mounts)
    first.linux_parameters.tmpfs.add(container_path="/quick", size=1)
    second = definitions.container("second", volumes_from=[definition_pb2.VolumeFrom(source_container="first")])
    for container in (first, second):
        container.linux_parameters.init_process_enabled = True  # which ends at once when it is told to
    return definitions.definition(first, second, volumes=[own, plain], cpu="128", memory="128")


@pytest.fixture
def lookalikes(docker_engine: docker.DockerEngine) -> Iterator[str]:
    """A mark on a container and on volumes that look like ours: by name, by some of the labels, by another agent's home."""
    mark = f"ecs-lookalike-{uuid.uuid4().hex[:8]}"
    other = f"--label={container_names.HOME}={'0' * 32}"
    some = [f"--label={container_names.TASK_ID}={uuid.uuid4().hex}", f"--label={container_names.CLUSTER}=default"]
    docker_engine.docker("create", f"--name={mark}-stopped", other, *some, definitions.IMAGE, "true")
    docker_engine.docker("create", f"--name={mark}-unlabelled", *some, definitions.IMAGE, "true")
    docker_engine.docker("volume", "create", f"{mark}-plain")
    docker_engine.docker("volume", "create", other, *some, f"{mark}-volume")
    yield mark
    docker_engine.docker("rm", "--force", f"{mark}-stopped", f"{mark}-unlabelled")
    docker_engine.docker("volume", "rm", "--force", f"{mark}-plain", f"{mark}-volume")


async def comes_to(holds: Callable[[], bool], what: str) -> None:
    """Wait for what the agent does by itself and tells nobody."""
    await asyncio.to_thread(waiting.until, holds, within_s=WAIT_S, what=what)


async def test_nothing_of_a_task_is_left_and_what_looks_like_it_is_not_touched(
    tracker: Tracker,
    make_agent: conftest.MakeAgent,
    docker_engine: docker.DockerEngine,
    state_dir: Path,
    lookalikes: str,
) -> None:
    task = definitions.task_id()
    async with make_agent("--cleanup-wait=1"):
        before = await asyncio.to_thread(left, docker_engine, state_dir, task, lookalikes)
        await tracker.assign(definition(), task)
        await tracker.running(task)
        during = await asyncio.to_thread(left, docker_engine, state_dir, task, lookalikes)
        new = {kind: len(found - before[kind]) for kind, found in during.items()}
        assert new["containers"] == 2
        assert new["volumes"] == 2
        assert new["rows"] == 2
        assert new["groups"] >= 1
        await tracker.end(task)
        await tracker.stopped(task)
        await comes_to(
            lambda: left(docker_engine, state_dir, task, lookalikes) == before, "nothing of the task is left"
        )
    assert len(before["containers"]) == len(before["volumes"]) == 2


async def test_a_full_disk_does_not_wait_but_what_is_not_recorded_does(
    tracker: Tracker, make_agent: conftest.MakeAgent, docker_engine: docker.DockerEngine, state_dir: Path
) -> None:
    first, second = definitions.task_id(), definitions.task_id()
    async with make_agent("--disk-watermark=1"):
        await tracker.assign(definition(), first, second)
        for task in (first, second):
            await tracker.running(task)
        await tracker.end(first)
        await tracker.stopped(first)
        await comes_to(lambda: not left(docker_engine, state_dir, first)["containers"], "the first task's are gone")
        tracker.deaf = True
        await tracker.end(second)
        runtime_ids = [container.runtime_id for container in tracker.observations[second].containers]
        await asyncio.to_thread(docker_engine.docker, "wait", *runtime_ids)
        found = await asyncio.to_thread(left, docker_engine, state_dir, second)
        assert len(found["containers"]) == 2
        assert second in found["rows"]


async def test_volumes_of_a_state_file_that_was_lost_are_swept(
    tracker: Tracker,
    make_agent: conftest.MakeAgent,
    docker_engine: docker.DockerEngine,
    state_dir: Path,
    lookalikes: str,
) -> None:
    task = definitions.task_id()
    async with make_agent():
        await tracker.assign(definition(), task)
        await tracker.running(task)
    tracker.forget(task)
    await asyncio.to_thread(shutil.rmtree, state_dir)
    async with make_agent():
        found = await asyncio.to_thread(left, docker_engine, state_dir, task, lookalikes)
    assert len(found["volumes"]) == len(found["containers"]) == 2
    assert all(lookalikes in name for name in found["volumes"] | found["containers"])
    assert found["groups"] == set()
