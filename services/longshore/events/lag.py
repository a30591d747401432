"""How far behind the logs of its clusters a process is: looked at now and then, for whoever watches over it.

Every tail finds out by itself where it has to read on; nothing waits for what is measured here.
"""

import asyncio
from collections.abc import Callable, Mapping

from longshore.storage import errors, log
from longshore.storage.database import Database

INTERVAL_S = 5.0
"""Between two looks: one small query, well below what scrapes every 15 s would miss."""


async def run(database: Database, positions: Callable[[], Mapping[str, int]], shown: dict[str, int]) -> None:
    """Keep `shown` at the number of events that each cluster is behind, for ever. While the database is away it stays as it was."""
    while True:
        await asyncio.sleep(INTERVAL_S)
        await look(database, positions, shown)


async def look(database: Database, positions: Callable[[], Mapping[str, int]], shown: dict[str, int]) -> None:
    """Look once. The positions are taken after the heads: what came meanwhile is no lag."""
    clusters = sorted(positions())
    try:
        heads = await database.read(lambda dialect: log.sequences_of(dialect, clusters)) if clusters else {}
    except errors.Unavailable:
        return
    reached = positions()
    lags = {cluster: max(0, heads[cluster] - reached[cluster]) for cluster in reached if cluster in heads}
    for cluster in shown.keys() - lags:
        del shown[cluster]
    shown.update(lags)
