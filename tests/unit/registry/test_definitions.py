"""Definitions as people have them: accepted as they stand, filled in and derived from as ECS does."""

import json
from pathlib import Path
from typing import Any

import pytest

from longshore.registry import definitions, rules
from longshore.rpc import codec
from tests.unit.registry import cases

FOLDER = Path(__file__).parent / "definitions"
DOCKER = "com.amazonaws.ecs.capability."


def _prepared(definition: dict[str, Any]) -> dict[str, Any]:
    return codec.to_json(definitions.prepared(cases.request(definition), principal="ada"))


def _of_file(name: str) -> dict[str, Any]:
    whole: dict[str, Any] = json.loads((FOLDER / name).read_text())
    return whole


@pytest.mark.parametrize("path", sorted(FOLDER.glob("*.json")), ids=lambda path: path.stem)
def test_a_definition_as_found_is_accepted_and_nothing_of_it_is_lost(path: Path) -> None:
    given = _of_file(path.name)
    given.pop("tags", None)
    cpu, memory = given.pop("cpu", None), given.pop("memory", None)

    assert rules.faults_of(cases.request(_of_file(path.name))) == ()
    _assert_within(given, prepared := _prepared(_of_file(path.name)))
    assert ("cpu" in prepared, "memory" in prepared) == (cpu is not None, memory is not None)


def _assert_within(given: Any, echoed: Any) -> None:
    """Everything that was given is echoed; more may be."""
    if isinstance(given, dict):
        for name, value in given.items():
            _assert_within(value, echoed[name])
    elif isinstance(given, list):
        assert len(given) == len(echoed)
        for one, other in zip(given, echoed, strict=True):
            _assert_within(one, other)
    elif (given, type(given)) != (0, int):
        assert given == echoed


def test_the_smallest_definition_is_echoed_with_ecs_defaults() -> None:
    assert _prepared(cases.task()) == {
        "family": "site",
        "networkMode": "bridge",
        "containerDefinitions": [
            {
                "name": "web",
                "image": "nginx:1.27",
                "cpu": 0,
                "memory": 128,
                "essential": True,
                "portMappings": [],
                "environment": [],
                "mountPoints": [],
                "volumesFrom": [],
                "systemControls": [],
            }
        ],
        "volumes": [],
        "placementConstraints": [],
        "requiresAttributes": [{"name": f"{DOCKER}docker-remote-api.1.17"}],
        "compatibilities": ["EC2", "EXTERNAL"],
        "registeredBy": "ada",
    }


@pytest.mark.parametrize(
    ("cpu", "memory", "stored"),
    [
        ("1024", "512", ("1024", "512")),
        ("1 vCPU", "1GB", ("1024", "1024")),
        (".25 vcpu", "0.5 GB", ("256", "512")),
        ("2VCPU", " 30 gb ", ("2048", "30720")),
    ],
)
def test_task_size_is_stored_in_units_and_mebibytes(cpu: str, memory: str, stored: tuple[str, str]) -> None:
    prepared = _prepared(cases.task(cpu=cpu, memory=memory))

    assert (prepared["cpu"], prepared["memory"]) == stored


@pytest.mark.parametrize(
    ("mode", "mapping", "echoed"),
    [
        ("bridge", {"containerPort": 80}, {"containerPort": 80, "hostPort": 0, "protocol": "tcp"}),
        ("bridge", {"containerPort": 80, "hostPort": 81}, {"containerPort": 80, "hostPort": 81, "protocol": "tcp"}),
        ("host", {"containerPort": 80}, {"containerPort": 80, "hostPort": 80, "protocol": "tcp"}),
        ("host", {"containerPort": 80, "hostPort": 0}, {"containerPort": 80, "hostPort": 80, "protocol": "tcp"}),
        ("awsvpc", {"containerPort": 80}, {"containerPort": 80, "hostPort": 80, "protocol": "tcp"}),
        (
            "awsvpc",
            {"containerPort": 53, "protocol": "udp"},
            {"containerPort": 53, "hostPort": 53, "protocol": "udp"},
        ),
        ("bridge", {"containerPortRange": "80-90"}, {"containerPortRange": "80-90", "protocol": "tcp"}),
    ],
)
def test_host_ports_follow_the_network_mode(mode: str, mapping: cases.Json, echoed: cases.Json) -> None:
    prepared = _prepared(cases.task(cases.container(portMappings=[mapping]), networkMode=mode))

    assert prepared["containerDefinitions"][0]["portMappings"] == [echoed]


def test_a_health_check_is_echoed_with_its_intervals() -> None:
    prepared = _prepared(cases.task(cases.container(healthCheck={"command": ["CMD", "true"], "retries": 2})))

    assert prepared["containerDefinitions"][0]["healthCheck"] == {
        "command": ["CMD", "true"],
        "interval": 30,
        "timeout": 5,
        "retries": 2,
    }


@pytest.mark.parametrize(
    ("volume", "echoed"),
    [
        ({"name": "v"}, {"name": "v", "host": {}}),
        ({"name": "v", "host": {"sourcePath": "/srv"}}, {"name": "v", "host": {"sourcePath": "/srv"}}),
        (
            {"name": "v", "dockerVolumeConfiguration": {}},
            {"name": "v", "dockerVolumeConfiguration": {"scope": "task"}},
        ),
        (
            {"name": "v", "efsVolumeConfiguration": {"fileSystemId": "fs-1"}},
            {"name": "v", "efsVolumeConfiguration": {"fileSystemId": "fs-1", "rootDirectory": "/"}},
        ),
        ({"name": "v", "configuredAtLaunch": True}, {"name": "v", "configuredAtLaunch": True}),
    ],
)
def test_a_volume_is_echoed_with_its_kind(volume: cases.Json, echoed: cases.Json) -> None:
    assert _prepared(cases.task(volumes=[volume]))["volumes"] == [echoed]
