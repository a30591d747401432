"""Which tasks the control plane still has to hear of, and the numbered reports that tell it. Pure.

An observation is whole, so a task is only ever marked: however often it changes before the next report, it goes out once, as it
is then. One report is unacknowledged at a time; what changes meanwhile gathers for the next one.
"""

from collections.abc import Callable, Iterable
from dataclasses import dataclass

from longshore.v1 import agent_service_pb2, log_pb2

TASK_LIMIT = 1000
"""Most tasks in one report, by the protocol."""
BYTES_LIMIT = 1024 * 1024
"""Bound of one report, a quarter of what gRPC lets a server receive by default."""


TailKey = tuple[str, str]
"""Task and container of some last lines."""


@dataclass(frozen=True, slots=True)
class Acknowledged:
    """A task whose observation is recorded; `released` if that observation was its last."""

    task_id: str
    released: bool


class Reports:
    """What is to be told, what is on its way."""

    __slots__ = ("_dirty", "_in_flight", "_recorded", "_tails", "_told")

    def __init__(self) -> None:
        self._dirty: dict[str, None] = {}
        self._in_flight: agent_service_pb2.Report | None = None
        self._recorded = 0
        self._tails: dict[TailKey, log_pb2.LogTail] = {}
        self._told: list[TailKey] = []

    def mark(self, task_id: str) -> None:
        """A task has changed."""
        self._dirty[task_id] = None

    def add_tail(self, tail: log_pb2.LogTail) -> None:
        """The last lines of a container go with the next report. Few at a time: they are kept until they are acknowledged."""
        self._tails[tail.task_id, tail.container] = tail

    @property
    def tails_waiting(self) -> bool:
        """Whether last lines are to be told, or on their way."""
        return bool(self._tails) or (self._in_flight is not None and bool(self._in_flight.log_tails))

    def take_told(self) -> list[TailKey]:
        """The containers whose last lines have been acknowledged since this was last asked."""
        told, self._told = self._told, []
        return told

    def drop(self, task_ids: Iterable[str]) -> None:
        """These tasks are no longer ours to report."""
        for task_id in task_ids:
            self._dirty.pop(task_id, None)

    @property
    def due(self) -> bool:
        """Whether a report could be sent now."""
        return bool(self._dirty or self._tails) and self._in_flight is None

    @property
    def settled(self) -> bool:
        """Whether everything has been told and confirmed."""
        return not self._dirty and not self._tails and self._in_flight is None

    def next(
        self, observe: Callable[[str], agent_service_pb2.TaskObservation | None]
    ) -> agent_service_pb2.Report | None:
        """The next report, None if nothing is due. `observe` gives a task's observation, None if the task is gone."""
        if not self.due:
            return None
        report = agent_service_pb2.Report(number=self._recorded + 1)
        size = 0
        for task_id in tuple(self._dirty):
            observation = observe(task_id)
            if observation is not None:
                size += observation.ByteSize()
                if report.tasks and size > BYTES_LIMIT:
                    break
                report.tasks.append(observation)
            del self._dirty[task_id]
            if len(report.tasks) == TASK_LIMIT:
                break
        report.log_tails.extend(self._tails.values())
        self._tails = {}
        if not report.tasks and not report.log_tails:
            return None
        self._in_flight = report
        return report

    def acknowledge(self, number: int) -> tuple[Acknowledged, ...]:
        """A report is recorded; return its tasks. A number that is not on its way changes nothing."""
        report = self._in_flight
        if report is None or number < report.number:
            return ()
        self._in_flight = None
        self._recorded = report.number
        self._told += [(tail.task_id, tail.container) for tail in report.log_tails]
        return tuple(Acknowledged(task.task_id, task.released) for task in report.tasks)

    @property
    def recorded(self) -> int:
        """Number of the last report that was acknowledged, as far as is known here."""
        return self._recorded

    def resume(self, recorded: int) -> None:
        """Go on from what a former process of this agent had acknowledged."""
        self._recorded = recorded

    def reopen(self, recorded: int) -> bool:
        """A new session has begun and names the last recorded report. Whether that is less than what was acknowledged once.

        Then the control plane has forgotten something: its database was restored. What was on its way is told again in any case. Its
        number proves nothing, since the same number may have been given to another report, by this agent before a restore or by a
        second one of the same identity; and an observation that comes twice changes nothing.
        """
        forgotten = recorded < self._recorded
        if self._in_flight is not None:
            # Before what has changed since: the order of first changes is kept.
            self._dirty = {task.task_id: None for task in self._in_flight.tasks} | self._dirty
            for tail in self._in_flight.log_tails:
                self._tails.setdefault((tail.task_id, tail.container), tail)
            self._in_flight = None
        self._recorded = recorded
        return forgotten
