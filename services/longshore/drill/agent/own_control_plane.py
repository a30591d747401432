"""The control plane of a drill: `longshore up` without an agent, on ports and in folders of its own."""

import asyncio
import sys
from pathlib import Path

from longshore.client import addresses
from longshore.client import client as clients
from longshore.drill import child, own_ports, programs
from longshore.v1 import registry_service_pb2

COMPONENTS = ("gateway", "registry", "scheduler", "state_tracker")
"""In the order of their ports."""

_SPAN = 8


class OwnControlPlane:
    """One process that serves it all."""

    def __init__(self, home: Path, logs: Path) -> None:
        self._home = home
        self._logs = logs
        self._base = own_ports.free_range(_SPAN)
        self._process: child.Child | None = None

    def address(self, component: str) -> tuple[str, int]:
        """Where a component listens."""
        return own_ports.LOOPBACK, self._base + COMPONENTS.index(component)

    @property
    def addresses(self) -> addresses.Addresses:
        """Where a client finds them."""
        at = {name: (f"{own_ports.LOOPBACK}:{self._base + offset}",) for offset, name in enumerate(COMPONENTS)}
        return addresses.Addresses(at["registry"], at["scheduler"], at["state_tracker"], at["gateway"])

    @property
    def spare_port(self) -> int:
        """One beside its own that is free as well."""
        return self._base + len(COMPONENTS)

    async def start(self) -> None:
        """Start it; returns once it answers."""
        options = ("--no-agent", "--port-base", str(self._base), "--state-dir", str(self._home))
        self._process = await child.started(
            [sys.executable, "-m", "longshore.embedded", "up", *options], log=self._logs / "control-plane-output.log"
        )
        ended = asyncio.ensure_future(self._process.wait())
        answered = asyncio.ensure_future(self._answered())
        try:
            await asyncio.wait((ended, answered), return_when=asyncio.FIRST_COMPLETED)
            if not answered.done():
                raise programs.Failed("the control plane ended while it was starting")
            answered.result()
        finally:
            for waiting in (ended, answered):
                waiting.cancel()
            await asyncio.gather(ended, answered, return_exceptions=True)

    async def stop(self) -> None:
        """Stop it."""
        if self._process is not None:
            await self._process.stop()

    async def _answered(self) -> None:
        async with clients.Client(addresses=self.addresses) as client:
            await client.call(client.registry.DescribeClusters, registry_service_pb2.DescribeClustersRequest())
