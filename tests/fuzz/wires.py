"""Requests as bytes on a connection, with something wrong in their head, their framing or their body.

Pure.
"""

import itertools
import random
from collections.abc import Callable
from dataclasses import dataclass, replace

from longshore.gateway import operations
from tests.fuzz import documents, plausible

PREFIX = "AmazonEC2ContainerServiceV20141113."
SERVED = tuple(sorted(operations.of_services()))
ABSENT = tuple(sorted(set(plausible.MODEL.operation_names) - set(SERVED)))
MEDIA_TYPE = "application/x-amz-json-1.1"

Headers = tuple[tuple[str, str], ...]


@dataclass(frozen=True, slots=True)
class Mutant:
    """One connection's worth of bytes."""

    pieces: tuple[bytes, ...]
    """Written one after the other, each flushed."""
    well_framed: bool
    """Whether HTTP says where the request ends: then there is an answer, and the connection may serve another."""
    operation: str = ""

    @property
    def raw(self) -> bytes:
        """All of it."""
        return b"".join(self.pieces)


@dataclass(frozen=True, slots=True)
class _Draft:
    """A request while it is being disturbed."""

    body: bytes
    headers: Headers
    start: str = "POST / HTTP/1.1"
    well_framed: bool = True
    tail: bytes = b""
    """After the body, or instead of its end."""
    cut: int = 0
    """Bytes missing at the end."""
    raw_head: bytes = b""
    """Lines of the head that are no header."""


def mutant(chance: random.Random, known: plausible.Known, *, host: str) -> Mutant:
    """A disturbed request: half of them are disturbed in the document alone, which reaches deepest."""
    operation = chance.choice(SERVED if chance.random() < 0.9 else ABSENT)
    document = plausible.document(operation, known, chance)
    level = chance.random()
    body = documents.disturbed(document, chance) if level < 0.65 else documents.written(document).encode()
    draft = _Draft(body, _headers(operation, host, body))
    if level > 0.55:
        draft = chance.choice(_HEADS)(draft, chance)
    if level > 0.88:
        draft = chance.choice(_FRAMES)(draft, chance)
    return _sent(draft, operation, chance)


def valid(operation: str, known: plausible.Known, chance: random.Random, *, host: str) -> bytes:
    """A request with nothing wrong in its form."""
    body = documents.written(plausible.document(operation, known, chance)).encode()
    return request(operation, body, host=host)


def request(operation: str, body: bytes, *, host: str) -> bytes:
    """A request as ECS's clients write it."""
    return _head("POST / HTTP/1.1", _headers(operation, host, body)) + b"\r\n" + body


def _headers(operation: str, host: str, body: bytes) -> Headers:
    return (
        ("Host", host),
        ("X-Amz-Target", PREFIX + operation),
        ("Content-Type", MEDIA_TYPE),
        ("Content-Length", str(len(body))),
    )


def _sent(draft: _Draft, operation: str, chance: random.Random) -> Mutant:
    raw = _head(draft.start, draft.headers) + draft.raw_head + b"\r\n" + draft.body + draft.tail
    if draft.cut:
        raw = raw[: -draft.cut]
    places = sorted(chance.randint(0, len(raw)) for _ in range(3)) if chance.random() < 0.05 else []
    pieces = (raw[begin:end] for begin, end in itertools.pairwise((0, *places, len(raw))))
    return Mutant(tuple(piece for piece in pieces if piece), draft.well_framed, operation)


def _head(start: str, headers: Headers) -> bytes:
    lines = [start, *(f"{name}: {value}" for name, value in headers)]
    return "".join(f"{line}\r\n" for line in lines).encode("utf-8", "surrogatepass")


def _set(draft: _Draft, name: str, *values: str) -> _Draft:
    """Give a header these values, none to leave it out."""
    rest = tuple((key, value) for key, value in draft.headers if key.lower() != name.lower())
    return replace(draft, headers=(*rest, *((name, value) for value in values)))


# ------------------------------------------------------------------------------------------- heads


def _target(draft: _Draft, chance: random.Random) -> _Draft:
    values = chance.choice((
        (), ("",), ("RunTask",), (PREFIX,), (PREFIX + "Nothing",), (PREFIX.lower() + "RunTask",), (PREFIX + "__class__",),
        ("AmazonEC2ContainerRegistry_V20150921.ListImages",), (PREFIX + "RunTask", PREFIX + "ListTasks"), (PREFIX + "x" * 5_000,),
        (PREFIX + "ListTäsks",), (PREFIX + "List\tTasks",), (PREFIX + "GetSigningKey",), (PREFIX + "WatchEvents",), (PREFIX + "ListTasks ",),
    ))  # fmt: skip
    return _set(draft, "X-Amz-Target", *values)


def _content_type(draft: _Draft, chance: random.Random) -> _Draft:
    values = chance.choice((
        (), ("",), ("application/json",), (MEDIA_TYPE + "; charset=utf-8",), (MEDIA_TYPE + "; charset=utf-16",), ("text/plain",),
        (MEDIA_TYPE.upper(),), (MEDIA_TYPE, "text/html"), (";",), ("x" * 5_000,), ("application/x-www-form-urlencoded",),
    ))  # fmt: skip
    return _set(draft, "Content-Type", *values)


def _authorization(draft: _Draft, chance: random.Random) -> _Draft:
    scope = "AKIAFUZZ/20260101/us-east-1/ecs/aws4_request"
    signed = "SignedHeaders=host;x-amz-date"
    value = chance.choice((
        "", "Bearer a", "Basic " + "a" * 500, "AWS4-HMAC-SHA256", "AWS4-HMAC-SHA256 ", "AWS4-HMAC-SHA256 Credential=",
        f"AWS4-HMAC-SHA256 Credential={scope}, {signed}, Signature={'0' * 64}",
        f"AWS4-HMAC-SHA256 Credential={scope}, {signed}, Signature=ü",
        f"AWS4-HMAC-SHA256 Credential=//////, {signed}, Signature={'0' * 64}",
        f"AWS4-HMAC-SHA256 Credential={scope}, Credential={scope}, {signed}, Signature=",
        f"AWS4-HMAC-SHA256 Credential=AKIA/20260101/a b/ecs/aws4_request, {signed}, Signature={'f' * 64}",
        f"AWS4-HMAC-SHA256 Credential=AKIA/20260101/{'r' * 3000}/ecs/aws4_request, {signed}, Signature={'f' * 64}",
        f"AWS4-ECDSA-P256-SHA256 Credential={scope}, {signed}, Signature=00",
        "AWS AKIAFUZZ:c2lnbmF0dXJl", "AWS4-HMAC-SHA256 " + ",=" * 2_000,
    ))  # fmt: skip
    dated = _set(
        draft, "X-Amz-Date", chance.choice(("20260101T000000Z", "", "now", "99999999T999999Z", "20260230T000000Z"))
    )
    return _set(dated, "Authorization", value)


PRESIGNED = (
    "X-Amz-Algorithm=AWS4-HMAC-SHA256&X-Amz-Credential=a%2F20260101%2Fus-east-1%2Fecs%2Faws4_request"
    "&X-Amz-Date=20260101T000000Z&X-Amz-Expires=99999999999&X-Amz-SignedHeaders=host&X-Amz-Signature=00"
)


def _query(draft: _Draft, chance: random.Random) -> _Draft:
    query = chance.choice((
        "", "a=b", "%zz", "Action=ListTasks", "X-Amz-Algorithm=AWS4-HMAC-SHA256", "X-Amz-Signature=" + "0" * 64, "&" * 3_000, "\xff=é", "X-Amz-Expires=-1",
        PRESIGNED,
    ))  # fmt: skip
    return replace(draft, start=f"POST /?{query} HTTP/1.1")


def _path(draft: _Draft, chance: random.Random) -> _Draft:
    path = chance.choice((
        "", "//", "/../", "/%2e%2e/", "/%", "/\x7f", "*", "http://localhost/", "http://evil.example/", "/é", "/" + "a" * 9_000, "/v1/tasks",
        "/healthz", "/readyz", "/metrics", "/events", "/events/", "/;x", "/#a", "localhost:80",
    ))  # fmt: skip
    return replace(draft, start=f"POST {path} HTTP/1.1")


def _get(draft: _Draft, chance: random.Random) -> _Draft:
    path = chance.choice((
        "/", "/healthz", "/readyz", "/metrics", "/healthz?x=%ff", "/metrics?name[]=a", "/favicon.ico", "/events?cluster=absent",
        "/events?task=" + "x" * 3_000, "/events?cluster=%00", "/events?last=1&cluster=default&container-instance=%F0%28",
    ))  # fmt: skip
    bare = replace(draft, body=b"", start=f"GET {path} HTTP/1.1")
    if "/events" in path:
        # A position that cannot be: what would be an endless stream is refused.
        bare = _set(bare, "Last-Event-ID", chance.choice(("-1", "x", "99999999999999999999", "\ud800", "a-1")))
        bare = replace(bare, well_framed=False)
    return _set(bare, "Content-Length")


def _method(draft: _Draft, chance: random.Random) -> _Draft:
    method = chance.choice(
        ("PUT", "DELETE", "PATCH", "OPTIONS", "TRACE", "post", "BREW", "CONNECT", "HEAD", "PROPFIND")
    )
    # No body follows the answer of a HEAD, whatever its length says, and what follows a CONNECT is no HTTP.
    return replace(draft, start=f"{method} / HTTP/1.1", well_framed=method not in {"HEAD", "CONNECT", "BREW", "post"})


def _origin(draft: _Draft, chance: random.Random) -> _Draft:
    name, value = chance.choice((
        ("Host", "evil.example"), ("Host", ""), ("Host", "a b"), ("Host", "[::1"), ("Host", "127.0.0.1:99999999"), ("Origin", "http://evil.example"),
        ("Origin", "null"), ("Origin", "\x80"), ("Referer", "http://evil.example/"), ("Sec-Fetch-Site", "cross-site"), ("Host", "localhost."),
    ))  # fmt: skip
    return _set(draft, name, value)


def _odd(draft: _Draft, chance: random.Random) -> _Draft:
    """Headers that mean something to somebody."""
    name, value = chance.choice((
        ("Content-Encoding", "gzip"), ("Content-Encoding", "identity"), ("Accept", "text/html"), ("X-Longshore-Extensions", "true"),
        ("X-Longshore-Extensions", "maybe"), ("X-Amzn-RequestId", "a" * 3_000), ("x-request-id", "\x01"), ("X-Amz-Security-Token", "a" * 3_000),
        ("x-amz-content-sha256", "UNSIGNED-PAYLOAD"), ("x-amz-content-sha256", "STREAMING-AWS4-HMAC-SHA256-PAYLOAD"), ("Cookie", "a=b; " * 400),
        ("Accept-Encoding", "br, gzip"), ("Range", "bytes=0-1"), ("If-None-Match", "*"), ("x-longshore-principal", "root"), ("grpc-timeout", "1n"),
        ("Connection", "close"), ("Connection", "keep-alive, foo"), ("Accept-Language", "é" * 100), ("X-Empty", ""),
        ("X-Forwarded-For", "8.8.8.8"), ("X-Http-Method-Override", "DELETE"),
    ))  # fmt: skip
    return _set(draft, name, value)


def _many(draft: _Draft, chance: random.Random) -> _Draft:
    count = chance.choice((50, 300, 5_000))
    well = count < 300
    return replace(
        draft,
        headers=(*draft.headers, *((f"X-{i}", "v") for i in range(count))),
        well_framed=draft.well_framed and well,
    )


_HEADS: tuple[Callable[[_Draft, random.Random], _Draft], ...] = (
    _target, _content_type, _authorization, _authorization, _query, _path, _get, _method, _origin, _odd, _odd, _many,
)  # fmt: skip


# ------------------------------------------------------------------------------------------- framing


def _length(draft: _Draft, chance: random.Random) -> _Draft:
    exact = len(draft.body)
    values = chance.choice((
        (), ("-1",), ("a",), ("",), ("0x10",), ("+5",), ("1e3",), ("٣",), (str(exact + 10),), (str(max(0, exact - 3)),), ("0",), (str(2**40),), (str(2**80),),
        (str(exact), str(exact)), (str(exact), str(exact + 1)), (f"{exact}, {exact}",), (f"{exact} ",), ("9" * 400,),
    ))  # fmt: skip
    return replace(_set(draft, "Content-Length", *values), well_framed=False)


def _chunked(draft: _Draft, chance: random.Random) -> _Draft:
    body = draft.body
    good = b"".join(b"%x\r\n%s\r\n" % (len(part), part) for part in (body[:7], body[7:]) if part) + b"0\r\n\r\n"
    framed, well = chance.choice((
        (good, True), (good.replace(b"0\r\n\r\n", b"0\r\nX-Trailer: a\r\n\r\n"), True), (b"zz\r\n" + body, False), (b"-1\r\n" + body, False),
        (b"ffffffffffffffffff\r\n" + body, False), (b"%x;a=b\r\n%s\r\n0\r\n\r\n" % (len(body), body), False), (good[:-3], False),
        (b"%x\n%s\n0\n\n" % (len(body), body), False), (b"5" * 3_000, False), (b"1\r\n{\r\n" * 500 + b"0\r\n\r\n", True),
    ))  # fmt: skip
    bare = _set(draft, "Content-Length") if chance.random() < 0.8 else draft
    encoding = chance.choice(
        ("chunked", "chunked", "chunked", "Chunked", "gzip, chunked", "chunked, chunked", "identity", "x", "")
    )
    plain = encoding == "chunked" and bare is not draft
    return replace(
        _set(bare, "Transfer-Encoding", encoding), body=framed, well_framed=draft.well_framed and well and plain
    )


def _protocol(draft: _Draft, chance: random.Random) -> _Draft:
    start = chance.choice((
        "POST / HTTP/1.0", "POST / HTTP/0.9", "POST / HTTP/2.0", "POST / HTTP/11", "POST / ", "POST /", "POST", "", "PRI * HTTP/2.0", "POST  /  HTTP/1.1",
        "POST / HTTP/1.1 ", "\x16\x03\x01\x02\x00\x01\x00\x01\xfc\x03\x03", "GET / HTTP/1.1\r\nHost: a\r\n\r\nPOST / HTTP/1.1", "POST\t/\tHTTP/1.1",
    ))  # fmt: skip
    return replace(draft, start=start, well_framed=False)


def _lines(draft: _Draft, chance: random.Random) -> _Draft:
    line = chance.choice((
        b"no colon\r\n", b": no name\r\n", b"X-A : b\r\n", b"X-A: b\r\n folded\r\n", b"X-\x00: b\r\n", b"X-A: \x00\r\n", b"X-A: b\n", b"X-A: b\r", b"\xff: a\r\n",
        b"X-A: " + b"v" * 100_000 + b"\r\n", b"X-" + b"n" * 100_000 + b": a\r\n", b"\r\n", b"Host: a\r\n", b"Upgrade: websocket\r\nConnection: Upgrade\r\n",
        b"Upgrade: h2c\r\nConnection: Upgrade, HTTP2-Settings\r\nHTTP2-Settings: AAMAAABk\r\n",
    ))  # fmt: skip
    return replace(draft, raw_head=line, well_framed=False)


def _expect(draft: _Draft, chance: random.Random) -> _Draft:
    return replace(
        _set(draft, "Expect", chance.choice(("100-continue", "100-Continue", "the unexpected"))), well_framed=False
    )


def _short(draft: _Draft, chance: random.Random) -> _Draft:
    return replace(draft, cut=chance.randint(1, len(draft.body) + 40), well_framed=False)


def _pipelined(draft: _Draft, chance: random.Random) -> _Draft:
    again = _head("POST / HTTP/1.1", draft.headers) + b"\r\n" + draft.body
    tail = chance.choice((again, again * 3, b"\r\n", b"garbage", b"\x00" * 100, again[:40]))
    return replace(draft, tail=tail, well_framed=False)


_FRAMES: tuple[Callable[[_Draft, random.Random], _Draft], ...] = (
    _length, _length, _chunked, _chunked, _protocol, _lines, _expect, _short, _pipelined,
)  # fmt: skip
