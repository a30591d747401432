"""The docker-compose stack, as `make up` and `make down` drive it."""

import json
import os
import secrets
import socket
import subprocess
import sys
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import boto3
import botocore
import pytest
from botocore import config, exceptions

from tests.e2e import stacks
from tests.engines import docker
from tests.engines.missing import missing

_ROOT = Path(__file__).parents[2]
_UP_BOUND_S = 300.0  # two images are built
_COMMAND_BOUND_S = 90.0
_GATEWAYS = {"gateway-1": "http://127.0.0.1:8700", "gateway-2": "http://127.0.0.1:8710"}
_PORTS = (8700, 8710, 8701, 8702, 8703, 8712, 8713, 51678)

pytestmark = [pytest.mark.slow, pytest.mark.timeout(480)]


@dataclass(frozen=True, slots=True)
class Compose:
    """A stack of the test's own project; its ports are docker-compose.yml's."""

    project: str
    engine: docker.DockerEngine

    def script(self, verb: str) -> None:
        """`scripts/stack VERB`."""
        environment = {**os.environ, "COMPOSE_PROJECT_NAME": self.project}
        command = [str(_ROOT / "scripts/stack"), verb]
        done = subprocess.run(
            command, env=environment, capture_output=True, text=True, timeout=_UP_BOUND_S, check=False
        )
        assert done.returncode == 0, done.stdout + done.stderr

    def longshore(self, *words: str) -> subprocess.CompletedProcess[str]:
        """The `longshore` command on this machine, as the stack's documentation has it find the stack."""
        environment = stacks.environment()
        environment["LONGSHORE_SCHEDULER"] = "127.0.0.1:8702,127.0.0.1:8712"
        environment["LONGSHORE_STATE_TRACKER"] = "127.0.0.1:8703,127.0.0.1:8713"
        command = [sys.executable, "-m", "longshore.cli", *words]
        return subprocess.run(
            command,
            env=environment,
            cwd=_ROOT,
            capture_output=True,
            text=True,
            timeout=_COMMAND_BOUND_S,
            check=False,
        )

    def container(self, service: str) -> str:
        """The id of a service's container."""
        filters = [f"label=com.docker.compose.{key}" for key in (f"project={self.project}", f"service={service}")]
        words = [word for value in filters for word in ("--filter", value)]
        return self.engine.docker("ps", "--all", "--quiet", "--no-trunc", *words)

    def containers(self) -> list[str]:
        """The ids of all of the stack's containers."""
        return self.engine.containers(f"com.docker.compose.project={self.project}")


@pytest.fixture(scope="module")
def compose(docker_engine: docker.DockerEngine) -> Iterator[Compose]:
    if taken := [port for port in _PORTS if _listens(port)]:
        missing(f"the stack's ports {taken} are taken on this machine")
    for image in ("postgres:15-bookworm", "redis:7-bookworm", "python:3.11-slim-bookworm"):
        if not docker_engine.docker("images", "--quiet", image):
            missing(f"no image {image} on this machine (`make images` makes a stand-in)")
    stack = Compose(f"longshore-test-{secrets.token_hex(4)}", docker_engine)
    try:
        stack.script("up")
        yield stack
    finally:
        stack.script("purge")


def test_a_task_runs_to_its_exit_code(compose: Compose) -> None:
    done = compose.longshore("run", "examples/hello.json", "--wait")

    assert done.returncode == 7, done.stdout + done.stderr


def test_every_port_is_published_on_loopback_alone(compose: Compose) -> None:
    described = json.loads(compose.engine.docker("inspect", *compose.containers()))
    published = [
        binding["HostIp"]
        for container in described
        for bindings in container["HostConfig"]["PortBindings"].values()
        for binding in bindings
    ]

    assert published == ["127.0.0.1"] * 7


def test_a_task_runs_while_a_scheduler_and_a_state_tracker_are_dead(compose: Compose) -> None:
    for service in ("scheduler-1", "state-tracker-1"):
        compose.engine.docker("update", "--restart=no", compose.container(service))
        compose.engine.docker("kill", compose.container(service))

    done = compose.longshore("run", "examples/hello.json", "--wait")

    assert done.returncode == 7, done.stdout + done.stderr


def test_tools_that_speak_ecs_go_on_with_one_gateway_while_the_other_is_dead(compose: Compose) -> None:
    made = compose.longshore("access-key", "create", "tests", "--role", "admin", "--output", "json")
    assert made.returncode == 0, made.stderr
    key = json.loads(made.stdout)
    signed = {
        name: boto3.client(
            "ecs",
            endpoint_url=url,
            region_name="us-east-1",
            aws_access_key_id=key["accessKey"]["accessKeyId"],
            aws_secret_access_key=key["secretAccessKey"],
        )
        for name, url in _GATEWAYS.items()
    }
    signed["gateway-1"].create_cluster(clusterName="by-gateway")
    compose.engine.docker("update", "--restart=no", compose.container("gateway-1"))
    compose.engine.docker("kill", compose.container("gateway-1"))

    (found,) = signed["gateway-2"].describe_clusters(clusters=["by-gateway"])["clusters"]

    assert found["clusterArn"] == "arn:aws:ecs:us-east-1:123456789012:cluster/by-gateway"
    with pytest.raises(exceptions.EndpointConnectionError):
        signed["gateway-1"].list_clusters()


def test_a_gateway_refuses_who_does_not_sign_and_who_has_no_key(compose: Compose) -> None:
    def ask(**options: Any) -> str:
        client = boto3.client("ecs", endpoint_url=_GATEWAYS["gateway-2"], region_name="us-east-1", **options)
        with pytest.raises(exceptions.ClientError) as refused:
            client.list_clusters()
        return str(refused.value.response["Error"]["Code"])

    assert ask(config=config.Config(signature_version=botocore.UNSIGNED)) == "MissingAuthenticationTokenException"
    nobody_s = {"aws_access_key_id": "AKLSAAAAAAAAAAAAAAAA", "aws_secret_access_key": "made up"}
    assert ask(**nobody_s) == "UnrecognizedClientException"


def test_the_key_that_seals_secrets_is_in_the_registry_s_volume_alone(compose: Compose) -> None:
    inside = ("exec", compose.container("registry"), "stat", "--format=%a %U", "/var/lib/longshore/seal.key")
    assert compose.engine.docker(*inside) == "600 longshore"
    for service in (*_GATEWAYS, "scheduler-2", "state-tracker-2"):
        listed = compose.engine.docker("inspect", "--format", "{{len .Mounts}}", compose.container(service))
        assert listed == "0", service


def test_what_was_registered_is_there_after_down_and_up(compose: Compose) -> None:
    registered = compose.longshore("task-definition", "register", "examples/sleep360.json")
    assert registered.returncode == 0, registered.stderr

    compose.script("down")
    assert compose.containers() == []
    compose.script("up")

    listed = compose.longshore("task-definition", "list", "--output", "json")
    assert "task-definition/sleep360:1" in listed.stdout, listed.stderr


def _listens(port: int) -> bool:
    with socket.socket(socket.AF_INET, socket.SOCK_STREAM) as probe:
        return probe.connect_ex(("127.0.0.1", port)) == 0
