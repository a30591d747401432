"""The control plane in one process: registry, scheduler and state-tracker over one database and one bus, all on loopback."""

import contextlib
from collections.abc import AsyncIterator
from typing import Any

from longshore.client import addresses
from longshore.embedded import config, holder
from longshore.events import bus as buses
from longshore.metrics import exposition
from longshore.registry import app as registry_app
from longshore.registry import config as registry_config
from longshore.rpc import server
from longshore.scheduler import app as scheduler_app
from longshore.scheduler import config as scheduler_config
from longshore.state_tracker import app as state_tracker_app
from longshore.state_tracker import config as state_tracker_config
from longshore.storage import database as databases

LOOPBACK = "127.0.0.1"
EVENTS_URL = "memory://"


def client_addresses(port_base: int) -> addresses.Addresses:
    """Where a stack's components listen."""
    at = {name: (f"{LOOPBACK}:{port}",) for name, port in holder.ports(port_base).items()}
    return addresses.Addresses(at["registry"], at["scheduler"], at["state_tracker"])


@contextlib.asynccontextmanager
async def running(
    options: config.Up, folders: config.Folders, shown: exposition.Sources | None = None
) -> AsyncIterator[tuple[server.Serving, ...]]:
    """Serve the control plane inside the block, with its measurements among those `shown`.

    Raises storage.errors.StateInUse where another process has the state, server.BindError where a port is taken.
    """
    at = client_addresses(options.port_base)
    database_url = f"sqlite://{folders.database}"
    shared: dict[str, Any] = {
        "database_url": database_url,
        "events_url": EVENTS_URL,
        "state_dir": folders.state,
        "account": options.account,
        "region": options.region,
        # Whatever region a tool is set to: its requests come from this machine, and mean this stack.
        "any_region": True,
        "log_level": options.log_level,
        "registry": at.registry,
        "scheduler": at.scheduler,
        "state_tracker": at.state_tracker,
    }
    async with contextlib.AsyncExitStack() as stack:
        database = await databases.open_database(database_url)
        stack.push_async_callback(database.close)
        bus = await buses.open_bus(EVENTS_URL)
        stack.push_async_callback(bus.close)
        registry = registry_config.Config(
            listen=at.registry[0], seal_key_file=folders.seal_key, make_seal_key=True, **shared
        )
        scheduler = scheduler_config.Config(listen=at.scheduler[0], **shared)
        tracker = state_tracker_config.Config(listen=at.state_tracker[0], **shared)
        yield (
            await stack.enter_async_context(registry_app.serve(registry, database=database, bus=bus)),
            await stack.enter_async_context(scheduler_app.serve(scheduler, database=database, bus=bus, shown=shown)),
            await stack.enter_async_context(state_tracker_app.serve(tracker, database=database, bus=bus, shown=shown)),
        )
