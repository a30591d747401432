"""Signatures as other and older programs make them, on the wire: sent without any SDK, verified with a real key."""

import contextlib
import datetime as dt
import hashlib
import hmac
import http.client
import json
from collections.abc import Callable, Iterator, Mapping
from email import utils as email_utils
from typing import Any
from urllib import parse

import pytest
from botocore import auth, awsrequest, credentials

from tests.e2e import stacks

TARGET = "AmazonEC2ContainerServiceV20141113.ListClusters"
BOUND_S = 10.0

Headers = Mapping[str, str]
Signer = Callable[[stacks.Stack, bytes], Headers]


def plain(stack: stacks.Stack) -> dict[str, str]:
    """What every request carries."""
    return {
        "Host": parse.urlsplit(stack.gateway).netloc,
        "Content-Type": "application/x-amz-json-1.1",
        "X-Amz-Target": TARGET,
    }


def by_hand(stack: stacks.Stack, body: bytes, *, ago: dt.timedelta = dt.timedelta()) -> Headers:
    """The least that SigV4 asks for, by the letter of its description: no hash in a header, lower-case names sorted."""
    now = (dt.datetime.now(dt.UTC) - ago).strftime("%Y%m%dT%H%M%SZ")
    headers = plain(stack) | {"X-Amz-Date": now}
    names = sorted(headers, key=str.lower)
    signed = ";".join(names).lower()
    lines = "".join(f"{name.lower()}:{headers[name]}\n" for name in names)
    canonical = f"POST\n/\n\n{lines}\n{signed}\n{hashlib.sha256(body).hexdigest()}"
    scope = f"{now[:8]}/{stacks.REGION}/ecs/aws4_request"
    to_sign = f"AWS4-HMAC-SHA256\n{now}\n{scope}\n{hashlib.sha256(canonical.encode()).hexdigest()}"
    key = f"AWS4{stack.credentials.secret_access_key}".encode()
    for word in scope.split("/"):
        key = hmac.digest(key, word.encode(), "sha256")
    signature = hmac.digest(key, to_sign.encode(), "sha256").hex()
    credential = f"Credential={stack.credentials.access_key_id}/{scope}"
    return headers | {
        # Without the spaces behind the commas, as some programs write it.
        "Authorization": f"AWS4-HMAC-SHA256 {credential},SignedHeaders={signed},Signature={signature}"
    }


def with_date(stack: stacks.Stack, body: bytes) -> Headers:
    """As older programs sign: the HTTP header Date in place of X-Amz-Date."""
    return _by_botocore(stack, body, {"Date": email_utils.formatdate(usegmt=True)})


def with_hash(stack: stacks.Stack, body: bytes) -> Headers:
    """With the body's hash in a header, signed too."""
    return _by_botocore(stack, body, {"X-Amz-Content-SHA256": hashlib.sha256(body).hexdigest()})


def _by_botocore(stack: stacks.Stack, body: bytes, others: Headers) -> Headers:
    request = awsrequest.AWSRequest("POST", f"{stack.gateway}/", headers={**plain(stack), **others}, data=body)
    auth.SigV4Auth(_key(stack), "ecs", stacks.REGION).add_auth(request)
    return dict(request.headers.items())


def _key(stack: stacks.Stack) -> credentials.Credentials:
    return credentials.Credentials(stack.credentials.access_key_id, stack.credentials.secret_access_key)


def posted(connection: http.client.HTTPConnection, headers: Headers, body: bytes) -> tuple[int, Any]:
    """Send one request; status and document."""
    connection.request("POST", "/", body=body, headers=dict(headers))
    response = connection.getresponse()
    return response.status, json.loads(response.read())


@contextlib.contextmanager
def connected(stack: stacks.Stack) -> Iterator[http.client.HTTPConnection]:
    """A connection to a stack's gateway."""
    with contextlib.closing(http.client.HTTPConnection(parse.urlsplit(stack.gateway).netloc, timeout=BOUND_S)) as made:
        yield made


@pytest.mark.parametrize("signer", [by_hand, with_date, with_hash])
def test_every_way_to_sign_is_verified(distributed: stacks.Stack, signer: Signer) -> None:
    """The same signature with another body is refused, so it was verified."""
    body = b'{"maxResults": 10}'
    headers = signer(distributed, body)
    with connected(distributed) as connection:
        status, answer = posted(connection, headers, body)
        assert status == 200, answer
        assert "arn:aws:ecs:us-east-1:123456789012:cluster/default" in answer["clusterArns"]
        status, answer = posted(connection, headers, b'{"maxResults": 11}')
        assert (status, answer["__type"]) == (400, "InvalidSignatureException")


def test_a_signature_of_long_ago_has_expired(distributed: stacks.Stack) -> None:
    """A recorded request is worthless after five minutes."""
    with connected(distributed) as connection:
        recent = by_hand(distributed, b"{}", ago=dt.timedelta(minutes=4))
        status, answer = posted(connection, recent, b"{}")
        assert status == 200, answer
        expired = by_hand(distributed, b"{}", ago=dt.timedelta(minutes=6))
        status, answer = posted(connection, expired, b"{}")
        assert (status, answer["__type"]) == (400, "InvalidSignatureException")


def test_a_presigned_url_opens_the_events_that_it_was_signed_for(distributed: stacks.Stack) -> None:
    """As a browser opens it, without a header; with one word of it changed it opens nothing."""
    request = awsrequest.AWSRequest("GET", f"{distributed.gateway}/events?cluster=default")
    auth.SigV4QueryAuth(_key(distributed), "ecs", stacks.REGION, expires=60).add_auth(request)
    path = request.url.removeprefix(distributed.gateway)
    with connected(distributed) as connection:
        connection.request("GET", path)
        response = connection.getresponse()
        assert (response.status, response.headers.get_content_type()) == (200, "text/event-stream")
    with connected(distributed) as connection:
        connection.request("GET", path.replace("cluster=default", "cluster=other"))
        response = connection.getresponse()
        assert (response.status, json.loads(response.read())["__type"]) == (400, "InvalidSignatureException")


def test_one_connection_carries_many_requests(stack: stacks.Stack) -> None:
    """Answers and refusals alike leave it open for the next."""
    with connected(stack) as connection:
        connection.connect()
        opened = connection.sock
        for body, expected in ((b"{}", 200), (b'{"maxResults": "ten"}', 400)) * 5:
            status, _ = posted(connection, by_hand(stack, body), body)
            assert status == expected
            assert connection.sock is opened
