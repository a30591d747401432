"""The machine's Docker Engine, by its command-line client."""

import os
import shutil
import subprocess
from pathlib import Path

from tests.engines import processes

DEFAULT_URL = "unix:///var/run/docker.sock"
CALL_BOUND_S = 60.0  # creating containers while the machine's disk is busy

_IMAGES = Path(__file__).parents[2] / "scripts" / "images"


class DockerEngine:
    """An engine at ``url``. Others may use the same one: leave alone what carries no label of your own."""

    def __init__(self, url: str) -> None:
        self.url = url

    def docker(self, *arguments: str, check: bool = True) -> str:
        """Run the docker client against this engine; what it printed, stripped."""
        command = ["docker", "--host", self.url, *arguments]
        done = subprocess.run(command, capture_output=True, text=True, timeout=CALL_BOUND_S, check=False)
        if check and done.returncode != 0:
            raise processes.EngineError(f"{' '.join(command)} failed:\n{done.stderr}")
        return done.stdout.strip()

    def logs(self, container: str) -> str:
        """What a container printed, on both streams."""
        command = ["docker", "--host", self.url, "logs", container]
        done = subprocess.run(
            command, stdout=subprocess.PIPE, stderr=subprocess.STDOUT, text=True, timeout=CALL_BOUND_S, check=True
        )
        return done.stdout.strip()

    def answers(self) -> bool:
        """Whether the engine answers."""
        return bool(self.docker("version", "--format", "{{.Server.Version}}", check=False))

    def ensure_busybox(self) -> None:
        """Make the image ``busybox`` where it is missing."""
        environment = {**os.environ, "DOCKER_HOST": self.url}
        subprocess.run([_IMAGES, "busybox"], env=environment, timeout=CALL_BOUND_S, check=True, capture_output=True)

    def containers(self, label: str) -> list[str]:
        """The ids of all containers, running or not, with ``label`` (``name`` or ``name=value``)."""
        return self.docker("ps", "--all", "--quiet", "--no-trunc", "--filter", f"label={label}").split()

    def remove_labelled(self, label: str) -> None:
        """Kill and remove all containers with ``label``, and their anonymous volumes."""
        if found := self.containers(label):
            self.docker("rm", "--force", "--volumes", *found, check=False)


def machine_engine() -> DockerEngine | None:
    """The engine that answers on this machine, ``None`` without one."""
    if shutil.which("docker") is None:
        return None
    engine = DockerEngine(os.environ.get("DOCKER_HOST", DEFAULT_URL))
    return engine if engine.answers() else None
