"""Control groups of tasks: the parent groups in which the engine makes the groups of their containers.

A task with limits of its own has the group `/longshore/<home>/<task id>` in every hierarchy. The kernel is the only store: making a group
that is there and setting a limit that holds changes nothing, so nothing is written down and a crash at any point is made good by the
next create. A group can be removed once no container is left in it.

Works where the engine uses the cgroupfs driver. With the systemd driver groups are systemd's to make (`slices`).
"""

import asyncio
import contextlib
import errno
import os
import signal
import time
from collections.abc import Iterable, Iterator, Mapping
from pathlib import Path
from typing import Protocol

import structlog

from longshore.agent import runtime, task_limits

_log = structlog.get_logger(__name__)

ROOT = Path("/sys/fs/cgroup")
BASE = "longshore"
CONTROLLERS_OF_V2 = "+cpu +memory +pids"
CALL_TIMEOUT_S = 10.0
"""The kernel answers at once; a host that is stuck must not hold a create for ever."""

_END_TRIES = 40
_END_PAUSE_S = 0.05
"""A killed process leaves its group within a few milliseconds, after two seconds never."""

_BUSY = frozenset({errno.EBUSY, errno.ENOTEMPTY})


class NotLimited(Exception):  # noqa: N818 - named by what is wrong
    """The limits of a task could not be set. The message says where and why."""


class Groups(Protocol):
    """Where tasks with limits of their own have them: the kernel's groups, or those of a simulated host."""

    def parent(self, task_id: str) -> str:
        """What the engine is told of a task's group; empty for nothing."""

    async def limit(self, task_id: str, limits: task_limits.TaskLimits) -> None:
        """Have the limits in place. Raises NotLimited."""

    async def remove(self, task_id: str) -> None:
        """Let go of a task that has gone. Doing so twice changes nothing."""

    async def sweep(self, known: Iterable[str]) -> None:
        """Let go of all tasks that are not known any more."""


class Hierarchy(Protocol):
    """One generation of the kernel's interface."""

    def folders(self, group: str) -> Iterator[Path]:
        """Every folder that stands for a group."""

    def limit(self, group: str, limits: task_limits.TaskLimits) -> None:
        """Make a group and set its limits."""


class V1:
    """A hierarchy for each controller."""

    def __init__(self, root: Path) -> None:
        self._root = root

    def folders(self, group: str) -> Iterator[Path]:
        """The group's folder in each hierarchy that has it; the engine makes it in those that we do not need."""
        return (folder for hierarchy in sorted(self._root.iterdir()) if (folder := hierarchy / group).is_dir())

    def limit(self, group: str, limits: task_limits.TaskLimits) -> None:
        """Make the group where it limits something, and set the limits."""
        for controller, files in task_limits.files_of_v1(limits).items():
            hierarchy = self._root / controller
            if not hierarchy.is_dir():
                # Beside the hierarchies a folder of any name can be made, and would limit nothing.
                raise FileNotFoundError(f"this host has no control groups for {controller}")
            folder = hierarchy / group
            folder.mkdir(parents=True, exist_ok=True)
            _write(folder, files)


class V2:
    """One hierarchy for all controllers, each handed down from group to group."""

    def __init__(self, root: Path) -> None:
        self._root = root

    def folders(self, group: str) -> Iterator[Path]:
        """The one folder of the group, if it is there."""
        folder = self._root / group
        if folder.is_dir():
            yield folder

    def limit(self, group: str, limits: task_limits.TaskLimits) -> None:
        """Make the group, with the controllers handed down to it and to what will be in it, and set the limits."""
        folder = self._root
        for part in (*group.split("/"), ""):
            _write(folder, {"cgroup.subtree_control": CONTROLLERS_OF_V2})
            folder /= part
            folder.mkdir(exist_ok=True)
        _write(folder, task_limits.files_of_v2(limits))


class Cgroups:
    """The groups of one agent's tasks."""

    def __init__(self, hierarchy: Hierarchy, home: str) -> None:
        self._hierarchy = hierarchy
        self._base = f"{BASE}/{home}"

    def parent(self, task_id: str) -> str:
        """What the engine is told of a task's group."""
        return f"/{self._group(task_id)}"

    async def limit(self, task_id: str, limits: task_limits.TaskLimits) -> None:
        """Make the task's group. Raises NotLimited."""
        try:
            async with asyncio.timeout(CALL_TIMEOUT_S):
                await asyncio.to_thread(self._limit, self._group(task_id), limits)
        except OSError as error:  # TimeoutError is one
            raise NotLimited(
                f"the limits of the task could not be set: {str(error) or 'the kernel did not answer'}"
            ) from error

    async def remove(self, task_id: str) -> None:
        """End what still runs in the task's group, and remove it, and ours where it was the last.

        Called when the engine has no container of the task any more. An engine that was killed while it started one may have forgotten the
        process that it had made; nobody else would ever end that.
        """
        await asyncio.to_thread(self._end, self._group(task_id))
        await asyncio.to_thread(self._remove, [task_id])

    async def sweep(self, known: Iterable[str]) -> None:
        """Remove groups of tasks that are not known any more."""
        await asyncio.to_thread(self._sweep, frozenset(known))

    def _group(self, task_id: str) -> str:
        return f"{self._base}/{task_id}"

    def _limit(self, group: str, limits: task_limits.TaskLimits) -> None:
        try:
            self._hierarchy.limit(group, limits)
        except FileNotFoundError:
            # Somebody has removed a group above it as empty, this agent or another one: they will not find it so twice.
            self._hierarchy.limit(group, limits)

    def _sweep(self, known: frozenset[str]) -> None:
        found = {
            child.name for folder in self._hierarchy.folders(self._base) for child in folder.iterdir() if child.is_dir()
        }
        self._remove(found - known)

    def _end(self, group: str) -> None:
        """Kill what is left in a group, and remove the groups in it."""
        for attempt in range(_END_TRIES):
            left = {pid for folder in self._hierarchy.folders(group) for pid in _processes(folder)}
            if not left:
                break
            if not attempt:
                _log.warning("forgotten_processes_killed", group=group, processes=sorted(left))
            for pid in left:
                with contextlib.suppress(ProcessLookupError):
                    os.kill(pid, signal.SIGKILL)
            time.sleep(_END_PAUSE_S)
        for folder in list(self._hierarchy.folders(group)):
            for inner, _, _ in os.walk(folder, topdown=False):
                with contextlib.suppress(OSError):  # the removal of the group itself says what is wrong
                    os.rmdir(inner)  # noqa: PTH106 - os.walk gives names

    def _remove(self, task_ids: Iterable[str]) -> None:
        for group in (*map(self._group, task_ids), self._base, BASE):
            for folder in list(self._hierarchy.folders(group)):
                try:
                    folder.rmdir()
                except OSError as error:
                    if error.errno not in _BUSY and folder.is_dir():
                        _log.warning("cgroup_not_removed", folder=str(folder), error_reason=str(error))


def found(engine: runtime.EngineInfo, home: str, root: Path = ROOT) -> Cgroups | None:
    """The groups of this host, where we can make any that its engine then uses."""
    if engine.cgroup_driver != "cgroupfs":
        return None
    hierarchy: Hierarchy
    if engine.cgroup_version == 2 and (root / "cgroup.controllers").exists():
        hierarchy, needed = V2(root), [root]
    else:
        hierarchy, needed = V1(root), [root / "cpu", root / "memory"]
    return Cgroups(hierarchy, home) if all(_writable(folder) for folder in needed) else None


def _processes(folder: Path) -> Iterator[int]:
    """Processes of a group and of those in it."""
    for file in folder.rglob("cgroup.procs"):
        with contextlib.suppress(OSError):  # removed meanwhile
            yield from map(int, file.read_text().split())


def _writable(folder: Path) -> bool:
    """Whether groups can be made here; asked by making one, because a read-only mount looks like any other."""
    probe = folder / f"{BASE}-probe"
    try:
        probe.mkdir(exist_ok=True)
        probe.rmdir()
    except OSError:
        return False
    return True


def _write(folder: Path, files: Mapping[str, str]) -> None:
    for name, value in files.items():
        (folder / name).write_text(value)
