"""TLS for both ends, and the rule which addresses may be spoken to or listened on without it.

Three files, the same for servers and clients: a certificate, its key, and the authority that the other side's certificate must
come from. With an authority a server demands a client certificate: that is the authentication between components.
"""

import ipaddress
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    import grpc


class TlsError(Exception):
    """The TLS settings do not fit together, a file cannot be read, or TLS is missing where it is needed."""


@dataclass(frozen=True, slots=True)
class Files:
    """Paths of PEM files. All None: no TLS."""

    cert: Path | None = None
    key: Path | None = None
    ca: Path | None = None

    def __bool__(self) -> bool:
        return any((self.cert, self.key, self.ca))


@dataclass(frozen=True, slots=True)
class HostPort:
    """An address, taken apart. `host` has no brackets."""

    host: str
    port: int

    @classmethod
    def parse(cls, text: str) -> "HostPort":
        """Take host:port or [host]:port apart. Raises ValueError, naming the text."""
        host, colon, port = text.strip().rpartition(":")
        if host.startswith("[") and host.endswith("]"):
            host = host[1:-1]
        elif ":" in host:
            raise ValueError(f"{text!r} is not host:port; an IPv6 address goes in brackets")
        if not colon or not host or not port.isascii() or not port.isdigit() or int(port) > 65535:
            raise ValueError(f"{text!r} is not host:port")
        return cls(host, int(port))

    def __str__(self) -> str:
        return f"[{self.host}]:{self.port}" if ":" in self.host else f"{self.host}:{self.port}"

    @property
    def is_loopback(self) -> bool:
        """Whether only this machine can reach it. A name other than localhost counts as reachable from outside."""
        return is_loopback_host(self.host)


def is_loopback_host(host: str) -> bool:
    """Whether a host is this machine by its very name: localhost, 127.0.0.0/8, ::1."""
    if host == "localhost":
        return True
    try:
        address = ipaddress.ip_address(host)
    except ValueError:
        return False
    mapped = getattr(address, "ipv4_mapped", None)
    return (mapped or address).is_loopback


def server_credentials(files: Files) -> "grpc.ServerCredentials":
    """Credentials of a server; client certificates are demanded where an authority is given."""
    import grpc  # not above: settings need addresses alone, and a process that only starts another is ready far sooner

    if not files.cert or not files.key:
        raise TlsError("TLS for a server needs both LONGSHORE_TLS_CERT_FILE and LONGSHORE_TLS_KEY_FILE.")
    return grpc.ssl_server_credentials(
        [(_read(files.key), _read(files.cert))],
        root_certificates=_read(files.ca) if files.ca else None,
        require_client_auth=files.ca is not None,
    )


def channel_credentials(files: Files) -> "grpc.ChannelCredentials":
    """Credentials of a client. Without an authority the system's are trusted."""
    import grpc  # see server_credentials

    if bool(files.cert) != bool(files.key):
        raise TlsError("A client certificate needs both LONGSHORE_TLS_CERT_FILE and LONGSHORE_TLS_KEY_FILE.")
    return grpc.ssl_channel_credentials(
        root_certificates=_read(files.ca) if files.ca else None,
        private_key=_read(files.key) if files.key else None,
        certificate_chain=_read(files.cert) if files.cert else None,
    )


def refuse_open_address(address: HostPort, files: Files, *, insecure: bool) -> None:
    """Raise where a server would be reachable from outside without TLS and authentication, and nobody said `--insecure`."""
    if address.is_loopback or insecure:
        return
    missing = [
        variable
        for variable, path in (
            ("LONGSHORE_TLS_CERT_FILE", files.cert),
            ("LONGSHORE_TLS_KEY_FILE", files.key),
            ("LONGSHORE_TLS_CA_FILE", files.ca),
        )
        if path is None
    ]
    if missing:
        raise TlsError(
            f"{address} can be reached from outside this machine, and {', '.join(missing)} is not set. "
            "Set it, listen on a loopback address, or pass --insecure."
        )


def _read(path: Path) -> bytes:
    try:
        return path.read_bytes()
    except OSError as error:
        raise TlsError(f"cannot read {path}: {error.strerror}") from error
