"""Host ports as numbers: TCP 1-65535 as they are, UDP above them, so that one integer names a port of a protocol.

Pure. The text form is what the column `task_intents.ports` holds (`80/tcp,53/udp`).
"""

from collections.abc import Iterable

UDP_OFFSET = 1 << 16


def tcp(number: int) -> int:
    """A TCP port."""
    return number


def udp(number: int) -> int:
    """A UDP port."""
    return number | UDP_OFFSET


def render(port: int) -> str:
    """`80/tcp`."""
    return f"{port & (UDP_OFFSET - 1)}/{'udp' if port & UDP_OFFSET else 'tcp'}"


def parse(text: str) -> int:
    """The port of `80/tcp`."""
    number, _, protocol = text.partition("/")
    return udp(int(number)) if protocol == "udp" else tcp(int(number))


def to_column(ports: Iterable[int]) -> str | None:
    """The column's value; None where there are no ports."""
    return ",".join(render(port) for port in sorted(ports)) or None


def from_column(text: str | None) -> tuple[int, ...]:
    """The ports of the column's value."""
    return tuple(parse(part) for part in text.split(",")) if text else ()
