"""Where the control plane is, as a client is told. Pure but for the environment, which is a parameter."""

import ipaddress
import os
from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path

from longshore.rpc import channels, settings, tls

DEFAULT_SERVER = "127.0.0.1"

PORTS = {
    "LONGSHORE_REGISTRY": settings.REGISTRY_PORT,
    "LONGSHORE_SCHEDULER": settings.SCHEDULER_PORT,
    "LONGSHORE_STATE_TRACKER": settings.STATE_TRACKER_PORT,
}
"""The variable that overrides a component's address, and the port it has on the server otherwise."""


class AddressError(ValueError):
    """What a client was told is not an address. The message names the variable or argument."""


TlsError = tls.TlsError
"""What opening a client raises where a certificate file cannot be used."""


@dataclass(frozen=True, slots=True)
class Addresses:
    """host:port of each component, one or more replicas each."""

    registry: tuple[str, ...]
    scheduler: tuple[str, ...]
    state_tracker: tuple[str, ...]
    gateway: tuple[str, ...] = ()
    """Gateways, which speak HTTP; the client asks none of them. Empty: none was named."""

    @property
    def likely_gateway(self) -> str:
        """Where a gateway would be that was not named: on its usual port, beside the registry."""
        return settings.default_address(tls.HostPort.parse(self.registry[0]).host, settings.GATEWAY_PORT)


def resolve(server: str | None = None, environ: Mapping[str, str] | None = None) -> Addresses:
    """Find the components: `server` (or LONGSHORE_SERVER) with the default ports, each overridden by a variable of its own.

    LONGSHORE_REGISTRY, LONGSHORE_SCHEDULER and LONGSHORE_STATE_TRACKER are lists of host:port, separated by commas, and so is
    LONGSHORE_GATEWAY, which only `longshore status` needs: by default nobody is said to run one.
    A server given as an argument beats all variables. Raises AddressError.
    """
    variables = {} if server else os.environ if environ is None else environ
    host = server or variables.get("LONGSHORE_SERVER") or DEFAULT_SERVER

    def component(variable: str) -> tuple[str, ...]:
        return named(variable) or (settings.default_address(host, PORTS[variable]),)

    def named(variable: str) -> tuple[str, ...]:
        listed = variables.get(variable, "").strip(", ")
        if not listed:
            return ()
        try:
            return channels.split(listed)
        except ValueError as error:
            raise AddressError(f"{variable}: {error}") from error

    if not _is_host(host):
        raise AddressError(f"The server is {host!r}: a host without port is meant; the ports are fixed.")

    return Addresses(
        registry=component("LONGSHORE_REGISTRY"),
        scheduler=component("LONGSHORE_SCHEDULER"),
        state_tracker=component("LONGSHORE_STATE_TRACKER"),
        gateway=named("LONGSHORE_GATEWAY"),
    )


def _is_host(text: str) -> bool:
    """Whether a text is a name or an address, and nothing beside it."""
    bare = text.strip().removeprefix("[").removesuffix("]")
    if ":" not in bare:
        return bool(bare) and not any(character in bare for character in " ,/")
    try:
        ipaddress.IPv6Address(bare)
    except ValueError:
        return False
    return True


def tls_files(environ: Mapping[str, str] | None = None) -> tls.Files:
    """The certificate files that LONGSHORE_TLS_{CERT,KEY,CA}_FILE name; none set: no TLS."""
    variables = os.environ if environ is None else environ
    named = (variables.get(f"LONGSHORE_TLS_{kind}_FILE") for kind in ("CERT", "KEY", "CA"))
    return tls.Files(*(Path(path).expanduser() if path else None for path in named))
