"""Pages of a list: `maxResults` and the opaque `nextToken`.

A token says where the last page ended, by the key of its last row, so rows that come or go meanwhile shift nothing. It carries
the name of its operation and a hash of the request's filters; with any other request it is refused.
"""

import base64
import binascii
import hashlib
from collections.abc import Callable, Sequence
from dataclasses import dataclass
from typing import TypeVar, cast

from google.protobuf import message

from longshore.rpc import errors
from longshore.v1 import record_pb2

T = TypeVar("T")
Request = TypeVar("Request", bound=message.Message)

MAX_RESULTS = 100
# A key is a few short names; anything longer was not made here and is not worth decoding.
_LONGEST_TOKEN = 4096
_HASH_BYTES = 12


@dataclass(frozen=True, slots=True)
class Page:
    """What of a list was asked for: up to `limit` rows after the row with the key `after` (empty: from the start)."""

    operation: str
    filters: bytes
    limit: int
    after: tuple[str, ...]

    @property
    def fetch(self) -> int:
        """How many rows to read: one more than fit, to know whether another page follows."""
        return self.limit + 1

    def cut(self, rows: Sequence[T], key: Callable[[T], Sequence[str]]) -> tuple[list[T], str]:
        """The rows of this page out of those fetched, and the token of the next page (empty: this is the last)."""
        kept = list(rows[: self.limit])
        if len(rows) <= self.limit:
            return kept, ""
        token = record_pb2.PageToken(operation=self.operation, filters=self.filters, last_key=key(kept[-1]))
        return kept, base64.urlsafe_b64encode(token.SerializeToString()).rstrip(b"=").decode()


def of(request: message.Message, *, keys: int = 1, default: int = MAX_RESULTS, most: int = MAX_RESULTS) -> Page:
    """The page a List… request asks for, by its `max_results` and `next_token`; all its other fields are filters.

    `keys` is the number of columns in the list's key, `most` the greatest page. Raises InvalidParameterException.
    """
    operation = request.DESCRIPTOR.name.removesuffix("Request")
    filters = _filters(request)
    limit = cast(int, getattr(request, "max_results")) if request.HasField("max_results") else min(default, most)  # noqa: B009 - no static type has it
    if not 1 <= limit <= most:
        raise errors.InvalidParameterException(f"maxResults is {limit}; it must be between 1 and {most}.")
    text = cast(str, getattr(request, "next_token")) if request.HasField("next_token") else ""  # noqa: B009 - no static type has it
    if not text:
        return Page(operation, filters, limit, ())
    token = _decoded(text)
    if token is None or token.operation != operation or len(token.last_key) != keys or "\0" in "".join(token.last_key):
        raise errors.InvalidParameterException(f"nextToken is not valid: it is not one that {operation} returned.")
    if token.filters != filters:
        raise errors.InvalidParameterException("nextToken is not valid: it belongs to a request with other parameters.")
    return Page(operation, filters, limit, tuple(token.last_key))


def _filters(request: Request) -> bytes:
    bare = type(request)()
    bare.CopyFrom(request)
    bare.ClearField("max_results")
    bare.ClearField("next_token")
    return hashlib.sha256(bare.SerializeToString(deterministic=True)).digest()[:_HASH_BYTES]


def _decoded(text: str) -> record_pb2.PageToken | None:
    if len(text) > _LONGEST_TOKEN:
        return None
    try:
        raw = base64.b64decode(text.encode("ascii") + b"=" * (-len(text) % 4), altchars=b"-_", validate=True)
        return record_pb2.PageToken.FromString(raw)
    except (UnicodeEncodeError, binascii.Error, message.DecodeError):
        return None
