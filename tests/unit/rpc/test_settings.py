"""Flags, variables, defaults, faults and secrets."""

import dataclasses
from collections.abc import Iterable
from pathlib import Path

import pytest

from longshore.rpc import server, settings, tls


@settings.config
class Sample(settings.Settings):
    """A sample of every type.

    This second paragraph is not for --help.
    """

    name: str = settings.option(help="required text")
    lease_ms: int = settings.option(default=10, help="a number", minimum=1, maximum=100)
    ratio: float = settings.option(default=0.5, help="a ratio")
    verbose: bool = settings.option(default=False, help="talk")
    color: bool = settings.option(default=True, help="paint")
    peers: tuple[str, ...] = settings.option(default=(), help="others")
    folder: Path | None = settings.option(default=None, help="a folder")
    mode: str = settings.option(default="slow", help="how", choices=("slow", "fast"))
    password: str | None = settings.option(default=None, help="hush", secret=True)
    url: str = settings.option(default="", help="where")

    def faults(self) -> Iterable[str]:
        """A rule over two settings."""
        if self.mode == "fast" and self.lease_ms < 5:
            yield "fast needs a lease of 5 ms"


def parsed(*argv: str, **environ: str) -> Sample:
    return settings.parse(Sample, argv, {"LONGSHORE_NAME": "n", **environ})


def test_what_is_not_said_has_its_default() -> None:
    assert parsed() == Sample(name="n")


def test_every_type_is_read_from_variables() -> None:
    config = parsed(
        LONGSHORE_LEASE_MS="7",
        LONGSHORE_RATIO="1.5",
        LONGSHORE_VERBOSE="yes",
        LONGSHORE_COLOR="off",
        LONGSHORE_PEERS="a:1, b:2,",
        LONGSHORE_FOLDER="/var/lib/x",
        LONGSHORE_MODE="fast",
        LONGSHORE_PASSWORD="p",
    )
    assert config == Sample(
        name="n",
        lease_ms=7,
        ratio=1.5,
        verbose=True,
        color=False,
        peers=("a:1", "b:2"),
        folder=Path("/var/lib/x"),
        mode="fast",
        password="p",
    )


def test_a_flag_beats_its_variable_in_either_spelling() -> None:
    config = parsed("--lease-ms", "8", "--mode=fast", "--verbose", "--no-color", LONGSHORE_LEASE_MS="7")
    assert (config.lease_ms, config.mode, config.verbose, config.color) == (8, "fast", True, False)


def test_a_boolean_flag_takes_a_value_only_after_an_equals_sign() -> None:
    assert parsed("--verbose=false", LONGSHORE_VERBOSE="1").verbose is False


def test_an_empty_variable_counts_as_left_out() -> None:
    assert parsed(LONGSHORE_LEASE_MS="", LONGSHORE_FOLDER="").lease_ms == 10


def test_an_empty_flag_is_none_where_none_is_allowed() -> None:
    assert parsed("--folder=", LONGSHORE_FOLDER="/x").folder is None


def test_all_faults_are_told_together() -> None:
    argv = ["--lease-ms", "0", "--mod=x", "--ratio", "--no-name", "--color=maybe"]
    with pytest.raises(settings.SettingsError) as caught:
        settings.parse(Sample, argv, {"LONGSHORE_MODE": "odd", "LONGSHORE_VERBOSE": "2"})
    assert caught.value.faults == (
        "--mod is not a flag; did you mean --mode?",
        "--ratio needs a value (one that begins with -- is written --ratio=VALUE)",
        "--no-name is not a flag; did you mean --name?",
        "LONGSHORE_NAME (or --name) is required: required text",
        "--lease-ms is '0': must be at least 1",
        "LONGSHORE_VERBOSE is '2': neither true nor false",
        "--color is 'maybe': neither true nor false",
        "LONGSHORE_MODE is 'odd': must be one of slow, fast",
    )
    assert str(caught.value) == "\n".join(caught.value.faults)


@pytest.mark.parametrize(("value", "told"), [("x", "not a whole number"), ("101", "must be at most 100")])
def test_a_wrong_number_is_told(value: str, told: str) -> None:
    with pytest.raises(settings.SettingsError, match=told):
        parsed("--lease-ms", value)


def test_rules_over_several_settings_are_checked_last() -> None:
    with pytest.raises(settings.SettingsError, match="fast needs a lease of 5 ms"):
        parsed("--mode", "fast", "--lease-ms", "2")


def test_secrets_appear_in_no_repr_and_no_fault() -> None:
    config = parsed("--password", "hunter2", "--url", "postgresql://me:hunter2@db:5432/x?a=b")
    assert "hunter2" not in repr(config)
    assert "url='postgresql://me:***@db:5432/x?a=b'" in repr(config)
    assert "password=***" in repr(config)


@pytest.mark.parametrize(
    ("url", "shown"),
    [
        ("redis://:pw@h:6379/0", "redis://:***@h:6379/0"),
        ("postgresql://u:p%40@[::1]:1/x", "postgresql://u:***@[::1]:1/x"),
        ("sqlite:///var/lib/x.db", "sqlite:///var/lib/x.db"),
        ("http://[broken", "http://[broken"),
        ("postgresql://u@h/x", "postgresql://u@h/x"),
    ],
)
def test_passwords_leave_urls(url: str, shown: str) -> None:
    assert settings.redacted_url(url) == shown


def test_a_configuration_cannot_be_changed() -> None:
    config = parsed()
    with pytest.raises(dataclasses.FrozenInstanceError):
        config.name = "other"  # type: ignore[misc]
    assert not hasattr(config, "__dict__")


def test_help_lists_every_setting_and_ends(capsys: pytest.CaptureFixture[str]) -> None:
    with pytest.raises(SystemExit) as caught:
        settings.parse(Sample, ["--help"], {}, prog="longshore sample")
    assert caught.value.code == 0
    told = capsys.readouterr().out
    assert told.startswith("usage: longshore sample [--flag VALUE ...]\n\nA sample of every type.\n")
    assert "second paragraph" not in told
    assert "  --name TEXT  (LONGSHORE_NAME)\n      required text (required)\n" in told
    assert "  --lease-ms NUMBER  (LONGSHORE_LEASE_MS)\n      a number (default 10)\n" in told
    assert "  --mode TEXT  (LONGSHORE_MODE)\n      how (one of slow, fast; default slow)\n" in told
    assert "  --verbose  (LONGSHORE_VERBOSE)\n      talk\n" in told
    assert "  --peers A,B,…  (LONGSHORE_PEERS)\n      others\n" in told


def test_help_shows_a_default_as_one_would_write_it() -> None:
    @settings.config
    class Defaults(settings.Settings):
        ports: tuple[str, ...] = settings.option(default=("22", "80"), help="ports")
        kind: str = settings.option(default="", help="kind", choices=("", "docker"))
        agent_too: bool = settings.option(default=True, help="join")

    told = settings.usage(Defaults)
    assert "      ports (default 22,80)\n" in told
    assert "      kind (one of docker)\n" in told
    assert "      join (default; --no-agent-too turns it off)\n" in told


@settings.config
class Scheduler(settings.Component):
    """The scheduler."""

    listen: str = settings.option(default="127.0.0.1:8702", help="host:port to serve on")


def test_a_component_inherits_the_shared_settings_and_sets_its_own_default() -> None:
    config = settings.parse(Scheduler, [], {"LONGSHORE_DATABASE_URL": "sqlite:///x"})
    assert (config.listen, config.account, config.region) == ("127.0.0.1:8702", "123456789012", "us-east-1")
    assert (config.database_url, config.events_url, config.insecure) == ("sqlite:///x", "memory://", False)
    served: server.ListenConfig = config
    assert served.region == "us-east-1"


def test_components_are_found_by_server_or_by_their_own_lists() -> None:
    config = settings.parse(Scheduler, [], {"LONGSHORE_SERVER": "cp.example", "LONGSHORE_STATE_TRACKER": "t1:1,t2:2"})
    assert config.registry_addresses == ("cp.example:8701",)
    assert config.scheduler_addresses == ("cp.example:8702",)
    assert config.state_tracker_addresses == ("t1:1", "t2:2")


@pytest.mark.parametrize("host", ["::1", "[::1]"])
def test_a_server_may_be_an_ipv6_address(host: str) -> None:
    assert settings.default_address(host, 8701) == "[::1]:8701"


def test_addresses_accounts_and_certificates_are_checked() -> None:
    variables = {
        "LONGSHORE_LISTEN": "8702",
        "LONGSHORE_ADVERTISE": "::1:8702",
        "LONGSHORE_REGISTRY": "a:1,b",
        "LONGSHORE_ACCOUNT": "42",
        "LONGSHORE_TLS_CERT_FILE": "/x",
    }
    with pytest.raises(settings.SettingsError) as caught:
        settings.parse(Scheduler, [], variables)
    assert caught.value.faults == (
        "LONGSHORE_REGISTRY: 'b' is not host:port",
        "LONGSHORE_TLS_CERT_FILE and LONGSHORE_TLS_KEY_FILE go together: only one is set",
        "LONGSHORE_LISTEN: '8702' is not host:port",
        "LONGSHORE_ACCOUNT is '42': an account id has 12 digits",
        "LONGSHORE_ADVERTISE: '::1:8702' is not host:port; an IPv6 address goes in brackets",
    )


def test_the_three_files_are_handed_to_channels_together() -> None:
    config = settings.parse(Scheduler, ["--tls-ca-file", "/ca"], {})
    assert config.tls == tls.Files(ca=Path("/ca"))


def test_a_list_may_be_json_for_items_with_commas_and_for_none_at_all() -> None:
    assert parsed(LONGSHORE_PEERS='["a,b", "c"]').peers == ("a,b", "c")
    assert parsed(LONGSHORE_PEERS="[]").peers == ()
    assert parsed(LONGSHORE_PEERS="[::1]:8701,[::2]:8701").peers == ("[::1]:8701", "[::2]:8701")
    assert parsed(LONGSHORE_PEERS="[1]").peers == ("[1]",)


def test_one_setting_can_be_asked_for_before_the_others() -> None:
    assert settings.chosen(Sample, "folder", ("--folder", "/x", "--nonsense"), {}) == "/x"
    assert settings.chosen(Sample, "folder", (), {"LONGSHORE_FOLDER": "/y"}) == "/y"
    assert settings.chosen(Sample, "folder", (), {}) is None
