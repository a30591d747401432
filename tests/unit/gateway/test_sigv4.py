"""What is taken for a signature, and what each that is not is told."""

import dataclasses
import datetime as dt
import hashlib
import hmac
from collections.abc import Callable

import pytest

from longshore.gateway import claims, refusals, sigv4, wire
from tests.unit.gateway import signing

TARGET = {
    "X-Amz-Target": "AmazonEC2ContainerServiceV20141113.ListClusters",
    "Content-Type": "application/x-amz-json-1.1",
}


def judged(request: wire.Request, *, now: dt.datetime = signing.NOW, region: str | None = signing.REGION) -> None:
    """Everything that the gateway asks of a signature."""
    claim = claims.read(request)
    sigv4.check_scope(claim, region=region)
    sigv4.check_time(claim, now=now)
    scope = claim.credential
    sigv4.verify(claim, request, key=signing.key_of(day=scope.day, region=scope.region))


def with_header(request: wire.Request, name: str, value: str) -> wire.Request:
    """The request with one header replaced, or added."""
    kept = tuple(pair for pair in request.headers if pair[0] != name)
    return dataclasses.replace(request, headers=(*kept, (name, value)))


def with_authorization(change: Callable[[str], str]) -> wire.Request:
    """A signed request whose Authorization header was changed."""
    request = signing.signed(headers=TARGET, body=b"{}")
    authorization = request.header("authorization")
    assert authorization is not None
    changed = change(authorization)
    assert changed != authorization
    return with_header(request, "authorization", changed)


def test_takes_what_the_aws_sdk_signs() -> None:
    judged(signing.signed(headers=TARGET, body=b"{}"))


def test_takes_a_presigned_query_for_as_long_as_it_says() -> None:
    request = signing.signed("GET", "/events?cluster=web", expires=600)
    judged(request, now=signing.NOW + dt.timedelta(seconds=600))
    with pytest.raises(refusals.InvalidSignatureException, match=r"^Signature expired: .* - X-Amz-Expires\)$"):
        judged(request, now=signing.NOW + dt.timedelta(seconds=601))


def test_takes_the_commas_without_spaces_of_older_signers() -> None:
    judged(with_authorization(lambda value: value.replace(", ", ",")))


def test_takes_a_date_header_where_there_is_no_other() -> None:
    # As signers before X-Amz-Date: the moment that is signed is the Date header's, in ISO's form.
    request = signing.signed(headers=TARGET, body=b"{}")
    headers = tuple(pair for pair in request.headers if pair[0] not in {"x-amz-date", "authorization"})
    request = dataclasses.replace(request, headers=(*headers, ("date", "Sun, 22 Nov 2026 21:30:15 GMT")))
    scope = claims.Credential(signing.ACCESS_KEY_ID, "20261122", signing.REGION, "ecs", "aws4_request")
    names = ("content-type", "date", "host", "x-amz-target")
    claim = claims.Claim(scope, signing.NOW, None, names, "", "", session_token=False)
    signature = _hmac(signing.key_of(), sigv4.string_to_sign(claim, request))
    value = (
        f"AWS4-HMAC-SHA256 Credential={'/'.join(dataclasses.astuple(scope))}, "
        f"SignedHeaders={';'.join(names)}, Signature={signature}"
    )
    judged(with_header(request, "authorization", value))


def _hmac(key: bytes, text: bytes) -> str:
    return hmac.new(key, text, hashlib.sha256).hexdigest()


def test_takes_a_declared_digest_of_the_body_that_came() -> None:
    digest = hashlib.sha256(b"{}").hexdigest()
    judged(signing.signed(headers=TARGET | {"X-Amz-Content-SHA256": digest}, body=b"{}"))


@pytest.mark.parametrize("minutes", [-5, 5])
def test_takes_a_clock_that_is_five_minutes_off(minutes: int) -> None:
    judged(signing.signed(headers=TARGET), now=signing.NOW + dt.timedelta(minutes=minutes))


def test_refuses_a_signature_that_is_too_old_in_ecs_s_words() -> None:
    with pytest.raises(refusals.InvalidSignatureException) as caught:
        judged(signing.signed(headers=TARGET), now=signing.NOW + dt.timedelta(minutes=5, seconds=1))
    assert caught.value.message == (
        "Signature expired: 20261122T213015Z is now earlier than 20261122T213016Z (20261122T213516Z - 5 min.)"
    )


def test_refuses_a_signature_of_the_future_in_ecs_s_words() -> None:
    with pytest.raises(refusals.InvalidSignatureException) as caught:
        judged(signing.signed(headers=TARGET), now=signing.NOW - dt.timedelta(minutes=5, seconds=1))
    assert caught.value.message == (
        "Signature not yet current: 20261122T213015Z is still later than 20261122T213014Z (20261122T212514Z + 5 min.)"
    )


def test_a_presigned_request_is_not_taken_before_its_time_either() -> None:
    request = signing.signed("GET", "/events", expires=600)
    with pytest.raises(refusals.InvalidSignatureException, match=r"^Signature not yet current"):
        judged(request, now=signing.NOW - dt.timedelta(minutes=6))


def test_refuses_another_region_service_terminator_and_day_all_at_once() -> None:
    request = with_authorization(
        lambda value: value.replace(f"20261122/{signing.REGION}/ecs/aws4_request", "20261121/nowhere/ec2/aws5_request")
    )
    with pytest.raises(refusals.InvalidSignatureException) as caught:
        judged(request)
    assert caught.value.message == (
        "Credential should be scoped to a valid region. Credential should be scoped to correct service: 'ecs'. "
        "Credential should be scoped with a valid terminator: 'aws4_request', not 'aws5_request'. "
        "Date in Credential scope does not match YYYYMMDD from ISO-8601 version of date from HTTP: "
        "'20261121' != '20261122', from '20261122T213015Z'."
    )


def test_takes_any_region_where_told_to_and_none_that_is_no_name() -> None:
    judged(signing.signed(headers=TARGET, region="ap-south-2"), region=None)
    with pytest.raises(refusals.InvalidSignatureException, match=r"valid region"):
        judged(signing.signed(headers=TARGET, region="Mars!"), region=None)


def test_refuses_an_unsigned_request() -> None:
    request = wire.Request("POST", "/", "", (("host", signing.HOST),), b"{}")
    with pytest.raises(refusals.MissingAuthenticationTokenException, match=r"^Missing Authentication Token$"):
        judged(request)


@pytest.mark.parametrize(
    ("change", "message"),
    [
        (lambda _: "AWS AKIDEXAMPLE:frJIUN8DYpKDtOLCwo//yllqDzg=", "Signature Version 2 is not supported"),
        (lambda _: "AWS3-HTTPS AWSAccessKeyId=A,Algorithm=HmacSHA256", "Signature Version 3 is not supported"),
        (lambda v: v.replace("HMAC-SHA256", "ECDSA-P256-SHA256"), "Signature Version 4A is not supported"),
        (lambda v: v.replace("SHA256", "SHA512"), r"^Unsupported AWS 'algorithm': 'AWS4-HMAC-SHA512'\.$"),
        (lambda _: "Bearer abc", r"^Unsupported AWS 'algorithm': 'Bearer'\.$"),
        (lambda _: "AWS4-HMAC-SHA256", "not a valid key=value pair"),
        (lambda v: v + ", Extra=1", "The parameter 'Extra' of the Authorization header is unknown"),
        (lambda v: v + ", Signature=00", "given twice"),
        (lambda v: v.partition(", Signature")[0], r"^Authorization header requires 'Signature' parameter\.$"),
        (lambda _: "AWS4-HMAC-SHA256 Signature=1", r"'Credential' parameter\. .* 'SignedHeaders' parameter\.$"),
        (lambda v: v.replace("/aws4_request", ""), "^Credential must have exactly 5 slash-delimited elements"),
    ],
)
def test_refuses_what_is_no_signature_of_version_4(change: Callable[[str], str], message: str) -> None:
    with pytest.raises(refusals.IncompleteSignatureException, match=message):
        judged(with_authorization(change))


def test_refuses_a_query_of_version_2_by_its_name() -> None:
    query = "Action=ListClusters&AWSAccessKeyId=A&SignatureVersion=2&Signature=abc"
    request = wire.Request("GET", "/", query, (("host", signing.HOST),), b"")
    with pytest.raises(refusals.IncompleteSignatureException, match=r"Signature Version 2 is not supported"):
        judged(request)


@pytest.mark.parametrize("text", ["2026-11-22T21:30:15Z", "20261122T213015", "20261332T213015Z", "yesterday", ""])
def test_refuses_a_date_that_is_none(text: str) -> None:
    request = with_header(signing.signed(headers=TARGET), "x-amz-date", text)
    with pytest.raises(refusals.IncompleteSignatureException, match=r"^Date must be in ISO-8601 'basic format'"):
        judged(request)


def test_refuses_two_dates_and_two_signatures() -> None:
    request = signing.signed(headers=TARGET)
    twice = dataclasses.replace(request, headers=(*request.headers, ("x-amz-date", "20261122T213015Z")))
    with pytest.raises(refusals.IncompleteSignatureException, match=r"^Date must be"):
        judged(twice)
    again = [pair for pair in request.headers if pair[0] == "authorization"]
    with pytest.raises(refusals.IncompleteSignatureException, match=r"signed more than once"):
        judged(dataclasses.replace(request, headers=(*request.headers, *again)))
    with pytest.raises(refusals.IncompleteSignatureException, match=r"signed more than once"):
        judged(dataclasses.replace(request, query=signing.signed("GET", "/", expires=5).query))


def test_refuses_a_request_without_any_date() -> None:
    request = signing.signed(headers=TARGET)
    undated = tuple(pair for pair in request.headers if pair[0] != "x-amz-date")
    with pytest.raises(refusals.IncompleteSignatureException, match=r"existence of either a 'X-Amz-Date' or a 'Date'"):
        judged(dataclasses.replace(request, headers=undated))


def test_the_host_has_to_be_signed() -> None:
    with pytest.raises(refusals.InvalidSignatureException, match=r"^'Host' or ':authority' must be a 'SignedHeader'"):
        judged(with_authorization(lambda value: value.replace("host;", "")))


def test_every_amz_header_has_to_be_signed() -> None:
    request = with_header(signing.signed("GET", "/", expires=60), "x-amz-target", TARGET["X-Amz-Target"])
    with pytest.raises(refusals.InvalidSignatureException, match=r"which were not signed: 'x-amz-target'$"):
        judged(request)


@pytest.mark.parametrize("names", ["host;content-type;x-amz-date;x-amz-target", "Host", "host;host", "host;"])
def test_signed_headers_are_sorted_and_in_lower_case(names: str) -> None:
    request = with_authorization(
        lambda value: value.replace("SignedHeaders=content-type;host;x-amz-date;x-amz-target", f"SignedHeaders={names}")
    )
    with pytest.raises(refusals.InvalidSignatureException, match=r"^SignedHeaders is not canonicalized"):
        judged(request)


def test_refuses_a_signed_header_that_was_lost_on_the_way() -> None:
    request = signing.signed(headers=TARGET)
    lost = tuple(pair for pair in request.headers if pair[0] != "content-type")
    with pytest.raises(refusals.InvalidSignatureException, match=r"does not have: 'content-type'$"):
        judged(dataclasses.replace(request, headers=lost))


@pytest.mark.parametrize(
    "declared", ["UNSIGNED-PAYLOAD", "STREAMING-AWS4-HMAC-SHA256-PAYLOAD", "STREAMING-UNSIGNED-PAYLOAD-TRAILER"]
)
def test_refuses_the_bodies_of_s3_by_name(declared: str) -> None:
    request = signing.signed(headers=TARGET | {"X-Amz-Content-SHA256": declared}, body=b"{}")
    with pytest.raises(refusals.InvalidSignatureException, match=f"'{declared}', which is S3's"):
        judged(request)


def test_refuses_a_declared_digest_of_another_body() -> None:
    digest = hashlib.sha256(b"{ }").hexdigest()
    request = signing.signed(headers=TARGET | {"X-Amz-Content-SHA256": digest}, body=b"{}")
    with pytest.raises(refusals.InvalidSignatureException, match=r"'x-amz-content-sha256' header does not match"):
        judged(request)


@pytest.mark.parametrize("expires", ["0", "604801", "-1", "1e3", "", "1" * 40])
def test_refuses_a_life_that_is_no_number_of_seconds_up_to_a_week(expires: str) -> None:
    request = signing.signed("GET", "/events", expires=60)
    query = request.query.replace("X-Amz-Expires=60", f"X-Amz-Expires={expires}")
    with pytest.raises(refusals.IncompleteSignatureException, match=r"^X-Amz-Expires is "):
        judged(dataclasses.replace(request, query=query))


@pytest.mark.parametrize("part", ["Algorithm", "Credential", "Date", "SignedHeaders", "Signature"])
def test_names_what_a_presigned_query_lacks(part: str) -> None:
    request = signing.signed("GET", "/events", expires=60)
    query = "&".join(pair for pair in request.query.split("&") if not pair.startswith(f"X-Amz-{part}="))
    with pytest.raises(refusals.IncompleteSignatureException, match=f"must include 'X-Amz-{part}'"):
        judged(dataclasses.replace(request, query=query))


def test_refuses_a_presigned_parameter_twice() -> None:
    request = signing.signed("GET", "/events", expires=60)
    with pytest.raises(refusals.IncompleteSignatureException, match=r"'X-Amz-Expires' is given twice"):
        judged(dataclasses.replace(request, query=request.query + "&X-Amz-Expires=604800"))


def test_a_presigned_query_without_a_life_lives_as_long_as_a_header() -> None:
    request = signing.signed("GET", "/events", expires=60)
    claim = claims.read(dataclasses.replace(request, query=request.query.replace("&X-Amz-Expires=60", "")))
    sigv4.check_time(claim, now=signing.NOW + sigv4.SKEW)
    with pytest.raises(refusals.InvalidSignatureException, match=r"- 5 min"):
        sigv4.check_time(claim, now=signing.NOW + sigv4.SKEW + dt.timedelta(seconds=1))


def test_tells_of_a_session_token() -> None:
    assert claims.read(signing.signed(headers=TARGET, token="t")).session_token
    assert claims.read(signing.signed("GET", "/", expires=60, token="t")).session_token
    assert not claims.read(signing.signed(headers=TARGET)).session_token


def test_the_region_of_an_unverified_request_is_its_scope_s_if_it_has_one() -> None:
    assert sigv4.region_of(signing.signed(headers=TARGET, region="ap-south-2", secret="whatever")) == "ap-south-2"
    assert sigv4.region_of(with_authorization(lambda _: "garbage")) is None
    assert sigv4.region_of(signing.signed(headers=TARGET, region="Mars!")) is None


@pytest.mark.parametrize(
    "text", ["é" * 5000, "AWS4-HMAC-SHA256 " + "a=b," * 5000, "\x00", "=", ",", "AWS4-HMAC-SHA256 ,"]
)
def test_garbage_is_refused_in_few_words(text: str) -> None:
    with pytest.raises(refusals.Refusal) as caught:
        judged(with_authorization(lambda _: text))
    assert len(caught.value.message) < 500
