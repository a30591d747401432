"""What a simulated container would have used, in Docker's shape. Pure: a function of its limits and of how long it has run."""

from collections.abc import Mapping
from datetime import UTC, datetime
from typing import Any

_MICROSECONDS = 1_000_000
_NANOSECONDS_IN_MICROSECOND = 1000
_CPU_SHARE = 0.001
"""An idle process: a thousandth of a core."""
_MEMORY_BYTES = 1 << 20
_NETWORK_BYTES_PER_S = 10
_UNLIMITED = (1 << 63) - 4096


def of(body: Mapping[str, Any], *, started_at: int, now: int) -> dict[str, Any]:
    """Statistics of a container with this create call. `started_at`: zero where it does not run. Times in microseconds."""
    answer: dict[str, Any] = {
        "read": _text(now if started_at else 0),
        "preread": _text(0),
        "pids_stats": {},
        "blkio_stats": {"io_service_bytes_recursive": None},
        "num_procs": 0,
        "storage_stats": {},
        "cpu_stats": {"cpu_usage": {"total_usage": 0}, "throttling_data": {}},
        "precpu_stats": {"cpu_usage": {"total_usage": 0}, "throttling_data": {}},
        "memory_stats": {},
    }
    if not started_at:
        return answer
    ran = max(0, now - started_at)
    answer["cpu_stats"]["cpu_usage"]["total_usage"] = int(ran * _CPU_SHARE) * _NANOSECONDS_IN_MICROSECOND
    answer["cpu_stats"] |= {"system_cpu_usage": now * _NANOSECONDS_IN_MICROSECOND, "online_cpus": 1}
    answer["memory_stats"] = {
        "usage": _MEMORY_BYTES,
        "limit": body.get("HostConfig", {}).get("Memory") or _UNLIMITED,
        "stats": {"total_inactive_file": 0},
    }
    answer["pids_stats"] = {"current": 1}
    if body.get("HostConfig", {}).get("NetworkMode") not in {"host", "none"}:
        moved = ran * _NETWORK_BYTES_PER_S // _MICROSECONDS
        answer["networks"] = {"eth0": {"rx_bytes": moved, "tx_bytes": moved}}
    return answer


def _text(microseconds: int) -> str:
    if not microseconds:
        return "0001-01-01T00:00:00Z"
    return datetime.fromtimestamp(microseconds / _MICROSECONDS, UTC).isoformat().replace("+00:00", "Z")
