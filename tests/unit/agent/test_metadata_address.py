"""Where task metadata is served, and the network that makes the address."""

import pytest

from longshore.agent.metadata import metadata_address


@pytest.mark.parametrize(
    ("text", "url"),
    [
        ("169.254.170.2", "http://169.254.170.2:51679"),
        ("169.254.170.2:80", "http://169.254.170.2"),
        ("10.0.0.9:8000", "http://10.0.0.9:8000"),
    ],
)
def test_an_address_with_or_without_a_port(text: str, url: str) -> None:
    found = metadata_address.place(text)
    assert found is not None
    assert found.url == url


def test_nowhere_is_said_by_name() -> None:
    assert metadata_address.place("none") is None


@pytest.mark.parametrize(
    ("text", "reason"),
    [
        ("", "cannot be empty"),
        ("localhost", "Expected 4 octets"),
        ("1.2.3.4:", "invalid literal"),
        ("1.2.3.4:0", "0 is not a port"),
        ("1.2.3.4:65536", "65536 is not a port"),
        ("::1", "invalid literal"),
    ],
)
def test_what_is_no_place_is_refused(text: str, reason: str) -> None:
    with pytest.raises(ValueError, match=reason):
        metadata_address.place(text)


def test_the_network_has_the_address_as_its_gateway_and_room_for_nobody() -> None:
    found = metadata_address.network_config("169.254.170.2")
    assert found["IPAM"] == {"Config": [{"Subnet": "169.254.170.0/30", "Gateway": "169.254.170.2"}]}
    assert len(found["Options"]["com.docker.network.bridge.name"]) <= 15
    assert metadata_address.network_name("169.254.170.2") == "longshore-metadata-169.254.170.2"
