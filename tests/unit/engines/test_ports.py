"""The allocator of loopback ports."""

import socket
import subprocess
import sys
from collections.abc import Callable
from pathlib import Path

ROOT = Path(__file__).parents[3]


def test_ports_are_never_given_twice(free_port: Callable[[], int]) -> None:
    given = [free_port() for _ in range(200)]

    assert len(set(given)) == len(given)


def test_a_given_port_can_be_listened_on(free_port: Callable[[], int]) -> None:
    port = free_port()

    with socket.create_server(("127.0.0.1", port)) as server:
        assert server.getsockname() == ("127.0.0.1", port)


def test_processes_side_by_side_are_not_given_the_same() -> None:
    program = "from tests.engines import ports; print(*(ports.free_port() for _ in range(2000))); input()"
    started = [
        subprocess.Popen(
            [sys.executable, "-c", program], cwd=ROOT, stdin=subprocess.PIPE, stdout=subprocess.PIPE, text=True
        )
        for _ in range(2)
    ]
    given = [process.stdout.readline().split() for process in started if process.stdout is not None]
    for process in started:
        process.communicate("\n", timeout=30)

    assert [len(ports) for ports in given] == [2000, 2000]
    assert not set(given[0]) & set(given[1])
