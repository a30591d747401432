"""The id under which a program asks: in the logs of every component that has to do with the request, and in the events it causes.

    with context.request("deploy-4711"):            # or request(), which makes an id and gives it
        await longshore.run("web.json")

It holds for all calls of the block, of this task or thread alone; an error that a call raises has it as `request_id`.
"""

import contextlib
import contextvars
import re
import secrets
from collections.abc import Iterator

from longshore.rpc import caller

_current: contextvars.ContextVar[str] = contextvars.ContextVar("longshore_request_id", default="")

PLAIN = re.compile(r"[\x21-\x7e][\x20-\x7e]{0,126}")
"""What servers take for an id; anything else they would put one of their own in place of."""


def current() -> str:
    """The id of the block that is under way, or of whom this process calls for; empty where there is neither."""
    return caller.current().request_id or _current.get()


def current_or_new() -> str:
    """The id of a call that names none."""
    return current() or _new()


@contextlib.contextmanager
def request(request_id: str = "") -> Iterator[str]:
    """Call under one id inside the block, and know it. Raises ValueError for what servers would not take."""
    if request_id and not PLAIN.fullmatch(request_id):
        raise ValueError(f"request_id is {request_id!r}; it must be 1 to 127 printable ASCII characters")
    token = _current.set(request_id or _new())
    try:
        yield _current.get()
    finally:
        _current.reset(token)


def metadata(request_id: str, *, explicit: bool = False) -> tuple[tuple[str, str], ...] | None:
    """What tells a server the id; None where there is none to be told, or where the channel tells that of whom it calls for."""
    if not request_id or (caller.current().request_id and not explicit):
        return None
    return ((caller.REQUEST_ID_KEY, request_id),)


def _new() -> str:
    return secrets.token_hex(16)
