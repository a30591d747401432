"""What a whole task may use, and the files of its control group that say so. Pure.

Task-level cpu is a hard limit here, as in ECS: a quota of the CPU's time in each period. Task-level memory is the limit of all its
containers together. Both hold because the engine makes the containers' groups inside the task's.
"""

from collections.abc import Mapping
from dataclasses import dataclass

from longshore.rpc import sizes
from longshore.v1 import task_definition_pb2 as definition_pb2
from longshore.v1 import task_pb2

PERIOD_US = 100_000
"""ECS_CGROUP_CPU_PERIOD's default."""
LEAST_QUOTA_US = 1_000
"""The kernel refuses less."""
_MEBIBYTE = 1024 * 1024


LEAST_SHARES, MOST_SHARES = 2, 262_144
"""The kernel's bounds of a CPU weight."""


@dataclass(frozen=True, slots=True)
class TaskLimits:
    """CPU units, MiB and processes of a task; zero where it has no limit of its own."""

    cpu_units: int = 0
    memory_mib: int = 0
    period_us: int = PERIOD_US
    pids: int = 0
    containers_cpu: int = 0
    """CPU units of its containers together: their weight among other tasks, where the task itself has no limit."""

    def __bool__(self) -> bool:
        return bool(self.cpu_units or self.memory_mib or self.pids)

    @property
    def quota_us(self) -> int:
        """CPU time in each period."""
        return max(LEAST_QUOTA_US, self.cpu_units * self.period_us // sizes.UNITS_PER_CPU)

    @property
    def shares(self) -> int:
        """Weight among other tasks."""
        return min(max(LEAST_SHARES, self.cpu_units or self.containers_cpu), MOST_SHARES)

    @property
    def weight(self) -> int:
        """What version 2 has in place of shares, 1 to 10000; converted as the engine converts those of containers."""
        return 1 + (self.shares - LEAST_SHARES) * 9_999 // (MOST_SHARES - LEAST_SHARES)

    @property
    def memory_bytes(self) -> int:
        """Memory of all containers together."""
        return self.memory_mib * _MEBIBYTE


def of(
    definition: definition_pb2.TaskDefinition,
    overrides: task_pb2.TaskOverride,
    *,
    period_us: int = PERIOD_US,
    pids: int = 0,
) -> TaskLimits:
    """The limits of a task of a definition, its overrides laid over them. `pids`: the host's limit for any task."""
    given = {override.name: override.cpu for override in overrides.container_overrides if override.HasField("cpu")}
    return TaskLimits(
        cpu_units=sizes.cpu_units(overrides.cpu or definition.cpu) or 0,
        memory_mib=sizes.memory_mib(overrides.memory or definition.memory) or 0,
        period_us=period_us,
        pids=pids,
        containers_cpu=sum(given.get(part.name, part.cpu) for part in definition.container_definitions),
    )


def files_of_v1(limits: TaskLimits) -> Mapping[str, Mapping[str, str]]:
    """Values by controller and file, in the order in which the kernel takes them."""
    files: dict[str, dict[str, str]] = {"cpu": {}}
    if limits.cpu_units:
        files["cpu"] = {"cpu.cfs_period_us": str(limits.period_us), "cpu.cfs_quota_us": str(limits.quota_us)}
    # Without a weight of its own a group weighs as much as 1024 units, whatever is in it.
    files["cpu"]["cpu.shares"] = str(limits.shares)
    if limits.memory_mib:
        files["memory"] = {"memory.limit_in_bytes": str(limits.memory_bytes)}
    if limits.pids:
        files["pids"] = {"pids.max": str(limits.pids)}
    return files


def files_of_v2(limits: TaskLimits) -> Mapping[str, str]:
    """Values by file."""
    files = {"cpu.weight": str(limits.weight)}
    if limits.cpu_units:
        files["cpu.max"] = f"{limits.quota_us} {limits.period_us}"
    if limits.memory_mib:
        files["memory.max"] = str(limits.memory_bytes)
    if limits.pids:
        files["pids.max"] = str(limits.pids)
    return files
