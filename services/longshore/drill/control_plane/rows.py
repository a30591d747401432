"""What is asked at the end, past every component: the tables, and the journal of the simulated engines."""

import json
from collections.abc import Iterable
from typing import Any

from longshore.drill import journal
from longshore.drill.control_plane import servers, watching, world
from longshore.v1 import event_pb2

_CHUNK = 500
_HEX = "\\x"

_INTENTS = "SELECT task_id, instance_id, started_by, desired_status, revision, cpu, memory FROM task_intents"
_OBSERVATIONS = "SELECT task_id, last_status, released, revision FROM task_observations"
_INSTANCES = (
    "SELECT s.instance_id, COALESCE(a.placed, 0) AS placed, s.running, s.left_pending"
    " FROM instance_sessions s LEFT JOIN assignments a ON a.instance_id = s.instance_id"
)
_EVENTS = "SELECT body FROM events WHERE cluster = 'default' AND sequence <= {} ORDER BY sequence"
_HEAD = "SELECT sequence, pending_tasks, running_tasks FROM log_head WHERE cluster = 'default'"


async def head(database: servers.Database) -> dict[str, Any]:
    """Where the log ends, and what is counted."""
    (row,) = await database.rows(_HEAD)
    return row


async def note(made: world.World, notes: journal.Journal) -> None:
    """Write down all that the judgement reads of them."""
    for what, sql in (("intents", _INTENTS), ("observations", _OBSERVATIONS), ("instances", _INSTANCES)):
        for part in watching.batched(await made.database.rows(sql), _CHUNK):
            notes.write(what, rows=part)
    end = await head(made.database)
    notes.write("head", **end)
    for events in watching.batched(_events(await made.database.rows(_EVENTS.format(end["sequence"]))), _CHUNK):
        notes.write("logged", events=events)
    with made.containers.open(encoding="utf-8") as lines:
        for part in watching.batched((json.loads(line) for line in lines), _CHUNK):
            notes.write("containers", news=part)


def _events(rows: Iterable[dict[str, Any]]) -> Iterable[list[object]]:
    for row in rows:
        yield watching.summary(event_pb2.Event.FromString(bytes.fromhex(row["body"].removeprefix(_HEX))))
