"""What to do when no Docker Engine can be used: the fix in words, by what is the matter with its address."""

import os
import stat
from dataclasses import dataclass
from pathlib import Path

_UNIX = "unix://"


@dataclass(frozen=True, slots=True)
class Diagnosis:
    """What is the matter, and what to do. `lasting`: it stays so until a person has done it."""

    text: str
    lasting: bool


def explain(host: str, failure: str, *, uid: int) -> Diagnosis:
    """What a person should do about an engine that cannot be used at this address."""
    if not host.startswith(_UNIX):
        return Diagnosis(
            f"No Docker Engine answers at {host} ({failure}). Start it, or name another with --docker-host or DOCKER_HOST.",
            lasting=False,
        )
    path = Path(host.removeprefix(_UNIX))
    try:
        mode = path.stat().st_mode
    except FileNotFoundError:
        return Diagnosis(
            f"There is no Docker Engine here: {path} does not exist. Start it (sudo systemctl start docker), install it "
            "(on Debian and Ubuntu: sudo apt-get install docker.io), or name its address with --docker-host or DOCKER_HOST.",
            lasting=True,
        )
    except PermissionError:
        return _forbidden(path, uid)
    if not stat.S_ISSOCK(mode):
        return Diagnosis(
            f"{path} is not the socket of a Docker Engine. Name its address with --docker-host or DOCKER_HOST.",
            lasting=True,
        )
    if not os.access(path, os.R_OK | os.W_OK):
        return _forbidden(path, uid)
    return Diagnosis(
        f"The Docker Engine at {path} does not answer ({failure}). See whether it runs (sudo systemctl status docker), "
        "and start it (sudo systemctl start docker).",
        lasting=False,
    )


def _forbidden(path: Path, uid: int) -> Diagnosis:
    return Diagnosis(
        f"You (user id {uid}) may not use the Docker Engine at {path}. Join its group (sudo usermod -aG docker $USER, then "
        "log in again), or run the agent as root.",
        lasting=True,
    )
