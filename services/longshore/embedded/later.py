"""What an embedded stack starts last: the scheduler and the state-tracker.

A module of its own because loading it takes as long as everything before it, numpy above all. `control_plane` does that in a thread, while the
registry and the gateway answer already.
"""

import contextlib
from collections.abc import AsyncIterator, Mapping
from typing import Any

from longshore.client import addresses
from longshore.events import bus as buses
from longshore.metrics import exposition
from longshore.rpc import server
from longshore.scheduler import app as scheduler_app
from longshore.scheduler import config as scheduler_config
from longshore.state_tracker import app as state_tracker_app
from longshore.state_tracker import config as state_tracker_config
from longshore.storage import database as databases


@contextlib.asynccontextmanager
async def serving(
    at: addresses.Addresses,
    settings: Mapping[str, Any],
    *,
    database: databases.Database,
    bus: buses.Bus,
    shown: exposition.Sources | None,
) -> AsyncIterator[tuple[server.Running, ...]]:
    """Serve both inside the block, with the settings that all components share."""
    scheduler = scheduler_config.Config(listen=at.scheduler[0], **settings)
    tracker = state_tracker_config.Config(listen=at.state_tracker[0], **settings)
    async with (
        scheduler_app.serve(scheduler, database=database, bus=bus, shown=shown) as scheduling,
        state_tracker_app.serve(tracker, database=database, bus=bus, shown=shown) as tracking,
    ):
        yield scheduling, tracking
