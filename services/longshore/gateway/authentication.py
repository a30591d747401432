"""Who makes a request, and what they may do.

A gateway verifies always, or (an embedded stack on loopback) as soon as there is an access key. Without verification everybody is
`local-admin`, as over gRPC on loopback, whatever they have signed with; the signature then only tells the region that they speak of.
"""

import datetime as dt
import time
from collections.abc import Callable
from dataclasses import dataclass
from typing import Protocol

from longshore.client import client as clients
from longshore.gateway import claims, refusals, signing_keys, sigv4, wire
from longshore.gateway import config as configuration
from longshore.rpc import caller, errors
from longshore.v1 import options_pb2

PRINCIPAL_PREFIX = "access-key:"
"""Before the id of the key in the name under which its requests are recorded."""

UNKNOWN_KEY = "The security token included in the request is invalid."

FIRST_KEY = (
    "No access key exists, and this gateway answers signed requests only: make one with longshore access-key create."
)

NO_TOKENS = "There are no temporary credentials here: sign with an access key, without X-Amz-Security-Token."


@dataclass(frozen=True, slots=True)
class Identity:
    """Who makes a request."""

    principal: str
    """The name under which everything they do is recorded."""
    role: int
    """What they may do, by number of `options_pb2.Role`: each role includes those below."""
    region: str
    """The region that they speak of."""
    scope: claims.Credential | None = None
    """What the request was signed in; None where that was not verified."""


class Settings(Protocol):
    """What of the gateway's settings decides here."""

    @property
    def region(self) -> str:
        """The region that is served."""

    @property
    def any_region(self) -> bool:
        """Whether requests to other regions are taken as well."""

    @property
    def verify(self) -> str:
        """Which requests are verified."""


def _utc_now() -> dt.datetime:
    return dt.datetime.now(dt.UTC)


class Authenticator:
    """Tells who makes a request, or refuses it."""

    def __init__(
        self,
        config: Settings,
        client: clients.Client,
        *,
        now: Callable[[], dt.datetime] = _utc_now,
        clock: Callable[[], float] = time.monotonic,
    ) -> None:
        """Verify with keys of the client's registry; signatures' times are compared with `now`, `clock` counts seconds."""
        self._region = config.region
        self._any_region = config.any_region
        self._always = config.verify == configuration.ALWAYS
        self._keys = signing_keys.SigningKeys(client, clock=clock)
        self._now = now

    async def authenticate(self, request: wire.Request) -> Identity:
        """The identity of whoever makes the request. Raises a refusal, never a pass where it is not known."""
        if not self._always and not await self._keys.exist():
            return self._unverified(request)
        claim = await self._claim(request)
        sigv4.check_scope(claim, region=None if self._any_region else self._region)
        sigv4.check_time(claim, now=self._now())
        scope = claim.credential
        signing = await self._keys.of(scope.access_key_id, day=scope.day, region=scope.region)
        if signing is None:
            raise refusals.UnrecognizedClientException(UNKNOWN_KEY + await self._hint())
        sigv4.verify(claim, request, key=signing.key)
        return Identity(f"{PRINCIPAL_PREFIX}{signing.access_key_id}", signing.role, scope.region, scope)

    async def still(self, identity: Identity) -> bool:
        """Whether somebody who was let in would be let in now, for what lasts longer than a request."""
        scope = identity.scope
        if scope is None:
            return not await self._keys.exist()
        return await self._keys.of(scope.access_key_id, day=scope.day, region=scope.region) is not None

    def _unverified(self, request: wire.Request) -> Identity:
        region = sigv4.region_of(request) if self._any_region else None
        return Identity(caller.LOCAL_ADMIN, options_pb2.ROLE_ADMIN, region or self._region)

    async def _claim(self, request: wire.Request) -> claims.Claim:
        try:
            claim = claims.read(request)
        except refusals.MissingAuthenticationTokenException as error:
            hint = await self._hint()
            raise refusals.MissingAuthenticationTokenException(error.message + (hint and f".{hint}")) from None
        if claim.session_token:
            raise refusals.UnrecognizedClientException(f"{UNKNOWN_KEY} {NO_TOKENS}")
        return claim

    async def _hint(self) -> str:
        """How to make a key, while there is none at all."""
        try:
            exist = await self._keys.exist()
        except errors.ServiceError:
            return ""
        return "" if exist else f" {FIRST_KEY}"
