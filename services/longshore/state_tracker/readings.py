"""Reads assignments from the tables for the sessions that lack something, all that wait in one snapshot."""

import structlog

from longshore.rpc import backoff, errors, loops
from longshore.state_tracker import assignment_tables, gathering, held, metrics
from longshore.storage import definitions
from longshore.storage import errors as storage_errors
from longshore.storage.database import Database

# Sessions of one read: their rows are in memory together.
MAX_SESSIONS = 50
FIRST_PAUSE_S = 0.05
LONGEST_PAUSE_S = 1.0

_log = structlog.get_logger(__name__)


class Readings:
    """Serves sessions that are behind."""

    def __init__(self, database: Database, supervisor: loops.Supervisor, measured: metrics.Metrics) -> None:
        self._database = database
        self._metrics = measured
        self._bodies = definitions.Bodies()
        self._gatherer: gathering.Gatherer[None, held.Live] = gathering.Gatherer(
            "readings", self._flush, supervisor=supervisor, limit=MAX_SESSIONS
        )

    def request(self, live: held.Live) -> None:
        """Read for a session; it is woken when that is done. Without effect while it is being done."""
        if not live.reading:
            live.reading = True
            self._gatherer.put(None, live)

    async def _flush(self, _: None, batch: list[held.Live]) -> None:
        wanted = [
            assignment_tables.Wanted(live.session.instance_id, live.session.tip, live.session.claim) for live in batch
        ]
        pauses = backoff.Backoff(first=FIRST_PAUSE_S, cap=LONGEST_PAUSE_S)
        while True:
            try:
                found = await self._database.read(lambda dialect: assignment_tables.read(dialect, wanted))
                bodies = await self._bodies.load(self._database, {key for rows in found for key in rows.definitions()})
            except storage_errors.Unavailable as error:
                _log.warning("assignments_not_read", sessions=len(batch), error=str(error))
                await pauses.sleep()
            except Exception:  # noqa: BLE001 - the boundary of the worker
                _log.exception("assignments_failed", sessions=len(batch))
                for live in batch:
                    live.end(errors.Unavailable("The assignment could not be read; begin another session."))
                return
            else:
                break
        for live, want, rows in zip(batch, wanted, found, strict=True):
            live.reading = False
            live.session.read(assignment_tables.render(rows, bodies, after=want.after))
            live.wake.set()
        self._metrics.assignments_read += len(batch)
        self._metrics.full_sets += sum(rows.base == 0 and bool(rows.revision) for rows in found)
