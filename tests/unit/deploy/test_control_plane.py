"""deploy/control-plane: units that systemd takes, settings that the components take, and an install that overwrites nothing of the operator's."""

import configparser
import os
import re
import subprocess
from collections.abc import Mapping
from pathlib import Path

import pytest

from longshore.gateway import config as gateway_config
from longshore.registry import config as registry_config
from longshore.rpc import settings
from longshore.scheduler import config as scheduler_config
from longshore.state_tracker import config as state_tracker_config
from tests.engines.missing import missing

ROOT = Path(__file__).parents[3]
FOLDER = ROOT / "deploy/control-plane"
GUIDE = ROOT / "docs/guides/five-hosts.md"
COMPONENTS: Mapping[str, type[settings.Served]] = {
    "registry": registry_config.Config,
    "scheduler": scheduler_config.Config,
    "state-tracker": state_tracker_config.Config,
    "gateway": gateway_config.Config,
}
PROGRAM = "/opt/longshore/bin/longshore"
BOUND_S = 60.0


def variables(path: Path) -> dict[str, str]:
    """A file as systemd's EnvironmentFile= reads it; ours have neither quotes nor continued lines."""
    lines = [line for line in path.read_text().splitlines() if line and not line.startswith("#")]
    return dict(line.split("=", 1) for line in lines)


def unit(component: str) -> configparser.ConfigParser:
    parsed = configparser.ConfigParser(strict=False, interpolation=None)
    parsed.optionxform = str  # type: ignore[assignment,method-assign]  # names as they are written
    parsed.read_string((FOLDER / f"longshore-{component}.service").read_text())
    return parsed


def test_systemd_takes_the_units_as_they_are(tmp_path: Path) -> None:
    analyze = Path("/usr/bin/systemd-analyze")
    if not os.access(analyze, os.X_OK):
        missing("no systemd-analyze on this machine (package systemd)")
    for path in FOLDER.glob("longshore*.[st]*"):
        # With a program and a user that are there.
        text = path.read_text().replace(PROGRAM, "/bin/true").replace("User=longshore", "User=root")
        (tmp_path / path.name).write_text(text.replace("Group=longshore", "Group=root"))
    units = sorted(tmp_path.glob("longshore*"))
    assert len(units) == len(COMPONENTS) + 1
    done = subprocess.run(
        [str(analyze), "verify", "--man=no", *map(str, units)],
        capture_output=True,
        text=True,
        timeout=BOUND_S,
        check=False,
    )
    assert [line for line in (done.stdout + done.stderr).splitlines() if "longshore" in line] == []


@pytest.mark.parametrize("component", COMPONENTS)
def test_a_unit_is_restarted_for_ever_unless_its_settings_are_wrong_and_may_do_little(component: str) -> None:
    parsed = unit(component)
    service = parsed["Service"]
    assert service["ExecStart"] == f"{PROGRAM} {component}"
    assert (service["Restart"], service["RestartPreventExitStatus"], service["User"]) == ("always", "2", "longshore")
    assert parsed["Unit"]["StartLimitIntervalSec"] == "0"
    assert "Requires" not in parsed["Unit"]
    for name in ("NoNewPrivileges", "ProtectHome", "PrivateTmp", "PrivateDevices", "RestrictNamespaces"):
        assert service[name] == "yes"
    assert (service["ProtectSystem"], service["CapabilityBoundingSet"]) == ("strict", "")


@pytest.mark.parametrize("component", COMPONENTS)
def test_the_settings_are_those_of_the_component(component: str) -> None:
    shared, own = variables(FOLDER / "longshore.env"), variables(FOLDER / f"{component}.env")
    assert not shared.keys() & own.keys()
    told = settings.parse(COMPONENTS[component], [], shared | own)
    assert (told.listen, told.metrics_listen) == (own["LONGSHORE_LISTEN"], own["LONGSHORE_METRICS_LISTEN"])
    assert told.tls
    assert not told.insecure
    names = {settings.variable(name) for name in COMPONENTS[component].__dataclass_fields__}
    assert own.keys() <= names
    # Where others look for it is where it listens.
    where = {"registry": told.registry, "scheduler": told.scheduler, "state-tracker": told.state_tracker}
    if component in where:
        assert own["LONGSHORE_ADVERTISE"] in where[component]
        assert own["LONGSHORE_ADVERTISE"].rpartition(":")[2] == told.listen.rpartition(":")[2]


def test_each_shared_setting_is_known_to_some_component() -> None:
    known = {settings.variable(name) for cls in COMPONENTS.values() for name in cls.__dataclass_fields__}
    assert variables(FOLDER / "longshore.env").keys() <= known


def install(root: Path, *components: str) -> subprocess.CompletedProcess[str]:
    command = [str(FOLDER / "install"), "--root", str(root), *components]
    return subprocess.run(command, capture_output=True, text=True, timeout=BOUND_S, check=False)


def test_an_install_brings_units_up_to_date_and_leaves_settings_alone(tmp_path: Path) -> None:
    assert install(tmp_path, "registry", "scheduler").returncode == 0
    units, told = tmp_path / "etc/systemd/system", tmp_path / "etc/longshore"
    assert {path.name for path in units.iterdir()} == {
        "longshore.target",
        "longshore-registry.service",
        "longshore-scheduler.service",
    }
    assert {path.name for path in told.iterdir()} == {"tls", "longshore.env", "registry.env", "scheduler.env"}
    assert (told / "longshore.env").stat().st_mode & 0o777 == 0o640
    (told / "longshore.env").write_text("LONGSHORE_ACCOUNT=999999999999\n")
    (units / "longshore-registry.service").write_text("old")

    again = install(tmp_path, "registry", "scheduler")

    assert again.returncode == 0
    assert (told / "longshore.env").read_text() == "LONGSHORE_ACCOUNT=999999999999\n"
    assert (units / "longshore-registry.service").read_text() == (FOLDER / "longshore-registry.service").read_text()
    assert "systemctl enable --now longshore.target longshore-registry longshore-scheduler\n" in again.stdout


def test_an_install_of_what_is_no_component_installs_nothing(tmp_path: Path) -> None:
    refused = install(tmp_path, "registry", "agnet")
    assert (refused.returncode, refused.stderr) == (2, "install: agnet is no component of the control plane\n")
    assert list(tmp_path.iterdir()) == []


def test_the_guides_certificates_are_what_the_components_want(tmp_path: Path) -> None:
    """Made by its commands: the authority's own, a common name of a component, and the host's name."""
    text = GUIDE.read_text()
    for marker in ("authority", "request", "sign"):
        found = re.search(rf"<!-- command: {marker} -->\n```sh\n(.*?)\n```", text, re.DOTALL)
        assert found is not None
        words = found[1].format(folder=tmp_path, host="control-1.internal").replace("\\\n", " ").split()
        done = subprocess.run(words, capture_output=True, text=True, timeout=BOUND_S, check=False)
        assert done.returncode == 0, done.stderr
    shown = subprocess.run(
        ["openssl", "x509", "-noout", "-subject", "-ext", "subjectAltName", "-in", tmp_path / "host.pem"],
        capture_output=True,
        text=True,
        timeout=BOUND_S,
        check=True,
    ).stdout
    assert "CN = longshore-control-1.internal" in shown
    assert "DNS:control-1.internal, DNS:localhost" in shown
    verify = ["openssl", "verify", "-CAfile", str(tmp_path / "ca.pem"), str(tmp_path / "host.pem")]
    assert subprocess.run(verify, capture_output=True, timeout=BOUND_S, check=False).returncode == 0
