"""The agent as `make agent-image` packs it: loaded, started as a container, killed, started again, updated."""

import asyncio
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path

import pytest

from tests.e2e import calls, containers, stacks, waits
from tests.engines import docker, labels, ports, waiting

pytestmark = [pytest.mark.slow, pytest.mark.timeout(360)]

SAYS_WITHIN_S = 30.0


@dataclass(frozen=True, slots=True)
class Packaged:
    """An agent in a container, on the host's network, that is to survive whatever becomes of its container."""

    stack: stacks.Stack
    image: str
    folder: Path
    label: str

    def start(self) -> str:
        """Start it as deploy/agent does; its container."""
        introspection = self.stack.introspection[-1].rpartition(":")[2]
        settings = self.stack.components | {
            "LONGSHORE_STATE_DIR": str(self.stack.agents[-1]),
            "LONGSHORE_LOG_FILE": str(self.folder / "log/agent.log"),
            "LONGSHORE_INTROSPECTION_PORT": introspection,
            "LONGSHORE_PUBLISH_ADDRESS": stacks.LOOPBACK,
        }
        options = [
            "--network=host",
            f"--label={self.label}",
            "--volume=/var/run/docker.sock:/var/run/docker.sock",
            "--volume=/sys/fs/cgroup:/sys/fs/cgroup",
            f"--volume={self.folder}:{self.folder}",
            *(f"--env={name}={value}" for name, value in settings.items()),
        ]
        container = self.stack.engine.docker("run", "--detach", *options, self.image)
        waiting.until(lambda: stacks.joined(self.stack), within_s=SAYS_WITHIN_S, what="the packaged agent has joined")
        return container


@pytest.fixture(scope="module")
def packaged(
    tmp_path_factory: pytest.TempPathFactory, docker_engine: docker.DockerEngine, agent_image: str
) -> Iterator[Packaged]:
    folder = tmp_path_factory.mktemp("packaged")
    stack = stacks.embedded(folder, docker_engine, agent=False)
    stack.agents.append(folder / "agent")
    stack.introspection.append(f"{stacks.LOOPBACK}:{ports.free_port()}")
    made = Packaged(stack, agent_image, folder, labels.unique())
    try:
        stack.start()
        yield made
    finally:
        docker_engine.remove_labelled(made.label)
        stack.stop()


def run(stack: stacks.Stack, command: str) -> str:
    """Run a task on no network; its ARN."""

    async def go() -> str:
        async with stack.client() as client:
            request = calls.definition("packaged", command)
            request.network_mode = calls.NETWORK_MODE_NONE
            return (await calls.run_one(client, await calls.register(client, request))).task_arn

    return asyncio.run(go())


def exit_code(stack: stacks.Stack, task: str) -> int:
    """The exit code that the control plane has of a task."""
    return int(calls.task(stack, task)["containers"][0]["exitCode"])


def test_a_packaged_agent_runs_tasks_and_adopts_them_after_a_kill_and_an_update(packaged: Packaged) -> None:
    """One that is killed with -9, and one that is stopped for the next release: no container is touched by either."""
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
    packaged.start()
    stack.command("stop", staying)
    waits.until_stopped(stack, [staying])
    (instance,) = calls.run_json(stack, "instance", "list")["containerInstanceArns"]
    assert calls.task(stack, staying)["containerInstanceArn"] == instance
    assert "agent_started" in (packaged.folder / "log/agent.log").read_text()
