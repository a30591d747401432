import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from longshore.storage import held, ports
from longshore.v1 import event_pb2, task_definition_pb2, task_pb2

UNTIMED = settings(deadline=None)
"""A machine that is busy is no fault."""

UDP = task_definition_pb2.TRANSPORT_PROTOCOL_UDP


@UNTIMED
@given(st.sets(st.integers(1, 65_535).flatmap(lambda number: st.sampled_from([number, ports.udp(number)]))))
def test_both_columns_give_back_what_was_put_in(some: set[int]) -> None:
    assert set(ports.from_column(ports.to_column(some))) == some
    assert set(ports.from_column(ports.to_ranges(some))) == some


def test_neighbours_of_one_protocol_are_one_range() -> None:
    some = (80, 81, 82, 443, 65_535, ports.udp(0), ports.udp(53), ports.udp(54))
    assert ports.to_ranges(some) == "80-82/tcp,443/tcp,65535/tcp,0/udp,53-54/udp"
    assert ports.to_ranges(()) == ""


def observed(**binding: object) -> list[int]:
    bound = task_pb2.NetworkBinding(**binding)  # type: ignore[arg-type] # fields of the test
    return list(ports.observed([event_pb2.ContainerObservation(network_bindings=[bound])]))


def test_what_an_agent_reports_is_its_ports_and_ranges() -> None:
    assert observed(host_port=49_153) == [49_153]
    assert observed(host_port=53, protocol=UDP) == [ports.udp(53)]
    assert observed(host_port_range="49153-49155", container_port_range="80-82") == [49_153, 49_154, 49_155]


@pytest.mark.parametrize(
    "text",
    ["", "1", "5-1", "0-3", "1-70000", "a-b", "1-2-3", "-3", "1-" + "9" * 30, "1-065535999999999", "1-" + "9" * 5000],
)
def test_what_is_no_range_is_passed_over(text: str) -> None:
    assert observed(host_port_range=text) == []
    assert observed(host_port=0) == observed(host_port=70_000) == []


def test_nobody_holds_more_ports_than_there_are() -> None:
    bound = [task_pb2.NetworkBinding(host_port_range="1-65535")] * 1000
    found = list(ports.observed([event_pb2.ContainerObservation(network_bindings=bound)]))
    assert len(found) == 2 * ports.UDP_OFFSET
    assert ports.to_ranges(found) == "1-65535/tcp"


def test_the_column_of_resources_gives_back_what_was_put_in() -> None:
    some = held.of([("GPU", ("1",)), ("licence", 2), ("GPU", ("0",)), ("licence", 1)])
    assert some == (("GPU", ("1", "0")), ("licence", 3))
    assert held.from_column(held.to_column(some)) == some
    assert (held.to_column(()), held.from_column(None)) == (None, ())
