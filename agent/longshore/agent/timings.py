"""When the last tasks passed each hop on this host, for whoever asks where a launch's time goes (`/v1/timings`).

Bounded, and never read by the agent itself: nothing depends on it, and nothing of it outlives the process.
"""

from collections.abc import Callable, Iterable, Mapping
from enum import StrEnum

from longshore.agent import states

LIMIT = 256
"""Tasks that are remembered; some bursts of a busy host."""


class Hop(StrEnum):
    """What a task passes, in this order, by the name that introspection shows."""

    RECEIVED = "ReceivedAt"
    CREATE_CALLED = "CreateCalledAt"
    CREATED = "CreatedAt"
    STARTED = "StartedAt"
    REPORTED = "ReportedAt"


_REACHED = {
    states.ContainerPhase.CREATING: Hop.CREATE_CALLED,
    # A container that was created is started in the same step.
    states.ContainerPhase.STARTING: Hop.CREATED,
    states.ContainerPhase.RUNNING: Hop.STARTED,
}


class Timings:
    """Moments of the last tasks that were assigned while this process ran, by its clock."""

    __slots__ = ("_clock", "_tasks")

    def __init__(self, clock: Callable[[], int]) -> None:
        self._clock = clock
        self._tasks: dict[str, dict[Hop, int]] = {}

    def received(self, task_ids: Iterable[str], at: int) -> None:
        """Tasks were assigned."""
        for task_id in task_ids:
            self._tasks[task_id] = {Hop.RECEIVED: at}
        while len(self._tasks) > LIMIT:
            del self._tasks[next(iter(self._tasks))]

    def moved(self, task_id: str, phase: states.ContainerPhase) -> None:
        """A container of the task is in a new phase. The first create call counts, and the last container that is up."""
        hop, moments = _REACHED.get(phase), self._tasks.get(task_id)
        if hop is None or moments is None:
            return
        if hop is not Hop.CREATE_CALLED or hop not in moments:
            moments[hop] = self._clock()

    def reported(self, task_id: str) -> None:
        """A report says that the task runs, or that it has ended. The first one counts."""
        if (moments := self._tasks.get(task_id)) is not None and Hop.REPORTED not in moments:
            moments[Hop.REPORTED] = self._clock()

    @property
    def tasks(self) -> Mapping[str, Mapping[Hop, int]]:
        """Microseconds since 1970 by task and hop, the newest task last."""
        return self._tasks
