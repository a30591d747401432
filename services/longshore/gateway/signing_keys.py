"""What signatures are verified with: asked of the registry, and kept for a few seconds.

A key that was deleted is refused once its answer is too old to be believed, so `KEPT_S` is how long a deletion takes to be felt. Refusals
are kept as well, so that a client with a wrong key costs one call in that time. Requests that miss at the same time share one call. No
answer is never taken for one: while the registry is away, whatever is not kept is refused with ServiceUnavailableException.
"""

import asyncio
import collections
import re
import time
from collections.abc import Awaitable, Callable
from dataclasses import dataclass, field
from typing import Generic, TypeVar

import structlog

from longshore.client import client as clients
from longshore.gateway import refusals
from longshore.rpc import caller, errors
from longshore.v1 import registry_service_pb2

_log = structlog.get_logger(__name__)

KEPT_S = 10.0
"""How long an answer of the registry is believed."""

NONE_KEPT_S = 1.0
"""How long it is believed that there is no key at all: for so long after the first one was made requests are not yet verified."""

MAX_KEPT = 10_000
"""Answers that are kept, the latest used ones: ten times as many as there can be access keys."""

ASK_TIMEOUT_S = 5.0
"""A registry that restarts is back within this; a client that waits longer repeats the request by itself."""

_ACCESS_KEY_ID = re.compile(r"[A-Za-z0-9_]{16,128}")
"""What ECS takes for an id. Nothing else is asked about."""

_OURSELVES = caller.Caller(caller.INTERNAL, "", caller.DEFAULT_REGION)
"""Keys are asked for by the gateway, whoever's request it was that missed one: the registry hands none to anybody else."""

T = TypeVar("T")
Request = registry_service_pb2.GetSigningKeyRequest
Response = registry_service_pb2.GetSigningKeyResponse


@dataclass(frozen=True, slots=True)
class SigningKey:
    """What the signatures of one access key in one scope are made with."""

    key: bytes = field(repr=False)
    access_key_id: str
    role: int


@dataclass(slots=True)
class _Asking:
    """One question that is under way: who asks holds the lock, whoever else wants to know waits for it."""

    lock: asyncio.Lock = field(default_factory=asyncio.Lock)
    waiting: int = 0
    failed: errors.ServiceError | None = None


class _Answers(Generic[T]):
    """Answers by question, for the time that each is believed."""

    def __init__(self, *, clock: Callable[[], float], most: int) -> None:
        self._clock = clock
        self._most = most
        self._kept: collections.OrderedDict[tuple[str, ...], tuple[float, T]] = collections.OrderedDict()
        self._under_way: dict[tuple[str, ...], _Asking] = {}

    async def get(
        self, question: tuple[str, ...], ask: Callable[[], Awaitable[T]], *, believed_s: Callable[[T], float]
    ) -> T:
        """The answer that is kept, else one from `ask`; a failure is that of all who waited for it, and is not kept."""
        if (kept := self._fresh(question)) is not None:
            return kept[0]
        asking = self._under_way.setdefault(question, _Asking())
        asking.waiting += 1
        try:
            # Who asks may be cancelled with its request: then the next one that waits asks, and no task has to outlive anybody.
            async with asking.lock:
                if asking.failed is not None:
                    raise _again(asking.failed)
                if (kept := self._fresh(question)) is not None:
                    return kept[0]
                answer = await self._asked(asking, ask)
                self._keep(question, answer, believed_s(answer))
                return answer
        finally:
            asking.waiting -= 1
            if self._under_way.get(question) is asking and (not asking.waiting or asking.failed):
                # Who comes after a failure asks anew.
                del self._under_way[question]

    async def _asked(self, asking: _Asking, ask: Callable[[], Awaitable[T]]) -> T:
        try:
            return await ask()
        except errors.ServiceError as error:
            asking.failed = error
            raise

    def _fresh(self, question: tuple[str, ...]) -> tuple[T] | None:
        found = self._kept.get(question)
        if found is None:
            return None
        until, answer = found
        if self._clock() >= until:
            del self._kept[question]
            return None
        self._kept.move_to_end(question)
        return (answer,)

    def _keep(self, question: tuple[str, ...], answer: T, believed_s: float) -> None:
        self._kept[question] = (self._clock() + believed_s, answer)
        self._kept.move_to_end(question)
        while len(self._kept) > self._most:
            self._kept.popitem(last=False)


class SigningKeys:
    """The signing keys of one gateway."""

    def __init__(self, client: clients.Client, *, clock: Callable[[], float] = time.monotonic) -> None:
        """Ask the registry through a client; `clock` counts seconds."""
        self._client = client
        self._keys: _Answers[SigningKey | None] = _Answers(clock=clock, most=MAX_KEPT)
        self._exist: _Answers[bool] = _Answers(clock=clock, most=1)

    async def of(self, access_key_id: str, *, day: str, region: str) -> SigningKey | None:
        """The key of a scope; None where there is no such access key."""
        if not _ACCESS_KEY_ID.fullmatch(access_key_id):
            return None

        async def ask() -> SigningKey | None:
            try:
                answer = await self._ask(Request(access_key_id=access_key_id, date=day, region=region))
            except errors.ResourceNotFoundException:
                return None
            if not answer.signing_key or not answer.HasField("access_key"):
                raise errors.ServerException("The registry's answer has no signing key.")
            return SigningKey(answer.signing_key, answer.access_key.access_key_id, int(answer.access_key.role))

        return await self._keys.get((access_key_id, day, region), ask, believed_s=lambda _: KEPT_S)

    async def exist(self) -> bool:
        """Whether there is any access key."""

        async def ask() -> bool:
            return (await self._ask(Request())).any_access_key

        return await self._exist.get((), ask, believed_s=lambda any_key: KEPT_S if any_key else NONE_KEPT_S)

    async def _ask(self, request: Request) -> Response:
        try:
            with caller.acting_as(_OURSELVES):
                return await self._client.call(self._client.registry.GetSigningKey, request, deadline_s=ASK_TIMEOUT_S)
        except (errors.Unavailable, errors.DeadlineExceeded, errors.Aborted, errors.Cancelled) as error:
            _log.warning("signing_key_not_had", reason=error.reason, message=error.message)
            raise refusals.ServiceUnavailableException(
                "The registry is away, so that no signature can be verified now; repeat the request."
            ) from error
        except errors.AccessDeniedException as error:
            _log.error("signing_key_denied", message=error.message)
            raise errors.ServerException(
                "The registry does not take this gateway for a component; its log tells more."
            ) from error


def _again(failed: errors.ServiceError) -> errors.ServiceError:
    """A failure for one more of those who waited: an exception that was raised twice would gather both tracebacks."""
    return type(failed)(failed.message, **failed.metadata)
