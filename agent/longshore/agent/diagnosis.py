"""What to do when no Docker Engine can be used: the fix in words, by what is the matter with its address."""

import os
import stat
from pathlib import Path

_UNIX = "unix://"


def explain(host: str, failure: str, *, uid: int) -> str:
    """What a person should do about an engine that cannot be used at this address."""
    if not host.startswith(_UNIX):
        return f"No Docker Engine answers at {host} ({failure}). Start it, or name another with --docker-host or DOCKER_HOST."
    path = Path(host.removeprefix(_UNIX))
    try:
        mode = path.stat().st_mode
    except FileNotFoundError:
        return (
            f"There is no Docker Engine here: {path} does not exist. Start it (sudo systemctl start docker), install it "
            "(on Debian and Ubuntu: sudo apt-get install docker.io), or name its address with --docker-host or DOCKER_HOST."
        )
    except PermissionError:
        return _forbidden(path, uid)
    if not stat.S_ISSOCK(mode):
        return f"{path} is not the socket of a Docker Engine. Name its address with --docker-host or DOCKER_HOST."
    if not os.access(path, os.R_OK | os.W_OK):
        return _forbidden(path, uid)
    return (
        f"The Docker Engine at {path} does not answer ({failure}). See whether it runs (sudo systemctl status docker), "
        "and start it (sudo systemctl start docker)."
    )


def _forbidden(path: Path, uid: int) -> str:
    return (
        f"You (user id {uid}) may not use the Docker Engine at {path}. Join its group (sudo usermod -aG docker $USER, then "
        "log in again), or run the agent as root."
    )
