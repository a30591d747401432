"""Host ports: which mappings a container needs, and dynamic ports that are given out once.

The agent picks dynamic ports itself, so that nothing has to be read back from the engine before the task is reported. A port
is taken from the moment it is given until its container has stopped; a probe (trying to bind) tells what other programs hold.
"""

import socket
from collections.abc import Callable, Iterable, Iterator, Sequence
from dataclasses import dataclass
from pathlib import Path

from longshore.agent import task_state
from longshore.v1 import task_definition_pb2 as definition_pb2

DEFAULT_RANGE = range(49153, 65536)
_KERNEL_RANGE = Path("/proc/sys/net/ipv4/ip_local_port_range")
_ANY = "0.0.0.0"  # noqa: S104 - what ECS shows for a port published on every address


class NoPortFree(Exception):  # noqa: N818 - named by what is wrong
    """No port of the dynamic range is free, or not as many in a row as are asked for."""


@dataclass(frozen=True, slots=True)
class Wanted:
    """One port mapping of a definition; host port zero asks for a dynamic one. `count` ports in a row, for a range."""

    container_port: int
    host_port: int
    protocol: str
    count: int = 1


def wanted(
    container: definition_pb2.ContainerDefinition, network_mode: "definition_pb2.NetworkMode.ValueType"
) -> tuple[Wanted, ...]:
    """Mappings of a container, in its order. None where the task has an address of its own: its ports are there."""
    if network_mode == definition_pb2.NETWORK_MODE_AWSVPC:
        return ()
    host = network_mode == definition_pb2.NETWORK_MODE_HOST
    return tuple(_wanted(mapping, on_host=host) for mapping in container.port_mappings)


def _wanted(mapping: definition_pb2.PortMapping, *, on_host: bool) -> Wanted:
    protocol = "udp" if mapping.protocol == definition_pb2.TRANSPORT_PROTOCOL_UDP else "tcp"
    if mapping.container_port_range:
        first, last = parsed_range(mapping.container_port_range)
        return Wanted(first, first if on_host else 0, protocol, count=last - first + 1)
    return Wanted(mapping.container_port, mapping.container_port if on_host else mapping.host_port, protocol)


def parsed_range(text: str) -> tuple[int, int]:
    """First and last port of `8000-8010`, which the registry has checked."""
    first, _, last = text.partition("-")
    return int(first), int(last)


def shown_range(ports: range) -> str:
    """Ports as ECS writes a range."""
    return f"{ports.start}-{ports.stop - 1}"


def kernel_range(path: Path = _KERNEL_RANGE) -> range:
    """The kernel's range of local ports, or ECS's default where it is not to be read."""
    try:
        first, last = path.read_text().split()
        return range(int(first), int(last) + 1)
    except (OSError, ValueError):
        return DEFAULT_RANGE


def bindable(port: int, protocol: str, address: str) -> bool:
    """Whether no program of this host holds the port now."""
    family = socket.AF_INET6 if ":" in address else socket.AF_INET
    kind = socket.SOCK_DGRAM if protocol == "udp" else socket.SOCK_STREAM
    with socket.socket(family, kind) as probe:
        try:
            probe.bind((address, port))
        except OSError:
            return False
    return True


class Ports:
    """Ports given out on this host, by protocol. Used from one thread; that is what makes giving one out atomic."""

    def __init__(
        self,
        *,
        publish_address: str = "",
        dynamic: range | None = None,
        probe: Callable[[int, str, str], bool] = bindable,
    ) -> None:
        self._range = kernel_range() if dynamic is None else dynamic
        self._address = publish_address or _ANY
        self._probe = probe
        self._taken: set[tuple[str, int]] = set()
        self._next = self._range.start

    def bind(self, mappings: Sequence[Wanted]) -> tuple[task_state.Binding, ...]:
        """Bindings for these mappings, dynamic ones with a port chosen. Give them back with `release`."""
        bindings: list[task_state.Binding] = []
        try:
            for mapping in mappings:
                port = mapping.host_port or self._choose(mapping.protocol, mapping.count)
                binding = task_state.Binding(
                    mapping.container_port, port, mapping.protocol, self._address, mapping.count
                )
                self._taken.update(_held([binding]))
                bindings.append(binding)
        except NoPortFree:
            self.release(bindings)
            raise
        return tuple(bindings)

    def hold(self, bindings: Iterable[task_state.Binding]) -> None:
        """Count the bindings of an adopted container as taken."""
        self._taken.update(_held(bindings))

    def release(self, bindings: Iterable[task_state.Binding]) -> None:
        """Take ports back. Doing so twice changes nothing."""
        self._taken.difference_update(_held(bindings))

    def _choose(self, protocol: str, count: int) -> int:
        """The first of `count` free ports in a row."""
        # Going round instead of starting over keeps a port that was just freed out of use for as long as possible. Once more
        # round than the range is long, because a row may begin before the place where the search began.
        found = 0
        for _ in range(len(self._range) + count - 1):
            port = self._next
            if port == self._range.start:
                found = 0  # a row does not go round
            self._next = port + 1 if port + 1 < self._range.stop else self._range.start
            free = (protocol, port) not in self._taken and self._probe(port, protocol, self._address)
            found = found + 1 if free else 0
            if found == count:
                return port - count + 1
        what = f"no {protocol} port" if count == 1 else f"no {count} {protocol} ports in a row"
        raise NoPortFree(f"{what} of {shown_range(self._range)} is free for a dynamic host port")


def _held(bindings: Iterable[task_state.Binding]) -> Iterator[tuple[str, int]]:
    """What bindings take of the host, port by port."""
    return ((binding.protocol, port) for binding in bindings for port in binding.host_ports)
