"""TLS between real ends: who gets in, under which name, and who does not."""

import contextlib
from collections.abc import AsyncIterator
from pathlib import Path

import pytest

from longshore.rpc import caller, channels, errors, interception, probe, server, tls
from tests.rpc.rpc import tiny

HERE = Path(__file__).parent / "certificates"
CA = HERE / "ca.pem"


def files(name: str) -> tls.Files:
    """A certificate and its key, trusting the test authority."""
    return tls.Files(HERE / f"{name}.pem", HERE / f"{name}.key", CA)


@contextlib.asynccontextmanager
async def secured(behaviour: tiny.Behaviour) -> AsyncIterator[server.Serving]:
    """A server with a component's certificate, which demands one of its callers."""
    argv = [f"--tls-{part}-file={HERE / name}" for part, name in (("cert", "component.pem"), ("key", "component.key"))]
    async with tiny.running(behaviour, "--listen=127.0.0.1:0", f"--tls-ca-file={CA}", *argv) as serving:
        yield serving


async def test_both_ends_with_certificates_of_the_authority_understand_each_other() -> None:
    async with (
        secured(tiny.Behaviour()) as serving,
        channels.connect(serving.address, files=files("component")) as channel,
    ):
        assert (await tiny.registry(channel).ListClusters(tiny.ask())).next_token == "one"
    assert (await probe.check(serving.address, files=files("component"))).startswith("UNREACHABLE")


async def test_an_open_address_with_certificates_and_an_authority_is_served() -> None:
    behaviour = tiny.Behaviour()
    component = files("component")
    argv = (
        "--listen=0.0.0.0:0",
        f"--tls-cert-file={component.cert}",
        f"--tls-key-file={component.key}",
        f"--tls-ca-file={component.ca}",
    )
    async with tiny.running(behaviour, *argv) as serving:
        port = serving.address.rpartition(":")[2]
        assert await probe.check(f"127.0.0.1:{port}", files=component) == "SERVING"


@pytest.mark.parametrize("presented", [tls.Files(ca=CA), files("stranger"), None])
async def test_a_client_without_a_certificate_of_the_authority_does_not_get_in(presented: tls.Files | None) -> None:
    behaviour = tiny.Behaviour()
    async with secured(behaviour) as serving, channels.connect(serving.address, files=presented) as channel:
        with pytest.raises(errors.Unavailable):
            await tiny.registry(channel).ListClusters(tiny.ask(), timeout=5)
    assert behaviour.seen == []


async def test_a_server_under_another_name_is_not_believed() -> None:
    person = files("person")
    argv = (f"--tls-cert-file={person.cert}", f"--tls-key-file={person.key}", f"--tls-ca-file={CA}")
    behaviour = tiny.Behaviour()
    async with (
        tiny.running(behaviour, "--listen=127.0.0.1:0", *argv) as serving,
        channels.connect(serving.address, files=files("component")) as channel,
    ):
        with pytest.raises(errors.Unavailable):
            await tiny.registry(channel).ListClusters(tiny.ask(), timeout=5)
    assert behaviour.seen == []


@pytest.mark.parametrize(("name", "principal"), [("component", "ada"), ("person", "cert:grace")])
async def test_only_a_components_certificate_speaks_for_others(
    monkeypatch: pytest.MonkeyPatch, name: str, principal: str
) -> None:
    # Over loopback every caller is the local admin; here the certificate is to decide, as it does for other hosts.
    monkeypatch.setattr(interception, "is_loopback_peer", lambda _peer: False)
    behaviour = tiny.Behaviour()
    async with secured(behaviour) as serving, channels.connect(serving.address, files=files(name)) as channel:
        with caller.acting_as(caller.Caller("ada", "r-1", "us-east-1")):
            await tiny.registry(channel).ListClusters(tiny.ask())
    assert [who.principal for who in behaviour.seen] == [principal]
