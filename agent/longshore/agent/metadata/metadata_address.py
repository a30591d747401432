"""Where task metadata is served: an address of its own on the host, at which containers in every network mode reach the agent.

The address belongs to an interface that holds nothing else. The engine makes it: a bridge network that no container ever joins, whose
gateway is the address. So the agent needs neither netlink nor rights of its own, nothing is translated, and what the engine keeps apart
(its bridges, one from another) does not stand in the way: the address is the host's, not a container's.
"""

import contextlib
import errno
import ipaddress
import socket
import sys
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from longshore.agent import container_names, runtime

NOWHERE = "none"
DEFAULT_ADDRESS = "169.254.170.2"
DEFAULT_PORT = 51679
"""ECS answers on port 80 there and translates. A listener on port 80 of one of the host's addresses would keep every container from
publishing port 80, and a container that published it would be asked in its place; 51679 is reserved on every instance."""
BACKLOG = 128
_HTTP_PORT = 80
_PORTS = 65536
_LISTENERS = Path("/proc/net/tcp")
_LISTENING = "0A"
_PREFIX_LENGTH = 30
"""The smallest subnet the engine makes a bridge for: four addresses, of which one is ours."""
_BRIDGE_PREFIX = "lsmeta"
_NAME = "longshore-metadata"


@dataclass(frozen=True, slots=True)
class Place:
    """An address of this host, and a port there."""

    address: str
    port: int

    @property
    def url(self) -> str:
        """The beginning of what is served there."""
        return f"http://{self.address}" + ("" if self.port == _HTTP_PORT else f":{self.port}")


def place(text: str) -> Place | None:
    """The place of ADDRESS or ADDRESS:PORT. Raises ValueError where it is neither; None for `none`."""
    if text == NOWHERE:
        return None
    address, colon, port = text.partition(":")
    found = int(port) if colon else DEFAULT_PORT
    if not 0 < found < _PORTS:
        raise ValueError(f"{found} is not a port")
    return Place(str(ipaddress.IPv4Address(address)), found)


class NotServed(Exception):  # noqa: N818 - named by what is wrong
    """Containers cannot be offered metadata here. The message says why."""


def network_name(address: str) -> str:
    """Name at the engine of the network that gives the host an address."""
    return f"{_NAME}-{address}"


def network_config(address: str) -> dict[str, Any]:
    """Body of the engine's call that makes the network."""
    subnet = ipaddress.ip_network(f"{address}/{_PREFIX_LENGTH}", strict=False)
    bridge = f"{_BRIDGE_PREFIX}{int(ipaddress.IPv4Address(address)):08x}"
    return {
        "Driver": "bridge",
        "IPAM": {"Config": [{"Subnet": str(subnet), "Gateway": address}]},
        "Options": {"com.docker.network.bridge.name": bridge},
        "Labels": {container_names.METADATA_ADDRESS: address},
    }


async def listen(engine: runtime.ContainerRuntime, wanted: Place) -> socket.socket:
    """A socket that listens there; the address is made where the host does not have it. Raises NotServed."""
    address, port = wanted.address, wanted.port
    try:
        return bound(address, port)
    except OSError as error:
        if error.errno != errno.EADDRNOTAVAIL:
            raise NotServed(f"{address}:{port} cannot be had: {error.strerror}") from error
    try:
        await engine.create_network(network_name(address), network_config(address))
    except runtime.RuntimeFailure as error:
        raise NotServed(f"the engine made no network with the address {address}: {error.message}") from error
    try:
        return bound(address, port)
    except OSError as error:
        raise NotServed(
            f"{address}:{port} cannot be had although the engine has the address ({error.strerror}): "
            "does the agent run on the engine's host, in its network namespace?"
        ) from error


async def give_up(engine: runtime.ContainerRuntime, wanted: Place) -> None:
    """Take the address from the host again, unless somebody listens there: another agent may be served by the same one."""
    if _in_use(wanted.address):
        return
    with contextlib.suppress(runtime.RuntimeFailure):
        await engine.remove_network(network_name(wanted.address))


def _in_use(address: str) -> bool:
    """Whether the kernel's table of TCP sockets has one that listens on the address."""
    table = _LISTENERS.read_text(encoding="ascii")
    local = f"{int.from_bytes(ipaddress.IPv4Address(address).packed, sys.byteorder):08X}:"
    rows = (line.split() for line in table.splitlines()[1:])
    return any(row[1].startswith(local) and row[3] == _LISTENING for row in rows)


def bound(address: str, port: int) -> socket.socket:
    """A socket that listens there. Raises OSError."""
    made = socket.socket(socket.AF_INET, socket.SOCK_STREAM)
    try:
        # What the agent before this one has left in TIME_WAIT does not count; another that listens does.
        made.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEADDR, 1)
        made.setblocking(False)
        made.bind((address, port))
        made.listen(BACKLOG)
    except OSError:
        made.close()
        raise
    return made
