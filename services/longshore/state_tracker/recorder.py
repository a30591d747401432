"""Records what the sessions report: per cluster, everything that came since the last commit goes into the next one.

A report stays with its agent until it is acknowledged, so nothing here has to be kept: while the database is away the batch is
tried again, and after a commit whose outcome is unknown the numbers say whether it happened.
"""

import time
from collections.abc import Callable, Iterator
from dataclasses import dataclass

import structlog

from longshore.events.bus import Bus
from longshore.rpc import backoff, errors, loops
from longshore.state_tracker import committed, gathering, metrics, report_commit, sessions
from longshore.storage import errors as storage_errors
from longshore.storage.database import Database

# Observations in one transaction: beyond it a commit takes longer than it saves, and holds the event loop and the head of the log.
MAX_TASKS = 500
# Pauses while the database is away.
FIRST_PAUSE_S = 0.05
LONGEST_PAUSE_S = 1.0
# Warnings of one batch; a broken agent must not fill the log.
MAX_WARNINGS = 10

_log = structlog.get_logger(__name__)


@dataclass(frozen=True, slots=True)
class Waiting:
    """A report under way, the session that it came in, and whom to tell when something can go out."""

    session: sessions.Session
    reported: report_commit.Reported
    received: float
    wake: Callable[[], None]


class Recorder:
    """Takes reports of all sessions and commits them."""

    def __init__(self, database: Database, bus: Bus, supervisor: loops.Supervisor, measured: metrics.Metrics) -> None:
        self._database = database
        self._bus = bus
        self._metrics = measured
        self._gatherer: gathering.Gatherer[str, Waiting] = gathering.Gatherer(
            "recorder",
            self._flush,
            supervisor=supervisor,
            limit=MAX_TASKS,
            weigh=lambda waiting: len(waiting.reported.report.tasks),
        )

    def submit(self, cluster: str, waiting: Waiting) -> None:
        """Queue a report; the session hears of the outcome. A session has one report under way, so sessions bound the queue."""
        self._gatherer.put(cluster, waiting)

    async def _flush(self, cluster: str, batch: list[Waiting]) -> None:
        for part in _one_each(batch):
            await self._record(cluster, part)

    async def _record(self, cluster: str, batch: list[Waiting]) -> None:
        pauses = backoff.Backoff(first=FIRST_PAUSE_S, cap=LONGEST_PAUSE_S)
        reports = [waiting.reported for waiting in batch]
        while True:
            try:
                outcome = await self._database.run(lambda dialect: report_commit.commit(dialect, cluster, reports))
            except storage_errors.Unavailable as error:
                _log.warning("reports_not_recorded", cluster=cluster, reports=len(reports), error=str(error))
                await pauses.sleep()
            except Exception:  # noqa: BLE001 - the boundary of the worker
                # One batch must not end the loop. Its agents come again, and their reports with them.
                _log.exception("reports_failed", cluster=cluster, reports=len(reports))
                self._refuse(batch)
                return
            else:
                break
        self._tell(cluster, batch, outcome)
        await committed.publish(self._bus, outcome.committed)

    def _tell(self, cluster: str, batch: list[Waiting], outcome: report_commit.Outcome) -> None:
        now = time.monotonic()
        self._metrics.report_batch.observe(len(batch))
        self._metrics.events_appended += len(outcome.committed.events) if outcome.committed is not None else 0
        for waiting, answer in zip(batch, outcome.answers, strict=True):
            if isinstance(answer, report_commit.Recorded):
                repeated = answer.number > waiting.reported.report.number
                self._metrics.reports_repeated += repeated
                self._metrics.reports_recorded += not repeated
                self._metrics.report_to_commit.observe(now - waiting.received)
                waiting.session.recorded(answer.number)
            else:
                self._metrics.reports_fenced += 1
                waiting.session.end(fenced(waiting.session, answer))
            waiting.wake()
        self._warn(cluster, outcome)

    def _warn(self, cluster: str, outcome: report_commit.Outcome) -> None:
        self._metrics.observations_dropped += len(outcome.dropped)
        for dropped in outcome.dropped[:MAX_WARNINGS]:
            _log.warning(
                "observation_dropped",
                cluster=cluster,
                instance_id=dropped.instance_id,
                task_id=dropped.task_id,
                error_reason=dropped.why,
                dropped=len(outcome.dropped),
            )

    @staticmethod
    def _refuse(batch: list[Waiting]) -> None:
        for waiting in batch:
            waiting.session.end(errors.Unavailable("The report could not be recorded; begin another session."))
            waiting.wake()


def fenced(session: sessions.Session, answer: report_commit.Fenced) -> errors.ServiceError:
    """What a session is told that is no longer its instance's."""
    if answer.gone:
        return errors.ResourceNotFoundException(f"Container instance {session.instance_id} was deregistered.")
    if answer.holder not in {"", session.process_id}:
        return errors.Aborted(
            f"Agent process {answer.holder} speaks for container instance {session.instance_id} now.",
            holder=answer.holder,
        )
    return errors.Unavailable(f"The session of container instance {session.instance_id} is over; begin another.")


def _one_each(batch: list[Waiting]) -> Iterator[list[Waiting]]:
    """Parts in which each instance occurs once: after a session was replaced, its last report and the next one's first may meet."""
    while batch:
        part: dict[str, Waiting] = {}
        rest = [waiting for waiting in batch if part.setdefault(waiting.reported.instance_id, waiting) is not waiting]
        yield list(part.values())
        batch = rest
