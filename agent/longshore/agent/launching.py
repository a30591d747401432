"""What bringing containers up needs of the engine of tasks, and has in common: see `pulling`, `creating` and `starting`."""

from collections.abc import Awaitable, Callable, Mapping
from typing import Protocol, TypeVar

import structlog

from longshore.agent import (
    cgroups,
    container_names,
    devices,
    image_ledger,
    pausing,
    ports,
    pulls,
    runtime,
    task_events,
    task_record,
)
from longshore.rpc import backoff

_log = structlog.get_logger(__name__)
_Answer = TypeVar("_Answer")

FIRST_PAUSE_S = 0.2
LONGEST_PAUSE_S = 5.0


class Host(Protocol):
    """What those who bring containers up and down need of the task engine."""

    runtime: runtime.ContainerRuntime
    ports: ports.Ports
    owner: container_names.Owner
    images: image_ledger.Ledger
    clock: Callable[[], int]

    @property
    def pausing(self) -> pausing.Pausing:
        """What hidden containers need of the engine."""

    @property
    def groups(self) -> cgroups.Groups | None:
        """Control groups of tasks, where this host has any."""

    @property
    def pull_behavior(self) -> pulls.Behavior:
        """When images are pulled."""

    @property
    def awslogs(self) -> bool:
        """Whether the log driver of that name is left to the engine."""

    @property
    def publish_address(self) -> str:
        """Where ports are published; empty for every address."""

    @property
    def gpus(self) -> devices.Gpus:
        """The GPUs of this host."""

    @property
    def cpu_period_us(self) -> int:
        """Period in which the CPU time of whole tasks is limited."""

    @property
    def shared_volume_match_full_config(self) -> bool:
        """Whether a shared volume that is there has to be as the definition describes it."""

    @property
    def task_pids_limit(self) -> int:
        """Processes that any task may have; zero for no limit."""

    @property
    def metadata_variables(self) -> Callable[[str, str], Mapping[str, str]]:
        """Variables that tell a container, by task id and name, where it finds its metadata; none where it is not served."""

    def post(self, record: task_record.TaskRecord, event: task_events.Event) -> None:
        """Apply an event to a task."""

    def unlink(self, runtime_id: str) -> None:
        """Expect no more news of a container."""


async def retried(call: Callable[[], Awaitable[_Answer]]) -> _Answer:
    """Call until the engine can be asked."""
    pauses = backoff.Backoff(first=FIRST_PAUSE_S, cap=LONGEST_PAUSE_S)
    while True:
        try:
            return await call()
        except runtime.RuntimeFailure as error:
            if not error.retriable:
                raise
            _log.warning("engine_unavailable", error_reason=error.reason)
        await pauses.sleep()


def died(container: str, found: runtime.ContainerSnapshot) -> task_events.ContainerDied:
    """The end of a container as an inspection told it."""
    return task_events.ContainerDied(
        container,
        found.exit_code,
        out_of_memory=found.out_of_memory,
        finished_at=found.finished_at,
        runtime_id=found.runtime_id,
    )
