"""Samples of containers from the kernel's own files, where this process can see them: some file reads, no call to the engine.

Where a container's control group or its processes cannot be seen (the agent in a container without the host's control groups or
processes, an engine in another place), `read` gives None, and the engine is asked instead.
"""

import os
from collections.abc import Iterator, Sequence
from dataclasses import dataclass, replace
from pathlib import Path

from longshore.agent.metadata import samples

ROOT = Path("/sys/fs/cgroup")
PROC = Path("/proc")
_READ_BYTES = 16384
"""No file of interest is longer."""
_V1 = {
    "usage": ("cpuacct", "cpuacct.usage"),
    "memory": ("memory", "memory.usage_in_bytes"),
    "memory_stat": ("memory", "memory.stat"),
    "blkio": ("blkio", "blkio.throttle.io_service_bytes_recursive"),
    "pids": ("pids", "pids.current"),
}
_V2 = {
    "cpu_stat": "cpu.stat",
    "memory": "memory.current",
    "memory_max": "memory.max",
    "memory_stat": "memory.stat",
    "io_stat": "io.stat",
    "pids": "pids.current",
}
_SLICE = ".slice"
_PROCESSES = "cgroup.procs"
_OPTIONAL = frozenset({"blkio", "io_stat"})
"""Controllers that a kernel may lack: then there are no such numbers."""


@dataclass(frozen=True, slots=True)
class Target:
    """A container to be measured."""

    task_id: str
    container: str
    runtime_id: str
    parent: str = ""
    """The control group that its task has where it has limits of its own."""
    own_network: bool = True
    started_at: int = 0
    task_memory_bytes: int = 0
    """What the whole task may use; 0 where it has no such limit. The engine tells of the container's own limit alone."""


class CgroupStatistics:
    """Reads the files. All its calls block, briefly."""

    def __init__(self, *, version: int, root: Path = ROOT, proc: Path = PROC) -> None:
        self._version = version
        self._root = str(root)
        self._proc = str(proc)

    def read(self, target: Target) -> samples.Sample | None:
        """What a container uses; None where that cannot be seen from here."""
        for group in _groups(target):
            try:
                return self._read(target, group)
            except (OSError, samples.Unreadable):
                continue
        return None

    def _read(self, target: Target, group: str) -> samples.Sample:
        if self._version == 2:
            found = {
                name: _text(f"{self._root}/{group}/{file}", optional=name in _OPTIONAL) for name, file in _V2.items()
            }
            sample = samples.of_v2(**found)
            processes = f"{self._root}/{group}/{_PROCESSES}"
            if not sample.memory_limit and target.parent and group.startswith(_folder(target.parent)):
                sample = replace(sample, memory_limit=self._task_limit(target.parent))
        else:
            found = {
                name: _text(f"{self._root}/{controller}/{group}/{file}", optional=name in _OPTIONAL)
                for name, (controller, file) in _V1.items()
            }
            sample = samples.of_v1(**found)
            processes = f"{self._root}/pids/{group}/{_PROCESSES}"
        if not target.own_network:
            return sample
        return replace(sample, network=self._network(_text(processes).split()))

    def _task_limit(self, parent: str) -> int:
        text = _text(f"{self._root}/{_folder(parent)}/memory.max").strip()
        return int(text) if text.isdigit() else 0

    def _network(self, pids: Sequence[str]) -> samples.Network | None:
        """Counters of the network namespace of the first process. Raises OSError where its processes cannot be seen."""
        if not pids or pids[0] == "0":
            raise FileNotFoundError("the container's processes cannot be seen")
        return samples.network(_text(f"{self._proc}/{pids[0]}/net/dev"))


def _groups(target: Target) -> Iterator[str]:
    """Where the engine may have made the container's group: by itself, or as it asks systemd to."""
    scope = f"docker-{target.runtime_id}.scope"
    if target.parent.endswith(_SLICE):
        yield f"{_folder(target.parent)}/{scope}"
    elif target.parent:
        yield f"{_folder(target.parent)}/{target.runtime_id}"
    yield f"docker/{target.runtime_id}"
    yield f"system.slice/{scope}"


def _folder(parent: str) -> str:
    """Folder of a task's group. A slice lies in those that its name begins with: `a-b.slice` in `a.slice`."""
    if not parent.endswith(_SLICE):
        return parent.strip("/")
    parts = parent.removesuffix(_SLICE).split("-")
    return "/".join("-".join(parts[:count]) + _SLICE for count in range(1, len(parts) + 1))


def _text(path: str, *, optional: bool = False) -> str:
    try:
        file = os.open(path, os.O_RDONLY | os.O_CLOEXEC)
    except FileNotFoundError:
        if optional:
            return ""
        raise
    try:
        return os.read(file, _READ_BYTES).decode("ascii", "replace")
    finally:
        os.close(file)
