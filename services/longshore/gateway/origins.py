"""Whether an unverified request can come from a web page of somewhere else.

Pure. A gateway that verifies nothing does what anybody on this machine says, and a browser on this machine says what any page
tells it to. Two things tell such a request: `Origin`, which a browser adds to what a page sends, and `Host`, which names the page's
own site where its name was made to lead here (DNS rebinding).
"""

from urllib.parse import urlsplit

from longshore.gateway import refusals, wire
from longshore.rpc import caller, tls


def check(request: wire.Request, principal: str) -> None:
    """Refuse a request that was not verified, where it may be a web page's."""
    if principal != caller.LOCAL_ADMIN:
        return
    host = request.header("host")
    if host is not None and not _is_local(_name(host)):
        raise refusals.ForeignOriginException(
            f"The header Host is {wire.quoted(host)}: without access keys only requests to this machine by its "
            "loopback names are answered. Use http://127.0.0.1, or make a key with longshore access-key create."
        )
    origin = request.header("origin")
    if origin is not None and _site(origin) != (host or "").strip().lower():
        raise refusals.ForeignOriginException(
            f"The header Origin is {wire.quoted(origin)}: without access keys no web page of another site is answered."
        )


def _name(host: str) -> str:
    """The name of a Host header, without port and brackets; empty where it is none."""
    if "@" in host:
        return ""
    try:
        return urlsplit(f"//{host.strip()}").hostname or ""
    except ValueError:
        return ""


def _site(origin: str) -> str | None:
    """The host and port of an Origin header; None where it has none (`null`, or no URL at all)."""
    try:
        return urlsplit(origin.strip()).netloc.lower() or None
    except ValueError:
        return None


def _is_local(name: str) -> bool:
    # Names below localhost never leave the machine (RFC 6761).
    return tls.is_loopback_host(name) or name.endswith(".localhost")
