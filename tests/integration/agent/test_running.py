"""Tasks on a real Docker Engine, from the assignment to the release."""

import asyncio
import json
import socket

import pytest

from longshore.agent import app
from longshore.v1 import task_definition_pb2, task_pb2
from tests.engines import docker
from tests.integration.agent import definitions, fake_tracker

FAILED = task_pb2.TASK_STOP_CODE_TASK_FAILED_TO_START
EXITED = task_pb2.TASK_STOP_CODE_ESSENTIAL_CONTAINER_EXITED
STOPPED = task_pb2.CONTAINER_STATUS_STOPPED


@pytest.fixture(autouse=True)
def _agent(agent: app.Agent) -> None:
    """Every test here has an agent."""


async def test_a_task_runs_to_its_exit_code(tracker: fake_tracker.FakeTracker) -> None:
    task = definitions.task_id()
    await tracker.assign(definitions.definition(definitions.shell("app", "sleep 0.3; exit 3")), task)
    running = await tracker.running(task)
    stopped = await tracker.stopped(task)

    assert running.containers[0].runtime_id
    assert stopped.stop_code == EXITED
    assert stopped.stopped_reason == "Essential container in task exited"
    assert [(c.name, c.exit_code, c.last_status) for c in stopped.containers] == [("app", 3, STOPPED)]
    assert stopped.HasField("execution_stopped_at")
    assert tracker.history[task] == ["RUNNING", "STOPPED"]


async def test_the_exit_of_an_essential_container_stops_the_others(tracker: fake_tracker.FakeTracker) -> None:
    task = definitions.task_id()
    await tracker.assign(
        definitions.definition(
            definitions.shell("main", "sleep 0.5; exit 5"),
            definitions.shell("side", "trap 'exit 9' TERM; while :; do sleep 0.1; done", essential=False),
        ),
        task,
    )
    stopped = await tracker.stopped(task)
    assert {c.name: c.exit_code for c in stopped.containers} == {"main": 5, "side": 9}
    assert stopped.stop_code == EXITED


async def test_the_exit_of_a_container_that_is_not_essential_stops_nothing(tracker: fake_tracker.FakeTracker) -> None:
    task = definitions.task_id()
    await tracker.assign(
        definitions.definition(definitions.container("main"), definitions.shell("side", "exit 4", essential=False)),
        task,
    )
    await tracker.until(
        lambda: task in tracker.observations and tracker.observations[task].containers[1].exit_code == 4, "side's exit"
    )
    assert (await tracker.running(task)).containers[0].last_status == task_pb2.CONTAINER_STATUS_RUNNING


async def test_a_container_that_takes_too_much_memory_is_reported_out_of_memory(
    tracker: fake_tracker.FakeTracker,
) -> None:
    task = definitions.task_id()
    eater = definitions.shell("app", "sleep 0.2; tail /dev/zero")
    eater.memory = 8
    await tracker.assign(definitions.definition(eater), task)
    container = (await tracker.stopped(task)).containers[0]
    assert (container.exit_code, container.out_of_memory) == (137, True)
    assert container.reason == "OutOfMemoryError: Container killed due to memory usage"


async def test_less_memory_than_the_engine_allows_is_refused_in_its_words(tracker: fake_tracker.FakeTracker) -> None:
    task = definitions.task_id()
    small = definitions.container()
    small.memory = 4
    await tracker.assign(definitions.definition(small), task)
    stopped = await tracker.stopped(task)
    assert stopped.stop_code == FAILED
    assert stopped.containers[0].reason.startswith(
        "CannotCreateContainerError: Error response from daemon: Minimum memory"
    )
    assert not stopped.containers[0].HasField("exit_code")


async def test_an_image_that_does_not_exist_fails_the_pull(tracker: fake_tracker.FakeTracker) -> None:
    task = definitions.task_id()
    missing = definitions.container()
    missing.image = "127.0.0.1:9/no/such:image"
    await tracker.assign(definitions.definition(missing), task)
    stopped = await tracker.stopped(task)
    assert (stopped.stop_code, stopped.stopped_reason) == (FAILED, "Task failed to start")
    assert stopped.containers[0].reason.startswith("CannotPullContainerError: ")
    assert stopped.HasField("pull_started_at")
    assert stopped.HasField("pull_stopped_at")


async def test_a_command_that_does_not_exist_fails_the_start(tracker: fake_tracker.FakeTracker) -> None:
    task = definitions.task_id()
    await tracker.assign(definitions.definition(definitions.container("app", "/no/such/command")), task)
    stopped = await tracker.stopped(task)
    assert stopped.stop_code == FAILED
    assert stopped.containers[0].reason.startswith("CannotStartContainerError: Error response from daemon: ")
    assert "/no/such/command" in stopped.containers[0].reason


async def test_a_host_port_of_another_process_fails_the_start(tracker: fake_tracker.FakeTracker) -> None:
    task = definitions.task_id()
    with socket.socket() as other:
        other.bind(("127.0.0.1", 0))
        other.listen()
        port = other.getsockname()[1]
        mapping = task_definition_pb2.PortMapping(container_port=80, host_port=port)
        await tracker.assign(
            definitions.definition(
                definitions.container(port_mappings=[mapping]), network_mode=task_definition_pb2.NETWORK_MODE_BRIDGE
            ),
            task,
        )
        stopped = await tracker.stopped(task)
    assert stopped.stop_code == FAILED
    reason = stopped.containers[0].reason
    assert reason.startswith("CannotStartContainerError: ")
    assert str(port) in reason


async def test_a_stop_is_followed_by_a_kill_after_the_containers_timeout(tracker: fake_tracker.FakeTracker) -> None:
    task = definitions.task_id()
    stubborn = definitions.shell("app", "trap '' TERM; while :; do sleep 0.1; done", stop_timeout=1)
    await tracker.assign(definitions.definition(stubborn), task)
    await tracker.running(task)
    await tracker.end(task)
    stopped = await tracker.stopped(task)
    assert stopped.containers[0].exit_code == 137
    assert stopped.stop_code == task_pb2.TASK_STOP_CODE_UNSPECIFIED


async def test_a_stop_of_a_task_that_was_never_here_is_reported_as_released(tracker: fake_tracker.FakeTracker) -> None:
    task = definitions.task_id()
    await tracker.end(task)
    assert (await tracker.stopped(task)).containers == []


async def test_command_environment_labels_and_limits_reach_the_container(
    tracker: fake_tracker.FakeTracker, docker_engine: docker.DockerEngine
) -> None:
    task = definitions.task_id()
    app_container = definitions.container("app")
    app_container.cpu = 256
    app_container.docker_labels["team"] = "harbour"
    for name, value in (("KEPT", "1"), ("CHANGED", "no")):
        app_container.environment.add(name=name, value=value)
    overrides = task_pb2.TaskOverride()
    override = overrides.container_overrides.add(name="app")
    override.environment.add(name="CHANGED", value="yes")
    override.command.values.extend(["sleep", "999"])
    await tracker.assign(definitions.definition(app_container), task, overrides=overrides)
    running = await tracker.running(task)
    inspected = json.loads(docker_engine.docker("inspect", running.containers[0].runtime_id))[0]
    assert inspected["Config"]["Cmd"] == ["sleep", "999"]
    assert {"KEPT=1", "CHANGED=yes"} <= set(inspected["Config"]["Env"])
    assert inspected["Config"]["Labels"]["team"] == "harbour"
    assert inspected["Config"]["Labels"]["com.longshore.task-id"] == task
    assert inspected["HostConfig"]["CpuShares"] == 256
    assert inspected["HostConfig"]["Memory"] == 64 * 1024 * 1024


async def test_host_volumes_are_shared_by_the_containers_of_a_task(
    tracker: fake_tracker.FakeTracker, tmp_path: "object"
) -> None:
    task = definitions.task_id()
    mount = task_definition_pb2.MountPoint(source_volume="shared", container_path="/data")
    await tracker.assign(
        definitions.definition(
            definitions.shell("writer", "echo 7 > /data/code; sleep 1000", mount_points=[mount], essential=False),
            definitions.shell(
                "reader", "while ! [ -s /data/code ]; do sleep 0.05; done; exit $(cat /data/code)", mount_points=[mount]
            ),
            volumes=[task_definition_pb2.Volume(name="shared")],
        ),
        task,
    )
    stopped = await tracker.stopped(task)
    assert stopped.containers[1].exit_code == 7


async def test_a_range_of_ports_leads_to_the_container_port_by_port(tracker: fake_tracker.FakeTracker) -> None:
    task = definitions.task_id()
    mapping = task_definition_pb2.PortMapping(container_port_range="7000-7002")
    script = "for p in 7000 7001 7002; do (while :; do echo hello $p | nc -l -p $p; done) & done; wait"
    await tracker.assign(
        definitions.definition(
            definitions.shell("app", script, port_mappings=[mapping]),
            network_mode=task_definition_pb2.NETWORK_MODE_BRIDGE,
        ),
        task,
    )
    binding = (await tracker.running(task)).containers[0].network_bindings[0]
    assert binding.container_port_range == "7000-7002"
    assert not binding.HasField("host_port")
    first, last = map(int, binding.host_port_range.split("-"))
    assert last - first == 2
    for port in range(first, last + 1):
        assert await _first_line(port) == f"hello {7000 + port - first}\n".encode()


async def test_dynamic_ports_lead_to_the_container(tracker: fake_tracker.FakeTracker) -> None:
    task = definitions.task_id()
    mapping = task_definition_pb2.PortMapping(container_port=7000)
    await tracker.assign(
        definitions.definition(
            definitions.shell("app", "while :; do echo hello | nc -l -p 7000; done", port_mappings=[mapping]),
            network_mode=task_definition_pb2.NETWORK_MODE_BRIDGE,
        ),
        task,
    )
    binding = (await tracker.running(task)).containers[0].network_bindings[0]
    assert (binding.bind_ip, binding.container_port) == ("127.0.0.1", 7000)
    assert await _first_line(binding.host_port) == b"hello\n"


async def _first_line(port: int) -> bytes:
    """What the container says; its proxy accepts before it listens, so it is asked until it does."""
    async with asyncio.timeout(10):
        while True:
            reader, writer = await asyncio.open_connection("127.0.0.1", port)
            try:
                line = await reader.readline()
            except ConnectionError:
                line = b""
            finally:
                writer.close()
            if line:
                return line
