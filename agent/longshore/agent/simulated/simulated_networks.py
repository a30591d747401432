"""Networks of a host without containers: names, addresses and who uses them."""

import ipaddress
import itertools
from collections.abc import Iterator, Mapping
from dataclasses import dataclass, field
from typing import Any

from longshore.agent import runtime

_OF_THE_ENGINE = frozenset({"", "default", "bridge", "host", "none"})
_DEVICE = "com.docker.network.bridge.name"
_SUBNET = "10.88.0.0/16"
"""What a network gets that asks for none."""


@dataclass(slots=True)
class _Network:
    summary: runtime.NetworkSummary
    device: str
    free: Iterator[ipaddress.IPv4Address]
    given_back: list[ipaddress.IPv4Address] = field(default_factory=list)
    used: dict[str, ipaddress.IPv4Address] = field(default_factory=dict)


class Networks:
    """The networks of one simulated host."""

    def __init__(self) -> None:
        self._networks: dict[str, _Network] = {}

    def find(self, name: str) -> runtime.NetworkSummary | None:
        """The network of this name."""
        found = self._networks.get(name)
        return None if found is None else found.summary

    def create(self, name: str, config: Mapping[str, Any]) -> None:
        """Make a network. One of this name that exists is left as it is; a device is had once."""
        if name in self._networks:
            return
        device = str(config.get("Options", {}).get(_DEVICE) or name)
        if any(device == network.device for network in self._networks.values()):
            raise runtime.CannotCreateNetworkError(f"cannot create network {name}: networks have same bridge name")
        pools = config.get("IPAM", {}).get("Config") or [{"Subnet": _SUBNET}]
        used, labels = ipaddress.IPv4Network(pools[0]["Subnet"]), config.get("Labels", {})
        # The first address is the bridge's own.
        free = itertools.islice(used.hosts(), 1, None)
        self._networks[name] = _Network(runtime.NetworkSummary(name, dict(labels), (str(used),)), device, free)

    def remove(self, name: str) -> None:
        """Remove a network that nothing uses."""
        found = self._networks.get(name)
        if found is not None and found.used:
            raise runtime.CannotRemoveContainerError(f"network {name} has active endpoints")
        self._networks.pop(name, None)

    def join(self, mode: str, runtime_id: str) -> tuple[runtime.NetworkAddress, ...]:
        """Give a container its interface, where its mode names one of our networks."""
        if mode in _OF_THE_ENGINE or mode.startswith("container:"):
            return ()
        network = self._networks.get(mode)
        if network is None:
            raise runtime.NetworkMissing(f"network {mode} not found")
        address = network.given_back.pop(0) if network.given_back else next(network.free, None)
        if address is None:
            raise runtime.CannotStartContainerError("no available IPv4 addresses on this network's address pools")
        network.used[runtime_id] = address
        octets = ":".join(f"{octet:02x}" for octet in address.packed[-4:])
        return (runtime.NetworkAddress(mode, ipv4=str(address), mac=f"02:42:{octets}"),)

    def leave(self, runtime_id: str) -> None:
        """A container has ended: its addresses are free."""
        for network in self._networks.values():
            if (address := network.used.pop(runtime_id, None)) is not None:
                network.given_back.append(address)
