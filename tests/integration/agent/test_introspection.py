"""Introspection, ECS's `/v1`: what it shows is what the engine has, and each question has ECS's answer."""

import json
from collections.abc import AsyncIterator
from typing import Any

import aiohttp
import pytest

from longshore.agent import app, states, task_record, task_state
from longshore.v1 import agent_service_pb2
from longshore.v1 import task_definition_pb2 as definition_pb2
from tests.engines import docker
from tests.integration.agent import conftest, definitions, fake_tracker

PREFIX = "arn:aws:ecs:us-east-1:123456789012"
EMPTY = {"Arn": "", "KnownStatus": "", "Family": "", "Version": "", "Containers": None}


@pytest.fixture
async def http() -> AsyncIterator[aiohttp.ClientSession]:
    """A client."""
    async with aiohttp.ClientSession() as session:
        yield session


async def get(http: aiohttp.ClientSession, port: int, path: str) -> tuple[int, Any]:
    """An answer of introspection."""
    async with http.get(f"http://127.0.0.1:{port}{path}") as answer:
        return answer.status, await answer.json()


async def test_what_can_be_asked_is_listed_and_the_agent_says_who_it_is(
    tracker: fake_tracker.FakeTracker, agent: app.Agent, http: aiohttp.ClientSession
) -> None:
    await tracker.until(lambda: bool(tracker.hellos), "a session")
    port = agent.introspection_port
    commands = ["/v1/metadata", "/v1/tasks", "/v1/timings", "/license"]
    assert await get(http, port, "/") == (200, {"AvailableCommands": commands})
    assert await get(http, port, "/v1/metadata") == (
        200,
        {
            "Cluster": "default",
            "ContainerInstanceArn": f"{PREFIX}:container-instance/default/{tracker.instance_id}",
            "Version": "Longshore Agent - v0-test",
        },
    )
    assert await get(http, port, "/v1/tasks") == (200, {"Tasks": []})
    async with http.get(f"http://127.0.0.1:{port}/license") as answer:
        assert (answer.status, "Apache License" in await answer.text()) == (200, True)
    for path in ("/v1/license", "/v2/tasks", "/v1"):
        async with http.get(f"http://127.0.0.1:{port}{path}") as answer:
            assert answer.status == 404


async def test_before_it_is_registered_the_agent_knows_no_instance(
    tracker: fake_tracker.FakeTracker, make_agent: conftest.MakeAgent, http: aiohttp.ClientSession
) -> None:
    await tracker.stop()
    async with make_agent() as agent:
        status, found = await get(http, agent.introspection_port, "/v1/metadata")
    assert (status, found["ContainerInstanceArn"]) == (200, None)


async def test_what_introspection_shows_is_what_the_engine_has(
    tracker: fake_tracker.FakeTracker,
    agent: app.Agent,
    http: aiohttp.ClientSession,
    docker_engine: docker.DockerEngine,
    tmp_path: Any,
) -> None:
    task_id = definitions.task_id()
    container = definitions.container(
        port_mappings=[definition_pb2.PortMapping(container_port=80)],
        mount_points=[definition_pb2.MountPoint(source_volume="data", container_path="/data")],
        restart_policy=definition_pb2.ContainerRestartPolicy(enabled=True),
    )
    volume = definition_pb2.Volume(name="data", host=definition_pb2.HostVolumeProperties(source_path=str(tmp_path)))
    made = definitions.definition(container, volumes=[volume], network_mode=definition_pb2.NETWORK_MODE_BRIDGE)
    await tracker.assign(made, task_id)
    running = (await tracker.running(task_id)).containers[0]
    _, answer = await get(http, agent.introspection_port, "/v1/tasks")
    seen = json.loads(docker_engine.docker("inspect", running.runtime_id))[0]
    [task] = answer["Tasks"]
    [shown] = task.pop("Containers")
    assert task == {
        "Arn": f"{PREFIX}:task/default/{task_id}",
        "DesiredStatus": "RUNNING",
        "KnownStatus": "RUNNING",
        "Family": "agent-test",
        "Version": str(made.revision),
    }
    assert shown.pop("CreatedAt")[:19] == seen["Created"][:19]
    assert shown.pop("StartedAt") >= seen["Created"][:19]
    assert shown == {
        "DockerId": seen["Id"],
        "DockerName": seen["Name"].removeprefix("/"),
        "Name": "app",
        "Image": definitions.IMAGE,
        "ImageID": seen["Image"],
        "Ports": [
            {
                "ContainerPort": 80,
                "Protocol": "tcp",
                "HostPort": running.network_bindings[0].host_port,
                "HostIp": "127.0.0.1",
            }
        ],
        "Networks": [{"NetworkMode": "bridge", "IPv4Addresses": [seen["NetworkSettings"]["IPAddress"]]}],
        "Volumes": [{"Source": str(tmp_path), "Destination": "/data"}],
        "RestartCount": 0,
    }


async def test_a_question_for_one_task_is_answered_with_it_or_with_an_empty_one(
    tracker: fake_tracker.FakeTracker, agent: app.Agent, http: aiohttp.ClientSession
) -> None:
    first, second = definitions.task_id(), definitions.task_id()
    await tracker.assign(definitions.definition(definitions.container()), first, second)
    docker_id = (await tracker.running(first)).containers[0].runtime_id
    await tracker.running(second)
    arn = f"{PREFIX}:task/default/{first}"
    expected = {
        f"taskarn={arn}": (200, arn),
        f"dockerid={docker_id}": (200, arn),
        f"dockerid={docker_id[:12]}": (200, arn),
        f"dockerid={docker_id[:13]}": (404, ""),
        f"dockerid={docker_id}&taskarn={arn}": (400, ""),
        "dockerid=ffffffffffff": (404, ""),
        f"dockerid={'f' * 64}": (404, ""),
        "taskarn=nope": (404, ""),
        f"taskarn={PREFIX}:task/default/{'f' * 32}": (404, ""),
    }
    found = {question: await get(http, agent.introspection_port, f"/v1/tasks?{question}") for question in expected}
    assert {question: (status, task["Arn"]) for question, (status, task) in found.items()} == expected
    assert all(task == EMPTY for status, task in found.values() if status != 200)
    # Empty values ask for nothing in particular.
    status, everything = await get(http, agent.introspection_port, "/v1/tasks?taskarn=&dockerid=")
    assert (status, len(everything["Tasks"])) == (200, 2)


async def test_a_beginning_that_several_containers_share_is_refused(
    agent: app.Agent, http: aiohttp.ClientSession
) -> None:
    for number, runtime_id in enumerate(("ab12" + "0" * 60, "ab34" + "0" * 60)):
        record = _stopped(f"{number:032x}", runtime_id)
        agent.host.tasks[record.task_id] = record
    port = agent.introspection_port
    assert await get(http, port, "/v1/tasks?dockerid=ab") == (400, EMPTY)
    status, found = await get(http, port, "/v1/tasks?dockerid=ab1")
    assert (status, found["Containers"][0]["DockerId"], found["KnownStatus"]) == (200, "ab12" + "0" * 60, "STOPPED")


def _stopped(task_id: str, runtime_id: str) -> task_record.TaskRecord:
    """A task whose container is gone already."""
    message = definitions.definition(definitions.container())
    definition = task_record.definition_of(
        message, stop_timeout_s=1, privileged=True, limits_tasks=True, pulls_upfront=True
    )
    assigned = agent_service_pb2.AssignedTask(task_id=task_id, definition_key="agent-test:1", cluster="default")
    container = task_state.ContainerState(phase=states.ContainerPhase.STOPPED, runtime_id=runtime_id)
    state = task_state.TaskState(task_id, definition.plans, (container,), phase=states.TaskPhase.STOPPED)
    return task_record.TaskRecord(assigned, definition, task_record.names_of(assigned), state)
