"""The system's programs that a drill needs, and how it calls them."""

import asyncio
import shutil
from collections.abc import Mapping

BY_ALL = {"setpriv": "util-linux"}

BY_AGENT = {
    "dockerd": "docker.io or docker-ce",
    "docker": "docker.io or docker-ce-cli",
    "containerd": "containerd or containerd.io",
    "busybox": "busybox-static",
    "ip": "iproute2",
    "mkfs.ext4": "e2fsprogs",
    "mount": "mount",
    "umount": "mount",
    **BY_ALL,
}
"""What the drill of an agent needs, each with the Debian package that brings it."""

CALL_TIMEOUT_S = 60.0
"""An engine whose disk is full, or that has just been started, takes its time."""

_PATH = "/usr/local/sbin:/usr/local/bin:/usr/sbin:/usr/bin:/sbin:/bin"

ENVIRONMENT = {"PATH": _PATH, "HOME": "/nonexistent"}
"""What programs are given: nothing of whoever started the drill may lead them elsewhere, to another engine above all."""


class Failed(Exception):  # noqa: N818 - named by what happened
    """A program did not do what it was asked. The message has what it said."""


def absent(needed: Mapping[str, str]) -> tuple[str, ...]:
    """What of it is missing here, each with its package."""
    return tuple(f"{name} ({package})" for name, package in needed.items() if path(name) is None)


def path(name: str) -> str | None:
    """Where a program is."""
    return shutil.which(name, path=_PATH)


def found(name: str) -> str:
    """Where a program is that there must be. Raises Failed."""
    at = path(name)
    if at is None:
        raise Failed(f"{name} is not installed (package {BY_AGENT.get(name, name)})")
    return at


async def call(name: str, *arguments: str, given: bytes | None = None) -> str:
    """Run a program to its end; what it printed, stripped. Raises Failed."""
    process = await asyncio.create_subprocess_exec(
        found(name),
        *arguments,
        stdin=asyncio.subprocess.DEVNULL if given is None else asyncio.subprocess.PIPE,
        stdout=asyncio.subprocess.PIPE,
        stderr=asyncio.subprocess.PIPE,
        env=ENVIRONMENT,
        start_new_session=True,  # Ctrl-C is for the drill, which ends what it needs no more in its own order
    )
    try:
        async with asyncio.timeout(CALL_TIMEOUT_S):
            out, err = await process.communicate(given)
    except TimeoutError:
        raise Failed(f"{name} {' '.join(arguments)} took longer than {CALL_TIMEOUT_S:.0f} s") from None
    finally:
        if process.returncode is None:
            process.kill()
            await process.wait()
    if process.returncode:
        raise Failed(f"{name} {' '.join(arguments)}: {err.decode(errors='replace').strip()}")
    return out.decode(errors="replace").strip()
