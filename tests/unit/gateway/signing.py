"""A signer that is not ours: botocore signs, and what it would send is given as the gateway sees it."""

import datetime as dt
from collections.abc import Iterable, Mapping
from unittest import mock
from urllib.parse import urlsplit

from botocore import auth, awsrequest, credentials

from longshore.gateway import wire
from longshore.registry import signing

ACCESS_KEY_ID = "AKLSTESTTESTTESTTEST"
SECRET = "3mTh8yIWqNfB0oUeR5kZ2sVxLpDg9cJwA7tYQuHn"
REGION = "eu-central-1"
NOW = dt.datetime(2026, 11, 22, 21, 30, 15, tzinfo=dt.UTC)
HOST = "127.0.0.1:8700"


def signed(
    method: str = "POST",
    target: str = "/",
    *,
    headers: Mapping[str, str] | None = None,
    body: bytes = b"",
    region: str = REGION,
    access_key_id: str = ACCESS_KEY_ID,
    secret: str = SECRET,
    token: str | None = None,
    at: dt.datetime = NOW,
    expires: int | None = None,
    host: str = HOST,
) -> wire.Request:
    """A request that botocore has signed; presigned for `expires` seconds where they are given."""
    request = awsrequest.AWSRequest(
        method, f"http://{host}{target}", data=body, headers={"Host": host} | dict(headers or {})
    )
    keys = credentials.Credentials(access_key_id, secret, token)
    signer = (
        auth.SigV4Auth(keys, "ecs", region)
        if expires is None
        else auth.SigV4QueryAuth(keys, "ecs", region, expires=expires)
    )
    with mock.patch.object(auth, "get_current_datetime", return_value=at.replace(tzinfo=None)):
        signer.add_auth(request)
    url = urlsplit(request.url)
    return wire.Request(method, url.path, url.query, lowered(request.headers.items()), body)


def lowered(headers: Iterable[tuple[str, str]]) -> tuple[tuple[str, str], ...]:
    """Headers as the gateway has them."""
    return tuple((name.lower(), str(value)) for name, value in headers)


def key_of(*, secret: str = SECRET, day: str = f"{NOW:%Y%m%d}", region: str = REGION) -> bytes:
    """The signing key of a scope, as the registry derives it."""
    return signing.signing_key(secret, day=day, region=region)
