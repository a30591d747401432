"""The order of containers, their health and their restarts, on a real Docker Engine (ecs.md 1.2, 1.3 and 6.8)."""

import asyncio
from collections.abc import Sequence

import pytest

from longshore.v1 import common_pb2, task_pb2
from longshore.v1 import task_definition_pb2 as definition_pb2
from tests.engines import docker
from tests.integration.agent import conftest, definitions, fake_tracker

STOPPED = task_pb2.CONTAINER_STATUS_STOPPED
RUNNING = task_pb2.CONTAINER_STATUS_RUNNING
SHUTS_DOWN = "trap 'exit 0' TERM; while :; do sleep 0.05; done"


def after(name: str, condition: str) -> Sequence[definition_pb2.ContainerDependency]:
    """What a container depends on."""
    value = definition_pb2.ContainerCondition.Value(f"CONTAINER_CONDITION_{condition}")
    return [definition_pb2.ContainerDependency(container_name=name, condition=value)]


def checked(command: str, *, interval: int = 1) -> definition_pb2.HealthCheck:
    """A health check by the shell; shorter than ECS allows, which is the registry's business."""
    return definition_pb2.HealthCheck(command=["CMD-SHELL", command], interval=interval, timeout=2, retries=1)


def seen(observation: fake_tracker.Observation) -> dict[str, task_pb2.ContainerStatus.ValueType]:
    return {container.name: container.last_status for container in observation.containers}


async def moment(engine: docker.DockerEngine, runtime_id: str, field: str) -> str:
    """A time of a container, as the engine tells it; texts of one length sort as the times do."""
    told = await asyncio.to_thread(engine.docker, "inspect", "--format", f"{{{{.State.{field}}}}}", runtime_id)
    return told[:26].ljust(26, "0")


@pytest.mark.usefixtures("agent")
@pytest.mark.parametrize("condition", ["COMPLETE", "SUCCESS"])
async def test_a_container_starts_after_the_end_of_the_one_it_waits_for(
    tracker: fake_tracker.FakeTracker, docker_engine: docker.DockerEngine, condition: str
) -> None:
    task = definitions.task_id()
    first = definitions.shell("first", "sleep 0.3; exit 0", essential=False)
    await tracker.assign(
        definitions.definition(definitions.container(depends_on=after("first", condition)), first), task
    )
    ids = {container.name: container.runtime_id for container in (await tracker.running(task)).containers}
    ended = await moment(docker_engine, ids["first"], "FinishedAt")
    assert ended <= await moment(docker_engine, ids["app"], "StartedAt")


@pytest.mark.usefixtures("agent")
async def test_who_waits_for_a_success_gives_up_on_a_failure(tracker: fake_tracker.FakeTracker) -> None:
    task = definitions.task_id()
    first = definitions.shell("first", "exit 3", essential=False)
    await tracker.assign(
        definitions.definition(definitions.container(depends_on=after("first", "SUCCESS")), first), task
    )
    stopped = await tracker.stopped(task)
    waited = stopped.containers[0]
    assert (waited.exit_code, waited.runtime_id) == (143, "")
    assert "waits for first to reach SUCCESS, which it never will" in waited.reason
    assert stopped.stop_code == task_pb2.TASK_STOP_CODE_TASK_FAILED_TO_START


@pytest.mark.usefixtures("agent")
@pytest.mark.parametrize("condition", ["COMPLETE", "HEALTHY"])
async def test_who_waits_longer_than_the_start_timeout_gives_up(
    tracker: fake_tracker.FakeTracker, condition: str
) -> None:
    task = definitions.task_id()
    first = definitions.container("first", essential=False, start_timeout=1, health_check=checked("exit 1"))
    await tracker.assign(
        definitions.definition(definitions.container(depends_on=after("first", condition)), first), task
    )
    stopped = await tracker.stopped(task)
    assert "which it has not within its startTimeout of 1 s" in stopped.containers[0].reason
    assert stopped.containers[1].exit_code == 137


@pytest.mark.usefixtures("agent")
async def test_a_container_starts_once_the_other_is_healthy_and_health_is_reported_both_ways(
    tracker: fake_tracker.FakeTracker, docker_engine: docker.DockerEngine
) -> None:
    task = definitions.task_id()
    first = definitions.shell("first", "sleep 0.5; touch /ready; sleep 1000", health_check=checked("test -e /ready"))
    await tracker.assign(
        definitions.definition(definitions.container(depends_on=after("first", "HEALTHY")), first), task
    )
    containers = {container.name: container for container in (await tracker.running(task)).containers}
    assert containers["first"].health_status == common_pb2.HEALTH_STATUS_HEALTHY
    assert containers["app"].health_status == common_pb2.HEALTH_STATUS_UNSPECIFIED
    await asyncio.to_thread(docker_engine.docker, "exec", containers["first"].runtime_id, "rm", "/ready")
    await tracker.until(
        lambda: tracker.observations[task].containers[1].health_status == common_pb2.HEALTH_STATUS_UNHEALTHY,
        "the check's failure",
    )
    assert seen(tracker.observations[task]) == {"app": RUNNING, "first": RUNNING}


@pytest.mark.usefixtures("agent")
async def test_containers_stop_in_the_reverse_of_the_order_they_start_in(
    tracker: fake_tracker.FakeTracker, docker_engine: docker.DockerEngine
) -> None:
    task = definitions.task_id()
    last = definitions.shell("last", SHUTS_DOWN, depends_on=after("middle", "START"))
    middle = definitions.shell("middle", SHUTS_DOWN, depends_on=after("first", "START"))
    await tracker.assign(definitions.definition(last, middle, definitions.shell("first", SHUTS_DOWN)), task)
    await tracker.running(task)
    await tracker.end(task)
    ids = [container.runtime_id for container in (await tracker.stopped(task)).containers]
    starts = [await moment(docker_engine, runtime_id, "StartedAt") for runtime_id in ids]
    ends = [await moment(docker_engine, runtime_id, "FinishedAt") for runtime_id in ids]
    assert starts == sorted(starts, reverse=True)
    assert ends == sorted(ends)


@pytest.mark.usefixtures("agent")
async def test_a_container_with_a_restart_policy_is_started_again_in_place(
    tracker: fake_tracker.FakeTracker,
) -> None:
    task = definitions.task_id()
    policy = definition_pb2.ContainerRestartPolicy(enabled=True, ignored_exit_codes=[0], restart_attempt_period=1)
    script = "echo run >>/runs; sleep 1.2; [ $(wc -l </runs) -ge 3 ] && exit 0; exit 5"
    await tracker.assign(definitions.definition(definitions.shell("app", script, restart_policy=policy)), task)
    first = (await tracker.running(task)).containers[0].runtime_id
    await tracker.until(lambda: tracker.observations[task].containers[0].restart_count == 1, "the first restart")
    again = tracker.observations[task].containers[0]
    assert (again.last_status, again.runtime_id) == (RUNNING, first)
    assert again.restart_reason == "Restarted by its restart policy after it had exited with code 5"
    ended = (await tracker.stopped(task)).containers[0]
    assert (ended.restart_count, ended.exit_code, ended.runtime_id, ended.reason) == (2, 0, first, "")


async def test_a_container_that_exits_while_the_agent_is_away_is_restarted_when_it_is_back(
    tracker: fake_tracker.FakeTracker, agent_process: conftest.AgentProcess, docker_engine: docker.DockerEngine
) -> None:
    task = definitions.task_id()
    policy = definition_pb2.ContainerRestartPolicy(enabled=True, restart_attempt_period=0)
    script = "[ -e /once ] && exec sleep 1000; touch /once; while ! [ -e /go ]; do sleep 0.05; done; exit 4"
    await tracker.assign(definitions.definition(definitions.shell("app", script, restart_policy=policy)), task)
    runtime_id = (await tracker.running(task)).containers[0].runtime_id
    await agent_process.end()
    # The container may end before the command that makes it end has told so.
    await asyncio.to_thread(docker_engine.docker, "exec", runtime_id, "touch", "/go", check=False)
    await asyncio.to_thread(docker_engine.docker, "wait", runtime_id)
    await agent_process.start()
    await tracker.until(lambda: tracker.observations[task].containers[0].restart_count == 1, "the restart")
    assert seen(tracker.observations[task]) == {"app": RUNNING}
    assert tracker.history[task] == ["RUNNING"]


@pytest.mark.usefixtures("agent")
async def test_the_images_own_health_check_is_not_shown(
    tracker: fake_tracker.FakeTracker, docker_engine: docker.DockerEngine
) -> None:
    task = definitions.task_id()
    base = docker_engine.docker("create", definitions.IMAGE, "true")
    image = docker_engine.docker("commit", "--change", "HEALTHCHECK --interval=1s CMD true", base)
    docker_engine.docker("rm", base)
    try:
        container = definitions.container()
        container.image = image
        await tracker.assign(definitions.definition(container), task)
        runtime_id = (await tracker.running(task)).containers[0].runtime_id
        # The engine runs it, and says so.
        for _ in range(100):
            if await asyncio.to_thread(docker_engine.docker, *_HEALTH, runtime_id) == "healthy":
                break
        await tracker.end(task)
        shown = (await tracker.stopped(task)).containers[0]
        assert shown.health_status == common_pb2.HEALTH_STATUS_UNSPECIFIED
        assert await asyncio.to_thread(docker_engine.docker, *_HEALTH, runtime_id)
    finally:
        docker_engine.docker("rm", "--force", runtime_id, check=False)
        docker_engine.docker("rmi", image)


_HEALTH = ("inspect", "--format", "{{.State.Health.Status}}")
