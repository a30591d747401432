"""Loopback ports for servers that cannot be told to bind port 0 and say which they got.

They lie below the range from which the kernel takes ports for connections, and engines those for containers: nobody else comes by one
between its choice and its use. Processes of one run, and runs side by side, keep out of each other's way by a claim on each port given: an
abstract socket of its name, which the kernel takes back with the process.
"""

import atexit
import random
import socket

_FIRST, _END = 20_000, 32_768
_claims: dict[int, socket.socket] = {}
_order = random.SystemRandom()


@atexit.register
def _give_back() -> None:
    for claim in _claims.values():
        claim.close()


def free_port() -> int:
    """A loopback TCP port that nobody listens on, given once."""
    return free_range(1)


def free_range(count: int) -> int:
    """The first of that many free ports in a row, none of them given before."""
    while True:
        first = _order.randrange(_FIRST, _END - count + 1)
        ports = range(first, first + count)
        if all(port not in _claims for port in ports) and all(_claim(port) and _is_free(port) for port in ports):
            return first


def _claim(port: int) -> bool:
    """Have the port for this process; one that turns out to be taken stays claimed, which harms nobody."""
    claim = socket.socket(socket.AF_UNIX, socket.SOCK_DGRAM)
    try:
        claim.bind(f"\0longshore-test-port-{port}")
    except OSError:
        claim.close()
        return False
    _claims[port] = claim
    return True


def _is_free(port: int) -> bool:
    with socket.socket(socket.AF_INET, socket.SOCK_STREAM) as probe:
        # Connections that ended lately do not keep a server from listening.
        probe.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEADDR, 1)
        try:
            probe.bind(("127.0.0.1", port))
        except OSError:
            return False
    return True
