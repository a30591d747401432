"""The agent dies, the engine goes away, the control plane goes away: containers run on, and nothing is told wrong."""

import asyncio
import signal
from pathlib import Path

import grpc
import pytest

from longshore.agent import container_names
from longshore.v1 import task_definition_pb2, task_pb2
from tests.engines import docker, dockerd
from tests.integration.agent import conftest, definitions, fake_tracker

WAIT_S = 20.0


async def test_a_killed_agent_adopts_what_runs_and_reports_what_ended_meanwhile(
    tracker: fake_tracker.FakeTracker, agent_process: conftest.AgentProcess, docker_engine: docker.DockerEngine
) -> None:
    runs, ends = definitions.task_id(), definitions.task_id()
    await tracker.assign(definitions.definition(definitions.container()), runs)
    await tracker.assign(
        definitions.definition(definitions.shell("app", "while ! [ -e /go ]; do sleep 0.05; done; exit 6")), ends
    )
    before = {task: (await tracker.running(task)).containers[0].runtime_id for task in (runs, ends)}
    started = _starts(docker_engine, before[runs])

    await agent_process.end(signal.SIGKILL)
    docker_engine.docker("exec", before[ends], "touch", "/go")
    docker_engine.docker("wait", before[ends])
    await agent_process.start()

    stopped = await tracker.stopped(ends)
    assert (stopped.containers[0].exit_code, stopped.containers[0].runtime_id) == (6, before[ends])
    assert len(tracker.registrations) == 2
    assert tracker.registrations[1].container_instance_arn.endswith(tracker.instance_id)
    assert _starts(docker_engine, before[runs]) == started
    assert docker_engine.docker("inspect", "--format", "{{.State.Running}}", before[runs]) == "true"
    await tracker.end(runs)
    assert (await tracker.stopped(runs)).containers[0].runtime_id == before[runs]


def _starts(engine: docker.DockerEngine, runtime_id: str) -> str:
    return engine.docker("inspect", "--format", "{{.State.StartedAt}}", runtime_id)


async def test_a_container_removed_while_the_agent_was_away_has_vanished(
    tracker: fake_tracker.FakeTracker, agent_process: conftest.AgentProcess, docker_engine: docker.DockerEngine
) -> None:
    task = definitions.task_id()
    await tracker.assign(definitions.definition(definitions.container()), task)
    runtime_id = (await tracker.running(task)).containers[0].runtime_id
    await agent_process.end(signal.SIGKILL)
    docker_engine.docker("rm", "--force", runtime_id)
    await agent_process.start()
    stopped = await tracker.stopped(task)
    assert stopped.containers[0].reason == "ContainerVanishedError: No container matching saved ID found"
    assert not stopped.containers[0].HasField("exit_code")


async def test_what_becomes_of_an_adopted_container_is_heard_at_once(
    tracker: fake_tracker.FakeTracker, agent_process: conftest.AgentProcess, docker_engine: docker.DockerEngine
) -> None:
    """Not minutes later, when everything is looked at again (found by the drill; see tests/chaos/README.md)."""
    ends, removed = definitions.task_id(), definitions.task_id()
    await tracker.assign(definitions.definition(definitions.container()), ends, removed)
    ids = [(await tracker.running(task)).containers[0].runtime_id for task in (ends, removed)]
    await agent_process.end(signal.SIGKILL)
    await agent_process.start()
    await tracker.until(lambda: len(tracker.hellos) == 2, "the second session")
    docker_engine.docker("kill", ids[0])
    docker_engine.docker("rm", "--force", ids[1])
    assert (await tracker.stopped(ends)).containers[0].exit_code == 137
    await tracker.stopped(removed)


async def test_an_end_signal_leaves_containers_running_and_ends_with_zero(
    tracker: fake_tracker.FakeTracker, agent_process: conftest.AgentProcess, docker_engine: docker.DockerEngine
) -> None:
    task = definitions.task_id()
    await tracker.assign(definitions.definition(definitions.container()), task)
    runtime_id = (await tracker.running(task)).containers[0].runtime_id
    assert await agent_process.end(signal.SIGTERM) == 0
    assert docker_engine.docker("inspect", "--format", "{{.State.Running}}", runtime_id) == "true"
    assert "Traceback" not in agent_process.log()


async def test_assignments_and_reports_survive_an_agent_that_dies_with_both_under_way(
    tracker: fake_tracker.FakeTracker, agent_process: conftest.AgentProcess, docker_engine: docker.DockerEngine
) -> None:
    await tracker.until(lambda: bool(tracker.hellos), "the first session")
    tracker.deaf = True
    tasks = [definitions.task_id() for _ in range(6)]
    await tracker.assign(definitions.definition(definitions.shell("app", "exit 2")), *tasks)
    await tracker.until(lambda: tracker.acknowledged == tracker.revision, "the acknowledgement")
    await agent_process.end(signal.SIGKILL)
    tracker.deaf = False
    await agent_process.start()
    for task in tasks:
        assert (await tracker.stopped(task)).containers[0].exit_code == 2
        assert len(docker_engine.containers(f"{container_names.TASK_ID}={task}")) == 1


async def test_a_lost_state_file_makes_a_new_instance_and_ends_the_old_ones_containers(
    tracker: fake_tracker.FakeTracker,
    agent_process: conftest.AgentProcess,
    docker_engine: docker.DockerEngine,
    state_dir: Path,
) -> None:
    task = definitions.task_id()
    await tracker.assign(definitions.definition(definitions.container()), task)
    runtime_id = (await tracker.running(task)).containers[0].runtime_id
    await agent_process.end(signal.SIGKILL)
    for name in ("agent.db", "agent.db-wal", "agent.db-shm"):
        (state_dir / name).unlink(missing_ok=True)
    tracker.forget(task)
    await agent_process.start()
    await tracker.until(lambda: tracker.instance == 2, "a new registration")
    assert docker_engine.docker("ps", "--all", "--quiet", "--filter", f"id={runtime_id}") == ""


async def test_a_deregistered_agent_ends_its_containers_before_it_registers_anew(
    tracker: fake_tracker.FakeTracker, make_agent: conftest.MakeAgent, docker_engine: docker.DockerEngine
) -> None:
    async with make_agent():
        task = definitions.task_id()
        await tracker.assign(definitions.definition(definitions.container()), task)
        runtime_id = (await tracker.running(task)).containers[0].runtime_id
        tracker.deregistered.add(tracker.instance_id)
        tracker.forget(task)
        tracker.wake()
        await tracker.until(lambda: tracker.instance == 2, "a new registration")
        assert docker_engine.docker("inspect", "--format", "{{.State.Running}}", runtime_id) == "false"
        fresh = definitions.task_id()
        await tracker.until(lambda: tracker.hellos[-1].container_instance_id == tracker.instance_id, "its session")
        await tracker.assign(definitions.definition(definitions.container()), fresh)
        await tracker.running(fresh)


async def test_a_control_plane_that_was_away_is_told_what_happened_meanwhile(
    tracker: fake_tracker.FakeTracker, make_agent: conftest.MakeAgent, docker_engine: docker.DockerEngine
) -> None:
    async with make_agent():
        task = definitions.task_id()
        script = "while ! [ -e /go ]; do sleep 0.05; done; exit 8"
        await tracker.assign(
            definitions.definition(definitions.shell("app", script), definitions.container("side", essential=False)),
            task,
        )
        container = (await tracker.running(task)).containers[0]
        side = tracker.observations[task].containers[1]
        await tracker.stop()
        docker_engine.docker("exec", container.runtime_id, "touch", "/go")
        await asyncio.to_thread(docker_engine.docker, "wait", side.runtime_id)  # stopped by the agent, offline too
        assert tracker.observations[task].last_status == task_pb2.TASK_STATUS_RUNNING
        await tracker.start()
        assert (await tracker.stopped(task)).containers[0].exit_code == 8


async def test_a_task_missing_in_a_full_set_is_stopped(
    tracker: fake_tracker.FakeTracker, make_agent: conftest.MakeAgent
) -> None:
    kept, gone = definitions.task_id(), definitions.task_id()
    async with make_agent():
        await tracker.assign(definitions.definition(definitions.container()), kept, gone)
        await tracker.running(kept)
        await tracker.running(gone)
        tracker.forget(gone)
        await tracker.resend_everything()
        await tracker.stopped(gone)
        assert tracker.observations[kept].last_status == task_pb2.TASK_STATUS_RUNNING


async def test_an_increment_that_does_not_fit_makes_the_agent_ask_for_everything(
    tracker: fake_tracker.FakeTracker, make_agent: conftest.MakeAgent
) -> None:
    lost, task = definitions.task_id(), definitions.task_id()
    definition = definitions.definition(definitions.container())
    async with make_agent():
        await tracker.assign(definition, definitions.task_id())
        await tracker.until(lambda: tracker.acknowledged == tracker.revision, "the first acknowledgement")
        await tracker.assign_and_lose(definition, lost)
        await tracker.assign(definition, task)
        await tracker.running(task)
        await tracker.running(lost)
        assert tracker.hellos[-1].assignment_revision == 0


async def test_an_agent_whose_session_was_taken_over_keeps_its_containers_and_stays_away(
    tracker: fake_tracker.FakeTracker, make_agent: conftest.MakeAgent, docker_engine: docker.DockerEngine
) -> None:
    async with make_agent() as agent:
        task = definitions.task_id()
        await tracker.assign(definitions.definition(definitions.container()), task)
        runtime_id = (await tracker.running(task)).containers[0].runtime_id
        tracker.session_error = (grpc.StatusCode.ABORTED, "agent process 5 speaks for this instance")
        hellos = len(tracker.hellos)
        await tracker.stop()
        await tracker.start()
        await tracker.until(lambda: len(tracker.hellos) == hellos + 1, "one more hello")
        assert docker_engine.docker("inspect", "--format", "{{.State.Running}}", runtime_id) == "true"
        assert not agent.sessions.connected


@pytest.mark.slow
async def test_an_engine_that_was_away_loses_no_end_and_starts_nothing_twice(
    tracker: fake_tracker.FakeTracker, make_agent: conftest.MakeAgent, private_docker: dockerd.PrivateDockerd
) -> None:
    async with make_agent(url=private_docker.url):
        runs, ends, later = (definitions.task_id() for _ in range(3))
        host = task_definition_pb2.NETWORK_MODE_HOST
        await tracker.assign(definitions.definition(definitions.container(), network_mode=host), runs)
        await tracker.assign(
            definitions.definition(definitions.shell("app", "sleep 2; exit 5"), network_mode=host), ends
        )
        before = {task: (await tracker.running(task)).containers[0].runtime_id for task in (runs, ends)}
        started = _starts(private_docker, before[runs])
        await asyncio.to_thread(private_docker.kill)
        await tracker.assign(definitions.definition(definitions.container(), network_mode=host), later)
        await tracker.until(lambda: tracker.acknowledged == tracker.revision, "the assignment's acknowledgement")
        await asyncio.to_thread(private_docker.start)
        assert (await tracker.stopped(ends)).containers[0].exit_code == 5
        await tracker.running(later)
        assert _starts(private_docker, before[runs]) == started
        assert tracker.observations[runs].last_status == task_pb2.TASK_STATUS_RUNNING
