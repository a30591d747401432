"""Whether a gateway serves, asked over HTTP as `probe` asks over gRPC.

Standard library only, and blocking: the command and a container's health check ask once and end.
"""

import http.client
import json
import ssl
from urllib.parse import urlsplit

from longshore.rpc import tls

PATH = "/readyz"

SERVING = "SERVING"
NOT_SERVING = "NOT_SERVING"


def check(url: str, *, timeout_s: float, files: tls.Files | None = None) -> str:
    """SERVING, NOT_SERVING with what is away behind it, or `UNREACHABLE: why`. The URL is `http[s]://HOST[:PORT]`."""
    files = files or tls.Files()
    try:
        connection = _connection(url, timeout_s, files)
    except (OSError, ValueError) as error:
        return f"UNREACHABLE: {error}"
    try:
        connection.request("GET", PATH)
        answer = connection.getresponse()
        return _state(answer.status, answer.read())
    except (OSError, http.client.HTTPException) as error:
        return f"UNREACHABLE: {_said(error)}"
    finally:
        connection.close()


def _connection(url: str, timeout_s: float, files: tls.Files) -> http.client.HTTPConnection:
    parts = urlsplit(url)
    if not parts.hostname or parts.scheme not in {"http", "https"}:
        raise ValueError(f"{url!r} is not http[s]://HOST[:PORT]")
    if parts.scheme == "http":
        return http.client.HTTPConnection(parts.hostname, parts.port, timeout=timeout_s)
    context = ssl.create_default_context(cafile=files.ca)
    if files.cert:
        context.load_cert_chain(files.cert, files.key)
    return http.client.HTTPSConnection(parts.hostname, parts.port, timeout=timeout_s, context=context)


def _state(status: int, body: bytes) -> str:
    if status == http.client.OK:
        return SERVING
    if status != http.client.SERVICE_UNAVAILABLE:
        return f"UNREACHABLE: {PATH} is answered with {status}, as no gateway does"
    try:
        states = json.loads(body)["components"].items()
    except (ValueError, KeyError, TypeError, AttributeError):
        return NOT_SERVING
    away = ", ".join(name for name, state in states if state != SERVING)
    return f"{NOT_SERVING}: {away} behind it" if away else NOT_SERVING


def _said(error: Exception) -> str:
    return getattr(error, "strerror", None) or str(error) or type(error).__name__
