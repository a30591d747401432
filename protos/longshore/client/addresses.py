"""Where the control plane is, as a client is told."""

import os
from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path

from longshore.rpc import settings, tls

DEFAULT_SERVER = "127.0.0.1"


@dataclass(frozen=True, slots=True)
class Addresses:
    """host:port of each component, one or more replicas each."""

    registry: tuple[str, ...]
    scheduler: tuple[str, ...]
    state_tracker: tuple[str, ...]


def resolve(server: str | None = None, environ: Mapping[str, str] | None = None) -> Addresses:
    """Find the components: `server` (or LONGSHORE_SERVER) with the default ports, each overridden by a variable of its own.

    LONGSHORE_REGISTRY, LONGSHORE_SCHEDULER and LONGSHORE_STATE_TRACKER are lists of host:port, separated by commas.
    A server given here beats all variables.
    """
    variables = os.environ if environ is None else environ
    host = server or variables.get("LONGSHORE_SERVER") or DEFAULT_SERVER

    def component(variable: str, port: int) -> tuple[str, ...]:
        listed = "" if server else variables.get(variable, "")
        replicas = tuple(part.strip() for part in listed.split(",") if part.strip())
        return replicas or (settings.default_address(host, port),)

    return Addresses(
        registry=component("LONGSHORE_REGISTRY", settings.REGISTRY_PORT),
        scheduler=component("LONGSHORE_SCHEDULER", settings.SCHEDULER_PORT),
        state_tracker=component("LONGSHORE_STATE_TRACKER", settings.STATE_TRACKER_PORT),
    )


def tls_files(environ: Mapping[str, str] | None = None) -> tls.Files:
    """The certificate files that LONGSHORE_TLS_{CERT,KEY,CA}_FILE name; none set: no TLS."""
    variables = os.environ if environ is None else environ
    named = (variables.get(f"LONGSHORE_TLS_{kind}_FILE") for kind in ("CERT", "KEY", "CA"))
    return tls.Files(*(Path(path) if path else None for path in named))
