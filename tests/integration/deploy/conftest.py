"""Images as docker-compose.yml uses them: the pulled ones, or their stand-ins."""

import subprocess
from collections.abc import Callable, Iterator
from pathlib import Path

import pytest

from tests.engines import docker, labels
from tests.engines.missing import missing

_ROOT = Path(__file__).parents[3]
_BUILD_BOUND_S = 300.0


@pytest.fixture
def start(docker_engine: docker.DockerEngine) -> Iterator[Callable[..., str]]:
    """``start(image, *options, command=())``: the id of a container in the background, gone after the test."""
    label = labels.unique()

    def run(image: str, *options: str, command: tuple[str, ...] = ()) -> str:
        if not docker_engine.docker("images", "--quiet", image):
            missing(f"no image {image} on this machine (`make images` makes a stand-in)")
        return docker_engine.docker("run", "--detach", "--label", label, *options, image, *command)

    yield run
    docker_engine.remove_labelled(label)


@pytest.fixture(scope="session")
def our_images(docker_engine: docker.DockerEngine) -> None:
    """longshore/services and longshore/agent, built from this tree as `make up` builds them."""
    if not docker_engine.docker("images", "--quiet", "python:3.11-slim-bookworm"):
        missing("no image python:3.11-slim-bookworm on this machine (`make images` makes a stand-in)")
    done = subprocess.run(
        [_ROOT / "scripts/stack", "build"], capture_output=True, text=True, timeout=_BUILD_BOUND_S, check=False
    )
    assert done.returncode == 0, done.stdout + done.stderr
