"""Which process listens on a local TCP port: so that "address in use" can name who uses it (Linux, by /proc)."""

import contextlib
import os
from collections.abc import Iterable
from pathlib import Path

LISTEN = "0A"
"""State of a listening socket in /proc/net/tcp."""

PROC = Path("/proc")

SHOWN = 120
"""Characters of a command that are shown."""


def describe(port: int) -> str:
    """`pid 4711 (python -m …)` of the process that listens on the port; what little can be told where it is another user's.

    Empty where nobody listens, or where there is no /proc.
    """
    inodes = frozenset(inode for table in ("tcp", "tcp6") for inode in listening(_lines(PROC / "net" / table), port))
    if not inodes:
        return ""
    for process in PROC.iterdir():
        if process.name.isdigit() and _holds(process, inodes):
            return f"pid {process.name} ({_command(process)})"
    return "a process of another user"


def listening(lines: Iterable[str], port: int) -> Iterable[str]:
    """Inodes of the sockets that listen on a port, of the lines of /proc/net/tcp."""
    for line in lines:
        fields = line.split()
        if len(fields) > 9 and fields[3] == LISTEN and int(fields[1].rpartition(":")[2], 16) == port:
            yield fields[9]


def _lines(table: Path) -> list[str]:
    try:
        return table.read_text().splitlines()[1:]
    except OSError:
        return []


def _holds(process: Path, inodes: frozenset[str]) -> bool:
    return any(link.removeprefix("socket:[").rstrip("]") in inodes for link in _sockets(process))


def _sockets(process: Path) -> Iterable[str]:
    try:
        entries = list((process / "fd").iterdir())
    except OSError:
        return  # gone, or another user's
    for entry in entries:
        with contextlib.suppress(OSError):  # closed meanwhile
            link = os.readlink(entry)  # noqa: PTH115 - sockets are not paths
            if link.startswith("socket:["):
                yield link


def _command(process: Path) -> str:
    try:
        words = (process / "cmdline").read_bytes().split(b"\0")
    except OSError:
        return "gone"
    return b" ".join(words).decode(errors="replace").strip()[:SHOWN]
