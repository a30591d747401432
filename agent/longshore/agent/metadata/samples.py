"""What a container uses, from the kernel's files of both generations of control groups, or from Docker's own sample. Pure."""

from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any

_NANOSECONDS_IN_MICROSECOND = 1000
_LOOPBACK = "lo"
_PERCENT = 100.0


class Unreadable(Exception):  # noqa: N818 - named by what is wrong
    """A file or an answer is not what it should be."""


@dataclass(frozen=True, slots=True)
class Network:
    """Bytes on all interfaces of a network namespace but the loopback."""

    received: int
    sent: int


@dataclass(frozen=True, slots=True)
class Sample:
    """What a container has used, and uses. Bytes, and nanoseconds of CPU time."""

    cpu_ns: int
    memory_used: int
    memory_limit: int
    """Zero where there is none."""
    block_read: int
    block_written: int
    pids: int
    network: Network | None = None
    """None where it has no network of its own."""


def of_v1(*, usage: str, memory: str, memory_stat: str, blkio: str, pids: str) -> Sample:
    """A sample from the files of control groups, version 1."""
    stat = _fields(memory_stat)
    read, written = _blkio(blkio)
    return Sample(
        cpu_ns=_number(usage),
        memory_used=_without_cache(_number(memory), stat.get("total_inactive_file", 0)),
        memory_limit=stat.get("hierarchical_memory_limit", 0),
        block_read=read,
        block_written=written,
        pids=_number(pids),
    )


def of_v2(*, cpu_stat: str, memory: str, memory_max: str, memory_stat: str, io_stat: str, pids: str) -> Sample:
    """A sample from the files of control groups, version 2. A limit of the group above is not in them."""
    read, written = _io(io_stat)
    limit = memory_max.strip()
    return Sample(
        cpu_ns=_fields(cpu_stat).get("usage_usec", 0) * _NANOSECONDS_IN_MICROSECOND,
        memory_used=_without_cache(_number(memory), _fields(memory_stat).get("inactive_file", 0)),
        memory_limit=0 if limit == "max" else _number(limit),
        block_read=read,
        block_written=written,
        pids=_number(pids),
    )


def network(text: str) -> Network | None:
    """The network's counters from /proc/PID/net/dev; None where there is only the loopback."""
    received = sent = 0
    found = False
    for line in text.splitlines()[2:]:
        name, colon, rest = line.partition(":")
        columns = rest.split()
        if not colon or name.strip() == _LOOPBACK:
            continue
        if len(columns) < 9:
            raise Unreadable(f"{line!r} is no line of net/dev")
        found = True
        received += int(columns[0])
        sent += int(columns[8])
    return Network(received, sent) if found else None


def of_docker(answer: Mapping[str, Any]) -> Sample | None:
    """A sample from Docker's answer; None for a container that does not run, of which it has zeros only."""
    memory = answer.get("memory_stats") or {}
    usage = (answer.get("cpu_stats") or {}).get("cpu_usage") or {}
    if "usage" not in memory:
        return None
    details = memory.get("stats") or {}
    cache = details.get("total_inactive_file", details.get("inactive_file", 0))
    moved = {"read": 0, "write": 0}
    for entry in (answer.get("blkio_stats") or {}).get("io_service_bytes_recursive") or ():
        operation = str(entry.get("op", "")).lower()
        if operation in moved:
            moved[operation] += int(entry.get("value", 0))
    interfaces = (answer.get("networks") or {}).values()
    return Sample(
        cpu_ns=int(usage.get("total_usage", 0)),
        memory_used=_without_cache(int(memory["usage"]), int(cache)),
        memory_limit=int(memory.get("limit", 0)),
        block_read=moved["read"],
        block_written=moved["write"],
        pids=int((answer.get("pids_stats") or {}).get("current", 0)),
        network=Network(
            sum(int(interface.get("rx_bytes", 0)) for interface in interfaces),
            sum(int(interface.get("tx_bytes", 0)) for interface in interfaces),
        )
        if interfaces
        else None,
    )


def cpu_percent(used_ns: int, elapsed_ns: int) -> float:
    """Percent of one core."""
    return max(0.0, _PERCENT * used_ns / elapsed_ns) if elapsed_ns > 0 else 0.0


def _without_cache(usage: int, inactive: int) -> int:
    """Memory in use: what the kernel would give back first does not count, as in `docker stats`."""
    return usage - inactive if 0 <= inactive <= usage else usage


def _number(text: str) -> int:
    try:
        return int(text)
    except ValueError as error:
        raise Unreadable(f"{text[:40]!r} is no number") from error


def _fields(text: str) -> dict[str, int]:
    """Lines of a name and a number."""
    found = {}
    for line in text.splitlines():
        name, _, value = line.partition(" ")
        if value.isdigit():
            found[name] = int(value)
    return found


def _blkio(text: str) -> tuple[int, int]:
    """Bytes read and written from `8:0 Read 4096` lines."""
    moved = {"Read": 0, "Write": 0}
    for line in text.splitlines():
        parts = line.split()
        if len(parts) == 3 and parts[1] in moved:
            moved[parts[1]] += _number(parts[2])
    return moved["Read"], moved["Write"]


def _io(text: str) -> tuple[int, int]:
    """Bytes read and written from `8:0 rbytes=4096 wbytes=0 …` lines."""
    moved = {"rbytes": 0, "wbytes": 0}
    for line in text.splitlines():
        for part in line.split()[1:]:
            name, _, value = part.partition("=")
            if name in moved:
                moved[name] += _number(value)
    return moved["rbytes"], moved["wbytes"]
