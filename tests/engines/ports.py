"""Loopback ports for servers that cannot be told to bind port 0 and say which they got."""

import socket

_given: set[int] = set()


def free_port() -> int:
    """A loopback TCP port that nobody listens on.

    The kernel picks it; a port given once in this run is not given again, so two servers that start at the same time
    cannot be sent to the same one.
    """
    while True:
        with socket.socket(socket.AF_INET, socket.SOCK_STREAM) as probe:
            probe.bind(("127.0.0.1", 0))
            port: int = probe.getsockname()[1]
        if port not in _given:
            _given.add(port)
            return port


def free_range(count: int) -> int:
    """The first of that many free ports in a row, none of them given before."""
    while True:
        first = free_port()
        others = range(first + 1, first + count)
        if first + count < 65536 and all(port not in _given and _is_free(port) for port in others):
            _given.update(others)
            return first


def _is_free(port: int) -> bool:
    with socket.socket(socket.AF_INET, socket.SOCK_STREAM) as probe:
        try:
            probe.bind(("127.0.0.1", port))
        except OSError:
            return False
    return True
