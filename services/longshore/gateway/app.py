"""The gateway's lifespan, for its own process and for the embedded one."""

import asyncio
import uuid
from collections.abc import AsyncIterator
from contextlib import AsyncExitStack, asynccontextmanager

import structlog

from longshore.client import addresses
from longshore.client import client as clients
from longshore.gateway import (
    answering,
    authentication,
    connections,
    events,
    listening,
    metrics,
    operations,
    pages,
    routes,
)
from longshore.gateway.config import Config
from longshore.metrics import exposition
from longshore.process import descriptors
from longshore.rpc import channels, server, tls

_log = structlog.get_logger(__name__)


class Serving:
    """A gateway that serves; the same to its owner as a gRPC server is (`server.Running`)."""

    def __init__(self, address: str) -> None:
        self.address = address
        """host:port really bound."""
        self._asked = asyncio.Event()

    def stop(self) -> None:
        """Ask for the end: `wait()` returns. May be called from a signal handler."""
        self._asked.set()

    async def wait(self) -> None:
        """Return when asked to stop."""
        await self._asked.wait()


@asynccontextmanager
async def serve(config: Config, *, shown: exposition.Sources | None = None) -> AsyncIterator[Serving]:
    """Serve until the block ends, with its measurements among those `shown`.

    Nothing is asked of the components before the first request, so they may come later. Raises server.BindError and tls.TlsError.
    """
    address = server.parsed(config.listen)
    tls.refuse_open_address(address, config.tls, insecure=config.insecure)
    descriptors.allow(config.max_connections)
    measured = metrics.Metrics()
    sources = shown if shown is not None else exposition.Sources()
    sources.add(measured)
    draining = asyncio.Event()
    async with AsyncExitStack() as stack:
        client = await stack.enter_async_context(_client(config))
        probed = {
            name: await stack.enter_async_context(channels.connect(replicas, files=config.tls))
            for name, replicas in _replicas(config).items()
        }
        authenticator = authentication.Authenticator(config, client)
        gateway = routes.Gateway(
            answerer=_answerer(client, authenticator, measured),
            served=pages.Pages(channels=probed, shown=sources, insecure=config.insecure),
            others=[_events(config, client, authenticator, measured, draining).route()],
            new_id=new_id,
        )
        shared = connections.Shared(config, measured)
        bound = await stack.enter_async_context(
            listening.listening(gateway, address, config.tls, shared, draining=draining)
        )
        serving = Serving(str(bound))
        _log.info("gateway_started", address=serving.address, tls=bool(config.tls), verify=config.verify)
        try:
            yield serving
        finally:
            serving.stop()
    _log.info("gateway_stopped", address=serving.address)


def new_id() -> str:
    """An id of a request, in the form of ECS's."""
    return str(uuid.uuid4())


def _replicas(config: Config) -> dict[str, tuple[str, ...]]:
    """Where each component is, by the name of its stub."""
    return {
        "registry": config.registry_addresses,
        "scheduler": config.scheduler_addresses,
        "state_tracker": config.state_tracker_addresses,
    }


def _client(config: Config) -> clients.Client:
    return clients.Client(
        addresses=addresses.Addresses(**_replicas(config)), files=config.tls, deadline_s=config.call_timeout_s
    )


def _events(
    config: Config,
    client: clients.Client,
    authenticator: authentication.Authenticator,
    measured: metrics.Metrics,
    draining: asyncio.Event,
) -> events.Events:
    return events.Events(
        client=client,
        authenticator=authenticator,
        account=config.account,
        measured=measured,
        draining=draining,
        new_id=new_id,
    )


def _answerer(
    client: clients.Client, authenticator: authentication.Authenticator, measured: metrics.Metrics
) -> answering.Answerer:
    offered = operations.of_services()
    return answering.Answerer(
        client=client,
        authenticator=authenticator,
        offered=offered,
        methods=operations.bound(offered.values(), client),
        measured=measured,
        new_id=new_id,
    )
