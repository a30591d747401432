"""The agent as a service of a host: the init script for real in a root of its own, systemd's unit as systemd reads it."""

import configparser
import os
import signal
import subprocess
import sys
from collections.abc import Callable, Iterator
from dataclasses import dataclass
from pathlib import Path

import pytest

from longshore.agent.settings import config, config_sources
from tests.engines import docker, ports, waiting
from tests.engines.missing import missing

_DEPLOY = Path(__file__).parents[3] / "deploy/agent"
_BOUND_S = 60.0
_HAPPENS_WITHIN_S = 30.0


@dataclass(frozen=True, slots=True)
class Host:
    """A host in a folder, with the agent installed."""

    root: Path

    def service(self, verb: str) -> subprocess.CompletedProcess[str]:
        """`/etc/init.d/longshore-agent VERB`."""
        return subprocess.run(
            [self.root / "etc/init.d/longshore-agent", verb],
            env={**os.environ, "LONGSHORE_ROOT": str(self.root)},
            capture_output=True,
            text=True,
            timeout=_BOUND_S,
            check=False,
        )

    @property
    def keeper(self) -> int:
        """The process that starts the agent again."""
        return int((self.root / "run/longshore-agent.pid").read_text().split()[0])

    @property
    def agent(self) -> int:
        """The agent's own process, which holds the lock of its state folder."""
        return int((self.root / "var/lib/longshore/agent/agent.lock").read_text())

    def starts(self) -> int:
        """How often the agent has told that it started."""
        log = self.root / "var/log/longshore/agent.log"
        return log.read_text().count('"agent_started"') if log.exists() else 0


@pytest.fixture
def host(tmp_path: Path, docker_engine: docker.DockerEngine) -> Iterator[Host]:
    """With an agent whose control plane is not there, which is no reason to end."""
    made = Host(tmp_path)
    installed(made.root, "--command", f"{sys.executable} -m longshore.agent")
    with (made.root / "etc/longshore/agent.conf").open("a") as file:
        file.write(f"LONGSHORE_STATE_DIR={made.root}/var/lib/longshore/agent\n")
        file.write(f"LONGSHORE_LOG_FILE={made.root}/var/log/longshore/agent.log\n")
        file.write(f"LONGSHORE_STATE_TRACKER=127.0.0.1:{ports.free_port()}\nLONGSHORE_INTROSPECTION_PORT=0\n")
        file.write(f'LONGSHORE_DOCKER_HOST="{docker_engine.url}"\nECS_CLUSTER=default\n')
    yield made
    made.service("stop")


def installed(root: Path, *words: str) -> str:
    """Install below a folder; what was told."""
    return subprocess.run(
        [_DEPLOY / "install", "--root", root, *words], capture_output=True, text=True, timeout=_BOUND_S, check=True
    ).stdout


def test_the_init_script_starts_shows_restarts_and_stops_the_agent(host: Host) -> None:
    assert host.service("status").returncode == 3
    started = host.service("start")
    assert started.returncode == 0, started.stderr
    until(lambda: host.starts() == 1, host)
    assert host.service("status").returncode == 0
    assert "runs already" in host.service("start").stdout
    first = host.keeper

    os.kill(host.agent, signal.SIGKILL)  # as if it had died: it is started again
    until(lambda: host.starts() == 2, host)
    assert host.keeper == first

    assert host.service("restart").returncode == 0
    until(lambda: host.starts() == 3, host)
    assert host.keeper != first

    stopped = host.service("stop")
    assert (stopped.returncode, host.service("status").returncode) == (0, 3)
    with pytest.raises(ProcessLookupError):
        os.kill(host.agent, 0)
    assert "does not run" in host.service("stop").stdout


def test_an_agent_that_another_start_cannot_help_is_not_started_again(host: Host) -> None:
    with (host.root / "etc/longshore/agent.conf").open("a") as file:
        file.write("ECS_RESERVED_MEMORY=much\n")
    host.service("start")
    until(lambda: host.service("status").returncode == 1, host)
    said = (host.root / "var/log/longshore/agent.out").read_text()
    assert "ECS_RESERVED_MEMORY is 'much': not a whole number" in said


def until(holds: Callable[[], bool], host: Host) -> None:
    """Wait, and tell of the agent's words where it was in vain."""
    try:
        waiting.until(holds, within_s=_HAPPENS_WITHIN_S, what="the service is as it should be")
    except AssertionError:
        pytest.fail((host.root / "var/log/longshore/agent.out").read_text()[-4000:])


def test_an_installation_keeps_the_settings_and_says_how_to_go_on(tmp_path: Path) -> None:
    assert "init.d/longshore-agent restart" in installed(tmp_path, "--command", "one")
    conf = tmp_path / "etc/longshore/agent.conf"
    assert conf.stat().st_mode & 0o777 == 0o600
    with conf.open("a") as file:
        file.write("ECS_CLUSTER=web\n")
    (tmp_path / "run/systemd/system").mkdir(parents=True)
    assert "systemctl restart longshore-agent" in installed(tmp_path, "--command", "two")
    found = config_sources.variables(conf.read_text())
    assert (found["ECS_CLUSTER"], found["LONGSHORE_AGENT_COMMAND"]) == ("web", "two")
    assert (tmp_path / "etc/systemd/system/longshore-agent.service").exists()


def test_the_starter_runs_the_image_with_what_the_agent_needs_of_its_host(tmp_path: Path) -> None:
    """Seen by the words that the engine's client is given."""
    conf = tmp_path / "etc/longshore/agent.conf"
    conf.parent.mkdir(parents=True)
    conf.write_text(
        "LONGSHORE_AGENT_IMAGE='longshore/agent:7'\nDOCKER_HOST=unix:///run/d.sock\nLONGSHORE_AGENT_OPTIONS=--memory 64m\n"
    )
    client = tmp_path / "bin/docker"
    client.parent.mkdir()
    (tmp_path / "data/tmp").mkdir(parents=True)
    client.write_text(
        f'#!/bin/sh\ncase "$*" in *" info "*) echo {tmp_path}/data; exit ;; esac\necho "$*" >>{tmp_path}/told\nexit 5\n'
    )
    client.chmod(0o755)
    environment = {**os.environ, "PATH": f"{client.parent}:{os.environ['PATH']}", "LONGSHORE_CONFIG_FILE": str(conf)}
    done = subprocess.run([_DEPLOY / "agent-start"], env=environment, timeout=_BOUND_S, check=False)
    assert done.returncode == 5
    removing, running = (tmp_path / "told").read_text().splitlines()
    assert removing == "--host unix:///run/d.sock rm --force longshore-agent"
    assert running.startswith("--host unix:///run/d.sock run --rm --name longshore-agent --network host ")
    for words in (
        "--volume /run/d.sock:/run/d.sock",
        "--volume /sys/fs/cgroup:/sys/fs/cgroup",
        f"--volume {tmp_path}/data/tmp:{tmp_path}/data:ro",
        "--volume /var/lib/longshore:/var/lib/longshore",
        "--volume /var/log/longshore:/var/log/longshore",
        f"--volume {conf.parent}:{conf.parent}:ro",
        "--memory 64m",
    ):
        assert f" {words} " in running
    assert running.endswith(f" longshore/agent:7 --config-file {conf}")


def test_systemd_takes_the_unit_as_it_is(tmp_path: Path) -> None:
    """With a starter that is there; other units of the host are not the subject."""
    analyze = next((path for path in ("/usr/bin/systemd-analyze",) if os.access(path, os.X_OK)), None)
    if analyze is None:
        missing("no systemd-analyze on this machine (package systemd)")
    unit = tmp_path / "longshore-agent.service"
    unit.write_text(_UNIT.read_text().replace("/usr/local/lib/longshore/agent-start", str(_DEPLOY / "agent-start")))
    done = subprocess.run(
        [analyze, "verify", "--man=no", unit], capture_output=True, text=True, timeout=_BOUND_S, check=False
    )
    complaints = [line for line in (done.stdout + done.stderr).splitlines() if "longshore-agent" in line]
    assert complaints == []


def test_the_unit_never_touches_containers_and_starts_in_vain_no_more_often_than_it_must() -> None:
    parsed = configparser.ConfigParser(strict=False, interpolation=None)
    parsed.optionxform = str  # type: ignore[assignment,method-assign]  # names as they are written
    parsed.read_string(_UNIT.read_text())
    service = parsed["Service"]
    assert (service["KillMode"], service["Restart"], service["RestartPreventExitStatus"]) == ("mixed", "always", "2 5")
    assert "Requires" not in parsed["Unit"]
    assert service["ExecStart"] == "/usr/local/lib/longshore/agent-start"
    assert not {"PrivateNetwork", "PrivateDevices", "ProtectControlGroups", "Delegate"} & set(service)


def test_the_files_that_are_installed_name_the_agents_own_places() -> None:
    loaded = config_sources.load(("--config-file", str(_DEPLOY / "agent.conf")), {}).config
    assert config.state_dir(loaded, {}, uid=0) == Path("/var/lib/longshore/agent")
    assert config.log_file(loaded, {}, uid=0) == Path("/var/log/longshore/agent.log")


_UNIT = _DEPLOY / "longshore-agent.service"
