"""`longshore up` and `longshore down` as a person drives them."""

import os
import re
import signal
import socket
import stat
import subprocess
import sys
import tempfile
from pathlib import Path

import pytest
from botocore import exceptions

from longshore.embedded import agent_process, holder
from tests.e2e import calls, containers, machines, stacks, waits
from tests.e2e.tools import aws
from tests.engines import docker, waiting

EXAMPLES = Path(__file__).parents[2] / "examples"
NOBODY = 65534

pytestmark = [pytest.mark.timeout(120)]


def test_up_in_the_background_serves_when_it_returns_and_down_leaves_tasks(machine: machines.Machine) -> None:
    """--detach returns once the host has joined; down leaves tasks, says so, and the next up finds them again."""
    printed = machine.command("up", "--detach").stdout
    assert re.search(r"^This host has joined cluster default as [0-9a-f]{32}\.$", printed, re.MULTILINE), printed
    assert printed.endswith("Ready.\n")
    arn = machine.run_sleeper()
    before = containers.of_task(machine.engine, arn)
    said = machine.command("down").stdout
    assert said.startswith("Longshore has stopped.\n1 task left running; ")
    assert f"longshore down --stop-tasks --state-dir {machine.folders.state}" in said
    assert machine.command("down").stdout == f"Nothing runs on {machine.folders.state}.\n"
    machine.command("up", "--detach")
    assert calls.task(machine, arn)["lastStatus"] == "RUNNING"
    assert containers.of_task(machine.engine, arn) == before
    assert "Stopped 1 task." in machine.command("down", "--stop-tasks").stdout
    assert [found.running for found in containers.of_task(machine.engine, arn)] == [False]


def test_what_is_asked_of_the_gateway_during_the_start_is_answered(machine: machines.Machine) -> None:
    """It listens before the scheduler and the state-tracker do: their calls wait for them, and the cluster is there from the first."""
    command = [sys.executable, "-m", "longshore.cli", "up", "--no-agent"]
    ecs = aws.client(machine, retries={"total_max_attempts": 1})
    with subprocess.Popen(command, env=stacks.environment() | machine.variables, stdout=subprocess.PIPE) as up:
        while not _listens(machine.base):
            assert up.poll() is None
        assert [arn.rpartition("/")[2] for arn in ecs.list_clusters()["clusterArns"]] == ["default"]
        with pytest.raises(exceptions.ClientError, match="The referenced task was not found"):
            ecs.stop_task(task="0" * 32)  # by the scheduler
        assert ecs.list_container_instances()["containerInstanceArns"] == []  # by the state-tracker
        up.terminate()
        up.communicate(timeout=machines.COMMAND_BOUND_S)
    assert up.returncode == 0


def test_the_first_access_key_closes_the_gateway_to_everybody_else(machine: machines.Machine) -> None:
    """`up` says whose credentials will do, before and after; a key outlives a restart, and a purge takes the seal key along."""
    url = f"http://127.0.0.1:{machine.base}"
    said = machine.command("up", "--detach", "--no-agent").stdout
    assert f"ECS API on {url}, for aws cli, boto3 and Terraform with any credentials:\n" in said
    assert f"  export AWS_ENDPOINT_URL_ECS={url}\n" in said
    assert aws.client(machine).list_clusters()["clusterArns"]
    made = calls.run_json(machine, "access-key", "create", "first", "--role", "read-only")
    machine.command("down")
    said = machine.command("up", "--detach", "--no-agent").stdout
    assert "with an access key of `longshore access-key`:" in said
    with pytest.raises(exceptions.ClientError, match="UnrecognizedClientException"):
        aws.client(machine).list_clusters()
    machine.credentials = stacks.Credentials(made["accessKey"]["accessKeyId"], made["secretAccessKey"])
    assert aws.client(machine).list_clusters()["clusterArns"]
    assert stat.S_IMODE(machine.folders.seal_key.stat().st_mode) == 0o600
    machine.command("down", "--purge")
    assert not machine.folders.state.exists()


def test_down_stops_and_purges_what_an_earlier_up_left_behind(machine: machines.Machine) -> None:
    """Also where nothing runs any more: the tasks stop; their containers, the network of task metadata and all files go."""
    machine.metadata_address = f"169.254.170.134:{machine.base + 5}"
    listing = ("network", "ls", "--quiet", "--filter", "name=longshore-metadata-169.254.170.134")
    machine.command("up", "--detach")
    arn = machine.run_sleeper()
    machine.command("down")
    assert machine.engine.docker(*listing)
    said = machine.command("down", "--purge").stdout
    assert "Stopped 1 task." in said
    assert containers.of_task(machine.engine, arn) == []
    assert not machine.engine.docker(*listing)
    assert not machine.folders.state.exists()
    assert machine.command("down", "--purge").returncode == 0


def test_a_second_up_names_who_is_in_the_way(machine: machines.Machine, tmp_path: Path) -> None:
    """On the same state the pid and ports, on the same ports the pid and command; nothing of the first is disturbed."""
    machine.command("up", "--detach", "--no-agent")
    running = holder.read(machine.folders.state)
    assert running is not None
    same_state = machine.command("up", check=False)
    assert same_state.returncode == 1
    assert f"already runs on {machine.folders.state}: pid {running.pid}, ports from {machine.base}" in same_state.stdout
    same_ports = machine.command("up", "--state-dir", str(tmp_path / "other"), check=False)
    assert same_ports.returncode == 1
    assert f"in use by pid {running.pid} (" in same_ports.stdout
    assert f"Ports {machine.base} (gateway), {machine.base + 1} (registry), " in same_ports.stdout
    assert "--port-base" in same_ports.stdout
    machine.command("cluster", "list")


def test_ctrl_c_says_what_still_runs_and_how_to_stop_it(machine: machines.Machine) -> None:
    """It ends with 0, names the task, and the command it prints does stop it."""
    with machine.foreground() as up:
        arn = machine.run_sleeper()
        os.killpg(up.pid, signal.SIGINT)  # as a terminal does: to the whole group
        printed, _ = up.communicate(timeout=machines.COMMAND_BOUND_S)
    assert up.returncode == 0, printed
    assert "1 task left running; the next `longshore up` finds them again:" in printed
    assert f"  sleeper:1  {containers.id_of(arn)}\n" in printed
    assert [found.running for found in containers.of_task(machine.engine, arn)] == [True]
    (advice,) = re.findall(r"^To stop them: longshore (.*)$", printed, re.MULTILINE)
    machine.command(*advice.split())
    assert [found.running for found in containers.of_task(machine.engine, arn)] == [False]


def test_ctrl_c_at_a_run_says_that_the_task_goes_on(machine: machines.Machine) -> None:
    """The one who waits leaves; the task does not."""
    machine.command("up", "--detach")
    container = '[{"name": "main", "image": "busybox", "memory": 16, "command": ["sleep", "600"], "stopTimeout": 1}]'
    file = machine.folder / "sleeper.json"
    file.write_text(container)
    words = [sys.executable, "-m", "longshore.cli", "run", str(file), "--family", "left", "--wait"]
    environ = stacks.environment() | machine.variables
    with subprocess.Popen(words, env=environ, stdout=subprocess.PIPE, stderr=subprocess.PIPE, text=True) as waits_for:
        assert waits_for.stderr is not None
        while not waits_for.stderr.readline().startswith("Running"):
            assert waits_for.poll() is None
        waits_for.send_signal(signal.SIGINT)
        _, said = waits_for.communicate(timeout=machines.COMMAND_BOUND_S)
    assert waits_for.returncode == 130
    (arn,) = calls.run_json(machine, "task", "list", "--family", "left")["taskArns"]
    assert said == f"Goes on    {containers.id_of(arn)}; stop it with: longshore stop {containers.id_of(arn)}\n"
    machine.command("stop", arn)
    waits.until_stopped(machine, [arn])


def test_ports_are_published_where_up_was_told(machine: machines.Machine) -> None:
    """127.0.0.1 unless --publish-address names another."""
    machine.command("up", "--detach", "--publish-address", "127.0.0.2")
    printed = machine.command("run", str(EXAMPLES / "web.json")).stdout
    assert re.search(r"^ +web: http://127\.0\.0\.2:\d+$", printed, re.MULTILINE), printed


def test_an_instance_taken_out_by_force_stops_its_tasks_and_its_host_joins_anew(machine: machines.Machine) -> None:
    """Without --force it is refused while a task runs."""
    machine.command("up", "--detach")
    arn = machine.run_sleeper()
    instance = calls.only_instance(machine)["containerInstanceArn"]
    refused = machine.command("instance", "deregister", instance, check=False)
    assert (refused.returncode, "InvalidParameterException" in refused.stderr) == (1, True)
    assert "INACTIVE" in machine.command("instance", "deregister", instance, "--force").stdout
    waits.until_stopped(machine, [arn])
    assert calls.task(machine, arn)["stoppedReason"] == "Container instance deregistration forced by user"
    waiting.until(lambda: stacks.joined(machine), within_s=30, what="the host has joined anew")
    assert calls.only_instance(machine)["containerInstanceArn"] != instance
    assert [found for found in containers.of_task(machine.engine, arn) if found.running] == []


def test_without_an_engine_the_fix_is_printed_and_the_host_joins_once_there_is_one(machine: machines.Machine) -> None:
    """No socket: what to start, install or name. The control plane serves, and says why nothing can be placed."""
    real, machine.engine = machine.engine, docker.DockerEngine(f"unix://{machine.folder / 'docker.sock'}")
    printed = machine.command("up", "--detach").stdout
    assert "The agent cannot work on this host" in printed
    assert f"There is no Docker Engine here: {machine.folder / 'docker.sock'} does not exist." in printed
    refused = machine.command("run", str(EXAMPLES / "hello.json"), check=False)
    assert refused.returncode == 1
    assert "No Container Instances were found in your cluster." in refused.stderr
    (machine.folder / "docker.sock").symlink_to(real.url.removeprefix("unix://"))
    waiting.until(lambda: stacks.joined(machine), within_s=30, what="the host has joined")
    assert machine.command("run", "hello", "--wait", check=False).returncode == 7


@pytest.mark.skipif(os.geteuid() != 0, reason="only root can become somebody who may not")
def test_who_may_not_use_docker_is_told_how() -> None:
    """Neither root nor in the group: which command changes that. Started directly: one who may not read root's Python cannot."""
    with tempfile.TemporaryDirectory() as home, socket.socket(socket.AF_UNIX) as engine:
        os.chown(home, NOBODY, NOBODY)
        path = Path(home) / "docker.sock"
        engine.bind(str(path))
        engine.listen()
        path.chmod(0o600)
        become = ["setpriv", f"--reuid={NOBODY}", f"--regid={NOBODY}", "--clear-groups"]
        environ = {"LONGSHORE_STATE_DIR": home, "LONGSHORE_DOCKER_HOST": f"unix://{path}", "HOME": home}
        done = subprocess.run(
            [*become, sys.executable, "-m", "longshore.agent"],
            env=stacks.environment() | environ,
            capture_output=True,
            text=True,
            timeout=machines.COMMAND_BOUND_S,
            check=False,
        )
    assert done.returncode == agent_process.TERMINAL
    assert f"You (user id {NOBODY}) may not use the Docker Engine at {path}." in done.stderr
    assert "sudo usermod -aG docker $USER" in done.stderr
    assert "Traceback" not in done.stderr


def _listens(port: int) -> bool:
    with socket.socket(socket.AF_INET, socket.SOCK_STREAM) as probe:
        return probe.connect_ex((stacks.LOOPBACK, port)) == 0
