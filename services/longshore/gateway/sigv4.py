"""AWS Signature Version 4, the verifier's side: whether what a request claims of its signature holds.

Pure: time is a parameter, and so is the signing key, which is SigV4's for the claim's scope. `check_scope` and `check_time` refuse what no
key could mend, `verify` compares. The body that came is always what is hashed: S3's unsigned and chunked bodies are refused by their
names. Refusals bear the names that ECS's clients know, and AWS's text where it is known.
"""

import datetime as dt
import hashlib
import hmac
import re

from longshore.gateway import canonical, claims, refusals, wire

SERVICE = "ecs"
TERMINATOR = "aws4_request"

SKEW = dt.timedelta(minutes=5)
"""How far a signer's clock may be from ours, to either side: what ECS itself allows."""

MISMATCH = (
    "The request signature we calculated does not match the signature you provided. Check your AWS Secret Access Key and "
    "signing method. Consult the service documentation for details."
)

_REGION = re.compile(r"[a-z0-9-]{1,64}")
_CONTENT_DIGEST = "x-amz-content-sha256"


def region_of(request: wire.Request) -> str | None:
    """The region that a request speaks of, for where nothing is verified; None where it says none, or is malformed."""
    try:
        region = claims.read(request).credential.region
    except refusals.Refusal:
        return None
    return region if _REGION.fullmatch(region) else None


def check_scope(claim: claims.Claim, *, region: str | None) -> None:
    """Refuse the scope of another region (None: any will do), service or day. Says everything that is wrong with it."""
    scope = claim.credential
    day = f"{claim.at:%Y%m%d}"
    wrong: list[str] = []
    if not _REGION.fullmatch(scope.region) or region not in {None, scope.region}:
        wrong.append("Credential should be scoped to a valid region.")
    if scope.service != SERVICE:
        wrong.append(f"Credential should be scoped to correct service: '{SERVICE}'.")
    if scope.terminator != TERMINATOR:
        wrong.append(
            f"Credential should be scoped with a valid terminator: '{TERMINATOR}', not {wire.quoted(scope.terminator)}."
        )
    if scope.day != day:
        wrong.append(
            "Date in Credential scope does not match YYYYMMDD from ISO-8601 version of date from HTTP: "
            f"{wire.quoted(scope.day)} != '{day}', from '{_basic(claim.at)}'."
        )
    if wrong:
        raise refusals.InvalidSignatureException(" ".join(wrong))


def check_time(claim: claims.Claim, *, now: dt.datetime) -> None:
    """Refuse a signature of another time than about now, or one that has outlived itself."""
    minutes = int(SKEW.total_seconds()) // 60
    if claim.at > now + SKEW:
        raise refusals.InvalidSignatureException(
            f"Signature not yet current: {_basic(claim.at)} is still later than {_basic(now + SKEW)} "
            f"({_basic(now)} + {minutes} min.)"
        )
    lifetime, unit = (SKEW, f"{minutes} min.") if claim.lifetime is None else (claim.lifetime, "X-Amz-Expires")
    if claim.at < now - lifetime:
        raise refusals.InvalidSignatureException(
            f"Signature expired: {_basic(claim.at)} is now earlier than {_basic(now - lifetime)} ({_basic(now)} - {unit})"
        )


def verify(claim: claims.Claim, request: wire.Request, *, key: bytes) -> None:
    """Refuse a request that was not signed as it stands with this key, the one that is derived for the claim's scope."""
    expected = hmac.new(key, string_to_sign(claim, request), hashlib.sha256).hexdigest()
    if not hmac.compare_digest(expected.encode(), claim.signature.encode("latin-1")):
        raise refusals.InvalidSignatureException(MISMATCH)


def string_to_sign(claim: claims.Claim, request: wire.Request) -> bytes:
    """What the signature is of. Raises a refusal where the body is not the one that was declared."""
    scope = claim.credential
    digest = canonical.request_digest(
        request, query=claim.query, signed_headers=claim.signed_headers, body_digest=_body_digest(request)
    )
    place = f"{scope.day}/{scope.region}/{scope.service}/{scope.terminator}"
    return "\n".join((claims.ALGORITHM, _basic(claim.at), place, digest)).encode("latin-1")


def _body_digest(request: wire.Request) -> str:
    """The digest of the body that came; a declared one must be the same."""
    digest = hashlib.sha256(request.body).hexdigest()
    for declared in claims.values(request, _CONTENT_DIGEST):
        if declared == "UNSIGNED-PAYLOAD" or declared.startswith("STREAMING-"):
            raise refusals.InvalidSignatureException(
                f"The body is declared as {wire.quoted(declared)}, which is S3's: sign the whole body with the request."
            )
        if not hmac.compare_digest(declared.encode("latin-1"), digest.encode()):
            raise refusals.InvalidSignatureException(
                "The provided 'x-amz-content-sha256' header does not match what was computed."
            )
    return digest


def _basic(moment: dt.datetime) -> str:
    """A moment in ISO 8601's basic form."""
    return f"{moment:{claims.MOMENT_FORMAT}}"
