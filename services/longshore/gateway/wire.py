"""Requests of ECS's JSON 1.1 protocol as plain data."""

from dataclasses import dataclass


@dataclass(frozen=True, slots=True)
class Request:
    """An HTTP request as it came, with nothing decoded.

    `path` and `query` are raw, as on the request line (still percent-encoded, the query without its question mark); header
    names are in lower case, in their order, one pair per header line.
    """

    method: str
    path: str
    query: str
    headers: tuple[tuple[str, str], ...]
    body: bytes
