"""Who is calling: the principal, the id of the request and the region it spoke of.

The server's interceptor sets it for the time of an RPC; `channels` sends it on with every call made meanwhile, so that one request
keeps its name on its way through the components. Both are recorded with each mutation.
"""

import contextlib
import contextvars
from collections.abc import Iterator
from dataclasses import dataclass

PRINCIPAL_KEY = "longshore-principal"
"""Metadata: on whose behalf a component calls. Believed only from peers that `server` trusts."""

REQUEST_ID_KEY = "longshore-request-id"
"""Metadata: id of the request, made by whoever saw it first."""

REGION_KEY = "longshore-region"
"""Metadata: region in which ARNs are to be rendered."""

LOCAL_ADMIN = "local-admin"
"""Whoever calls over loopback."""

ANONYMOUS = "anonymous"
"""Whoever calls from elsewhere and shows no certificate; possible only where the operator said `--insecure`."""

INTERNAL = "internal"
"""Our own loops."""

DEFAULT_REGION = "us-east-1"


@dataclass(frozen=True, slots=True)
class Caller:
    """Who is calling. `request_id` is empty only for our own loops."""

    principal: str
    request_id: str
    region: str


_NOBODY = Caller(principal=INTERNAL, request_id="", region=DEFAULT_REGION)
_current: contextvars.ContextVar[Caller] = contextvars.ContextVar("longshore_caller", default=_NOBODY)


def current() -> Caller:
    """The caller of the RPC that is being served; the principal `internal` outside of one."""
    return _current.get()


def set_current(caller: Caller) -> None:
    """Set the caller for the rest of this task: for the server's interceptor, which has a task per RPC."""
    _current.set(caller)


@contextlib.contextmanager
def acting_as(caller: Caller) -> Iterator[Caller]:
    """Act on behalf of a caller inside the block, as the owner of a batch does for one request of it."""
    token = _current.set(caller)
    try:
        yield caller
    finally:
        _current.reset(token)


def metadata(caller: Caller) -> tuple[tuple[str, str], ...]:
    """What is sent on. Our own loops send nothing: the peer then decides who they are."""
    if not caller.request_id:
        return ()
    return (
        (PRINCIPAL_KEY, caller.principal),
        (REQUEST_ID_KEY, caller.request_id),
        (REGION_KEY, caller.region),
    )
