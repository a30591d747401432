import pytest

from longshore.cli import endpoints
from longshore.v1 import common_pb2, container_instance_pb2, task_definition_pb2, task_pb2

UDP = task_definition_pb2.TRANSPORT_PROTOCOL_UDP
TCP = task_definition_pb2.TRANSPORT_PROTOCOL_TCP


def binding(
    container: int, host: int, ip: str = "127.0.0.1", protocol: "task_definition_pb2.TransportProtocol.ValueType" = TCP
) -> task_pb2.NetworkBinding:
    return task_pb2.NetworkBinding(container_port=container, host_port=host, bind_ip=ip, protocol=protocol)


def test_no_ports_have_no_urls() -> None:
    assert endpoints.urls([], host="a") == []


def test_urls_are_in_the_order_of_the_container_s_ports() -> None:
    found = endpoints.urls([binding(443, 32769), binding(80, 32768)], host="box")
    assert found == ["http://127.0.0.1:32768", "http://127.0.0.1:32769"]


@pytest.mark.parametrize("everywhere", ["0.0.0.0", "::", ""])
def test_a_port_on_every_address_is_reached_at_the_host(everywhere: str) -> None:
    assert endpoints.urls([binding(80, 1, everywhere)], host="box") == ["http://box:1"]


def test_a_port_that_the_engine_lists_for_both_families_is_shown_once() -> None:
    assert endpoints.urls([binding(80, 1, "0.0.0.0"), binding(80, 1, "::")], host="box") == ["http://box:1"]


def test_two_protocols_of_one_port_are_two() -> None:
    found = endpoints.urls([binding(53, 1), binding(53, 1, protocol=UDP)], host="box")
    assert found == ["http://127.0.0.1:1", "udp://127.0.0.1:1"]


def test_an_address_of_ipv6_has_brackets() -> None:
    assert endpoints.urls([binding(80, 1, "::1")], host="box") == ["http://[::1]:1"]


def test_a_range_is_no_address_of_a_browser() -> None:
    ports = task_pb2.NetworkBinding(
        bind_ip="127.0.0.1", container_port_range="80-81", host_port_range="49153-49154", protocol=TCP
    )
    assert endpoints.urls([ports], host="box") == ["tcp://127.0.0.1:49153-49154"]


def instance(name: str) -> container_instance_pb2.ContainerInstance:
    return container_instance_pb2.ContainerInstance(
        attributes=[common_pb2.Attribute(name="longshore.hostname", value=name)]
    )


def test_a_host_is_reached_by_its_name_and_this_one_by_loopback() -> None:
    assert endpoints.host_of(instance("box"), here="laptop") == "box"
    assert endpoints.host_of(instance("laptop"), here="laptop") == "127.0.0.1"
    assert endpoints.host_of(container_instance_pb2.ContainerInstance(), here="laptop") == "127.0.0.1"
    assert endpoints.host_of(None, here="laptop") == "127.0.0.1"
