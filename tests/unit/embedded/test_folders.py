"""Folders, ports and flags of an embedded stack."""

from pathlib import Path

import pytest

from longshore.embedded import config
from longshore.rpc import settings

ROOT, USER = 0, 1000


def test_root_keeps_state_and_logs_with_the_machine_s() -> None:
    found = config.folders(None, {}, ROOT)
    assert (found.state, found.logs) == (Path("/var/lib/longshore"), Path("/var/log/longshore"))


@pytest.mark.parametrize("uid", [ROOT, USER])
def test_xdg_state_home_is_where_state_goes(uid: int) -> None:
    found = config.folders(None, {"XDG_STATE_HOME": "/x"}, uid)
    assert (found.state, found.logs) == (Path("/x/longshore"), Path("/x/longshore/log"))


def test_a_user_without_it_has_the_usual_folder() -> None:
    assert config.folders(None, {}, USER).state == Path.home() / ".local/state/longshore"


def test_a_folder_that_was_named_keeps_the_logs_too(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.chdir(tmp_path)
    found = config.folders(Path("a"), {}, ROOT)
    assert (found.state, found.logs) == (tmp_path / "a", tmp_path / "a" / "log")


def test_hints_name_the_folder_only_where_it_is_not_the_usual_one() -> None:
    assert config.folders(None, {"XDG_STATE_HOME": "/x"}).option({"XDG_STATE_HOME": "/x"}) == ""
    assert config.folders(Path("/a"), {}).option({}) == " --state-dir /a"


def test_introspection_keeps_ecs_s_port_on_the_default_base() -> None:
    assert config.introspection_port(config.DEFAULT_PORT_BASE) == 51678
    assert config.introspection_port(9000) == 9004


def test_flags_of_up() -> None:
    words = ["--no-agent", "--port-base", "9000", "--detach", "--publish-address", "0.0.0.0", "--no-detach"]
    found = settings.parse(config.Up, words, {"LONGSHORE_STATE_DIR": "/a"})
    assert (found.agent, found.port_base, found.detach, found.publish_address, found.state_dir) == (
        False,
        9000,
        False,
        "0.0.0.0",
        Path("/a"),
    )


def test_tasks_are_published_on_loopback_unless_told_otherwise() -> None:
    assert settings.parse(config.Up, [], {}).publish_address == "127.0.0.1"


@pytest.mark.parametrize("base", ["80", "65531", "x"])
def test_a_base_leaves_room_for_its_ports(base: str) -> None:
    with pytest.raises(settings.SettingsError):
        settings.parse(config.Up, ["--port-base", base], {})
