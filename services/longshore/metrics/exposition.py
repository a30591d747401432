"""The page of metrics of one process: what is on it, and where it is served.

A process makes one `Sources`, serves it, and hands it to each component that it runs, which adds what it measures:

    async with (
        exposition.of_component(config, blocks, process="scheduler") as shown,
        app.serve(config, database=database, bus=bus, shown=shown) as serving,
    ):
        ...

Where no address was given nothing is served and prometheus-client is not even loaded; measuring costs the same.
"""

import contextlib
from collections.abc import AsyncIterator, Mapping
from dataclasses import dataclass
from typing import Any

import structlog

from longshore.metrics import loop_blocks
from longshore.rpc import server, settings, tls

_log = structlog.get_logger(__name__)


class NotServed(server.BindError):
    """The page cannot be served at its address. The message names it."""


@dataclass(frozen=True, slots=True)
class Source:
    """An object whose class declares metrics (`declared`), and the labels that all of them bear."""

    measured: Any
    labels: Mapping[str, str]


class Sources:
    """What a process shows."""

    def __init__(self) -> None:
        self._all: list[Source] = []

    def add(self, measured: Any, **labels: str) -> None:
        """Show what `measured` declares."""
        self._all.append(Source(measured, labels))

    @property
    def all(self) -> tuple[Source, ...]:
        """In the order in which they were added."""
        return tuple(self._all)


@contextlib.asynccontextmanager
async def of_component(
    config: settings.Served, blocks: loop_blocks.LoopBlocks, *, process: str
) -> AsyncIterator[Sources]:
    """Serve the page of a process that is one component; what is shown beside its event loop is to be added."""
    shown = Sources()
    shown.add(blocks, process=process)
    async with serving(shown, listen=config.metrics_listen, files=config.tls, insecure=config.insecure):
        yield shown


@contextlib.asynccontextmanager
async def serving(shown: Sources, *, listen: str, files: tls.Files, insecure: bool) -> AsyncIterator[str]:
    """Serve the page inside the block, at the address that is given to it; empty where nothing is served.

    Raises NotServed, and tls.TlsError where others could reach the page without TLS and authentication.
    """
    if not listen:
        yield ""
        return
    from longshore.metrics import prometheus_page  # only a process that shows a page pays for it

    try:
        address = tls.HostPort.parse(listen)
    except ValueError as error:
        raise NotServed(f"cannot serve metrics: {error}") from error
    tls.refuse_open_address(address, files, insecure=insecure)
    async with prometheus_page.serving(shown, address, files) as bound:
        _log.info("metrics_served", address=str(bound), tls=bool(files))
        yield str(bound)
