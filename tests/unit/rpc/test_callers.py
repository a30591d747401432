"""Who a caller is taken for."""

import pytest

from longshore.rpc import caller, interception

SENT = {
    caller.PRINCIPAL_KEY: "ada",
    caller.REQUEST_ID_KEY: "r-1",
    caller.REGION_KEY: "eu-west-1",
}


def resolved(
    peer: str, sent: dict[str, str] | None = None, *, name: bytes | None = None, trusting: bool = False
) -> caller.Caller:
    names = () if name is None else (name,)
    return interception.resolve(sent or {}, peer=peer, common_names=names, region="us-east-1", trusting=trusting)


@pytest.mark.parametrize(
    "peer", ["ipv4:127.0.0.1:5", "ipv6:%5B::1%5D:5", "ipv6:[::1]:5", "unix:/run/x", "ipv6:[::ffff:127.0.0.1]:5"]
)
def test_loopback_is_the_local_admin_and_may_speak_for_others(peer: str) -> None:
    assert resolved(peer).principal == "local-admin"
    assert resolved(peer, SENT).principal == "ada"


@pytest.mark.parametrize("peer", ["ipv4:10.0.0.9:5", "ipv6:%5B2001:db8::1%5D:5", "nonsense", "ipv4:localhost:5"])
def test_others_are_anonymous_and_are_not_believed(peer: str) -> None:
    assert resolved(peer, SENT) == caller.Caller("anonymous", "r-1", "eu-west-1")


def test_an_insecure_server_believes_its_peers() -> None:
    assert resolved("ipv4:10.0.0.9:5", SENT, trusting=True).principal == "ada"
    assert resolved("ipv4:10.0.0.9:5", trusting=True).principal == "anonymous"


def test_a_certificate_names_the_caller_and_only_a_components_speaks_for_others() -> None:
    assert resolved("ipv4:10.0.0.9:5", SENT, name=b"grace").principal == "cert:grace"
    assert resolved("ipv4:10.0.0.9:5", name=b"longshore-registry").principal == "cert:longshore-registry"
    assert resolved("ipv4:10.0.0.9:5", SENT, name=b"longshore-registry").principal == "ada"


@pytest.mark.parametrize("value", ["", " x", "x" * 129, "a\nb", "é"])
def test_names_that_do_not_belong_into_a_log_line_are_replaced(value: str) -> None:
    who = resolved("unix:/run/x", {caller.REQUEST_ID_KEY: value, caller.REGION_KEY: value, caller.PRINCIPAL_KEY: value})
    assert (who.principal, who.region) == ("local-admin", "us-east-1")
    assert len(who.request_id) == 32


def test_request_ids_differ() -> None:
    assert resolved("unix:/run/x").request_id != resolved("unix:/run/x").request_id


def test_outside_of_a_call_it_is_us_and_nothing_is_sent_on() -> None:
    assert caller.current().principal == "internal"
    assert caller.metadata(caller.current()) == ()


def test_acting_as_a_caller_lasts_for_the_block() -> None:
    ada = caller.Caller("ada", "r-1", "eu-west-1")
    with caller.acting_as(ada):
        assert caller.current() is ada
        assert dict(caller.metadata(caller.current())) == SENT
    assert caller.current().principal == "internal"
