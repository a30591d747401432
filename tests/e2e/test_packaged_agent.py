"""The agent as `make agent-image` packs it: loaded, started as a container, killed, started again, updated."""

import asyncio
import contextlib
import re
import signal
import subprocess
import sys
from collections.abc import Iterator
from pathlib import Path

import pytest

from longshore.agent import leaving
from longshore.cli import exits
from longshore.v1 import container_instance_pb2, scheduler_service_pb2, state_tracker_service_pb2, task_pb2
from tests.e2e import calls, containers, packaging, stacks, waits
from tests.engines import docker, waiting

DRAINING = container_instance_pb2.CONTAINER_INSTANCE_STATUS_DRAINING

pytestmark = [pytest.mark.slow, pytest.mark.timeout(360)]


@pytest.fixture(scope="module")
def packaged(
    tmp_path_factory: pytest.TempPathFactory, docker_engine: docker.DockerEngine, agent_image: str
) -> Iterator[packaging.Packaged]:
    with packaging.running(tmp_path_factory.mktemp("packaged"), docker_engine, agent_image) as made:
        yield made


def run(stack: stacks.Stack, command: str) -> str:
    """Run a task on no network; its ARN."""

    async def go() -> str:
        async with stack.client() as client:
            request = calls.definition("packaged", command)
            request.network_mode = calls.NETWORK_MODE_NONE
            return (await calls.run_one(client, await calls.register(client, request))).task_arn

    return asyncio.run(go())


def described(stack: stacks.Stack, arn: str) -> task_pb2.Task:
    """A task as the control plane has it."""

    async def go() -> task_pb2.Task:
        async with stack.client() as client:
            request = state_tracker_service_pb2.DescribeTasksRequest(tasks=[arn])
            (found,) = (await client.call(client.state_tracker.DescribeTasks, request)).tasks
            return found

    return asyncio.run(go())


def exit_code(stack: stacks.Stack, arn: str) -> int:
    """The exit code that the control plane has of a task."""
    return described(stack, arn).containers[0].exit_code


def stop(stack: stacks.Stack, arn: str) -> None:
    """Ask for the end of a task."""

    async def go() -> None:
        async with stack.client() as client:
            await client.call(client.scheduler.StopTask, scheduler_service_pb2.StopTaskRequest(task=arn))

    asyncio.run(go())


def instance(stack: stacks.Stack) -> container_instance_pb2.ContainerInstance:
    """The only instance there is."""

    async def go() -> container_instance_pb2.ContainerInstance:
        async with stack.client() as client:
            listing = state_tracker_service_pb2.ListContainerInstancesRequest()
            arns = (await client.call(client.state_tracker.ListContainerInstances, listing)).container_instance_arns
            request = state_tracker_service_pb2.DescribeContainerInstancesRequest(container_instances=arns)
            (found,) = (await client.call(client.state_tracker.DescribeContainerInstances, request)).container_instances
            return found

    return asyncio.run(go())


def attributes(stack: stacks.Stack) -> dict[str, str]:
    """What the agent offers for tasks to ask for."""
    return {attribute.name: attribute.value for attribute in instance(stack).attributes}


def activate(stack: stacks.Stack) -> str:
    """Have the instance take tasks; its ARN."""

    async def go(arn: str) -> str:
        async with stack.client() as client:
            request = state_tracker_service_pb2.UpdateContainerInstancesStateRequest(
                container_instances=[arn], status=container_instance_pb2.CONTAINER_INSTANCE_STATUS_ACTIVE
            )
            await client.call(client.state_tracker.UpdateContainerInstancesState, request)
        return arn

    return asyncio.run(go(instance(stack).container_instance_arn))


def test_a_packaged_agent_runs_tasks_and_adopts_them_after_a_kill_and_an_update(packaged: packaging.Packaged) -> None:
    """One that is killed with -9, and one that is stopped for the next release, which comes as a package: no container is touched."""
    engine, stack = packaged.stack.engine, packaged.stack
    first = packaged.start()
    short = run(stack, "exit 7")
    waits.until_stopped(stack, [short])
    assert exit_code(stack, short) == 7

    staying = run(stack, "trap 'exit 0' TERM; while :; do sleep 0.2; done")
    leaving = run(stack, "while [ ! -e /tmp/go ]; do sleep 0.1; done; exit 9")
    waits.until_running(stack, [staying, leaving])
    (before,) = containers.of_task(engine, staying)
    engine.docker("kill", "--signal=KILL", first)
    (waiting_one,) = containers.of_task(engine, leaving)
    engine.docker("exec", waiting_one.container_id, "touch", "/tmp/go")
    engine.docker("wait", waiting_one.container_id)
    second = packaged.start()
    waits.until_stopped(stack, [leaving])
    assert exit_code(stack, leaving) == 9
    assert containers.of_task(engine, staying) == [before]

    engine.docker("stop", second)
    assert engine.docker("inspect", "--format", "{{.State.ExitCode}}", second) == "0"
    assert containers.of_task(engine, staying) == [before]
    offered = attributes(stack)
    stacks.add_agent(stack, "agent")
    stack.start("agent")
    waiting.until(
        lambda: stack.processes["agent"].running and stacks.joined(stack),
        within_s=packaging.SAYS_WITHIN_S,
        what="the installed agent has joined",
    )
    assert containers.of_task(engine, staying) == [before]
    stop(stack, staying)
    waits.until_stopped(stack, [staying])
    assert attributes(stack) == offered, "the image can do what the package can"
    assert {"ecs.capability.task-cpu-mem-limit", "ecs.capability.task-eni"} <= set(offered)
    stack.processes["agent"].stop()
    assert described(stack, staying).container_instance_arn == instance(stack).container_instance_arn
    assert "agent_started" in (packaged.folder / "log/agent.log").read_text()


def test_a_signal_ends_a_packaged_agent_also_while_it_is_being_loaded(packaged: packaging.Packaged) -> None:
    """As process 1 it hears only what it has asked for, which it does first."""
    engine = packaged.stack.engine
    container = engine.docker("run", "--detach", "--network=none", f"--label={packaged.label}", packaged.image)
    pid = engine.docker("inspect", "--format", "{{.State.Pid}}", container)
    status = Path(f"/proc/{pid}/status")
    waiting.until(
        lambda: bool(
            int(re.findall(r"^SigCgt:\s*(\w+)", status.read_text(), re.MULTILINE)[0], 16) >> (signal.SIGTERM - 1) & 1
        ),
        within_s=packaging.SAYS_WITHIN_S,
        what="the agent has asked for the signal",
    )
    engine.docker("kill", "--signal=TERM", container)
    assert engine.docker("wait", container) == "0"  # and not 5, as once it has found that there is no engine


def test_an_agent_that_is_told_to_drain_on_a_stop_gives_its_tasks_up_and_leaves_its_instance_draining(
    packaged: packaging.Packaged,
) -> None:
    engine, stack = packaged.stack.engine, packaged.stack
    engine.remove_labelled(packaged.label)
    container = packaged.start("--drain-on-stop")
    activate(stack)
    task = run(stack, "trap 'exit 3' TERM; while :; do sleep 0.1; done")
    waits.until_running(stack, [task])

    engine.docker("stop", "--time=60", container)

    assert engine.docker("inspect", "--format", "{{.State.ExitCode}}", container) == "0"
    found = described(stack, task)
    assert found.last_status == task_pb2.TASK_STATUS_STOPPED
    assert (found.stop_code, found.stopped_reason) == (task_pb2.TASK_STOP_CODE_TERMINATION_NOTICE, leaving.REASON)
    assert exit_code(stack, task) == 3
    assert instance(stack).status == DRAINING


def test_a_second_signal_ends_the_leaving_at_once(packaged: packaging.Packaged) -> None:
    engine, stack = packaged.stack.engine, packaged.stack
    engine.remove_labelled(packaged.label)
    container = packaged.start("--drain-on-stop")
    activate(stack)
    task = run(stack, "trap '' TERM; while :; do sleep 0.1; done")
    waits.until_running(stack, [task])

    engine.docker("kill", "--signal=TERM", container)
    waiting.until(
        lambda: instance(stack).status == DRAINING,
        within_s=packaging.SAYS_WITHIN_S,
        what="the agent has drained",
    )
    engine.docker("kill", "--signal=TERM", container)

    assert engine.docker("wait", container) == "0"
    (witness,) = containers.of_task(engine, task)
    assert witness.running
    engine.docker("kill", witness.container_id)
    packaged.start()
    waits.until_stopped(stack, [task])


def test_draining_waits_until_nothing_runs_and_tells_how_far_it_is(packaged: packaging.Packaged) -> None:
    engine, stack = packaged.stack.engine, packaged.stack
    engine.remove_labelled(packaged.label)
    packaged.start()
    arn = activate(stack)
    task = run(stack, "trap 'exit 0' TERM; while :; do sleep 0.1; done")
    waits.until_running(stack, [task])

    with drain(stack, arn) as interrupted:
        told = until_told(interrupted, "1 task is left")
        interrupted.send_signal(signal.SIGINT)
        _, rest = interrupted.communicate(timeout=packaging.SAYS_WITHIN_S)
    assert interrupted.returncode == exits.INTERRUPTED
    assert "stay DRAINING" in rest
    assert instance(stack).status == DRAINING

    with drain(stack, arn) as waited:
        told = until_told(waited, "1 task is left")
        assert waited.poll() is None
        stop(stack, task)
        _, rest = waited.communicate(timeout=packaging.SAYS_WITHIN_S)
    assert waited.returncode == 0, told + rest
    assert "nothing runs here any more" in rest
    assert described(stack, task).last_status == task_pb2.TASK_STATUS_STOPPED
    assert stack.command("instance", "drain", arn, "--wait").returncode == 0


@contextlib.contextmanager
def drain(stack: stacks.Stack, instance: str) -> Iterator["subprocess.Popen[str]"]:
    """`longshore instance drain --wait` beside the test."""
    process = subprocess.Popen(
        [sys.executable, "-m", "longshore.cli", "instance", "drain", instance, "--wait"],
        env=stacks.environment() | stack.variables,
        stdout=subprocess.PIPE,
        stderr=subprocess.PIPE,
        text=True,
    )
    try:
        yield process
    finally:
        process.kill()
        process.wait()


def until_told(process: "subprocess.Popen[str]", text: str) -> str:
    """Read what a process tells until it has told that; bounded by the test's own limit."""
    assert process.stderr is not None
    told = ""
    while text not in told:
        line = process.stderr.readline()
        assert line, told
        told += line
    return told
