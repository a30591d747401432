import pytest

from longshore.client import addresses
from longshore.rpc import tls

DEFAULT = addresses.Addresses(("127.0.0.1:8701",), ("127.0.0.1:8702",), ("127.0.0.1:8703",))


def test_without_a_word_the_control_plane_is_on_this_machine() -> None:
    assert addresses.resolve(environ={}) == DEFAULT


def test_a_server_has_the_usual_ports() -> None:
    expected = addresses.Addresses(("box:8701",), ("box:8702",), ("box:8703",))
    assert addresses.resolve(environ={"LONGSHORE_SERVER": "box"}) == expected


def test_a_component_s_variable_overrides_the_server_and_lists_replicas() -> None:
    environ = {"LONGSHORE_SERVER": "box", "LONGSHORE_SCHEDULER": " a:1, b:2 ,", "LONGSHORE_REGISTRY": ""}
    assert addresses.resolve(environ=environ) == addresses.Addresses(("box:8701",), ("a:1", "b:2"), ("box:8703",))


def test_a_gateway_is_where_it_is_said_to_be_or_likely_beside_the_registry() -> None:
    environ = {"LONGSHORE_REGISTRY": "[::1]:7,b:8", "LONGSHORE_GATEWAY": "g1:8700,g2:8700"}
    assert addresses.resolve(environ=environ).gateway == ("g1:8700", "g2:8700")
    unnamed = addresses.resolve(environ=environ | {"LONGSHORE_GATEWAY": ""})
    assert (unnamed.gateway, unnamed.likely_gateway) == ((), "[::1]:8700")


def test_a_server_given_as_argument_beats_all_variables() -> None:
    environ = {"LONGSHORE_SERVER": "box", "LONGSHORE_SCHEDULER": "a:1"}
    assert addresses.resolve("127.0.0.1", environ) == DEFAULT


@pytest.mark.parametrize("server", ["::1", "[::1]"])
def test_an_address_of_ipv6_gets_its_brackets(server: str) -> None:
    assert addresses.resolve(server).registry == ("[::1]:8701",)


@pytest.mark.parametrize("server", ["box:8701", "a,b", "http://box", "a b", "[]"])
def test_a_server_is_a_host_alone(server: str) -> None:
    with pytest.raises(addresses.AddressError, match="a host without port is meant"):
        addresses.resolve(server)


@pytest.mark.parametrize("listed", ["box", "box:", "box:1,other", "::1"])
def test_a_component_s_address_has_a_port_and_the_error_names_the_variable(listed: str) -> None:
    with pytest.raises(addresses.AddressError, match=r"^LONGSHORE_REGISTRY: .* is not host:port"):
        addresses.resolve(environ={"LONGSHORE_REGISTRY": listed})


def test_certificates_are_named_by_variables() -> None:
    assert not addresses.tls_files({})
    found = addresses.tls_files({"LONGSHORE_TLS_CA_FILE": "/etc/ca.pem"})
    assert (found.cert, found.key, str(found.ca)) == (None, None, "/etc/ca.pem")
    assert isinstance(found, tls.Files)
