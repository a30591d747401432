"""The control plane in one process: registry, scheduler, state-tracker and gateway over one database and bus, all on loopback."""

import contextlib
from collections.abc import AsyncIterator
from typing import Any

from longshore.client import addresses
from longshore.embedded import config, holder
from longshore.events import bus as buses
from longshore.gateway import app as gateway_app
from longshore.gateway import config as gateway_config
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
    return addresses.Addresses(at["registry"], at["scheduler"], at["state_tracker"], at["gateway"])


def gateway_url(port_base: int) -> str:
    """Where a stack speaks ECS's own API."""
    return f"http://{LOOPBACK}:{holder.ports(port_base)['gateway']}"


@contextlib.asynccontextmanager
async def running(
    options: config.Up, folders: config.Folders, shown: exposition.Sources | None = None
) -> AsyncIterator[tuple[server.Running, ...]]:
    """Serve the control plane inside the block, with its measurements among those `shown`.

    Raises storage.errors.StateInUse where another process has the state, server.BindError where a port is taken.
    """
    at = client_addresses(options.port_base)
    served: dict[str, Any] = {
        "account": options.account,
        "region": options.region,
        # Whatever region a tool is set to: its requests come from this machine, and mean this stack.
        "any_region": True,
        "log_level": options.log_level,
        "registry": at.registry,
        "scheduler": at.scheduler,
        "state_tracker": at.state_tracker,
    }
    database_url = f"sqlite://{folders.database}"
    shared = served | {"database_url": database_url, "events_url": EVENTS_URL, "state_dir": folders.state}
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
        gateway = gateway_config.Config(listen=at.gateway[0], verify=gateway_config.WHEN_KEYS_EXIST, **served)
        yield (
            await stack.enter_async_context(registry_app.serve(registry, database=database, bus=bus)),
            await stack.enter_async_context(scheduler_app.serve(scheduler, database=database, bus=bus, shown=shown)),
            await stack.enter_async_context(state_tracker_app.serve(tracker, database=database, bus=bus, shown=shown)),
            # Last, and so the first to go: what it is asked it has to ask of the others.
            await stack.enter_async_context(gateway_app.serve(gateway, shown=shown)),
        )
