"""Images from a registry: pulled, refreshed, and used as they are where the registry fails."""

import asyncio
from collections.abc import AsyncIterator

import pytest

from longshore.v1 import agent_service_pb2
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
