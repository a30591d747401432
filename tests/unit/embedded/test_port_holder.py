import os
import socket
from pathlib import Path

from longshore.embedded import port_holder

LINES = """\
   0: 0100007F:21FD 00000000:0000 0A 00000000:00000000 00:00000000 00000000     0        0 4711 1 0000000000000000 100 0
   1: 0100007F:21FD 0100007F:C000 01 00000000:00000000 00:00000000 00000000     0        0 4712 1 0000000000000000 100 0
   2: 00000000:0016 00000000:0000 0A 00000000:00000000 00:00000000 00000000     0        0 4713 1 0000000000000000 100 0
   3: short
""".splitlines()


def test_only_sockets_that_listen_on_the_port_count() -> None:
    assert list(port_holder.listening(LINES, 8701)) == ["4711"]
    assert list(port_holder.listening(LINES, 22)) == ["4713"]
    assert list(port_holder.listening(LINES, 80)) == []


def test_the_process_that_listens_is_named_with_its_command() -> None:
    with socket.create_server(("127.0.0.1", 0)) as server:
        port = server.getsockname()[1]
        said = port_holder.describe(port)
    command = Path("/proc/self/cmdline").read_bytes().rstrip(b"\0").replace(b"\0", b" ").decode()
    assert said.startswith(f"pid {os.getpid()} (")
    assert command[:40] in said
    assert port_holder.describe(port) == ""


def test_a_listener_on_ipv6_is_found_too() -> None:
    with socket.create_server(("::1", 0), family=socket.AF_INET6) as server:
        assert port_holder.describe(server.getsockname()[1]).startswith(f"pid {os.getpid()} (")
