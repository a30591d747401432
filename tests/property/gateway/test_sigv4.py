"""Whatever botocore signs is taken, and with anything about it changed it is not."""

import dataclasses
import datetime as dt
import string
import urllib.parse
from collections.abc import Callable, Sequence

import pytest
from hypothesis import assume, given
from hypothesis import strategies as st

from longshore.gateway import claims, refusals, sigv4, wire
from tests.unit.gateway import signing

VISIBLE = string.ascii_letters + string.digits + "!#$%&'()*+,-./:;<=>?@[]^_`{|}~"
UNRESERVED = string.ascii_letters + string.digits + "-_.~"

texts = st.text(max_size=12)
values = st.lists(st.text(VISIBLE, min_size=1, max_size=8), min_size=1, max_size=3).map("  ".join)
headers = st.dictionaries(
    st.text(string.ascii_lowercase, min_size=1, max_size=8).map(lambda name: f"x-amz-{name}"), values, max_size=4
).filter(lambda chosen: not {"x-amz-date", "x-amz-expires", "x-amz-algorithm"} & chosen.keys())
segments = st.lists(st.text(max_size=6).map(lambda text: urllib.parse.quote(text, safe="-_.~")), max_size=4)
queries = st.lists(st.tuples(st.text(min_size=1, max_size=6), texts), max_size=4)


@st.composite
def requests(draw: st.DrawFn) -> tuple[wire.Request, str]:
    """A request signed in one of the two ways, and its region."""
    presigned = draw(st.booleans())
    region = draw(st.sampled_from(["us-east-1", "eu-central-1", "ap-south-2"]))
    query = urllib.parse.urlencode(draw(queries), quote_via=urllib.parse.quote, safe="-_.~")
    # Without two slashes at the beginning, which stand for a host in a URL.
    path = "/" + "/".join(draw(segments)).lstrip("/")
    request = signing.signed(
        draw(st.sampled_from(["GET", "POST"])),
        f"{path}?{query}" if query else path,
        headers=draw(headers),
        # botocore moves the body of a presigned request into its query.
        body=b"" if presigned else draw(st.binary(max_size=64)),
        region=region,
        expires=draw(st.integers(1, 604_800)) if presigned else None,
    )
    return request, region


def judged(request: wire.Request, region: str, *, secret: str = signing.SECRET) -> None:
    """Everything that the gateway asks of a signature, at the moment it was made."""
    claim = claims.read(request)
    sigv4.check_scope(claim, region=region)
    sigv4.check_time(claim, now=signing.NOW)
    scope = claim.credential
    sigv4.verify(claim, request, key=signing.key_of(secret=secret, day=scope.day, region=scope.region))


def refused(request: wire.Request, region: str, *, secret: str = signing.SECRET) -> bool:
    """Whether it is not taken."""
    try:
        judged(request, region, secret=secret)
    except refusals.Refusal:
        return True
    return False


def meaning(query: str) -> Sequence[tuple[str, str]]:
    """What a query says to whoever answers, whatever its order and spelling."""
    return sorted(urllib.parse.parse_qsl(query, keep_blank_values=True, errors="surrogateescape"))


def replaced(text: str, draw: Callable[..., int], alphabet: str) -> str:
    """The text with one of its characters of the alphabet exchanged for another."""
    places = [place for place, character in enumerate(text) if character in alphabet]
    assume(places)
    place = places[draw(st.integers(0, len(places) - 1))]
    others = alphabet.replace(text[place], "")
    return text[:place] + others[draw(st.integers(0, len(others) - 1))] + text[place + 1 :]


@given(requests())
def test_what_botocore_signs_is_taken(made: tuple[wire.Request, str]) -> None:
    judged(*made)


@given(requests(), st.data())
def test_a_changed_method_is_refused(made: tuple[wire.Request, str], data: st.DataObject) -> None:
    request, region = made
    method = data.draw(st.sampled_from(["GET", "POST", "PUT", "get", ""]).filter(lambda other: other != request.method))
    assert refused(dataclasses.replace(request, method=method), region)


@given(requests(), st.data())
def test_a_changed_path_is_refused(made: tuple[wire.Request, str], data: st.DataObject) -> None:
    request, region = made
    segment = data.draw(st.text(string.ascii_letters, min_size=1, max_size=4))
    longer = f"{request.path.rstrip('/')}/{segment}"
    assert refused(dataclasses.replace(request, path=longer), region)
    changed = replaced(request.path, data.draw, string.ascii_letters + string.digits)
    assert refused(dataclasses.replace(request, path=changed), region)


@given(requests(), st.data())
def test_a_changed_query_is_refused_where_it_means_something_else(
    made: tuple[wire.Request, str], data: st.DataObject
) -> None:
    request, region = made
    place = data.draw(st.integers(0, len(request.query)))
    character = data.draw(st.sampled_from(VISIBLE.replace("#", "")))
    longer = request.query[:place] + character + request.query[place:]
    other = request.query[:place] + character + request.query[place + 1 :]
    shorter = request.query[:place] + request.query[place + 1 :]
    for query in (longer, other, shorter):
        if meaning(query) != meaning(request.query):
            assert refused(dataclasses.replace(request, query=query), region)


@given(requests(), st.data())
def test_a_changed_signed_header_is_refused(made: tuple[wire.Request, str], data: st.DataObject) -> None:
    request, region = made
    signed = claims.read(request).signed_headers
    places = [place for place, (name, _) in enumerate(request.headers) if name in signed]
    place = data.draw(st.sampled_from(places))
    name, value = request.headers[place]
    changed = replaced(value, data.draw, VISIBLE)
    others = (*request.headers[:place], (name, changed), *request.headers[place + 1 :])
    assert refused(dataclasses.replace(request, headers=others), region)
    without = (*request.headers[:place], *request.headers[place + 1 :])
    assert refused(dataclasses.replace(request, headers=without), region)
    assert refused(dataclasses.replace(request, headers=(*request.headers, (name, value))), region)


@given(requests(), st.text(string.ascii_lowercase, min_size=1, max_size=8), values)
def test_an_amz_header_that_was_added_is_refused(made: tuple[wire.Request, str], name: str, value: str) -> None:
    request, region = made
    added = (*request.headers, (f"x-amz-{name}", value))
    assert refused(dataclasses.replace(request, headers=added), region)


@given(requests(), st.data())
def test_a_changed_body_is_refused(made: tuple[wire.Request, str], data: st.DataObject) -> None:
    request, region = made
    body = data.draw(st.binary(max_size=64).filter(lambda other: other != request.body))
    assert refused(dataclasses.replace(request, body=body), region)


@given(requests(), st.data())
def test_a_changed_authorization_is_refused(made: tuple[wire.Request, str], data: st.DataObject) -> None:
    request, region = made
    value = request.header("authorization")
    assume(value is not None)
    assert value is not None
    changed = replaced(value, data.draw, UNRESERVED + "/=;")
    # Whose key it is, is for the registry to say; the rest is what was signed.
    assume(signing.ACCESS_KEY_ID in changed)
    kept = tuple(pair for pair in request.headers if pair[0] != "authorization")
    assert refused(dataclasses.replace(request, headers=(*kept, ("authorization", changed))), region)


@given(requests(), st.text(string.ascii_letters + string.digits, min_size=1, max_size=50))
def test_another_secret_is_refused(made: tuple[wire.Request, str], secret: str) -> None:
    assume(secret != signing.SECRET)
    assert refused(*made, secret=secret)


@given(requests())
def test_another_region_is_refused(made: tuple[wire.Request, str]) -> None:
    request, region = made
    assert refused(request, f"{region}x")


@given(requests(), st.integers(1, 3650))
def test_another_day_is_refused(made: tuple[wire.Request, str], days: int) -> None:
    request, region = made
    moment = f"{signing.NOW + dt.timedelta(days=days):%Y%m%dT%H%M%SZ}"
    other = tuple((name, moment if name == "x-amz-date" else value) for name, value in request.headers)
    query = request.query.replace(f"{signing.NOW:%Y%m%dT%H%M%SZ}", moment)
    changed = dataclasses.replace(request, headers=other, query=query)
    claim = claims.read(changed)
    # At that moment, so that nothing but the signature speaks against it.
    with pytest.raises(refusals.Refusal):
        sigv4.verify(claim, changed, key=signing.key_of(region=region))
    assert refused(changed, region)
