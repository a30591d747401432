"""Whatever is sent, it is taken or refused by name: nothing else comes out of the modules that read it first."""

import contextlib
import string

from hypothesis import given
from hypothesis import strategies as st

from longshore.gateway import claims, event_messages, sigv4, wire
from longshore.rpc import errors
from tests.unit.gateway import signing

bytes_as_text = st.binary(max_size=60).map(lambda data: data.decode("latin-1"))
PIECES = [
    "AWS4-HMAC-SHA256",
    "Credential=AKLSTESTTESTTESTTEST/20261122/eu-central-1/ecs/aws4_request",
    "Credential=////",
    "SignedHeaders=host;x-amz-date",
    "SignedHeaders=",
    "Signature=" + "0" * 64,
    "Signature=\xff",
    "20261122T213015Z",
    "Sun, 22 Nov 2026 21:30:15 GMT",
    "99999999T999999Z",
]
authorizations = st.lists(st.sampled_from(PIECES) | bytes_as_text, max_size=5).map(", ".join)
parameters = st.sampled_from(
    [f"X-Amz-{name}" for name in ("Algorithm", "Credential", "Date", "Expires", "SignedHeaders", "Signature")]
    + ["cluster", "task", "family", "container-instance", "last_event_id"]
)
values = st.sampled_from([piece.partition("=")[2] or piece for piece in PIECES]) | bytes_as_text
queries = st.lists(st.tuples(parameters | bytes_as_text, values).map("=".join), max_size=10).map("&".join)
names = st.sampled_from(["authorization", "host", "x-amz-date", "date", "x-amz-content-sha256", "last-event-id"])
headers = st.lists(st.tuples(names | st.text(string.ascii_lowercase + "-", max_size=8), authorizations), max_size=8)
requests = st.builds(
    wire.Request, st.sampled_from(["GET", "POST", "\xff"]), bytes_as_text, queries, headers.map(tuple), st.binary()
)


@given(requests)
def test_no_signature_breaks_the_verifier(request: wire.Request) -> None:
    with contextlib.suppress(errors.ServiceError):
        claim = claims.read(request)
        sigv4.check_time(claim, now=signing.NOW)
        sigv4.verify(claim, request, key=b"key")
        raise AssertionError("taken under a key that it was not signed with")
    with contextlib.suppress(errors.ServiceError):
        sigv4.check_scope(claims.read(request), region=None)
    assert sigv4.region_of(request) in {None, "eu-central-1"}


@given(requests)
def test_no_query_breaks_the_event_stream(request: wire.Request) -> None:
    with contextlib.suppress(errors.InvalidParameterException):
        asked = event_messages.asked(request)
        for text in (asked.cluster, asked.family, *asked.tasks, *asked.container_instances):
            assert text.encode().decode() == text
