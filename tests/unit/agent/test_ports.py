import socket
from pathlib import Path

import pytest

from longshore.agent import ports, task_state
from longshore.v1 import task_definition_pb2 as definition_pb2

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


def test_a_range_gets_as_many_ports_in_a_row_and_gives_all_of_them_back() -> None:
    given = ports.Ports(dynamic=range(100, 110), probe=free)
    given.bind([ports.Wanted(1, 102, "tcp")])
    (binding,) = given.bind([ports.Wanted(8000, 0, "tcp", count=4)])
    assert list(binding.host_ports) == [103, 104, 105, 106]
    assert list(binding.container_ports) == [8000, 8001, 8002, 8003]
    with pytest.raises(ports.NoPortFree, match="no 4 tcp ports in a row of 100-109"):
        given.bind([ports.Wanted(9000, 0, "tcp", count=4)])
    given.release([binding])
    assert given.bind([ports.Wanted(9000, 0, "tcp", count=7)])[0].host_port == 103


def test_a_row_is_found_wherever_the_search_begins_and_never_goes_round() -> None:
    for begin in range(5):
        given = ports.Ports(dynamic=range(100, 105), probe=free)
        for _ in range(begin):
            given.release(given.bind([TCP]))
        (binding,) = given.bind([ports.Wanted(8000, 0, "tcp", count=5)])
        assert list(binding.host_ports) == [100, 101, 102, 103, 104]


def test_a_mapping_of_a_range_wants_it_as_one() -> None:
    mapping = definition_pb2.PortMapping(
        container_port_range="8000-8002", protocol=definition_pb2.TRANSPORT_PROTOCOL_UDP
    )
    container = definition_pb2.ContainerDefinition(port_mappings=[mapping])
    bridge, host = definition_pb2.NETWORK_MODE_BRIDGE, definition_pb2.NETWORK_MODE_HOST
    assert ports.wanted(container, bridge) == (ports.Wanted(8000, 0, "udp", count=3),)
    assert ports.wanted(container, host) == (ports.Wanted(8000, 8000, "udp", count=3),)


def test_bindings_show_where_they_are_published() -> None:
    assert ports.Ports(dynamic=range(100, 101), probe=free).bind([TCP])[0].host_ip == "0.0.0.0"
    local = ports.Ports(dynamic=range(100, 101), probe=free, publish_address="127.0.0.1")
    assert local.bind([TCP])[0].host_ip == "127.0.0.1"


def test_the_kernels_range_is_used_where_it_can_be_read(tmp_path: Path) -> None:
    file = tmp_path / "range"
    file.write_text("32768\t60999\n")
    assert ports.kernel_range(file) == range(32768, 61000)
    assert ports.kernel_range(tmp_path / "none") == ports.DEFAULT_RANGE
