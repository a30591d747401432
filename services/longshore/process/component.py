"""The composition root of every component that stands on the database: database, bus, metrics page, serve until signalled."""

import contextlib
from collections.abc import Callable
from contextlib import AbstractAsyncContextManager
from typing import Protocol, TypeVar

from longshore.events import bus as buses
from longshore.metrics import exposition, loop_blocks
from longshore.process import alone, descriptors
from longshore.rpc import server, settings
from longshore.storage import database as databases
from longshore.storage import errors

C = TypeVar("C", bound=settings.Component)
C_contra = TypeVar("C_contra", bound=settings.Component, contravariant=True)

_EXPECTED = (errors.Unavailable, errors.SchemaMismatch, errors.StateInUse)
"""What a person who starts a component can put right; told in one line."""


class Serve(Protocol[C_contra]):
    """A component's `app.serve`."""

    def __call__(
        self, config: C_contra, *, database: databases.Database, bus: buses.Bus, shown: exposition.Sources
    ) -> AbstractAsyncContextManager[server.Serving]:
        """Serve inside the block."""


def of_settings(config: settings.Component) -> str:
    """The bus that the settings name."""
    return config.events_url


def main(
    config_class: type[C], serve: Serve[C], *, name: str, bus_url: Callable[[settings.Component], str] = of_settings
) -> int:
    """Run `longshore NAME` until SIGTERM or SIGINT; the exit code, as `alone.main` has it."""

    async def run(config: C, blocks: loop_blocks.LoopBlocks) -> None:
        await _run(config, blocks, serve, name=name, bus_url=bus_url(config))

    return alone.main(config_class, run, name=name, expected=_EXPECTED)


async def _run(config: C, blocks: loop_blocks.LoopBlocks, serve: Serve[C], *, name: str, bus_url: str) -> None:
    """Open what the component stands on, serve, and close it in the reverse order."""
    descriptors.allow_many()
    async with contextlib.AsyncExitStack() as stack:
        database = await databases.open_database(config.database_url)
        stack.push_async_callback(database.close)
        bus = await buses.open_bus(bus_url)
        stack.push_async_callback(bus.close)
        shown = await stack.enter_async_context(exposition.of_component(config, blocks, process=name))
        serving = await stack.enter_async_context(serve(config, database=database, bus=bus, shown=shown))
        await server.until_signalled(serving)
