"""An agent as `make agent-image` packs it, before a control plane of its own."""

import contextlib
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path

from tests.e2e import stacks
from tests.engines import docker, labels, ports, waiting

SAYS_WITHIN_S = 30.0


@dataclass(frozen=True, slots=True)
class Packaged:
    """An agent in a container, on the host's network, that is to survive whatever becomes of its container."""

    stack: stacks.Stack
    image: str
    folder: Path
    label: str

    def start(self, *flags: str) -> str:
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
        container = self.stack.engine.docker("run", "--detach", *options, self.image, *flags)
        waiting.until(lambda: stacks.joined(self.stack), within_s=SAYS_WITHIN_S, what="the packaged agent has joined")
        return container

    def until_left(self) -> None:
        """Wait until the control plane has noticed that the agent has gone."""
        waiting.until(lambda: not stacks.joined(self.stack), within_s=SAYS_WITHIN_S, what="the agent has left")


@contextlib.contextmanager
def running(folder: Path, engine: docker.DockerEngine, image: str) -> Iterator[Packaged]:
    """An embedded control plane without an agent, and what starts packaged ones for it; all of it ends with the block."""
    stack = stacks.embedded(folder, engine, agent=False)
    stack.agents.append(folder / "agent")
    stack.introspection.append(f"{stacks.LOOPBACK}:{ports.free_port()}")
    made = Packaged(stack, image, folder, labels.unique())
    try:
        stack.start()
        yield made
    finally:
        engine.remove_labelled(made.label)
        stack.stop()
