"""Host ports as numbers: TCP 1-65535 as they are, UDP above them, so that one integer names a port of a protocol.

Pure. The text form is what the columns hold: `task_intents.ports` the static ports that a task was placed with (`80/tcp,53/udp`),
`task_observations.ports` those that its agent reports, dynamic ones and ranges included (`49153-49162/tcp`).
"""

import itertools
from collections.abc import Iterable, Iterator

from longshore.v1 import event_pb2, task_definition_pb2, task_pb2

UDP_OFFSET = 1 << 16
_NUMBER = UDP_OFFSET - 1
_DIGITS = len(str(_NUMBER))
_UDP = task_definition_pb2.TRANSPORT_PROTOCOL_UDP


def tcp(number: int) -> int:
    """A TCP port."""
    return number


def udp(number: int) -> int:
    """A UDP port."""
    return number | UDP_OFFSET


def render(port: int) -> str:
    """`80/tcp`."""
    return f"{port & _NUMBER}/{_protocol(port)}"


def numbers(ports: Iterable[int], *, udp_ones: bool) -> Iterator[int]:
    """The numbers of the ports of one protocol."""
    return (port & _NUMBER for port in ports if bool(port & UDP_OFFSET) is udp_ones)


def to_column(ports: Iterable[int]) -> str | None:
    """The value of `task_intents.ports`; None where there are no ports."""
    return ",".join(render(port) for port in sorted(ports)) or None


def to_ranges(ports: Iterable[int]) -> str:
    """The value of `task_observations.ports`: neighbours together, empty where there are no ports."""
    runs: list[list[int]] = []
    for port in sorted(set(ports)):
        if runs and port == runs[-1][1] + 1 and port != UDP_OFFSET:
            runs[-1][1] = port
        else:
            runs.append([port, port])
    return ",".join(
        render(first) if first == last else f"{first & _NUMBER}-{last & _NUMBER}/{_protocol(first)}"
        for first, last in runs
    )


def from_column(text: str | None) -> tuple[int, ...]:
    """The ports of either column's value."""
    return tuple(port for part in text.split(",") for port in _parse(part)) if text else ()


def observed(containers: Iterable[event_pb2.ContainerObservation]) -> Iterator[int]:
    """The host ports that an agent reports for containers. What is no port is passed over: a report is the agent's word.

    Nor are there more than there can be, however often it says that it holds all of them.
    """
    return itertools.islice(_observed(containers), 2 * UDP_OFFSET)


def _observed(containers: Iterable[event_pb2.ContainerObservation]) -> Iterator[int]:
    for container in containers:
        for binding in container.network_bindings:
            make = udp if binding.protocol == _UDP else tcp
            if 0 < binding.host_port <= _NUMBER:
                yield make(binding.host_port)
            yield from (make(number) for number in _range(binding))


def _range(binding: task_pb2.NetworkBinding) -> range:
    first, _, last = binding.host_port_range.partition("-")
    if not (first.isascii() and first.isdigit() and last.isascii() and last.isdigit()):
        return range(0)
    if len(first) > _DIGITS or len(last) > _DIGITS or not 0 < int(first) <= int(last) <= _NUMBER:
        return range(0)
    return range(int(first), int(last) + 1)


def _parse(part: str) -> Iterator[int]:
    numbers, _, protocol = part.partition("/")
    first, _, last = numbers.partition("-")
    make = udp if protocol == "udp" else tcp
    return (make(number) for number in range(int(first), int(last or first) + 1))


def _protocol(port: int) -> str:
    return "udp" if port & UDP_OFFSET else "tcp"
