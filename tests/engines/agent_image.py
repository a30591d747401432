"""The agent's image, as `make agent-image` builds it."""

import re
import subprocess
from pathlib import Path

from tests.engines import docker, processes

_ROOT = Path(__file__).parents[2]
_BUILD_BOUND_S = 300.0


def archive() -> Path:
    """The archive, built where it is missing or stale."""
    done = subprocess.run(
        [_ROOT / "scripts/agent-image"], capture_output=True, text=True, timeout=_BUILD_BOUND_S, check=False
    )
    told = re.search(r"^agent-image: (dist/\S+\.tar\.gz) \(", done.stdout, re.MULTILINE)
    if done.returncode or told is None:
        raise processes.EngineError(f"the agent's image cannot be built:\n{done.stdout}{done.stderr}")
    return _ROOT / told[1]


def loaded(engine: docker.DockerEngine) -> str:
    """Load the archive; the tag with its version."""
    told = engine.docker("load", "--quiet", "--input", str(archive()))
    (tag,) = re.findall(r"^Loaded image: (longshore/agent:[0-9]\S*)$", told, re.MULTILINE)
    return str(tag)
