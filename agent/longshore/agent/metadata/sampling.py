"""Samples what containers use, all of them in one pass now and then, and keeps the latest of each.

A pass reads the kernel's files in a thread; containers that cannot be seen there are asked of the engine, a few at a time. There is
no task, timer or connection for a single container. The session takes each new sample once and tells the state-tracker.
"""

import asyncio
import time
from collections.abc import Callable, Iterable, Sequence

import structlog

from longshore.agent import engine, runtime, states, task_limits, task_record
from longshore.agent.metadata import cgroup_statistics, samples
from longshore.v1 import statistics_pb2
from longshore.v1 import task_definition_pb2 as definition_pb2

_log = structlog.get_logger(__name__)

_MICROSECONDS = 1_000_000
_NANOSECONDS_IN_MICROSECOND = 1000
_ASKED_AT_ONCE = 16
"""Questions to the engine at a time: it has other work, but lets each wait for its own next look at the container, up to a second."""
_RUNS = frozenset({states.ContainerPhase.RUNNING, states.ContainerPhase.RESTARTING, states.ContainerPhase.STOPPING})

Read = Callable[[cgroup_statistics.Target], samples.Sample | None]


class Sampling:
    """The samples of one host."""

    def __init__(self, host: engine.TaskEngine, read: Read, *, memory_bytes: int, every_s: float) -> None:
        """`read`: a container's sample from the kernel's files; None where they cannot be seen. `memory_bytes`: the host's."""
        self._host = host
        self._memory_bytes = memory_bytes
        self._read = read
        self._every_s = every_s
        self._before: dict[str, tuple[int, int]] = {}
        """CPU time and its moment, both in nanoseconds, of the sample before, by the container's runtime id."""
        self._fresh: statistics_pb2.InstanceStatistics | None = None

    async def run(self) -> None:
        """Sample for ever."""
        while True:
            await asyncio.sleep(self._every_s)
            try:
                await self.pass_once()
            except Exception:  # noqa: BLE001 - numbers that are only shown are not worth the agent
                _log.exception("containers_not_measured")

    async def pass_once(self) -> None:
        """Measure every running container."""
        targets = [target for record in self._host.tasks.values() for target in targets_of(self._host, record)]
        if not targets and not self._before:
            return
        began = self._host.clock()
        found = await asyncio.to_thread(self._read_all, targets)
        unseen = [position for position, sample in enumerate(found) if sample is None]
        if unseen:
            for position, sample in zip(unseen, await self._ask([targets[at] for at in unseen]), strict=True):
                found[position] = sample
        self._take(targets, found, began)

    def take(self) -> statistics_pb2.InstanceStatistics | None:
        """The latest statistics, once; None where they were taken already."""
        fresh, self._fresh = self._fresh, None
        return fresh

    def _read_all(self, targets: Iterable[cgroup_statistics.Target]) -> list[samples.Sample | None]:
        return [self._read(target) for target in targets]

    async def _ask(self, targets: Sequence[cgroup_statistics.Target]) -> list[samples.Sample | None]:
        slots = asyncio.Semaphore(_ASKED_AT_ONCE)

        async def ask(target: cgroup_statistics.Target) -> samples.Sample | None:
            async with slots:
                try:
                    return samples.of_docker(await self._host.runtime.statistics(target.runtime_id))
                except runtime.RuntimeFailure as error:
                    # It has just ended, or the engine is away: the next pass will tell.
                    _log.debug("container_not_measured", task_id=target.task_id, error_reason=error.reason)
                    return None

        return list(await asyncio.gather(*map(ask, targets)))

    def _take(
        self,
        targets: Sequence[cgroup_statistics.Target],
        measured: Sequence[samples.Sample | None],
        at: int,
    ) -> None:
        found = statistics_pb2.InstanceStatistics()
        tasks: dict[str, statistics_pb2.TaskStatistics] = {}
        now_ns = time.monotonic_ns()
        before, self._before = self._before, {}
        for target, sample in zip(targets, measured, strict=True):
            if sample is None:
                continue
            task = tasks.get(target.task_id)
            if task is None:
                task = tasks[target.task_id] = found.tasks.add(task=target.task_id)
                task.sampled_at.FromMicroseconds(at)
            used, since_ns = before.get(target.runtime_id, (0, now_ns - _age_ns(target, at)))
            percent = samples.cpu_percent(sample.cpu_ns - used, now_ns - since_ns)
            limits = (sample.memory_limit, target.task_memory_bytes, self._memory_bytes)
            limit = min(limit for limit in limits if limit > 0)
            task.containers.append(message(target, sample, cpu_percent=percent, memory_limit=limit))
            self._before[target.runtime_id] = sample.cpu_ns, now_ns
        self._fresh = found


def targets_of(host: engine.TaskEngine, record: task_record.TaskRecord) -> list[cgroup_statistics.Target]:
    """The running containers of a task."""
    running = [(plan.name, state) for plan, state in record.state.shown if state.phase in _RUNS and state.runtime_id]
    if not running:
        return []
    parent = host.groups.parent(record.task_id) if host.groups is not None else ""
    limits = task_limits.of(record.definition.message, record.assigned.overrides) if parent else None
    task_memory = limits.memory_bytes if limits is not None else 0
    own_network = record.definition.message.network_mode not in _NETWORKLESS
    return [
        cgroup_statistics.Target(
            record.task_id, name, state.runtime_id, parent, own_network, state.started_at, task_memory
        )
        for name, state in running
    ]


_NETWORKLESS = frozenset({definition_pb2.NETWORK_MODE_HOST, definition_pb2.NETWORK_MODE_NONE})


def message(
    target: cgroup_statistics.Target, sample: samples.Sample, *, cpu_percent: float, memory_limit: int
) -> statistics_pb2.ContainerStatistics:
    """A sample as the state-tracker is told. Pure."""
    told = statistics_pb2.ContainerStatistics(
        name=target.container,
        runtime_id=target.runtime_id,
        cpu_total_ns=sample.cpu_ns,
        cpu_percent=cpu_percent,
        memory_used_bytes=sample.memory_used,
        memory_limit_bytes=memory_limit,
        block_read_bytes=sample.block_read,
        block_write_bytes=sample.block_written,
        pids=sample.pids,
    )
    if sample.network is not None:
        told.network_rx_bytes, told.network_tx_bytes = sample.network.received, sample.network.sent
    return told


def _age_ns(target: cgroup_statistics.Target, at: int) -> int:
    """How long a container has run. At least a second: what starting it took is not what it uses."""
    age = max(_MICROSECONDS, at - target.started_at)
    return age * _NANOSECONDS_IN_MICROSECOND if target.started_at else 0
