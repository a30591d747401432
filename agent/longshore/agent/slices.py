"""Control groups of tasks on a host whose engine leaves them to systemd: a slice for each task that has limits of its own.

The engine makes a container's scope in the slice that it is told; systemd makes the slice when the first scope asks for it, and looks then
for a unit file of its name. So the limits are a unit file in systemd's folder for this boot, `longshore-<home>-<task id>.slice`, written
before the first create: nothing has to be reloaded, no bus to be spoken to, and after a reboot nothing is left. A slice ends by itself
with the last scope in it.
"""

import asyncio
from collections.abc import Iterable
from pathlib import Path

import structlog

from longshore.agent import cgroups, task_limits

_log = structlog.get_logger(__name__)

UNITS = Path("/run/systemd/system")
"""Made by systemd at boot, so that it is there exactly where systemd is."""
_SUFFIX = ".slice"
_TEN_PERCENTS = 1_000


class Slices:
    """The slices of one agent's tasks."""

    def __init__(self, home: str, *, cgroup_version: int, units: Path = UNITS) -> None:
        self._prefix = f"{cgroups.BASE}-{home}-"
        self._version = cgroup_version
        self._units = units

    def parent(self, task_id: str) -> str:
        """What the engine is told of a task's slice."""
        return f"{self._prefix}{task_id}{_SUFFIX}"

    async def limit(self, task_id: str, limits: task_limits.TaskLimits) -> None:
        """Have the unit of the task's slice there. Raises NotLimited."""
        try:
            async with asyncio.timeout(cgroups.CALL_TIMEOUT_S):
                await asyncio.to_thread(self._write, self._units / self.parent(task_id), unit(limits, self._version))
        except OSError as error:  # TimeoutError is one
            raise cgroups.NotLimited(
                f"the limits of the task could not be set: {str(error) or 'the file system did not answer'}"
            ) from error

    async def remove(self, task_id: str) -> None:
        """Remove the unit of the task's slice."""
        await asyncio.to_thread(self._remove, [self._units / self.parent(task_id)])

    async def sweep(self, known: Iterable[str]) -> None:
        """Remove units of tasks that are not known any more."""
        await asyncio.to_thread(self._sweep, {self.parent(task_id) for task_id in known})

    def _write(self, file: Path, text: str) -> None:
        # One that says the same is left alone: systemd would take a newer file for a change that it has not read.
        if file.exists() and file.read_text() == text:
            return
        whole = file.with_name(f".{file.name}.new")
        whole.write_text(text)
        whole.replace(file)

    def _sweep(self, known: set[str]) -> None:
        self._remove(file for file in list(self._units.glob(f"{self._prefix}*{_SUFFIX}")) if file.name not in known)

    def _remove(self, files: Iterable[Path]) -> None:
        for file in files:
            try:
                file.unlink(missing_ok=True)
            except OSError as error:
                _log.warning("slice_not_removed", file=str(file), error_reason=str(error))


def unit(limits: task_limits.TaskLimits, cgroup_version: int) -> str:
    """The unit file of a slice with these limits."""
    lines = ["[Unit]", "Description=A task of Longshore", "StopWhenUnneeded=yes", "", "[Slice]"]
    if cgroup_version == 1:
        lines.append(f"CPUShares={limits.shares}")
    else:
        lines.append(f"CPUWeight={limits.weight}")
    if limits.cpu_units:
        # In percent of one CPU with one decimal, which is all that older versions read; never less than was asked for.
        tenths = -(-limits.quota_us * _TEN_PERCENTS // limits.period_us)
        lines.append(f"CPUQuota={tenths // 10}.{tenths % 10}%")
        lines.append(f"CPUQuotaPeriodSec={limits.period_us}us")
    if limits.memory_mib:
        lines.append(f"{'MemoryLimit' if cgroup_version == 1 else 'MemoryMax'}={limits.memory_bytes}")
    if limits.pids:
        lines.append(f"TasksMax={limits.pids}")
    return "\n".join([*lines, ""])


def found(home: str, *, cgroup_version: int, units: Path = UNITS) -> Slices | None:
    """The slices of this host, where systemd runs and its units are ours to write."""
    probe = units / f".{cgroups.BASE}-probe"
    try:
        probe.touch()
        probe.unlink()
    except OSError:
        return None
    return Slices(home, cgroup_version=cgroup_version, units=units)
