"""Which launch types a definition fits, and why not the others."""

import json
from pathlib import Path

import pytest

from longshore.registry import definitions, rules
from longshore.rpc import codec
from tests.unit.registry import cases

FOLDER = Path(__file__).parent / "definitions"


def _compatibilities(path: Path) -> list[str]:
    prepared = definitions.prepared(cases.request(json.loads(path.read_text())), principal="ada")
    listed: list[str] = codec.to_json(prepared)["compatibilities"]
    return listed


@pytest.mark.parametrize(
    ("file", "compatibilities"),
    [
        ("web-with-sidecar.json", ["EC2", "EXTERNAL"]),
        ("fargate-api.json", ["EC2", "FARGATE", "MANAGED_INSTANCES"]),
        ("host-daemon.json", ["EC2", "EXTERNAL"]),
        ("database-with-volume.json", ["EC2", "EXTERNAL"]),
    ],
)
def test_a_definition_says_which_launch_types_it_fits(file: str, compatibilities: list[str]) -> None:
    assert _compatibilities(FOLDER / file) == compatibilities


@pytest.mark.parametrize(
    ("launch_type", "container", "members", "reason"),
    [
        ("EXTERNAL", {}, {"networkMode": "awsvpc"}, "networkMode must not be 'awsvpc'"),
        (
            "EXTERNAL",
            {},
            {"networkMode": "host", "volumes": [{"name": "v", "efsVolumeConfiguration": {"fileSystemId": "fs-1"}}]},
            "volume 'v' must not be an EFS file system",
        ),
        (
            "EXTERNAL",
            {},
            {"networkMode": "none", "volumes": [{"name": "v", "configuredAtLaunch": True}]},
            "volume 'v' must not be configured at launch",
        ),
        ("MANAGED_INSTANCES", {}, {"cpu": None}, "cpu must be given"),
        ("MANAGED_INSTANCES", {}, {"memory": None}, "memory must be given"),
        ("MANAGED_INSTANCES", {}, {"networkMode": "none"}, "networkMode must be 'awsvpc' or 'host'"),
        (
            "MANAGED_INSTANCES",
            {"logConfiguration": {"logDriver": "gelf"}},
            {},
            "the log driver of container 'web', 'gelf', must be awslogs, splunk, awsfirelens or json-file",
        ),
        (
            "MANAGED_INSTANCES",
            {},
            {"volumes": [{"name": "v", "dockerVolumeConfiguration": {}}]},
            "volume 'v' must not be a Docker volume",
        ),
        ("FARGATE", {}, {"ipcMode": "none"}, "ipcMode must be left out"),
        ("FARGATE", {}, {"pidMode": "host"}, "pidMode must be 'task' or left out"),
        (
            "FARGATE",
            {},
            {"placementConstraints": [{"type": "memberOf", "expression": "attribute:a == b"}]},
            "placementConstraints must be left out",
        ),
        (
            "FARGATE",
            {},
            {"memory": "4 GB"},
            "cpu and memory must be one of Fargate's sizes (they are 256 units and 4096 MiB)",
        ),
        ("FARGATE", {"stopTimeout": 121}, {}, "the stopTimeout of container 'web', 121 s, must be at most 120 s"),
        (
            "FARGATE",
            {"linuxParameters": {"capabilities": {"add": ["SYS_PTRACE", "NET_ADMIN"]}}},
            {},
            "container 'web' must not add the capability 'NET_ADMIN'",
        ),
        (
            "FARGATE",
            {"linuxParameters": {"maxSwap": 0}},
            {},
            "container 'web' must not give linuxParameters.maxSwap",
        ),
        (
            "FARGATE",
            {"logConfiguration": {"logDriver": "json-file"}},
            {},
            "the log driver of container 'web', 'json-file', must be awslogs, splunk or awsfirelens",
        ),
        (
            "FARGATE",
            {},
            {"volumes": [{"name": "v", "host": {"sourcePath": "/srv"}}]},
            "volume 'v' must not be a path of the host",
        ),
        (
            "FARGATE",
            {},
            {"volumes": [{"name": "v", "dockerVolumeConfiguration": {}}]},
            "volume 'v' must not be a Docker volume",
        ),
    ],
)
def test_a_launch_type_that_does_not_fit_is_refused_with_the_reason(
    launch_type: str, container: cases.Json, members: cases.Json, reason: str
) -> None:
    whole: cases.Json = {"cpu": "256", "memory": "512", "networkMode": "awsvpc"} | members
    definition = cases.task(cases.container(**container), requiresCompatibilities=[launch_type], **whole)

    (fault,) = rules.faults_of(cases.request(definition))

    assert fault.message == (
        f"Invalid setting for the task definition: requiresCompatibilities[0] is '{launch_type}', and for that {reason}."
    )
