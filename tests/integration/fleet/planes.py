"""A control plane of several parts in this process, whose state-trackers come and go."""

import contextlib
import functools
from collections.abc import AsyncIterator
from pathlib import Path
from typing import Any

from longshore.client import addresses
from longshore.events import memory_bus
from longshore.metrics import exposition
from longshore.registry import app as registry_app
from longshore.registry import config as registry_config
from longshore.scheduler import app as scheduler_app
from longshore.scheduler import config as scheduler_config
from longshore.state_tracker import app as tracker_app
from longshore.state_tracker import config as tracker_config
from longshore.state_tracker import metrics
from longshore.storage import database as databases
from longshore.storage import steps
from tests.engines import ports


class Plane:
    """Registry and scheduler, and state-trackers that can be taken away."""

    def __init__(self, database: databases.Database, at: addresses.Addresses, settings: dict[str, Any]) -> None:
        self.database = database
        self.at = at
        self._settings = settings
        self.measured: list[metrics.Metrics] = []
        self._trackers: list[contextlib.AsyncExitStack] = []
        self._bus = memory_bus.MemoryBus()

    @property
    def on(self) -> dict[str, Any]:
        """What components stand on."""
        return {"database": self.database, "bus": self._bus}

    async def start_tracker(self, address: str) -> None:
        """Start one; its measurements are the last of `measured`."""
        shown = exposition.Sources()
        stack = contextlib.AsyncExitStack()
        config = tracker_config.Config(listen=address, **self._settings)
        await stack.enter_async_context(tracker_app.serve(config, **self.on, shown=shown))
        self.measured += [found.measured for found in shown.all if isinstance(found.measured, metrics.Metrics)]
        self._trackers.append(stack)

    async def stop_tracker(self, number: int) -> None:
        """Without effect where it has been stopped."""
        await self._trackers[number].aclose()

    async def changes(self) -> int:
        """How often any instance has changed: registration, connection, state."""
        found = await self.database.read(
            lambda _: steps.fetch_value("SELECT CAST(SUM(version) AS BIGINT) FROM container_instances")
        )
        return int(found)


@contextlib.asynccontextmanager
async def plane(folder: Path, *, url: str = "", trackers: int = 1, **settings: Any) -> AsyncIterator[Plane]:
    """Serving, over SQLite unless a URL is given; `settings` are the state-trackers'."""
    at = [f"127.0.0.1:{ports.free_port()}" for _ in range(2 + trackers)]
    told: dict[str, Any] = {"registry": (at[0],), "scheduler": (at[1],), "state_tracker": tuple(at[2:])}
    async with contextlib.AsyncExitStack() as stack:
        database = await databases.open_database(url or f"sqlite://{folder}/state.db")
        stack.push_async_callback(database.close)
        made = Plane(database, addresses.Addresses((at[0],), (at[1],), tuple(at[2:])), settings)
        seal: dict[str, Any] = {"seal_key_file": folder / "seal.key", "make_seal_key": True}
        registry = registry_config.Config(listen=at[0], state_dir=folder, **told, **seal)
        await stack.enter_async_context(registry_app.serve(registry, **made.on))
        await stack.enter_async_context(
            scheduler_app.serve(scheduler_config.Config(listen=at[1], state_dir=folder, **told), **made.on)
        )
        for number, address in enumerate(at[2:]):
            await made.start_tracker(address)
            stack.push_async_callback(functools.partial(made.stop_tracker, number))
        yield made
