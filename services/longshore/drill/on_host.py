"""What a drill has left on the host: mounts and processes of its folder."""

import contextlib
import os
import signal
from collections.abc import Iterable
from pathlib import Path

from longshore.drill import disk

_SHIM = "containerd-shim"
_SHOWN = 100


def found(home: Path) -> dict[str, list[str]]:
    """What is left of a drill's world when it is over: mounts, and processes that name its folder."""
    there = {
        "mounts": disk.mounts(home),
        "processes": [f"{pid} {words[:_SHOWN]}" for pid, words in _processes(str(home))],
        "folders": [str(home)] if home.exists() else [],
    }
    return {kind: names for kind, names in there.items() if names}


def processes(home: Path) -> list[int]:
    """Processes that name a drill's folder."""
    return [pid for pid, _ in _processes(str(home))]


def end_forgotten(home: Path) -> list[str]:
    """Kill the shims that an engine in this folder has left, with what they hold; who they were.

    An engine that was killed while it started a container, or that could not write down that it had, does not know of it any more.
    """
    told = []
    for pid, words in _processes(str(home)):
        if _SHIM not in words:
            continue
        told.append(f"{pid} {words}")
        for process in (*_children(pid), pid):
            with contextlib.suppress(ProcessLookupError):
                os.kill(process, signal.SIGKILL)
    return told


def _children(pid: int) -> list[int]:
    try:
        listed = Path(f"/proc/{pid}/task/{pid}/children").read_text()
    except OSError:
        return []
    return [int(child) for child in listed.split()]


def _processes(naming: str) -> Iterable[tuple[int, str]]:
    for entry in Path("/proc").iterdir():
        if not entry.name.isdigit() or int(entry.name) == os.getpid():
            continue
        try:
            words = (entry / "cmdline").read_bytes().replace(b"\0", b" ").decode(errors="replace").strip()
        except OSError:
            continue  # it has ended
        if naming in words:
            yield int(entry.name), words
