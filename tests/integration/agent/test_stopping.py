"""How tasks end, one by one and many at a time, on a real Docker Engine (ecs.md 2 and 6.8)."""

import asyncio

import pytest

from longshore.agent import app
from longshore.v1 import task_pb2
from tests.engines import docker
from tests.integration.agent import definitions, fake_tracker

IGNORES_STOPS = "trap '' TERM; touch /ready; while :; do sleep 0.05; done"
HOURS_S = 2 * 3600


@pytest.fixture(autouse=True)
def _agent(agent: app.Agent) -> None:
    """Every test here has an agent."""


async def ready(engine: docker.DockerEngine, *runtime_ids: str) -> None:
    """Wait until the containers' programs have set their traps."""
    script = "until [ -e /ready ]; do sleep 0.05; done"
    await asyncio.gather(
        *(asyncio.to_thread(engine.docker, "exec", runtime_id, "sh", "-c", script) for runtime_id in runtime_ids)
    )


async def test_a_stop_that_takes_hours_holds_up_no_other_task(
    tracker: fake_tracker.FakeTracker, docker_engine: docker.DockerEngine
) -> None:
    slow, running, later = definitions.task_id(), definitions.task_id(), definitions.task_id()
    await tracker.assign(definitions.definition(definitions.shell("app", IGNORES_STOPS, stop_timeout=HOURS_S)), slow)
    await tracker.assign(definitions.definition(definitions.container()), running)
    await tracker.running(running)
    runtime_id = (await tracker.running(slow)).containers[0].runtime_id
    await ready(docker_engine, runtime_id)
    await tracker.end(slow)
    await tracker.end(running)
    await tracker.stopped(running)
    await tracker.assign(definitions.definition(definitions.shell("app", "exit 6")), later)
    assert (await tracker.stopped(later)).containers[0].exit_code == 6
    assert tracker.observations[slow].last_status == task_pb2.TASK_STATUS_RUNNING
    # Whoever cannot wait for so long ends it by hand.
    await asyncio.to_thread(docker_engine.docker, "kill", runtime_id)
    assert (await tracker.stopped(slow)).containers[0].exit_code == 137


async def test_each_container_of_a_task_has_a_stop_timeout_of_its_own(
    tracker: fake_tracker.FakeTracker, docker_engine: docker.DockerEngine
) -> None:
    task = definitions.task_id()
    parts = [
        definitions.shell(name, IGNORES_STOPS, stop_timeout=given) for name, given in (("patient", 3), ("brief", 1))
    ]
    await tracker.assign(definitions.definition(*parts), task)
    await ready(docker_engine, *(each.runtime_id for each in (await tracker.running(task)).containers))
    await tracker.end(task)
    await tracker.until(lambda: tracker.observations[task].containers[1].exit_code == 137, "the end of the brief one")
    assert tracker.observations[task].containers[0].last_status == task_pb2.CONTAINER_STATUS_RUNNING
    assert {each.name: each.exit_code for each in (await tracker.stopped(task)).containers} == {
        "patient": 137,
        "brief": 137,
    }


async def test_a_program_that_minds_its_signal_ends_with_its_own_exit_code(
    tracker: fake_tracker.FakeTracker, docker_engine: docker.DockerEngine
) -> None:
    task = definitions.task_id()
    script = "trap 'exit 42' TERM; touch /ready; while :; do sleep 0.05; done"
    await tracker.assign(definitions.definition(definitions.shell("app", script, stop_timeout=20)), task)
    await ready(docker_engine, (await tracker.running(task)).containers[0].runtime_id)
    await tracker.end(task)
    stopped = await tracker.stopped(task)
    assert (stopped.containers[0].exit_code, stopped.containers[0].reason) == (42, "")
    # Somebody else decided, and says why.
    assert (stopped.stop_code, stopped.stopped_reason) == (task_pb2.TASK_STOP_CODE_UNSPECIFIED, "")


async def test_a_container_may_use_more_memory_than_it_has_reserved(tracker: fake_tracker.FakeTracker) -> None:
    task = definitions.task_id()
    script = "dd if=/dev/zero of=/dev/shm/filled bs=1M count=40 2>/dev/null && exit 42"
    await tracker.assign(definitions.definition(definitions.shell("app", script, memory_reservation=8)), task)
    stopped = (await tracker.stopped(task)).containers[0]
    assert (stopped.exit_code, stopped.out_of_memory) == (42, False)


async def test_fifteen_tasks_in_batches_of_ten_all_end_with_their_exit_code(tracker: fake_tracker.FakeTracker) -> None:
    tasks = [definitions.task_id() for _ in range(15)]
    definition = definitions.definition(definitions.shell("app", "exit 42"))
    for batch in (tasks[:10], tasks[10:]):
        await tracker.assign(definition, *batch)
        for task in batch:
            await tracker.stopped(task)
    ends = [tracker.observations[task].containers[0] for task in tasks]
    assert [each.exit_code for each in ends] == [42] * 15
    assert len({each.runtime_id for each in ends}) == 15
    assert {tuple(tracker.history[task][-1:]) for task in tasks} == {("STOPPED",)}
