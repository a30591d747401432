"""Task metadata as containers see it: reached from inside them, in each network mode, under an id of their own."""

import asyncio
import json
import socket
import time
from collections.abc import Callable, Iterator
from typing import Any

import aiohttp
import pytest
import structlog

from longshore.agent import resources
from longshore.agent.metadata import metadata_address
from longshore.agent.settings import config
from longshore.v1 import agent_service_pb2, common_pb2
from longshore.v1 import task_definition_pb2 as definition_pb2
from tests.engines import docker
from tests.integration.agent import conftest, definitions, fake_tracker

ADDRESS = "169.254.170.130"
"""Not the default: another agent may serve there on this machine."""
WAIT_S = 40.0
POLL_S = 0.05

# What a program in a container does with the variable. A pipe that it holds open itself never ends, so neither does its side of the
# connection before the answer is there.
ASK = r"""
mkfifo /question; exec 3<>/question
ask() {
  rest=${1#http://}; place=${rest%%/*}; host=${place%%:*}; port=${place#*:}; [ "$port" = "$place" ] && port=80
  printf 'GET /%s HTTP/1.0\r\nHost: %s\r\n\r\n' "${rest#*/}" "$host" >&3
  nc -w 20 "$host" "$port" <&3 | sed '1,/^\r$/d'
}
# The engine says nothing of a container while it starts it.
for try in 1 2 3 4 5 6 7 8 9 10; do
  container=$(ask "$ECS_CONTAINER_METADATA_URI_V4")
  case "$container" in *'"KnownStatus": "RUNNING"'*'"Networks"'*) break;; esac
done
echo "[$container, $(ask "$ECS_CONTAINER_METADATA_URI/task"), $(ask "$ECS_CONTAINER_METADATA_URI_V4/stats")]"
echo .
sleep 1000
"""


@pytest.fixture
def place(docker_engine: docker.DockerEngine) -> Iterator[str]:
    """An address and port for the test's agent; the engine's network is removed afterwards."""
    with socket.create_server(("127.0.0.1", 0)) as free:
        port = free.getsockname()[1]
    yield f"{ADDRESS}:{port}"
    docker_engine.docker("network", "rm", metadata_address.network_name(ADDRESS), check=False)


def networks(engine: docker.DockerEngine) -> set[str]:
    """Names of the engine's networks."""
    return set(engine.docker("network", "ls", "--format", "{{.Name}}").splitlines())


async def printed(engine: docker.DockerEngine, observation: agent_service_pb2.TaskObservation) -> Any:
    """The JSON that a task's only container has printed."""
    runtime_id = observation.containers[0].runtime_id
    await until(lambda: engine.logs(runtime_id).endswith("\n."), "an answer")
    return json.loads(engine.logs(runtime_id).removesuffix("."))


@pytest.mark.parametrize(
    ("mode", "shown"),
    [
        (definition_pb2.NETWORK_MODE_BRIDGE, "bridge"),
        (definition_pb2.NETWORK_MODE_HOST, "host"),
        (definition_pb2.NETWORK_MODE_AWSVPC, "awsvpc"),
    ],
)
async def test_a_container_reads_its_metadata_and_its_task_from_inside(
    mode: "definition_pb2.NetworkMode.ValueType",
    shown: str,
    tracker: fake_tracker.FakeTracker,
    make_agent: conftest.MakeAgent,
    docker_engine: docker.DockerEngine,
    place: str,
) -> None:
    task_id = definitions.task_id()
    made = definitions.definition(definitions.shell("app", ASK), network_mode=mode)
    async with make_agent(f"--task-metadata-address={place}", "--task-metadata-port=0"):
        await tracker.assign(made, task_id)
        running = await tracker.running(task_id)
        container, task, stats = await printed(docker_engine, running)
    seen = json.loads(docker_engine.docker("inspect", container["DockerId"]))[0]
    assert container["Name"] == "app"
    assert container["DockerName"] == seen["Name"].removeprefix("/")
    assert container["ImageID"] == seen["Image"]
    assert container["Labels"] == seen["Config"]["Labels"]
    assert (container["DesiredStatus"], container["KnownStatus"], container["Type"]) == ("RUNNING", "RUNNING", "NORMAL")
    assert container["Limits"] == {"CPU": 2, "Memory": 64}
    assert container["LogDriver"] == seen["HostConfig"]["LogConfig"]["Type"]
    expected: dict[str, Any] = {"NetworkMode": shown}
    if shown == "awsvpc":
        own = running.network_interface
        expected |= {"IPv4Addresses": [own.private_ipv4_address], "AttachmentIndex": 0, "MACAddress": own.mac_address}
    elif address := seen["NetworkSettings"]["Networks"][shown]["IPAddress"]:
        expected |= {"IPv4Addresses": [address]}
    assert container["Networks"] == [expected]
    assert (stats["memory_stats"]["limit"], "networks" in stats) == (64 << 20, shown != "host")
    assert task["TaskARN"].endswith(f":task/default/{task_id}")
    assert (task["Cluster"], task["Family"], task["Revision"]) == ("default", "agent-test", str(made.revision))
    assert [one["DockerId"] for one in task["Containers"]] == [container["DockerId"]]
    assert "LaunchType" not in task  # that is version 4's


def variables(engine: docker.DockerEngine, runtime_id: str) -> dict[str, str]:
    """Environment that a container was made with."""
    listed = json.loads(engine.docker("inspect", "--format", "{{json .Config.Env}}", runtime_id))
    return dict(item.split("=", 1) for item in listed)


async def test_what_a_container_is_told_holds_after_a_restart_of_the_agent_and_goes_with_the_last_task(
    tracker: fake_tracker.FakeTracker,
    make_agent: conftest.MakeAgent,
    docker_engine: docker.DockerEngine,
    place: str,
) -> None:
    task_id = definitions.task_id()
    flags = (f"--task-metadata-address={place}", "--task-metadata-port=0", "--cleanup-wait=1")
    own = common_pb2.KeyValuePair(name="AWS_REGION", value="mars-1")
    async with make_agent(*flags):
        await tracker.assign(definitions.definition(definitions.container(environment=[own])), task_id)
        runtime_id = (await tracker.running(task_id)).containers[0].runtime_id
    told = variables(docker_engine, runtime_id)
    base, _, key = told["ECS_CONTAINER_METADATA_URI_V4"].rpartition("/")
    assert (base, len(key)) == (f"http://{place}/v4", 40)
    assert told["ECS_CONTAINER_METADATA_URI"] == f"http://{place}/v3/{key}"
    assert (told["AWS_REGION"], told["AWS_DEFAULT_REGION"]) == ("mars-1", "us-east-1")
    assert metadata_address.network_name(ADDRESS) in networks(docker_engine)
    async with make_agent(*flags) as agent, aiohttp.ClientSession() as http:
        loopback = next(found for found in agent.metadata.addresses if found[0] == "127.0.0.1")
        for where in (f"http://{place}", f"http://{loopback[0]}:{loopback[1]}"):
            assert await get(http, f"{where}/v4/{key}/task", "LaunchType") == (200, "EC2")
        await tracker.end(task_id)
        await until(lambda: not agent.host.tasks, "the task's removal")
    assert metadata_address.network_name(ADDRESS) not in networks(docker_engine)


async def test_ids_that_nobody_has_and_what_needs_aws_are_answered_as_by_ecs(
    tracker: fake_tracker.FakeTracker, make_agent: conftest.MakeAgent, docker_engine: docker.DockerEngine, place: str
) -> None:
    task_id = definitions.task_id()
    flags = (f"--task-metadata-address={place}", "--task-metadata-port=0", "--task-metadata-rps-limit=40,20")
    async with make_agent(*flags) as agent, aiohttp.ClientSession() as http:
        await tracker.assign(definitions.definition(definitions.container()), task_id)
        runtime_id = (await tracker.running(task_id)).containers[0].runtime_id
        uri = variables(docker_engine, runtime_id)["ECS_CONTAINER_METADATA_URI_V4"]
        key, at = uri.rpartition("/")[2], f"http://{place}"
        arn = f"arn:aws:ecs:us-east-1:123456789012:task/default/{task_id}"
        nobody = "unable to get container ID from request: unable to get docker ID from v3 endpoint ID: x"
        expected = {
            "/v4/x": (404, f"V4 container metadata handler: {nobody}"),
            "/v3/x": (400, f"V3 container metadata handler: {nobody}"),
            "/v4/x/stats": (404, f"V4 container stats handler: {nobody}"),
            f"/api/{key}/fault/v1/network-latency/status": (
                400,
                {"Error": f"enableFaultInjection is not enabled for task: {arn}"},
            ),
        }
        for path, answer in expected.items():
            assert await get(http, at + path) == answer
        status, credentials = await get(http, f"{at}/v2/credentials/x")
        assert (status, credentials["code"]) == (400, "InvalidIdInRequest")
        status, protection = await get(http, f"{at}/api/{key}/task-protection/v1/state")
        assert (status, protection["error"]["Arn"]) == (400, arn)
        assert protection["error"]["Code"] == "UnsupportedFeatureException"
        status, tagged = await get(http, f"{uri}/taskWithTags")
        # The tracker of these tests is no registry: what cannot be read is said, and the rest answered.
        assert (status, [fault["ErrorField"] for fault in tagged["Errors"]]) == (
            200,
            ["ContainerInstanceTags", "TaskTags"],
        )
        stats = (await get(http, f"{uri}/task/stats"))[1]
        assert list(stats) == [runtime_id]
        assert stats[runtime_id]["memory_stats"]["limit"] == 64 << 20
        statuses = [(await get(http, f"{at}/v4/x"))[0] for _ in range(40)]
        assert {404, 429} == set(statuses)
        assert agent.metadata.served_at == at


async def test_an_address_that_cannot_be_had_is_said_once_and_containers_are_told_nothing(
    tracker: fake_tracker.FakeTracker, make_agent: conftest.MakeAgent, docker_engine: docker.DockerEngine
) -> None:
    task_id = definitions.task_id()
    with socket.create_server(("127.0.0.1", 0)) as taken:
        flags = (f"--task-metadata-address=127.0.0.1:{taken.getsockname()[1]}", "--task-metadata-port=0")
        with structlog.testing.capture_logs() as logged:
            async with make_agent(*flags):
                await tracker.assign(definitions.definition(definitions.container()), task_id)
                runtime_id = (await tracker.running(task_id)).containers[0].runtime_id
    said = [line for line in logged if line["event"] == "task_metadata_not_served"]
    assert [(line["log_level"], "Address already in use" in line["error_reason"]) for line in said] == [
        ("warning", True)
    ]
    assert "ECS_CONTAINER_METADATA_URI_V4" not in variables(docker_engine, runtime_id)


def test_the_default_is_ecss_address_on_the_port_that_every_instance_reserves() -> None:
    found = metadata_address.place(config.Config().task_metadata_address)
    assert found == metadata_address.Place("169.254.170.2", 51679)
    assert found.port in resources.DEFAULT_RESERVED_PORTS


async def get(http: aiohttp.ClientSession, url: str, member: str = "") -> tuple[int, Any]:
    """Status and JSON of an answer, or one member of it; its text where it is no JSON."""
    async with http.get(url) as answer:
        if answer.content_type != "application/json":
            return answer.status, await answer.text()
        found = await answer.json()
        return answer.status, found[member] if member else found


async def until(holds: Callable[[], bool], what: str) -> None:
    """Wait for what this process's agent does, without holding it up."""
    deadline = time.monotonic() + WAIT_S
    while not holds():
        assert time.monotonic() < deadline, what
        await asyncio.sleep(POLL_S)
