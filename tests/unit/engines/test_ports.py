"""The allocator of loopback ports."""

import socket
from collections.abc import Callable


def test_ports_are_never_given_twice(free_port: Callable[[], int]) -> None:
    given = [free_port() for _ in range(200)]

    assert len(set(given)) == len(given)


def test_a_given_port_can_be_listened_on(free_port: Callable[[], int]) -> None:
    port = free_port()

    with socket.create_server(("127.0.0.1", port)) as server:
        assert server.getsockname() == ("127.0.0.1", port)
