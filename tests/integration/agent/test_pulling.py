"""Images from a registry: pulled, refreshed, and used as they are where the registry fails."""

import asyncio
import base64
import json
import uuid
from collections.abc import AsyncIterator
from pathlib import Path

import pytest

from longshore.v1 import agent_service_pb2, event_pb2
from tests.engines import docker
from tests.integration.agent import conftest, definitions, fake_tracker, registry


@pytest.fixture
async def images(docker_engine: docker.DockerEngine) -> AsyncIterator[registry.Registry]:
    """A registry whose image is removed from the engine afterwards."""
    async with registry.serving() as made:
        yield made
        # Not from this loop's thread: the engine may ask the registry, which runs in it.
        await asyncio.to_thread(docker_engine.docker, "image", "rm", "--force", made.image, check=False)


async def run(tracker: fake_tracker.FakeTracker, image: str) -> agent_service_pb2.TaskObservation:
    """Run a task of this image; return it running."""
    task = definitions.task_id()
    container = definitions.container("app", "sleep", "1000")
    container.image = image
    await tracker.assign(definitions.definition(container), task)
    await tracker.until(
        lambda: task in tracker.observations and tracker.observations[task].last_status >= 4, f"{task} beyond its pull"
    )
    return tracker.observations[task]


async def test_an_image_is_pulled_each_time_and_its_digest_reported(
    tracker: fake_tracker.FakeTracker,
    make_agent: conftest.MakeAgent,
    images: registry.Registry,
    docker_engine: docker.DockerEngine,
) -> None:
    async with make_agent():
        first = await run(tracker, images.image)
        assert first.containers[0].image_digest == images.digest
        assert first.HasField("pull_started_at")
        assert first.pull_stopped_at.ToMicroseconds() >= first.pull_started_at.ToMicroseconds()
        images.publish("second")
        second = await run(tracker, images.image)
        assert second.containers[0].image_digest == images.digest != first.containers[0].image_digest


async def test_a_registry_that_fails_leaves_the_image_that_is_here(
    tracker: fake_tracker.FakeTracker,
    make_agent: conftest.MakeAgent,
    images: registry.Registry,
    docker_engine: docker.DockerEngine,
) -> None:
    async with make_agent():
        first = await run(tracker, images.image)
        images.broken = True
        second = await run(tracker, images.image)
        assert second.containers[0].image_digest == first.containers[0].image_digest


async def test_an_image_that_was_removed_is_not_taken_to_be_here(
    tracker: fake_tracker.FakeTracker,
    make_agent: conftest.MakeAgent,
    images: registry.Registry,
    docker_engine: docker.DockerEngine,
) -> None:
    async with make_agent("--image-pull-behavior=prefer-cached"):
        first = await run(tracker, images.image)
        served = images.manifests_served
        await run(tracker, images.image)
        assert images.manifests_served == served
        for task in list(tracker.observations):
            await tracker.end(task)
            await tracker.stopped(task)
        runtime_ids = [container.runtime_id for seen in tracker.observations.values() for container in seen.containers]
        await asyncio.to_thread(docker_engine.docker, "rm", "--force", *runtime_ids)
        await asyncio.to_thread(docker_engine.docker, "image", "rm", "--force", images.image)
        again = await run(tracker, images.image)
        assert images.manifests_served > served
        assert again.containers[0].image_digest == first.containers[0].image_digest


async def pulled(tracker: fake_tracker.FakeTracker, image: str) -> event_pb2.ContainerObservation:
    """Run a task of this image; its container once it runs, or could not."""
    return (await run(tracker, image)).containers[0]


async def test_a_registry_that_is_busy_or_breaks_off_is_asked_again(
    tracker: fake_tracker.FakeTracker,
    make_agent: conftest.MakeAgent,
    images: registry.Registry,
    docker_engine: docker.DockerEngine,
) -> None:
    images.publish(uuid.uuid4().hex)  # layers that the engine has are not fetched
    images.busy, images.breaks_off = 1, 1
    async with make_agent():
        assert (await pulled(tracker, images.image)).image_digest == images.digest
    assert (images.busy, images.breaks_off) == (0, 0)


async def test_an_image_that_is_not_there_is_not_asked_for_again(
    tracker: fake_tracker.FakeTracker,
    make_agent: conftest.MakeAgent,
    images: registry.Registry,
    docker_engine: docker.DockerEngine,
) -> None:
    async with make_agent():
        container = await pulled(tracker, images.image.replace("/tests/app", "/tests/none"))
    assert container.reason.startswith("CannotPullContainerError: ")
    assert images.manifests_served == 0


def login(images: registry.Registry, password: str) -> str:
    """What ECS_ENGINE_AUTH_DATA holds for the registry."""
    return json.dumps({f"127.0.0.1:{images.port}": {"username": "tester", "password": password}})


async def test_a_password_that_the_agent_was_told_opens_the_registry(
    tracker: fake_tracker.FakeTracker,
    make_agent: conftest.MakeAgent,
    images: registry.Registry,
    docker_engine: docker.DockerEngine,
) -> None:
    images.password = "wide open"
    async with make_agent("--engine-auth-type=docker", f"--engine-auth-data={login(images, 'wide open')}"):
        assert (await pulled(tracker, images.image)).image_digest == images.digest


@pytest.mark.parametrize("password", ["", "wrong"])
async def test_without_the_right_password_the_refusal_is_told_and_the_password_is_not(
    tracker: fake_tracker.FakeTracker,
    make_agent: conftest.MakeAgent,
    images: registry.Registry,
    docker_engine: docker.DockerEngine,
    capsys: pytest.CaptureFixture[str],
    password: str,
) -> None:
    images.password = "right"
    told = ("--engine-auth-type=docker", f"--engine-auth-data={login(images, password)}") if password else ()
    async with make_agent(*told):
        container = await pulled(tracker, images.image)
    assert container.reason.startswith("CannotPullContainerError: ")
    assert images.refused
    said = container.reason + "".join(capsys.readouterr())
    assert not password or password not in said


async def test_dockers_own_login_and_its_helpers_open_the_registry(
    tracker: fake_tracker.FakeTracker,
    make_agent: conftest.MakeAgent,
    images: registry.Registry,
    docker_engine: docker.DockerEngine,
    tmp_path: Path,
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    images.password = "opens"
    helper = tmp_path / "docker-credential-tests"
    helper.write_text('#!/bin/sh\nread asked\necho \'{"Username": "tester", "Secret": "opens"}\'\n')
    helper.chmod(0o755)
    monkeypatch.setenv("PATH", str(tmp_path), prepend=":")
    login_file = tmp_path / "config.json"
    host = f"127.0.0.1:{images.port}"
    async with make_agent(environ={"DOCKER_CONFIG": str(tmp_path)}):
        # Read for each pull, so that a login takes effect without a restart.
        login_file.write_text(json.dumps({"credHelpers": {host: "tests"}}))
        assert (await pulled(tracker, images.image)).image_digest == images.digest
        images.publish("second")
        secret = base64.b64encode(b"tester:opens").decode()
        login_file.write_text(json.dumps({"auths": {host: {"auth": secret}}}))
        assert (await pulled(tracker, images.image)).image_digest == images.digest
