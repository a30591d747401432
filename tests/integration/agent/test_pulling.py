"""Tasks whose images come from a registry: pulled, refreshed, used as they are where the registry fails, and pinned."""

import asyncio
import base64
import contextlib
import json
import sqlite3
from pathlib import Path

import pytest

from longshore.agent import app
from longshore.v1 import event_pb2, task_pb2
from tests.engines import docker, image_registry
from tests.integration.agent import conftest, definitions, fake_tracker, registry

Tracker = fake_tracker.FakeTracker


async def pulled(tracker: Tracker, image: str) -> event_pb2.ContainerObservation:
    """Run a task of this image; its container once it runs, or could not."""
    task = await assign(tracker, image)
    return (await tracker.observed(task, task_pb2.TASK_STATUS_RUNNING)).containers[0]


async def assign(tracker: Tracker, *images: str) -> str:
    """Have a task run with a container of each of these images."""
    task = definitions.task_id()
    parts = [definitions.container(f"app{number}", "sleep", "1000") for number, _ in enumerate(images)]
    for part, image in zip(parts, images, strict=True):
        part.image = image
    await tracker.assign(definitions.definition(*parts), task)
    return task


async def test_an_image_is_pulled_each_time_and_its_digest_reported(
    tracker: Tracker, make_agent: conftest.MakeAgent, front: registry.Front, docker_engine: docker.DockerEngine
) -> None:
    async with make_agent():
        task = await assign(tracker, front.image)
        first = await tracker.running(task)
        assert first.containers[0].image_digest == front.digest
        assert first.HasField("pull_started_at")
        assert first.pull_stopped_at.ToMicroseconds() >= first.pull_started_at.ToMicroseconds()
        await front.publish("second")
        second = await pulled(tracker, front.image)
        assert second.image_digest == front.digest != first.containers[0].image_digest
        # The container is of what was pulled for it, by a name that nobody can move.
        made_from = docker_engine.docker("inspect", "--format={{.Config.Image}}", second.runtime_id)
        assert made_from == f"{front.host}/{front.name}@{front.digest}"


async def test_images_of_one_task_are_pulled_side_by_side(
    tracker: Tracker, make_agent: conftest.MakeAgent, front: registry.Front
) -> None:
    """ECS's parallel-pull: each has its own pull, and the task begins when the last one has come."""
    digests = [await front.publish(tag, tag=tag) for tag in ("a", "b", "c")]
    async with make_agent():
        task = await assign(tracker, *(f"{front.host}/{front.name}:{tag}" for tag in ("a", "b", "c")))
        assert [container.image_digest for container in (await tracker.running(task)).containers] == digests


async def test_a_registry_that_fails_leaves_the_image_that_is_here_unless_it_is_to_be_pulled_always(
    tracker: Tracker, make_agent: conftest.MakeAgent, front: registry.Front
) -> None:
    async with make_agent():
        first = await pulled(tracker, front.image)
        front.broken = True
        assert (await pulled(tracker, front.image)).image_digest == first.image_digest


async def test_always_is_not_served_from_what_is_here(
    tracker: Tracker, make_agent: conftest.MakeAgent, front: registry.Front
) -> None:
    async with make_agent("--image-pull-behavior=always"):
        await pulled(tracker, front.image)
        gone = f"{front.host}/{front.name}:gone"
        container = await pulled(tracker, gone)
    assert container.reason.startswith("CannotPullImageManifestError: Error response from daemon: manifest for ")


async def test_an_image_that_was_removed_is_not_taken_to_be_here(
    tracker: Tracker, make_agent: conftest.MakeAgent, front: registry.Front, docker_engine: docker.DockerEngine
) -> None:
    async with make_agent("--image-pull-behavior=prefer-cached"):
        first = await pulled(tracker, front.image)
        asked = front.asked
        await pulled(tracker, front.image)
        assert front.asked == asked
        for task in list(tracker.observations):
            await tracker.end(task)
            await tracker.stopped(task)
        runtime_ids = [container.runtime_id for seen in tracker.observations.values() for container in seen.containers]
        await asyncio.to_thread(docker_engine.docker, "rm", "--force", *runtime_ids)
        await asyncio.to_thread(docker_engine.docker, "image", "rm", "--force", front.image)
        again = await pulled(tracker, front.image)
        assert front.asked > asked
        assert again.image_digest == first.image_digest


async def test_what_was_pulled_once_is_not_pulled_again_after_a_restart_of_the_agent(
    tracker: Tracker, make_agent: conftest.MakeAgent, front: registry.Front, state_dir: Path
) -> None:
    async with make_agent("--image-pull-behavior=once"):
        await pulled(tracker, front.image)
    with contextlib.closing(sqlite3.connect(state_dir / app.STATE_FILE)) as database:
        rows = database.execute("SELECT names FROM images").fetchall()
    assert rows == [(front.image,)]
    asked = front.asked
    async with make_agent("--image-pull-behavior=once"):
        await pulled(tracker, front.image)
    assert front.asked == asked


async def test_a_task_that_is_stopped_while_it_pulls_leaves_no_pull_behind(
    tracker: Tracker, make_agent: conftest.MakeAgent, front: registry.Front
) -> None:
    front.piece_s = 0.2
    async with make_agent(), asyncio.timeout(fake_tracker.WAIT_S):
        task = await assign(tracker, front.image)
        await front.begun.wait()
        await tracker.end(task)
        await tracker.stopped(task)
        await front.left.wait()


async def test_a_pull_that_hangs_fails_the_task(
    tracker: Tracker, make_agent: conftest.MakeAgent, front: registry.Front
) -> None:
    front.hangs = True
    # All tries together: without a copy on the host the registry is asked again.
    async with make_agent("--image-pull-timeout=1"):
        container = await pulled(tracker, front.image)
    assert container.reason == "DockerTimeoutError: Could not transition to PULLED; timed out after waiting 1s"


async def test_a_pull_that_takes_its_time_is_told_of_as_it_goes(
    tracker: Tracker, make_agent: conftest.MakeAgent, front: registry.Front
) -> None:
    await front.publish("large", size=2 << 20)
    front.piece_s = 0.05
    seen: list[tuple[int, int]] = []
    async with make_agent():
        task = await assign(tracker, front.image)

        def runs() -> bool:
            found = tracker.observations.get(task)
            if found is not None and found.containers[0].HasField("pull_progress"):
                progress = found.containers[0].pull_progress
                seen.append((progress.downloaded_bytes, progress.total_bytes))
            return found is not None and found.last_status == task_pb2.TASK_STATUS_RUNNING

        await tracker.until(runs, "the task runs")
    assert 0 < seen[0][0] < seen[0][1]
    assert seen == sorted(seen)
    assert seen[-1][0] == seen[-1][1] > 2 << 20


async def test_an_image_that_is_not_there_stops_the_task(
    tracker: Tracker, make_agent: conftest.MakeAgent, front: registry.Front
) -> None:
    async with make_agent():
        container = await pulled(tracker, f"{front.host}/{front.name}-not:1")
        seen = next(iter(tracker.observations.values()))
    assert container.reason.startswith("CannotPullImageManifestError: Error response from daemon: ")
    assert seen.stop_code == task_pb2.TASK_STOP_CODE_TASK_FAILED_TO_START
    assert not container.HasField("exit_code")


def login(front: registry.Front, password: str) -> str:
    """What ECS_ENGINE_AUTH_DATA holds for the registry."""
    return json.dumps({front.host: {"username": image_registry.USER, "password": password}})


async def test_a_password_that_the_agent_was_told_opens_the_registry(
    tracker: Tracker, make_agent: conftest.MakeAgent, locked_front: registry.Front
) -> None:
    data = login(locked_front, image_registry.PASSWORD)
    async with make_agent("--engine-auth-type=docker", f"--engine-auth-data={data}"):
        assert (await pulled(tracker, locked_front.image)).image_digest == locked_front.digest


async def test_a_dockercfg_opens_the_registry(
    tracker: Tracker, make_agent: conftest.MakeAgent, locked_front: registry.Front
) -> None:
    secret = base64.b64encode(f"{image_registry.USER}:{image_registry.PASSWORD}".encode()).decode()
    data = json.dumps({f"http://{locked_front.host}/v1/": {"auth": secret, "email": ""}})
    async with make_agent("--engine-auth-type=dockercfg", f"--engine-auth-data={data}"):
        assert (await pulled(tracker, locked_front.image)).image_digest == locked_front.digest


@pytest.mark.parametrize("password", ["", "wrong"])
async def test_without_the_right_password_the_refusal_is_told_and_the_password_is_not(
    tracker: Tracker,
    make_agent: conftest.MakeAgent,
    locked_front: registry.Front,
    capsys: pytest.CaptureFixture[str],
    password: str,
) -> None:
    told = ("--engine-auth-type=docker", f"--engine-auth-data={login(locked_front, password)}") if password else ()
    async with make_agent(*told):
        container = await pulled(tracker, locked_front.image)
    assert container.reason.startswith("CannotPullContainerAuthError: ")
    assert locked_front.refused
    said = container.reason + "".join(capsys.readouterr())
    assert not password or password not in said


async def test_dockers_own_login_and_its_helpers_open_the_registry(
    tracker: Tracker,
    make_agent: conftest.MakeAgent,
    locked_front: registry.Front,
    tmp_path: Path,
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    helper = tmp_path / "docker-credential-tests"
    answer = json.dumps({"Username": image_registry.USER, "Secret": image_registry.PASSWORD})
    helper.write_text(f"#!/bin/sh\nread asked\necho '{answer}'\n")
    helper.chmod(0o755)
    monkeypatch.setenv("PATH", str(tmp_path), prepend=":")
    login_file = tmp_path / "config.json"
    secret = base64.b64encode(f"{image_registry.USER}:{image_registry.PASSWORD}".encode()).decode()
    async with make_agent(environ={"DOCKER_CONFIG": str(tmp_path)}):
        # Read for each pull, so that a login takes effect without a restart.
        for number, config in enumerate(
            (
                {"credHelpers": {locked_front.host: "tests"}},
                {"credsStore": "tests"},
                {"auths": {locked_front.host: {"auth": secret}}},
            )
        ):
            login_file.write_text(json.dumps(config))
            await locked_front.publish(f"image {number}")
            assert (await pulled(tracker, locked_front.image)).image_digest == locked_front.digest
