"""A machine on which a person types `longshore up` and `longshore down`."""

import contextlib
import subprocess
import sys
from collections.abc import Iterator
from pathlib import Path

from longshore.embedded import config, control_plane, holder
from tests.e2e import calls, stacks
from tests.engines import docker, ports, waiting

COMMAND_BOUND_S = 90.0


class Machine(stacks.Stack):
    """A state folder and ports of its own; the flags of `up` and `down` come from the environment."""

    def __init__(self, folder: Path, engine: docker.DockerEngine) -> None:
        self.base = ports.free_range(len(holder.ports(0)))
        super().__init__("machine", folder, control_plane.client_addresses(self.base), engine, gateway_port=self.base)
        self.folders = config.folders(folder / "state")
        self.agents.append(self.folders.agent)
        self.metadata_address = "none"
        """Where the machine's agent serves task metadata."""

    @property
    def variables(self) -> dict[str, str]:
        """What a person would have exported."""
        return super().variables | {
            "LONGSHORE_STATE_DIR": str(self.folders.state),
            "LONGSHORE_PORT_BASE": str(self.base),
            "LONGSHORE_DOCKER_HOST": self.engine.url,
            "LONGSHORE_TASK_METADATA_ADDRESS": self.metadata_address,
            "LONGSHORE_TASK_METADATA_PORT": "0",
        }

    @contextlib.contextmanager
    def foreground(self, *words: str) -> Iterator["subprocess.Popen[str]"]:
        """`longshore up` in the foreground, once it is ready."""
        process = subprocess.Popen(
            [sys.executable, "-m", "longshore.cli", "up", *words],
            env=stacks.environment() | self.variables,
            stdout=subprocess.PIPE,
            stderr=subprocess.STDOUT,
            text=True,
            start_new_session=True,
        )
        try:
            waiting.until(self.ready, within_s=COMMAND_BOUND_S, what="ready")
            yield process
        finally:
            process.kill()
            process.wait()

    def ready(self) -> bool:
        """Whether `up` says that it is."""
        running = holder.read(self.folders.state)
        return running is not None and running.ready

    def run_sleeper(self) -> str:
        """Run a task that sleeps, until it runs; its ARN."""
        container = (
            '[{"name": "main", "image": "busybox", "memory": 16, "command": ["sleep", "600"], "stopTimeout": 1}]'
        )
        self.command("run", "-", "--family", "sleeper", stdin=container)
        (arn,) = calls.run_json(self, "task", "list", "--family", "sleeper")["taskArns"]
        return str(arn)
