"""Docker volumes of tasks on a real Docker Engine (ecs.md 1.4)."""

import asyncio
import uuid
from collections.abc import Iterator
from typing import Any

import pytest

from longshore.agent import container_names
from longshore.v1 import task_definition_pb2 as definition_pb2
from tests.engines import docker
from tests.integration.agent import conftest, definitions, fake_tracker

SHARED, OWN = definition_pb2.SCOPE_SHARED, definition_pb2.SCOPE_TASK


@pytest.fixture
def shared_name(docker_engine: docker.DockerEngine) -> Iterator[str]:
    """Name of a shared volume, which is removed after the test."""
    name = f"longshore-test-{uuid.uuid4().hex}"
    yield name
    for container in docker_engine.docker("ps", "--all", "--quiet", f"--filter=volume={name}").split():
        docker_engine.docker("rm", "--force", container)
    docker_engine.docker("volume", "rm", "--force", name)


def writes(name: str, text: str, **configuration: object) -> definition_pb2.TaskDefinition:
    """A definition whose container appends to a file on a volume and exits with the number of lines that it then has."""
    mount = definition_pb2.MountPoint(source_volume=name, container_path="/data")
    script = f"echo {text} >>/data/lines; exit $(wc -l </data/lines)"
    docker_volume = definition_pb2.DockerVolumeConfiguration(**configuration)  # type: ignore[arg-type]  # fields of the test
    return definitions.definition(
        definitions.shell("app", script, mount_points=[mount]),
        volumes=[definition_pb2.Volume(name=name, docker_volume_configuration=docker_volume)],
    )


async def exit_code(tracker: fake_tracker.FakeTracker, definition: definition_pb2.TaskDefinition) -> int:
    task = definitions.task_id()
    await tracker.assign(definition, task)
    container = (await tracker.stopped(task)).containers[0]
    assert container.reason == "", container.reason
    return container.exit_code


@pytest.mark.usefixtures("agent")
async def test_a_shared_volume_that_may_be_provisioned_is_the_same_for_every_task(
    tracker: fake_tracker.FakeTracker, docker_engine: docker.DockerEngine, shared_name: str
) -> None:
    definition = writes(shared_name, "one", scope=SHARED, autoprovision=True, labels={"team": "harbour"})
    assert [await exit_code(tracker, definition) for _ in range(3)] == [1, 2, 3]
    label = docker_engine.docker("volume", "inspect", "--format", '{{index .Labels "team"}}', shared_name)
    assert label == "harbour"


@pytest.mark.usefixtures("agent")
async def test_a_shared_volume_that_is_not_there_and_may_not_be_made_fails_the_start(
    tracker: fake_tracker.FakeTracker, docker_engine: docker.DockerEngine, shared_name: str
) -> None:
    task = definitions.task_id()
    definition = writes(shared_name, "one", scope=SHARED)
    await tracker.assign(definition, task)
    reason = (await tracker.stopped(task)).containers[0].reason
    assert reason.startswith(f"CannotCreateContainerError: there is no volume {shared_name} on this host")
    docker_engine.docker("volume", "create", shared_name)
    assert await exit_code(tracker, definition) == 1


async def test_a_shared_volume_that_is_there_otherwise_is_refused_where_the_operator_wants_it_compared(
    tracker: fake_tracker.FakeTracker,
    make_agent: conftest.MakeAgent,
    docker_engine: docker.DockerEngine,
    shared_name: str,
) -> None:
    """By driver options and labels (ECS_SHARED_VOLUME_MATCH_FULL_CONFIG); else the name is enough."""
    docker_engine.docker("volume", "create", "--label=team=harbour", shared_name)
    other = writes(shared_name, "one", scope=SHARED, autoprovision=True, labels={"team": "docks"})
    same = writes(shared_name, "one", scope=SHARED, autoprovision=True, labels={"team": "harbour"})
    async with make_agent("--shared-volume-match-full-config"):
        task = definitions.task_id()
        await tracker.assign(other, task)
        reason = (await tracker.stopped(task)).containers[0].reason
        assert reason == (
            f"CannotCreateContainerError: the shared volume {shared_name} is there with other labels than the definition's: team"
        )
        assert await exit_code(tracker, same) == 1
    foreign = writes(shared_name, "one", scope=SHARED, autoprovision=True, driver="longshore-tests-none")
    async with make_agent():
        assert await exit_code(tracker, other) == 2
        assert await exit_code(tracker, foreign) == 3


async def test_a_volume_of_the_task_has_its_options_and_goes_with_the_task(
    tracker: fake_tracker.FakeTracker, make_agent: conftest.MakeAgent, docker_engine: docker.DockerEngine
) -> None:
    definition = writes(
        "scratch", "one", scope=OWN, driver="local", driver_opts={"type": "tmpfs", "device": "tmpfs", "o": "size=1m"}
    )
    task = definitions.task_id()
    names = container_names.TaskNames(task, "default", definition.family, definition.revision)
    volume = container_names.volume_name(names, "scratch")
    async with make_agent("--cleanup-wait=1"):
        await tracker.assign(definition, task)
        assert (await tracker.stopped(task)).containers[0].exit_code == 1
        options = docker_engine.docker("volume", "inspect", "--format", "{{.Options.type}} {{.Labels}}", volume)
        assert options.startswith("tmpfs ")
        assert task in options
        async with asyncio.timeout(20):
            while volume in await asyncio.to_thread(docker_engine.docker, "volume", "ls", "--quiet"):  # noqa: ASYNC110 - it is not told
                await asyncio.sleep(0.1)


@pytest.mark.usefixtures("agent")
async def test_what_is_mounted_for_reading_is_not_written_and_what_was_written_is_read(
    tracker: fake_tracker.FakeTracker,
) -> None:
    """A volume with nothing but a name, by a mount point and by volumesFrom, each of which may be for reading only."""
    volume = definition_pb2.Volume(name="data")

    def mount(*, read_only: bool = False) -> definition_pb2.MountPoint:
        return definition_pb2.MountPoint(source_volume="data", container_path="/data", read_only=read_only)

    def source(*, read_only: bool = False) -> definition_pb2.VolumeFrom:
        return definition_pb2.VolumeFrom(source_container="owner", read_only=read_only)

    # 3: what was written is there and it cannot be written; 4: it can.
    tries = (
        'while [ "$(cat /data/file)" != told ]; do sleep 0.05; done; (echo x >/data/$0) 2>/dev/null && exit 4; exit 3'
    )
    owner = definitions.shell("owner", "echo told >/data/file; sleep 1000", mount_points=[mount()])
    kinds: dict[str, dict[str, Any]] = {
        "mounted": {"mount_points": [mount()]},
        "mounted-ro": {"mount_points": [mount(read_only=True)]},
        "from": {"volumes_from": [source()]},
        "from-ro": {"volumes_from": [source(read_only=True)]},
    }
    others = [
        definitions.container(name, "sh", "-c", tries, name, essential=False, **members)
        for name, members in kinds.items()
    ]
    task = definitions.task_id()
    await tracker.assign(definitions.definition(owner, *others, volumes=[volume]), task)

    def codes() -> dict[str, int]:
        seen = tracker.observations.get(task)
        ended = seen.containers if seen is not None else ()
        return {container.name: container.exit_code for container in ended if container.HasField("exit_code")}

    await tracker.until(lambda: len(codes()) == len(kinds), "the others have ended")
    assert codes() == {"mounted": 4, "mounted-ro": 3, "from": 4, "from-ro": 3}
