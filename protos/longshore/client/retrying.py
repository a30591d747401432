"""When a client repeats a call: on UNAVAILABLE alone, with jitter, until an overall deadline.

UNAVAILABLE says that the call was not carried out or may be repeated (AIP-194). A call that would act twice is repeated only under
a client token, so that the second one joins the first.
"""

import asyncio
import random
from collections.abc import Awaitable, Callable
from typing import TypeVar

from google.protobuf.message import Message

from longshore.rpc import backoff, errors

T = TypeVar("T")
Q = TypeVar("Q", bound=Message)

FIRST_PAUSE_S = 0.05
"""A leader that has just changed answers within a second or two: the first repetitions come fast."""

LONGEST_PAUSE_S = 1.0

TOKEN = "client_token"  # noqa: S105 - the name of a field


async def until(
    deadline_s: float,
    attempt: Callable[[float], Awaitable[T]],
    *,
    source: random.Random | None = None,
    on_retry: Callable[[errors.Unavailable], None] = lambda _: None,
) -> T:
    """Await `attempt(seconds left)`, again after each Unavailable, for `deadline_s` seconds in all; then raise the last one.

    So does an attempt whose time runs out after others have failed: that one knows why.
    An attempt gets all that is left: a peer that has died or frozen is noticed by the channel, and becomes Unavailable, sooner.
    """
    loop = asyncio.get_running_loop()
    end = loop.time() + deadline_s
    pauses = backoff.Backoff(first=FIRST_PAUSE_S, cap=LONGEST_PAUSE_S, source=source)
    last: errors.Unavailable | None = None
    while True:
        try:
            return await attempt(end - loop.time())
        except errors.DeadlineExceeded as error:
            raise last or error from None
        except errors.Unavailable as error:
            last = error
            # Who refuses may know how long it takes; asking sooner would only be refused again.
            pause = max(pauses.next(), error.retry_after_s or 0.0)
            if loop.time() + pause >= end:
                raise
            on_retry(error)
            await asyncio.sleep(pause)


def with_token(request: Q, new_token: Callable[[], str]) -> Q:
    """A copy of the request that carries a client token, where its message has one and the caller gave none."""
    if TOKEN not in request.DESCRIPTOR.fields_by_name or getattr(request, TOKEN):
        return request
    tokened = type(request)()
    tokened.CopyFrom(request)
    setattr(tokened, TOKEN, new_token())
    return tokened
