"""Children that nobody waits for. In a container the agent is process 1, and so the parent of whatever loses its own.

A credential helper may leave a child behind; as process 1 we inherit it, and it stays a zombie until it is waited for. Our own children have
somebody who waits for each (asyncio), at once: so what has been a zombie for a while is nobody's, and is reaped.
"""

import asyncio
import contextlib
import os
import signal
from pathlib import Path

import structlog

_log = structlog.get_logger(__name__)

INIT = 1
"""The process that inherits others' children."""

PATIENCE_S = 5.0
"""Whoever waits for a child of ours has done so long before."""


async def reap(*, patience_s: float = PATIENCE_S, parent: int = INIT) -> None:
    """Reap what has been left to this process, for ever."""
    ended = asyncio.Event()
    loop = asyncio.get_running_loop()
    loop.add_signal_handler(signal.SIGCHLD, ended.set)
    try:
        while True:
            await ended.wait()
            ended.clear()
            before = await asyncio.to_thread(zombies, parent)
            await asyncio.sleep(patience_s)
            left = await asyncio.to_thread(zombies, parent)
            _take(before & left)
            if left - before:
                ended.set()
    finally:
        loop.remove_signal_handler(signal.SIGCHLD)


def _take(pids: set[int]) -> None:
    for pid in pids:
        with contextlib.suppress(ChildProcessError):
            os.waitpid(pid, os.WNOHANG)
            _log.debug("orphan_reaped", pid=pid)


def zombies(parent: int, proc: Path = Path("/proc")) -> set[int]:
    """Ended children of a process that were not waited for."""
    found = set()
    for entry in proc.iterdir():
        if entry.name.isdigit():
            with contextlib.suppress(OSError):  # it has gone meanwhile
                state, its_parent = (entry / "stat").read_text().rpartition(")")[2].split()[:2]
                if state == "Z" and int(its_parent) == parent:
                    found.add(int(entry.name))
    return found
