"""The world of a control plane's drill: database, bus, six replicas, a fleet, and a line between each two that speak with each other."""

import asyncio
import contextlib
import os
import shutil
import tempfile
from collections.abc import AsyncIterator
from dataclasses import dataclass
from pathlib import Path

from longshore.client import addresses
from longshore.client import client as clients
from longshore.drill import journal, own_ports, remains
from longshore.drill.control_plane import config, making, network, replicas, servers, service
from longshore.rpc import probe

SERVING_S = 60.0
_POLL_S = 0.1


@dataclass(frozen=True, slots=True)
class World:
    """All that there is."""

    database: servers.Database
    events: servers.Events
    replicas: dict[str, replicas.Replica]
    fleet: service.Service
    laid: network.Network
    loss: making.Loss
    addresses: addresses.Addresses
    advertised: dict[str, str]
    """Replicas by the addresses under which others know them."""
    home: Path

    @property
    def containers(self) -> Path:
        """The file of what the fleet's containers did."""
        return self.home / making.CONTAINERS

    async def serving(self, name: str) -> None:
        """Wait until a replica answers."""
        host, port = self.replicas[name].at
        async with asyncio.timeout(SERVING_S):
            while await probe.check(f"{host}:{port}", timeout_s=1.0) != "SERVING":  # noqa: ASYNC110 - it tells nobody
                await asyncio.sleep(_POLL_S)

    def client(self, *trackers: str) -> clients.Client:
        """A client, which speaks with these trackers alone, or with all."""
        if not trackers:
            return clients.Client(addresses=self.addresses)
        at = dict(zip(replicas.of(replicas.TRACKER), self.addresses.state_tracker, strict=True))
        only = tuple(at[name] for name in trackers)
        return clients.Client(addresses=addresses.Addresses(self.addresses.registry, self.addresses.scheduler, only))


@contextlib.asynccontextmanager
async def made(options: config.ControlPlane, seed: int, logs: Path, notes: journal.Journal) -> AsyncIterator[World]:
    """Have it there for the time of the block; nothing is started yet. Afterwards its folder is gone."""
    home = Path(tempfile.mkdtemp(prefix=remains.PREFIX, dir=remains.FOLDER))
    os.chmod(home, 0o711)  # noqa: PTH101, S103 - at once; PostgreSQL's user goes through it to what is its own
    async with contextlib.AsyncExitStack() as stack:
        stack.callback(shutil.rmtree, home, ignore_errors=True)
        stack.callback(remains.held(home).close)
        notes.write("world", home=str(home))
        ports = own_ports.Ports()
        laid = network.Network(ports.take)
        stack.push_async_callback(laid.close)
        database = servers.Database(home, ports.take(), logs, notes)
        await database.make()
        bus = servers.Events(home, ports.take(), logs, notes)
        maker = making.Maker(home, logs, notes, laid, {})
        loss = making.Loss()
        found = await maker.make_replicas(ports, database, bus, loss, seed)
        yield World(
            database=database,
            events=bus,
            replicas=found,
            fleet=await maker.make_fleet(options, seed, found),
            laid=laid,
            loss=loss,
            addresses=await maker.make_addresses(found),
            advertised=maker.advertised,
            home=home,
        )
