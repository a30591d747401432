"""The parts of a world: replicas, fleet, and the lines between all of them."""

import json
import sys
from dataclasses import dataclass
from pathlib import Path
from random import Random

from longshore.client import addresses
from longshore.drill import journal, own_ports
from longshore.drill.control_plane import config, families, losing, network, plan, replicas, servers, service

CONTAINERS = "containers.jsonl"
"""The file of what the fleet's containers did."""

LIFE = "exponential:12"
"""Seconds that a container runs."""

FAILING = 0.2
"""How many of them end with 1."""

_MINUTE = 60.0


@dataclass(slots=True)
class Loss:
    """Whether messages are being lost on their way to the bus: how many of them."""

    share: float = 0.0


@dataclass(frozen=True, slots=True)
class Maker:
    """Makes the parts, each with the lines that it dials. None of them is started."""

    home: Path
    logs: Path
    notes: journal.Journal
    laid: network.Network
    advertised: dict[str, str]

    async def make_replicas(
        self, ports: own_ports.Ports, database: servers.Database, bus: servers.Events, loss: Loss, seed: int
    ) -> dict[str, replicas.Replica]:
        """The components."""
        source = Random(f"losses {seed}")  # noqa: S311 - chance, no secret
        at = {name: (own_ports.LOOPBACK, ports.take()) for name in replicas.NAMES}
        found = {}
        for name in replicas.NAMES:
            to_database = await self.laid.join(name, network.DATABASE, database.at)
            to_bus = await self.laid.join(
                name, network.EVENTS, bus.at, lambda: losing.Loser(lambda: source.random() < loss.share)
            )
            settings = replicas.settings_of(
                name,
                home=self.home,
                lines=await self._dialled(name, at),
                database=database.url(to_database),
                events=f"redis://{to_bus}/0",
            )
            found[name] = replicas.Replica(name, at[name], settings, home=self.home, logs=self.logs, notes=self.notes)
        return found

    async def _dialled(self, name: str, at: dict[str, network.Address]) -> dict[str, str]:
        """The lines of a replica to other components, or, of those that dial their twins, that of its twin to itself."""
        if replicas.kind_of(name) != replicas.REGISTRY:
            address = await self.laid.join(replicas.twin_of(name), name, at[name])
            self.advertised[address] = name
            return {name: address}
        others = [other for other in replicas.NAMES if replicas.kind_of(other) != replicas.REGISTRY]
        return {other: await self.laid.join(name, other, at[other]) for other in others}

    async def make_fleet(
        self, options: config.ControlPlane, seed: int, found: dict[str, replicas.Replica]
    ) -> service.Service:
        """The simulated agents."""
        script = self.home / "hosts.json"
        script.write_text(json.dumps(plan.hosts(seed, options.minutes * _MINUTE, options.instances, options.pause)))
        settings = {
            "instances": options.instances,
            "cpu": families.CPU,
            "memory": families.MEMORY,
            "seed": seed,
            "failures": script,
            "journal": self.home / CONTAINERS,
            "run-time": LIFE,
            "failing-share": FAILING,
            "pull-time": "0.05-0.5",
            "cleanup-wait": 5,
            "output": "json",
            "log-level": "warning",
        }
        settings |= {
            flag: ",".join([await self.laid.join(network.FLEET, name, found[name].at) for name in replicas.of(kind)])
            for flag, kind in (("registry", replicas.REGISTRY), ("state-tracker", replicas.TRACKER))
        }
        words = [word for name, value in settings.items() for word in (f"--{name}", str(value))]
        command = [sys.executable, "-m", "longshore.agent.simulated", "--keep", *words]
        return service.Service(network.FLEET, command, logs=self.logs, notes=self.notes)

    async def make_addresses(self, found: dict[str, replicas.Replica]) -> addresses.Addresses:
        """Where clients find the components."""
        lines = {name: await self.laid.join(network.CLIENTS, name, one.at) for name, one in found.items()}
        registry, scheduler, tracker = (tuple(lines[name] for name in replicas.of(kind)) for kind in replicas.KINDS)
        return addresses.Addresses(registry, scheduler, tracker)
