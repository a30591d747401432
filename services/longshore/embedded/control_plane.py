"""The control plane in one process: registry, scheduler, state-tracker and gateway over one database and bus, all on loopback.

The registry and the gateway come first, and answer while the rest is still loaded. A call that needs one of the others is repeated by the
gateway until it is there, as when a component of a distributed installation starts anew.
"""

import asyncio
import contextlib
import importlib
from collections.abc import AsyncIterator
from typing import Any

from longshore.client import addresses
from longshore.client import client as clients
from longshore.embedded import config, holder
from longshore.events import bus as buses
from longshore.gateway import app as gateway_app
from longshore.gateway import config as gateway_config
from longshore.metrics import exposition
from longshore.registry import app as registry_app
from longshore.registry import config as registry_config
from longshore.rpc import server
from longshore.storage import database as databases
from longshore.v1 import registry_service_pb2

LOOPBACK = "127.0.0.1"
EVENTS_URL = "memory://"

LATER = "longshore.embedded.later"
"""The module whose loading takes as long as all before it."""


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
    """Serve the control plane with its default cluster inside the block, and its measurements among those `shown`.

    Raises storage.errors.StateInUse where another process has the state, server.BindError where a port is taken.
    """
    at = client_addresses(options.port_base)
    settings = _settings(options, at)
    database_url = f"sqlite://{folders.database}"
    on_database = settings | {"database_url": database_url, "events_url": EVENTS_URL, "state_dir": folders.state}
    registry = registry_config.Config(
        listen=at.registry[0], seal_key_file=folders.seal_key, make_seal_key=True, **on_database
    )
    gateway = gateway_config.Config(listen=at.gateway[0], verify=gateway_config.WHEN_KEYS_EXIST, **settings)
    async with contextlib.AsyncExitStack() as stack:
        database = await databases.open_database(database_url)
        stack.push_async_callback(database.close)
        bus = await buses.open_bus(EVENTS_URL)
        stack.push_async_callback(bus.close)
        registering = await stack.enter_async_context(
            registry_app.serve(registry, database=database, bus=bus, shown=shown)
        )
        # Before anybody can ask for it, and find none.
        async with clients.Client(addresses=at) as client:
            await client.call(client.registry.CreateCluster, registry_service_pb2.CreateClusterRequest())
        # Closed before anything that starts after it: what the gateway is asked, it has to ask of the others. Closing twice is
        # harmless, and the first of the two is for a start that fails.
        front = contextlib.AsyncExitStack()
        stack.push_async_callback(front.aclose)
        answering = await front.enter_async_context(gateway_app.serve(gateway, shown=shown))
        await asyncio.to_thread(importlib.import_module, LATER)
        from longshore.embedded import later  # loaded by now

        others = await stack.enter_async_context(
            later.serving(at, on_database, database=database, bus=bus, shown=shown)
        )
        stack.push_async_callback(front.aclose)
        yield registering, answering, *others


def _settings(options: config.Up, at: addresses.Addresses) -> dict[str, Any]:
    """What every component is told."""
    return {
        "account": options.account,
        "region": options.region,
        # Whatever region a tool is set to: its requests come from this machine, and mean this stack.
        "any_region": True,
        "log_level": options.log_level,
        "registry": at.registry,
        "scheduler": at.scheduler,
        "state_tracker": at.state_tracker,
    }
