"""Reads what a task writes, from its beginning to its end, whatever goes wrong on the way."""

import asyncio
import contextlib

from longshore.client import client as clients
from longshore.drill import journal
from longshore.drill.agent import lines, watching
from longshore.rpc import errors

END_BOUND_S = 90.0
"""From the task's end until everything has come: a strike may last so long."""


async def listen(client: clients.Client, watch: watching.Watch, notes: journal.Journal, task_id: str) -> None:
    """Follow a task's output; what came is noted, and how it ended."""
    heard = lines.Lines()
    reading = asyncio.ensure_future(_read(client, task_id, heard))
    stopped = asyncio.ensure_future(watch.until(task_id, watching.STOPPED))
    try:
        await asyncio.wait({reading, stopped}, return_when=asyncio.FIRST_COMPLETED)
        await asyncio.wait({reading}, timeout=END_BOUND_S)
        error = _fault(reading)
    finally:
        for waiting in (reading, stopped):
            waiting.cancel()
        await asyncio.gather(reading, stopped, return_exceptions=True)
    notes.write(
        "read",
        task=task_id,
        lines=heard.read,
        missing=heard.missing,
        repeated=heard.repeated,
        kept=heard.kept,
        error=error,
    )


def _fault(reading: "asyncio.Future[None]") -> str:
    if not reading.done():
        return f"it did not end within {END_BOUND_S:.0f} s of the task"
    error = reading.exception()
    if error is None:
        return ""
    if isinstance(error, errors.ServiceError):
        return f"{error.reason}: {error.message}"
    raise error


async def _read(client: clients.Client, task_id: str, heard: lines.Lines) -> None:
    async with contextlib.aclosing(client.logs(task_id, cluster="default", follow=True)) as outputs:
        async for output in outputs:
            heard.kept = heard.kept or output.from_tail or output.truncated
            for piece in output.pieces if not output.from_tail else ():
                heard.take(piece.data)
