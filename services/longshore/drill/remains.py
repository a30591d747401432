"""What a drill leaves that was killed before it could put things back: the next one does it.

A drill holds a lock in its folder for as long as it lives. A folder whose lock nobody holds is what is left of one that was killed.
"""

import asyncio
import contextlib
import fcntl
import os
import shutil
import signal
from collections.abc import Iterator
from pathlib import Path
from typing import TextIO

from longshore.drill import disk, on_host, programs

FOLDER = Path("/tmp")  # noqa: S108 - mkdtemp makes each of them ours alone; TMPDIR may be longer than a socket's path can be
PREFIX = "lsdrill-"

_LOCK, _BRIDGE = "lock", "bridge"
_TRIES = 100
_PAUSE_S = 0.1
"""Its control plane and its agent hear of its death and end by themselves, within a few seconds."""


def held(home: Path) -> TextIO:
    """Hold a drill's folder, until what is returned is closed or this process ends."""
    return _locked((home / _LOCK).open("w", encoding="utf-8"))


def name_bridge(home: Path, bridge: str) -> None:
    """Note what the drill has on the host beside its folder."""
    (home / _BRIDGE).write_text(bridge, encoding="utf-8")


async def remove() -> list[Path]:
    """Put back what drills have left that were killed; their folders."""
    found = []
    for home in sorted(FOLDER.glob(f"{PREFIX}*")):  # noqa: ASYNC240 - nothing else is under way yet
        with contextlib.suppress(OSError):  # it lives, or somebody else puts it back at this moment
            # Only one that has its lock is a drill's beyond doubt.
            with _locked((home / _LOCK).open("r+", encoding="utf-8")):
                await _put_back(home)
            found.append(home)
    return found


def _locked(lock: TextIO) -> TextIO:
    try:
        fcntl.flock(lock, fcntl.LOCK_EX | fcntl.LOCK_NB)
    except OSError:
        lock.close()
        raise
    return lock


async def _put_back(home: Path) -> None:
    on_host.end_forgotten(home)
    for _ in _while_there(home):
        await asyncio.sleep(_PAUSE_S)
    for mount in reversed(disk.mounts(home)):
        with contextlib.suppress(programs.Failed):
            await programs.call("umount", "--lazy", mount)
    with contextlib.suppress(OSError, programs.Failed):
        await programs.call("ip", "link", "delete", (home / _BRIDGE).read_text(encoding="utf-8"))
    shutil.rmtree(home, ignore_errors=True)


def _while_there(home: Path) -> Iterator[None]:
    """As long as there are processes of it; killed after a while."""
    for attempt in range(_TRIES):
        processes = on_host.processes(home)
        if not processes:
            return
        for pid in processes if attempt > _TRIES // 2 else ():
            with contextlib.suppress(ProcessLookupError):
                os.kill(pid, signal.SIGKILL)
        yield
