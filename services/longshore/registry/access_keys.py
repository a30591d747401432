"""The operations on access keys: request in, answer out."""

import asyncio
import re
import secrets

import structlog

from longshore.registry import access_key_rows, principals, sealing, seals, signing
from longshore.rpc import caller, errors
from longshore.storage import pages
from longshore.storage.database import Database
from longshore.v1 import options_pb2, registry_service_pb2

_log = structlog.get_logger(__name__)

COMPONENT_PREFIX = "cert:longshore-"
"""Principals of our components, by the certificates that they show."""

_NAME = re.compile(r"[A-Za-z0-9+=,.@_-]{1,64}")
_ROLES = frozenset({options_pb2.ROLE_READ_ONLY, options_pb2.ROLE_RUN, options_pb2.ROLE_ADMIN})


class AccessKeys:
    """Access keys over a database and a file of seal keys."""

    def __init__(self, database: Database, sealed_with: seals.Seals, *, insecure: bool) -> None:
        """`insecure`: the operator said that whoever reaches this server may be a gateway."""
        self._database = database
        self._seals = sealed_with
        self._insecure = insecure

    async def create(
        self, request: registry_service_pb2.CreateAccessKeyRequest, *, principal: str
    ) -> registry_service_pb2.CreateAccessKeyResponse:
        """CreateAccessKey."""
        if not _NAME.fullmatch(request.name):
            raise errors.InvalidParameterException(
                "name is required: 1 to 64 letters, digits and the characters + = , . @ _ -.", field="name"
            )
        if request.role not in _ROLES:
            raise errors.InvalidParameterException("role is required: read-only, run or admin.", field="role")
        if not await self._database.read(lambda _: access_key_rows.count()):
            # With a key there, a file that is gone was lost: one made in its stead would open nothing.
            await self._seals.make()
        keys = await self._seals.keys()
        access_key_id, secret = signing.new_id(secrets.choice), signing.new_secret(secrets.choice)
        nonce = secrets.token_bytes(sealing.NONCE_BYTES)
        sealed = await asyncio.to_thread(sealing.seal, keys, owner=access_key_id, secret=secret, nonce=nonce)
        new = access_key_rows.New(access_key_id, request.name, request.role, principal, sealed)
        opened_here = [key.fingerprint for key in keys]
        made = await self._database.run(lambda dialect: access_key_rows.create(dialect, new, opened_here))
        _log.info("access_key_created", access_key_id=access_key_id, name=made.name, by=principal)
        return registry_service_pb2.CreateAccessKeyResponse(access_key=made.message(), secret_access_key=secret)

    async def list_(
        self, request: registry_service_pb2.ListAccessKeysRequest
    ) -> registry_service_pb2.ListAccessKeysResponse:
        """ListAccessKeys: by id."""
        page = pages.of(request)
        after = page.after[0] if page.after else ""
        if after and not signing.ID.fullmatch(after):
            raise errors.InvalidParameterException("nextToken is not valid.")
        rows = await self._database.read(lambda _: access_key_rows.listed(after, page.fetch))
        shown, token = page.cut(rows, lambda key: (key.access_key_id,))
        return registry_service_pb2.ListAccessKeysResponse(
            access_keys=[key.message() for key in shown], next_token=token or None
        )

    async def delete(
        self, request: registry_service_pb2.DeleteAccessKeyRequest, *, principal: str
    ) -> registry_service_pb2.DeleteAccessKeyResponse:
        """DeleteAccessKey. Needs no seal key: what cannot be opened any more can still be deleted."""
        access_key_id = _known_form(request.access_key_id)
        deleted = await self._database.run(lambda _: access_key_rows.delete(access_key_id))
        _log.info("access_key_deleted", access_key_id=access_key_id, name=deleted.name, by=principal)
        return registry_service_pb2.DeleteAccessKeyResponse(access_key=deleted.message())

    async def signing_key(
        self, request: registry_service_pb2.GetSigningKeyRequest, *, principal: str
    ) -> registry_service_pb2.GetSigningKeyResponse:
        """GetSigningKey, for components alone."""
        if not is_component(principal, insecure=self._insecure):
            raise errors.AccessDeniedException("Only components of the control plane are told signing keys.")
        if not request.access_key_id:
            count = await self._database.read(lambda _: access_key_rows.count())
            return registry_service_pb2.GetSigningKeyResponse(any_access_key=count > 0)
        if not (signing.DAY.fullmatch(request.date) and signing.REGION.fullmatch(request.region)):
            raise errors.InvalidParameterException("date and region are required: a day as 20261122, and a region.")
        access_key_id = _known_form(request.access_key_id)
        key, sealed = await self._database.read(lambda _: access_key_rows.with_secret(access_key_id))
        secret = await self._opened(access_key_id, sealed)
        return registry_service_pb2.GetSigningKeyResponse(
            signing_key=signing.signing_key(secret, day=request.date, region=request.region),
            access_key=key.message(),
            any_access_key=True,
        )

    async def _opened(self, access_key_id: str, sealed: sealing.Sealed) -> str:
        keys = await self._seals.keys()
        try:
            return await asyncio.to_thread(sealing.opened, keys, owner=access_key_id, sealed=sealed)
        except sealing.WrongSealKeyError as error:
            _log.error("seal_key_refused", access_key_id=access_key_id, fault=str(error))
            raise errors.ServerException(
                f"The access key {access_key_id} cannot be used here: its secret is {error}. Start the registry with the"
                f" {seals.SETTING} that it was made with, or make the access key anew.",
                sealed_under=error.sealed_under,
            ) from None
        except sealing.TamperedError as error:
            _log.error("sealed_secret_refused", access_key_id=access_key_id, fault=str(error))
            raise errors.ServerException(
                f"The access key {access_key_id} cannot be used: what is stored of it was changed. Make it anew."
            ) from None


def is_component(principal: str, *, insecure: bool) -> bool:
    """Whether a caller may be told signing keys: on loopback, by its certificate, or where the operator lets everybody be believed.

    Never on behalf of an access key, whoever passes that on.
    """
    if principal.startswith(principals.ACCESS_KEY):
        return False
    return insecure or principal == caller.LOCAL_ADMIN or principal.startswith(COMPONENT_PREFIX)


def _known_form(access_key_id: str) -> str:
    """The id, once it has the form of one: no other is in the table, and not every text can be sent to a database."""
    if not signing.ID.fullmatch(access_key_id):
        raise access_key_rows.not_found(access_key_id[:128])
    return access_key_id
