"""What the gateway is told, and what it does not let itself be told."""

import pytest

from longshore.gateway import config
from longshore.rpc import settings


def parsed(*argv: str) -> config.Config:
    return settings.parse(config.Config, argv, {}, prog="longshore gateway")


def test_it_verifies_every_request_on_loopback_unless_told_otherwise() -> None:
    told = parsed()
    assert (told.listen, told.verify, told.any_region, told.insecure) == ("127.0.0.1:8700", "always", False, False)
    assert (told.max_connections, told.max_body_bytes) == (2_000, 1024 * 1024)
    assert (told.header_timeout_s, told.body_timeout_s) == (10.0, 20.0)


def test_it_is_told_nothing_of_databases() -> None:
    assert "DATABASE" not in settings.usage(config.Config)


@pytest.mark.parametrize("listen", ["0.0.0.0:8700", "ecs.example:8700", "[::]:8700"])
def test_it_goes_unverified_on_loopback_alone_however_insecure(listen: str) -> None:
    with pytest.raises(settings.SettingsError, match="loopback addresses only"):
        parsed("--listen", listen, "--verify", "when-keys-exist", "--insecure")
    parsed("--listen", listen, "--insecure")


def test_all_faults_are_told_together() -> None:
    with pytest.raises(settings.SettingsError) as caught:
        parsed("--listen", "8700", "--verify", "never", "--max-body-bytes", "1", "--account", "1")
    assert len(caught.value.faults) == 2
    with pytest.raises(settings.SettingsError) as caught:
        parsed("--listen", "8700", "--verify", "when-keys-exist", "--account", "1")
    assert [fault.split()[0] for fault in caught.value.faults] == ["LONGSHORE_LISTEN:", "LONGSHORE_ACCOUNT"]
