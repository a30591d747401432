"""Addresses, and where a server may listen without TLS."""

from pathlib import Path

import pytest

from longshore.rpc import tls

ALL = tls.Files(Path("/c"), Path("/k"), Path("/a"))


@pytest.mark.parametrize(
    ("text", "host", "port"),
    [("127.0.0.1:0", "127.0.0.1", 0), ("[::1]:8701", "::1", 8701), ("db.example:5432", "db.example", 5432)],
)
def test_an_address_is_taken_apart_and_put_together(text: str, host: str, port: int) -> None:
    address = tls.HostPort.parse(text)
    assert (address.host, address.port, str(address)) == (host, port, text)


@pytest.mark.parametrize(
    "text", ["", "8701", "host", "host:", ":8701", "host:port", "host:65536", "::1:8701", "host:-1", "h:²"]
)
def test_what_is_no_address_is_refused_by_its_text(text: str) -> None:
    with pytest.raises(ValueError, match="is not host:port"):
        tls.HostPort.parse(text)


@pytest.mark.parametrize("host", ["127.0.0.1", "127.9.9.9", "::1", "localhost", "::ffff:127.0.0.1"])
def test_loopback_needs_nothing(host: str) -> None:
    tls.refuse_open_address(tls.HostPort(host, 1), tls.Files(), insecure=False)


@pytest.mark.parametrize("host", ["0.0.0.0", "::", "10.0.0.1", "example.org"])
def test_an_address_open_to_others_needs_tls_with_authentication_or_the_users_word(host: str) -> None:
    address = tls.HostPort(host, 8701)
    with pytest.raises(tls.TlsError, match="--insecure"):
        tls.refuse_open_address(address, tls.Files(), insecure=False)
    with pytest.raises(tls.TlsError, match="LONGSHORE_TLS_CA_FILE is not set"):
        tls.refuse_open_address(address, tls.Files(Path("/c"), Path("/k")), insecure=False)
    tls.refuse_open_address(address, ALL, insecure=False)
    tls.refuse_open_address(address, tls.Files(), insecure=True)


def test_files_that_are_missing_are_named(tmp_path: Path) -> None:
    with pytest.raises(tls.TlsError, match=f"cannot read {tmp_path / 'no.pem'}"):
        tls.channel_credentials(tls.Files(ca=tmp_path / "no.pem"))
    with pytest.raises(tls.TlsError, match="needs both"):
        tls.channel_credentials(tls.Files(cert=tmp_path / "c.pem"))
    with pytest.raises(tls.TlsError, match="needs both"):
        tls.server_credentials(tls.Files(cert=tmp_path / "c.pem"))
