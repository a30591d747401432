"""Images that nobody needs go, on a real Docker Engine; those that somebody needs, or brought, stay (ecs.md 6.1, 6.3)."""

import asyncio
from collections.abc import AsyncIterator

import pytest

from longshore.agent import runtime
from longshore.agent.docker import docker_runtime
from longshore.agent.images import disk
from tests.engines import docker, waiting
from tests.integration.agent import conftest, definitions, fake_tracker, registry

Tracker = fake_tracker.FakeTracker
WAIT_S = 20.0
SOON = ("--image-cleanup-interval=1", "--image-minimum-cleanup-age=0", "--cleanup-wait=1")


async def run(tracker: Tracker, image: str) -> str:
    """Run a task of this image."""
    task = definitions.task_id()
    container = definitions.container("app", "sleep", "1000")
    container.image = image
    await tracker.assign(definitions.definition(container), task)
    await tracker.running(task)
    return task


async def end(tracker: Tracker, *tasks: str) -> None:
    """Stop tasks."""
    await tracker.end(*tasks)
    for task in tasks:
        await tracker.stopped(task)


def tags(engine: docker.DockerEngine, front: registry.Front) -> set[str]:
    """Tags of the test's repository that are on the host."""
    return set(engine.docker("image", "ls", "--format={{.Tag}}", f"{front.host}/{front.name}").split())


async def gone(engine: docker.DockerEngine, front: registry.Front, tag: str) -> None:
    """Wait until a tag is not on the host any more."""

    def is_gone() -> bool:
        return tag not in tags(engine, front)

    await asyncio.to_thread(waiting.until, is_gone, within_s=WAIT_S, what=f"{tag} is gone")


@pytest.fixture
async def engine(docker_engine: docker.DockerEngine) -> AsyncIterator[docker_runtime.DockerRuntime]:
    """A runtime of the test's own."""
    made = docker_runtime.DockerRuntime(docker_engine.url)
    yield made
    await made.close()


async def test_what_no_task_needs_goes_and_all_else_stays_also_after_a_restart(
    tracker: Tracker, make_agent: conftest.MakeAgent, front: registry.Front, docker_engine: docker.DockerEngine
) -> None:
    for tag in ("used", "foreign", "named"):
        await front.publish(tag, tag=tag)

    def name(tag: str) -> str:
        return f"{front.host}/{front.name}:{tag}"

    # Brought by a person, from the same repository.
    await asyncio.to_thread(docker_engine.docker, "pull", "--quiet", name("foreign"))
    async with make_agent("--image-pull-behavior=prefer-cached"):
        *finished, used = await asyncio.gather(*(run(tracker, name(tag)) for tag in ("1", "foreign", "named", "used")))
        # One that the agent has pulled has got a name from a person since.
        await asyncio.to_thread(docker_engine.docker, "tag", name("named"), name("kept"))
        await end(tracker, *finished)
    async with make_agent("--image-pull-behavior=prefer-cached", *SOON):
        await gone(docker_engine, front, "1")
        assert tags(docker_engine, front) == {"used", "foreign", "named", "kept"}
        await end(tracker, used)
        await gone(docker_engine, front, "used")


async def test_a_full_disk_is_not_filled_further_by_what_nobody_needs(
    tracker: Tracker,
    make_agent: conftest.MakeAgent,
    front: registry.Front,
    docker_engine: docker.DockerEngine,
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    monkeypatch.setattr(disk, "CHECK_S", 0.2)
    async with make_agent("--disk-watermark=1"):  # with every other setting hours from now
        task = await run(tracker, front.image)
        await end(tracker, task)
        await gone(docker_engine, front, registry.TAG)


async def test_a_pull_that_meets_a_removal_has_its_image_afterwards(
    front: registry.Front, engine: docker_runtime.DockerRuntime
) -> None:
    """Whichever is first: the other one waits for it, or is refused."""
    await engine.pull(front.image, patient=True)
    for _ in range(5):
        found = await engine.find_image(front.image)
        assert found is not None
        image = runtime.HostImage(found.image_id, (front.image,), (found.pin,))
        removed, pulled, _ = await asyncio.gather(
            engine.remove_image(image),
            engine.pull(front.image, patient=True),
            engine.find_image(front.image),
            return_exceptions=True,
        )
        assert removed is None or isinstance(removed, runtime.CannotRemoveContainerError)
        assert not isinstance(pulled, BaseException)
        assert await engine.find_image(front.image) == pulled


async def test_an_image_goes_with_all_its_names(front: registry.Front, engine: docker_runtime.DockerRuntime) -> None:
    await front.publish("same", tag="2")
    await front.publish("same", tag="3")
    found = [await engine.pull(f"{front.host}/{front.name}:{tag}", patient=True) for tag in ("2", "3")]
    listed = {image.image_id: image for image in await engine.list_images()}
    for image_id in {image.image_id for image in found}:
        await engine.remove_image(listed[image_id])
        await engine.remove_image(listed[image_id])
    assert not {image.image_id for image in await engine.list_images()} & {image.image_id for image in found}
