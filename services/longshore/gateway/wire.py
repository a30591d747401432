"""Requests and answers of ECS's JSON 1.1 protocol as plain data: what is asked, and how an answer or a refusal is written.

Pure. It knows nothing of who calls or of what an operation does.
"""

from collections.abc import Mapping
from dataclasses import dataclass, field
from typing import Any

import orjson

from longshore.gateway import refusals
from longshore.rpc import codec, errors

MEDIA_TYPE = "application/x-amz-json-1.1"

PREFIX = "AmazonEC2ContainerServiceV20141113."
"""What a target begins with; the operation's name follows."""

EXTENSIONS = "x-longshore-extensions"
"""Header: `true` takes and answers the members that ECS's API does not have."""

MAX_QUOTED = 80
"""Characters of a caller's own text repeated in a message."""


@dataclass(frozen=True, slots=True)
class Request:
    """An HTTP request as it came, with nothing decoded.

    `path` and `query` are raw, as on the request line (still percent-encoded, the query without its question mark); header
    names are in lower case, in their order, one pair per header line. Its repr has nothing that a caller would not want in a log.
    """

    method: str
    path: str
    query: str = field(repr=False)
    headers: tuple[tuple[str, str], ...] = field(repr=False)
    body: bytes = field(repr=False)

    def header(self, name: str) -> str | None:
        """The value of a header, None where it is not there; the values of one given several times, joined as HTTP says."""
        values = [value for found, value in self.headers if found == name]
        return ", ".join(values) if values else None

    @property
    def wants_extensions(self) -> bool:
        """Whether the members that are ours alone are taken and answered."""
        return (self.header(EXTENSIONS) or "").strip().lower() == "true"


@dataclass(frozen=True, slots=True)
class Answer:
    """What goes back: JSON, and the id under which the request is found everywhere."""

    status: int
    body: bytes
    request_id: str
    reason: str = ""
    """Name of the refusal; empty for an answer."""

    def headers(self) -> list[tuple[bytes, bytes]]:
        """As ASGI takes them; the date is the server's."""
        return [
            (b"content-type", MEDIA_TYPE.encode()),
            (b"content-length", b"%d" % len(self.body)),
            (b"x-amzn-requestid", self.request_id.encode()),
        ]


# ------------------------------------------------------------------------------------------- in


def operation_of(request: Request) -> str:
    """The operation that a request names; whether there is such a one is for others to say."""
    target = request.header("x-amz-target")
    if target is None:
        raise refusals.UnknownOperationException(f"The header X-Amz-Target is missing; it is {PREFIX}<Operation>.")
    if not target.startswith(PREFIX):
        raise refusals.UnknownOperationException(f"{quoted(target)} does not begin with {PREFIX}")
    return target.removeprefix(PREFIX)


def unknown(operation: str) -> refusals.UnknownOperationException:
    """The refusal of an operation that is not answered here."""
    return refusals.UnknownOperationException(f"The operation {quoted(operation)} is not known.")


def check_content(request: Request) -> None:
    """Refuse a body that is declared to be anything but the JSON of this protocol, or to be encoded."""
    declared = request.header("content-type")
    if declared is None or declared.partition(";")[0].strip().lower() != MEDIA_TYPE:
        said = "missing" if declared is None else quoted(declared)
        raise refusals.UnsupportedMediaTypeException(f"The header Content-Type is {said}; it has to be {MEDIA_TYPE}.")
    encoding = request.header("content-encoding")
    if encoding is not None and encoding.strip().lower() != "identity":
        raise refusals.UnsupportedMediaTypeException(
            f"The header Content-Encoding is {quoted(encoding)}; a body is taken only as it is."
        )


def quoted(text: str) -> str:
    """A caller's own text for a message: printable, cut."""
    cut = text if len(text) <= MAX_QUOTED else f"{text[:MAX_QUOTED]}..."
    return ascii(cut)


# ------------------------------------------------------------------------------------------- out

_UNAVAILABLE = refusals.ServiceUnavailableException.reason

_RENAMED: Mapping[str, str] = {
    errors.Aborted.reason: _UNAVAILABLE,
    errors.Cancelled.reason: _UNAVAILABLE,
    errors.DeadlineExceeded.reason: _UNAVAILABLE,
    errors.Unavailable.reason: _UNAVAILABLE,
    errors.OutOfRange.reason: errors.InvalidParameterException.reason,
    errors.ResourceExhausted.reason: errors.ThrottlingException.reason,
    errors.Unauthenticated.reason: errors.AccessDeniedException.reason,
}
"""Reasons that ECS does not have, and the name that its clients treat alike: what may be repeated is repeated by them."""

_STATUSES: Mapping[str, int] = {errors.ServerException.reason: 500, _UNAVAILABLE: 503}
"""Statuses of what the services refuse, where it is not 400."""

_RESOURCE_IDS = "resourceIds"
"""The one member that an exception of ECS has beside its message: what the first request under the token made. It travels between
processes as text, separated by commas, which no ARN has.
"""


def outcome_of(error: errors.ServiceError) -> tuple[int, str]:
    """The status and the name under which an error leaves."""
    if isinstance(error, refusals.Refusal):
        return error.http_status, error.reason
    if isinstance(error, codec.CodecError):
        return refusals.SerializationException.http_status, refusals.SerializationException.reason
    reason = _RENAMED.get(error.reason, error.reason)
    return _STATUSES.get(reason, 400), reason


def refused(error: errors.ServiceError, request_id: str) -> Answer:
    """An error as it leaves."""
    status, reason = outcome_of(error)
    body: dict[str, Any] = {"__type": reason, "message": error.message}
    if reason == errors.ConflictException.reason and (ids := error.metadata.get(_RESOURCE_IDS)):
        body[_RESOURCE_IDS] = ids.split(",")
    return Answer(status, encoded(body), request_id, reason)


def encoded(document: dict[str, Any]) -> bytes:
    """JSON as it is sent. Lone surrogates, which JSON can spell and UTF-8 cannot, are replaced."""
    try:
        return orjson.dumps(document)
    except orjson.JSONEncodeError:
        return codec.dumps(document).encode("utf-8", "replace")
