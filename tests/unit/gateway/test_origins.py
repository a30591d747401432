"""Which unverified requests can be a web page's."""

import pytest

from longshore.gateway import origins, refusals, wire
from longshore.rpc import caller


def request(**headers: str) -> wire.Request:
    return wire.Request("POST", "/", "", tuple(headers.items()), b"")


@pytest.mark.parametrize(
    "host",
    ["127.0.0.1:8700", "127.0.0.1", "localhost:8700", "LOCALHOST", "[::1]:8700", "127.8.9.1:1", "ecs.localhost:8700"],
)
def test_a_request_to_this_machine_by_its_own_names_is_answered(host: str) -> None:
    origins.check(request(host=host), caller.LOCAL_ADMIN)
    origins.check(request(host=host, origin=f"http://{host}"), caller.LOCAL_ADMIN)


@pytest.mark.parametrize(
    "host",
    [
        "evil.example:8700",
        "localhost.evil.example",
        "127.0.0.1.evil.example",
        "10.0.0.1",
        "[::2]",
        "",
        "[",
        "evil@127.0.0.1:x",
        "0.0.0.0",
    ],
)
def test_a_name_that_was_made_to_lead_here_is_not(host: str) -> None:
    with pytest.raises(refusals.ForeignOriginException):
        origins.check(request(host=host), caller.LOCAL_ADMIN)


@pytest.mark.parametrize(
    "origin",
    ["https://evil.example", "null", "", "http://127.0.0.1:3000", "http://localhost:8700", "http://[", "file://"],
)
def test_a_page_of_another_site_is_not_even_one_of_this_machine(origin: str) -> None:
    with pytest.raises(refusals.ForeignOriginException):
        origins.check(request(host="127.0.0.1:8700", origin=origin), caller.LOCAL_ADMIN)


def test_a_request_without_host_and_origin_is_no_browsers() -> None:
    origins.check(request(), caller.LOCAL_ADMIN)
    with pytest.raises(refusals.ForeignOriginException):
        origins.check(request(origin="http://127.0.0.1:8700"), caller.LOCAL_ADMIN)


def test_a_verified_request_may_come_from_anywhere_under_any_name() -> None:
    origins.check(request(host="ecs.corp.example", origin="https://console.corp.example"), "access-key:AKIA")
