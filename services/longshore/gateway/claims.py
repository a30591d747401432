"""What a request claims of its signature, in the Authorization header or in a presigned query; nothing of it is believed yet.

Pure. Taken is AWS4-HMAC-SHA256 alone. Versions 2, 3 and 4A are refused by their names, so that whoever has an old signer, or one that
is set up for S3, reads what to change. Refusals bear the names that ECS's clients know, and AWS's text where it is known.
"""

import datetime as dt
import re
from collections.abc import Mapping, Sequence
from dataclasses import dataclass

from longshore.gateway import canonical, refusals, wire

ALGORITHM = "AWS4-HMAC-SHA256"

LONGEST_LIFE = dt.timedelta(days=7)
"""The longest X-Amz-Expires."""

MAX_SIGNED_HEADERS = 100
"""More than any signer signs; each is looked for among all headers."""

MOMENT_FORMAT = "%Y%m%dT%H%M%SZ"
"""ISO 8601's basic form, of X-Amz-Date."""

_HTTP_DATE_FORMAT = "%a, %d %b %Y %H:%M:%S GMT"
_NO_OFFSET = re.compile(r" [+-]0000$")
"""How mail writes GMT, and older signers the date of HTTP."""
_MOMENT = re.compile(r"[0-9]{8}T[0-9]{6}Z")

_HEADER_PARTS = ("Credential", "SignedHeaders", "Signature")
_QUERY_PARTS = ("X-Amz-Algorithm", "X-Amz-Credential", "X-Amz-Date", "X-Amz-SignedHeaders", "X-Amz-Signature")
_EXPIRES = "X-Amz-Expires"
_TOKEN = "X-Amz-Security-Token"  # noqa: S105 - the name of a parameter

_OTHER_VERSIONS: Mapping[str, str] = {
    "AWS": "Signature Version 2",
    "AWS2": "Signature Version 2",
    "AWS3": "Signature Version 3",
    "AWS3-HTTPS": "Signature Version 3",
    "AWS4-ECDSA-P256-SHA256": "Signature Version 4A",
}
"""Algorithms of other versions, by the first word of an Authorization header."""

_VERSION_2_QUERY = frozenset({b"AWSAccessKeyId", b"SignatureVersion"})


@dataclass(frozen=True, slots=True)
class Credential:
    """The scope of a signature: who signed, for which day, region and service."""

    access_key_id: str
    day: str
    region: str
    service: str
    terminator: str


@dataclass(frozen=True, slots=True)
class Claim:
    """What a request says of its signature, before any of it is believed."""

    credential: Credential
    at: dt.datetime
    lifetime: dt.timedelta | None
    """Of a presigned request that names one."""
    signed_headers: tuple[str, ...]
    signature: str
    query: str
    """The raw query that was signed: all of it but the signature."""
    session_token: bool
    """Whether it comes with the token of temporary credentials."""


def read(request: wire.Request) -> Claim:
    """The claim of a request. Raises a refusal where there is none, or none that is well formed."""
    headers = [value for name, value in request.headers if name == "authorization"]
    names = {name for name, _ in canonical.pairs(request.query)}
    presigned = any(part.encode() in names for part in _QUERY_PARTS)
    if len(headers) > 1 or (headers and presigned):
        raise refusals.IncompleteSignatureException("The request is signed more than once.")
    if headers:
        return _of_header(request, headers[0].strip())
    if presigned:
        return _of_query(request)
    if names & _VERSION_2_QUERY:
        raise _other_version("AWS2")
    raise refusals.MissingAuthenticationTokenException("Missing Authentication Token")


def _of_header(request: wire.Request, value: str) -> Claim:
    algorithm, _, rest = value.partition(" ")
    _check_algorithm(algorithm)
    given = _parameters(rest)
    moments = values(request, "x-amz-date") or values(request, "date")
    missing = [f"Authorization header requires '{part}' parameter." for part in _HEADER_PARTS if not given.get(part)]
    if not moments:
        missing.append("Authorization header requires existence of either a 'X-Amz-Date' or a 'Date' header.")
    if missing:
        raise refusals.IncompleteSignatureException(" ".join(missing))
    return Claim(
        credential=_credential(given["Credential"]),
        at=_moment(moments),
        lifetime=None,
        signed_headers=_signed_headers(given["SignedHeaders"], request),
        signature=given["Signature"],
        query=request.query,
        session_token=bool(values(request, _TOKEN.lower())),
    )


def _of_query(request: wire.Request) -> Claim:
    given: dict[str, str] = {}
    for name, value in canonical.pairs(request.query):
        text = name.decode("latin-1")
        if text in given and text in {*_QUERY_PARTS, _EXPIRES, _TOKEN}:
            raise refusals.IncompleteSignatureException(f"The query-string parameter '{text}' is given twice.")
        given[text] = value.decode("latin-1")
    if algorithm := given.get("X-Amz-Algorithm"):
        _check_algorithm(algorithm)
    missing = [f"AWS query-string parameters must include '{part}'." for part in _QUERY_PARTS if not given.get(part)]
    if missing:
        raise refusals.IncompleteSignatureException(f"{' '.join(missing)} Re-examine the query-string parameters.")
    return Claim(
        credential=_credential(given["X-Amz-Credential"]),
        at=_moment([given["X-Amz-Date"]]),
        lifetime=_lifetime(given.get(_EXPIRES)),
        signed_headers=_signed_headers(given["X-Amz-SignedHeaders"], request),
        signature=given["X-Amz-Signature"],
        query="&".join(part for part in request.query.split("&") if not _is_signature(part)),
        session_token=_TOKEN in given,
    )


def _is_signature(part: str) -> bool:
    return [name for name, _ in canonical.pairs(part)] == [b"X-Amz-Signature"]


def _check_algorithm(algorithm: str) -> None:
    if algorithm in _OTHER_VERSIONS:
        raise _other_version(algorithm)
    if algorithm != ALGORITHM:
        raise refusals.IncompleteSignatureException(f"Unsupported AWS 'algorithm': {wire.quoted(algorithm)}.")


def _other_version(algorithm: str) -> refusals.IncompleteSignatureException:
    return refusals.IncompleteSignatureException(
        f"{_OTHER_VERSIONS[algorithm]} is not supported: sign with Signature Version 4 ({ALGORITHM})."
    )


def _parameters(text: str) -> dict[str, str]:
    """The parameters of an Authorization header; older signers put no space after the comma."""
    given: dict[str, str] = {}
    for part in text.split(","):
        name, equals, value = part.strip().partition("=")
        if not equals:
            raise refusals.IncompleteSignatureException(
                f"{wire.quoted(name)} not a valid key=value pair (missing equal-sign) in Authorization header."
            )
        if name not in _HEADER_PARTS or name in given:
            raise refusals.IncompleteSignatureException(
                f"The parameter {wire.quoted(name)} of the Authorization header is unknown, or given twice."
            )
        given[name] = value
    return given


def _credential(text: str) -> Credential:
    parts = text.split("/")
    if len(parts) != 5:
        raise refusals.IncompleteSignatureException(
            "Credential must have exactly 5 slash-delimited elements, e.g. keyid/date/region/service/term, "
            f"got {wire.quoted(text)}"
        )
    return Credential(*parts)


def _signed_headers(text: str, request: wire.Request) -> tuple[str, ...]:
    """The names of the signed headers: sorted and in lower case, `host` and every x-amz-… that is there among them."""
    names = tuple(text.split(";"))
    if names != tuple(sorted(set(names))) or text != text.lower() or len(names) > MAX_SIGNED_HEADERS:
        raise refusals.InvalidSignatureException(f"SignedHeaders is not canonicalized: {wire.quoted(text)}")
    if "host" not in names:
        raise refusals.InvalidSignatureException(
            "'Host' or ':authority' must be a 'SignedHeader' in the AWS Authorization header."
        )
    there = {name for name, _ in request.headers}
    unsigned = sorted(name for name in there if name.startswith("x-amz-") and name not in names)
    if unsigned:
        raise refusals.InvalidSignatureException(
            f"There were headers present in the request which were not signed: {wire.quoted(', '.join(unsigned))}"
        )
    if lost := [name for name in names if name not in there]:
        raise refusals.InvalidSignatureException(
            f"There are signed headers that the request does not have: {wire.quoted(', '.join(lost))}"
        )
    return names


def values(request: wire.Request, name: str) -> list[str]:
    """The values of a header's lines, trimmed."""
    return [value.strip() for found, value in request.headers if found == name]


def _moment(texts: Sequence[str]) -> dt.datetime:
    text = ", ".join(texts)  # several dates are none
    try:
        if _MOMENT.fullmatch(text):
            return dt.datetime.fromisoformat(text)
        return dt.datetime.strptime(_NO_OFFSET.sub(" GMT", text), _HTTP_DATE_FORMAT).replace(tzinfo=dt.UTC)
    except ValueError:
        raise refusals.IncompleteSignatureException(
            f"Date must be in ISO-8601 'basic format'. Got {wire.quoted(text)}. "
            "See http://en.wikipedia.org/wiki/ISO_8601"
        ) from None


def _lifetime(text: str | None) -> dt.timedelta | None:
    if text is None:
        return None
    seconds = int(text) if re.fullmatch(r"[0-9]{1,9}", text) else 0
    lifetime = dt.timedelta(seconds=seconds)
    if not dt.timedelta(0) < lifetime <= LONGEST_LIFE:
        raise refusals.IncompleteSignatureException(
            f"{_EXPIRES} is {wire.quoted(text)}: it has to be a number of seconds, at least 1 and at most a week (604800)."
        )
    return lifetime
