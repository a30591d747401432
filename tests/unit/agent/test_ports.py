import socket
from pathlib import Path

import pytest

from longshore.agent import ports, task_state

TCP = ports.Wanted(80, 0, "tcp")


def free(*_: object) -> bool:
    return True


def test_dynamic_ports_are_given_out_once_and_go_round() -> None:
    given = ports.Ports(dynamic=range(100, 103), probe=free)
    first = [given.bind([TCP])[0].host_port for _ in range(3)]
    assert first == [100, 101, 102]
    with pytest.raises(ports.NoPortFree, match="no tcp port of 100-102 is free"):
        given.bind([TCP])
    given.release([task_state.Binding(80, 101, "tcp", "")])
    assert given.bind([TCP])[0].host_port == 101


def test_protocols_have_ports_of_their_own() -> None:
    given = ports.Ports(dynamic=range(100, 101), probe=free)
    assert given.bind([TCP])[0].host_port == 100
    assert given.bind([ports.Wanted(53, 0, "udp")])[0].host_port == 100


def test_static_and_adopted_ports_are_not_given_out() -> None:
    given = ports.Ports(dynamic=range(100, 103), probe=free)
    given.bind([ports.Wanted(80, 100, "tcp")])
    given.hold([task_state.Binding(80, 101, "tcp", "")])
    assert given.bind([TCP])[0].host_port == 102


def test_what_was_taken_for_a_set_that_cannot_be_had_is_given_back() -> None:
    given = ports.Ports(dynamic=range(100, 101), probe=free)
    with pytest.raises(ports.NoPortFree):
        given.bind([TCP, TCP])
    assert given.bind([TCP])[0].host_port == 100


def test_ports_of_other_programs_are_passed_over() -> None:
    with socket.socket() as other:
        other.bind(("127.0.0.1", 0))
        taken = other.getsockname()[1]
        given = ports.Ports(dynamic=range(taken, taken + 50), publish_address="127.0.0.1")
        assert given.bind([TCP])[0].host_port != taken


def test_bindings_show_where_they_are_published() -> None:
    assert ports.Ports(dynamic=range(100, 101), probe=free).bind([TCP])[0].host_ip == "0.0.0.0"
    local = ports.Ports(dynamic=range(100, 101), probe=free, publish_address="127.0.0.1")
    assert local.bind([TCP])[0].host_ip == "127.0.0.1"


def test_the_kernels_range_is_used_where_it_can_be_read(tmp_path: Path) -> None:
    file = tmp_path / "range"
    file.write_text("32768\t60999\n")
    assert ports.kernel_range(file) == range(32768, 61000)
    assert ports.kernel_range(tmp_path / "none") == ports.DEFAULT_RANGE
