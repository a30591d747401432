"""SigV4's canonical form of a request: the text that both sides hash, whatever was on the way between them.

Pure. These are the rules for every service but S3: the path is normalised and encoded once more than it is on the wire. What has
one meaning to whoever answers has one canonical form, and what has another meaning has another: the query is decoded as a form is
(`+` is a space) and encoded anew.
"""

import hashlib
import re
import urllib.parse
from collections.abc import Iterable, Sequence

from longshore.gateway import wire

_BLANKS = re.compile(rb"[ \t\r\n]+")

_UNRESERVED = "-_.~"
"""What RFC 3986 leaves as it is, besides letters and digits."""


def request_digest(request: wire.Request, *, query: str, signed_headers: Sequence[str], body_digest: str) -> str:
    """SHA-256 of the canonical request, in hexadecimal."""
    return hashlib.sha256(request_text(request, query, signed_headers, body_digest)).hexdigest()


def request_text(request: wire.Request, query: str, signed_headers: Sequence[str], body_digest: str) -> bytes:
    """The canonical request; `query` is what of the query counts, `signed_headers` are in their order."""
    lines = (
        request.method.encode("latin-1"),
        path(request.path),
        query_text(pairs(query)),
        *(name.encode("latin-1") + b":" + header(request, name) for name in signed_headers),
        b"",
        ";".join(signed_headers).encode("latin-1"),
        body_digest.encode("latin-1"),
    )
    return b"\n".join(lines)


def path(raw: str) -> bytes:
    """A path without empty and dot segments, each other segment encoded again."""
    kept: list[str] = []
    for segment in raw.split("/"):
        if segment == "..":
            del kept[-1:]
        elif segment not in {"", "."}:
            kept.append(segment)
    ends = "/" if kept and raw.endswith("/") else ""
    return urllib.parse.quote_from_bytes(f"/{'/'.join(kept)}{ends}".encode("latin-1"), safe=_UNRESERVED + "/").encode()


def pairs(query: str) -> list[tuple[bytes, bytes]]:
    """The names and values of a raw query, decoded, in their order."""
    split = (part.partition("=") for part in query.split("&") if part)
    return [(_decoded(name), _decoded(value)) for name, _, value in split]


def query_text(decoded: Iterable[tuple[bytes, bytes]]) -> bytes:
    """A query, sorted by encoded name and value."""
    encoded = sorted((_encoded(name), _encoded(value)) for name, value in decoded)
    return "&".join(f"{name}={value}" for name, value in encoded).encode()


def header(request: wire.Request, name: str) -> bytes:
    """A header's value: trimmed, runs of blanks as one, the values of several lines joined by commas."""
    values = (value.encode("latin-1") for found, value in request.headers if found == name)
    return b",".join(_BLANKS.sub(b" ", value).strip() for value in values)


def _decoded(text: str) -> bytes:
    return urllib.parse.unquote_to_bytes(text.encode("latin-1").replace(b"+", b" "))


def _encoded(text: bytes) -> str:
    return urllib.parse.quote_from_bytes(text, safe=_UNRESERVED)
