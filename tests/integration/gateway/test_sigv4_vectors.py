"""The published SigV4 test suite, each vector through every step: canonical request, string to sign, verdict."""

import dataclasses
import hashlib
import hmac
import subprocess
from pathlib import Path

import pytest

from longshore.gateway import canonical, claims, refusals, sigv4, wire
from tests.engines import missing

ROOT = Path(__file__).parents[3]
FETCH_TIMEOUT_S = 50.0
UNAVAILABLE = 69

VECTORS = 31
"""How many there are; a suite that was read by halves proves little."""

SECRET = "wJalrXUtnFEMI/K7MDENG+bPxRfiCYEXAMPLEKEY"
DAY, REGION, SERVICE = "20150830", "us-east-1", "service"

REFUSED = {
    # Services that take forms count a form's body as query. Ours takes JSON, and a body is a body.
    "post-x-www-form-urlencoded-parameters": sigv4.MISMATCH,
}
"""Vectors that are not taken, and what they are told."""

MISPRINTED = {"post-x-www-form-urlencoded"}
"""Vectors whose canonical request contradicts their own string to sign."""


@pytest.fixture(scope="module")
def suite() -> list[Path]:
    """The folders of the vectors."""
    fetched = subprocess.run(
        [ROOT / "scripts" / "sigv4-vectors"], capture_output=True, text=True, timeout=FETCH_TIMEOUT_S, check=False
    )
    if fetched.returncode == UNAVAILABLE:
        missing.missing("the SigV4 test suite needs cargo, and the registry of crates")
    assert not fetched.returncode, fetched.stderr
    return sorted(path.parent for path in Path(fetched.stdout.strip()).rglob("*.authz"))


def request_of(vector: Path) -> wire.Request:
    """The request of a vector, signed. The suite's own signed requests lack a signed header here and there."""
    request = read(vector, "req")
    authorization = expected(vector, "authz").decode().strip()
    return dataclasses.replace(request, headers=(*request.headers, ("authorization", authorization)))


def read(vector: Path, kind: str) -> wire.Request:
    """A request as it is in a file. Continued header lines, which no HTTP server takes any more, are lines of their own."""
    head, _, body = expected(vector, kind).decode("latin-1").partition("\n\n")
    first, *lines = head.split("\n")
    method, target = first.removesuffix(" HTTP/1.1").split(" ", 1)
    path, _, query = target.partition("?")
    headers: list[tuple[str, str]] = []
    for line in lines:
        name, colon, value = line.partition(":")
        headers.append((name.lower(), value) if colon and line[:1] != " " else (headers[-1][0], line))
    return wire.Request(method, path, query, tuple(headers), body.encode("latin-1"))


def expected(vector: Path, kind: str) -> bytes:
    """What the suite has in a file."""
    return (vector / f"{vector.name}.{kind}").read_bytes()


def signing_key() -> bytes:
    """The suite's signing key. Its service is none of ours, so the registry would not derive it."""
    key = f"AWS4{SECRET}".encode()
    for part in (DAY, REGION, SERVICE, "aws4_request"):
        key = _hmac(key, part)
    return key


def _hmac(key: bytes, text: str) -> bytes:
    return hmac.new(key, text.encode(), hashlib.sha256).digest()


def test_the_whole_suite_is_there(suite: list[Path]) -> None:
    assert len(suite) == VECTORS
    assert REFUSED.keys() < {vector.name for vector in suite}


def test_every_canonical_request_is_the_suite_s(suite: list[Path]) -> None:
    wrong = {}
    for vector in suite:
        if vector.name in REFUSED:
            continue
        request = request_of(vector)
        claim = claims.read(request)
        digest = hashlib.sha256(request.body).hexdigest()
        ours = canonical.request_text(request, claim.query, claim.signed_headers, digest)
        if ours != expected(vector, "creq"):
            wrong[vector.name] = ours
    # One file is not what the same vector's string to sign is the digest of: it lacks a name in its list of headers.
    assert wrong.keys() == MISPRINTED
    for vector in (vector for vector in suite if vector.name in MISPRINTED):
        assert expected(vector, "sts").decode().endswith(hashlib.sha256(wrong[vector.name]).hexdigest())


def test_every_string_to_sign_is_the_suite_s(suite: list[Path]) -> None:
    wrong = {}
    for vector in suite:
        if vector.name in REFUSED:
            continue
        request = request_of(vector)
        ours = sigv4.string_to_sign(claims.read(request), request)
        if ours != expected(vector, "sts"):
            wrong[vector.name] = ours
    assert not wrong


def test_every_signature_is_taken_but_those_that_ecs_s_json_has_no_use_for(suite: list[Path]) -> None:
    refused = {}
    for vector in suite:
        request = request_of(vector)
        try:
            sigv4.verify(claims.read(request), request, key=signing_key())
        except refusals.Refusal as refusal:
            refused[vector.name] = refusal.message
    assert refused == REFUSED


def test_no_signature_is_taken_under_another_key(suite: list[Path]) -> None:
    for vector in suite:
        request = request_of(vector)
        with pytest.raises(refusals.Refusal):
            sigv4.verify(claims.read(request), request, key=signing_key()[::-1])


def test_a_token_that_was_added_after_signing_is_refused(suite: list[Path]) -> None:
    # The suite has services in mind that take it. Here whatever begins with x-amz- has to be signed.
    vector = next(vector for vector in suite if vector.name == "post-sts-header-after")
    with pytest.raises(refusals.InvalidSignatureException, match=r"not signed: 'x-amz-security-token'$"):
        claims.read(read(vector, "sreq"))
