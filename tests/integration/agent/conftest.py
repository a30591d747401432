"""A tracker that speaks the real protocol, and agents before it: in this process, or in one that can be killed."""

import asyncio
import os
import random
import signal
import socket
import sys
from collections.abc import AsyncIterator, Callable, Mapping
from contextlib import AbstractAsyncContextManager, asynccontextmanager
from pathlib import Path

import pytest

from longshore.agent import app, container_names
from longshore.agent.settings import config
from longshore.rpc import settings
from tests.engines import docker, image_registry
from tests.integration.agent import fake_tracker, registry

START_WAIT_S = 20.0

MakeAgent = Callable[..., AbstractAsyncContextManager[app.Agent]]


@pytest.fixture
async def tracker() -> AsyncIterator[fake_tracker.FakeTracker]:
    """A control plane of one instance."""
    made = fake_tracker.FakeTracker()
    await made.start()
    yield made
    await made.stop()
    assert made.violations == []


@pytest.fixture
def state_dir(tmp_path: Path, docker_engine: docker.DockerEngine) -> "Path":
    """The agent's state folder."""
    return tmp_path / "agent"


@pytest.fixture(autouse=True)
def _clean(state_dir: Path, docker_engine: docker.DockerEngine) -> "object":
    """Remove what the test's agent left on the engine, and nothing else."""
    yield
    docker_engine.remove_labelled(f"{container_names.HOME}={home(state_dir)}")
    ours = f"--filter=label={container_names.HOME}={home(state_dir)}"
    if unused := docker_engine.docker("volume", "ls", "--quiet", ours):
        docker_engine.docker("volume", "rm", *unused.split(), check=False)


def home(state_dir: Path) -> str:
    """The label value by which an agent with this state folder marks its containers."""
    return container_names.home_of(socket.gethostname(), str(state_dir.resolve()))


def flags(tracker: fake_tracker.FakeTracker, state_dir: Path, url: str, *more: str) -> list[str]:
    """The agent's flags for a test."""
    return [
        f"--state-tracker={tracker.address}",
        f"--registry={tracker.address}",
        f"--state-dir={state_dir}",
        f"--docker-host={url}",
        "--introspection-port=0",
        "--task-metadata-address=none",
        "--publish-address=127.0.0.1",
        *more,
    ]


@pytest.fixture
def make_agent(tracker: fake_tracker.FakeTracker, state_dir: Path, docker_engine: docker.DockerEngine) -> MakeAgent:
    """Run an agent in this process for the time of a block."""

    @asynccontextmanager
    async def make(
        *more: str, url: str = docker_engine.url, environ: Mapping[str, str] | None = None
    ) -> AsyncIterator[app.Agent]:
        parsed = settings.parse(config.Config, flags(tracker, state_dir, url, *more), {})
        async with app.serving(parsed, environ=environ or {}, version="0-test", source=random.Random(7)) as agent:
            yield agent

    return make


@pytest.fixture
async def agent(make_agent: MakeAgent) -> AsyncIterator[app.Agent]:
    """An agent in this process."""
    async with make_agent() as running:
        yield running


class AgentProcess:
    """An agent that can be killed."""

    def __init__(self, arguments: list[str], log: Path) -> None:
        self._arguments = arguments
        self._log = log
        self._process: asyncio.subprocess.Process | None = None

    async def start(self) -> None:
        """Start it."""
        with self._log.open("ab") as log:
            self._process = await asyncio.create_subprocess_exec(
                sys.executable, "-m", "longshore.agent", *self._arguments, stdout=log, stderr=log, env=dict(os.environ)
            )

    async def end(self, number: int = signal.SIGKILL) -> int:
        """Send it a signal and wait for its end; return its exit status."""
        assert self._process is not None
        if self._process.returncode is None:
            self._process.send_signal(number)
        async with asyncio.timeout(START_WAIT_S):
            return await self._process.wait()

    @property
    def pid(self) -> int:
        """Its process id."""
        assert self._process is not None
        return self._process.pid

    def log(self) -> str:
        """What it has logged."""
        return self._log.read_text()


@pytest.fixture
async def agent_process(
    tracker: fake_tracker.FakeTracker, state_dir: Path, docker_engine: docker.DockerEngine, tmp_path: Path
) -> AsyncIterator[AgentProcess]:
    """An agent in a process of its own, started."""
    made = AgentProcess(flags(tracker, state_dir, docker_engine.url), tmp_path / "agent.log")
    await made.start()
    yield made
    await made.end()


@pytest.fixture
async def front(
    registry_session: image_registry.ImageRegistry, docker_engine: docker.DockerEngine
) -> AsyncIterator[registry.Front]:
    """A registry that can fail, with an image in it."""
    async with registry.serving(registry_session, docker_engine) as made:
        yield made


@pytest.fixture
async def locked_front(
    locked_registry_session: image_registry.ImageRegistry, docker_engine: docker.DockerEngine
) -> AsyncIterator[registry.Front]:
    """One that asks for a password."""
    async with registry.serving(locked_registry_session, docker_engine) as made:
        yield made
