"""What an instance must be able to do for a definition."""

import pytest

from longshore.registry import definitions
from tests.unit.registry import cases

DOCKER = "com.amazonaws.ecs.capability."


def _attributes(definition: cases.Json) -> set[str]:
    prepared = definitions.prepared(cases.request(definition), principal="ada")
    return {attribute.name for attribute in prepared.requires_attributes}


@pytest.mark.parametrize(
    ("attribute", "container", "members"),
    [
        ("docker-remote-api.1.18", {"dockerLabels": {"a": "b"}}, {}),
        ("docker-remote-api.1.18", {"ulimits": [{"name": "core", "softLimit": 0, "hardLimit": 0}]}, {}),
        ("docker-remote-api.1.18", {"logConfiguration": {"logDriver": "json-file"}}, {}),
        ("docker-remote-api.1.19", {"logConfiguration": {"logDriver": "gelf", "options": {"a": "b"}}}, {}),
        ("docker-remote-api.1.25", {"linuxParameters": {"initProcessEnabled": True}}, {}),
        ("privileged-container", {"privileged": True}, {}),
        ("longshore.capability.swap-limit", {"linuxParameters": {"maxSwap": 0}}, {}),
        ("longshore.capability.swappiness", {"linuxParameters": {"maxSwap": 8, "swappiness": 9}}, {}),
        ("logging-driver.syslog", {"logConfiguration": {"logDriver": "syslog"}}, {}),
        ("selinux", {"dockerSecurityOptions": ["label:disable"]}, {}),
        ("apparmor", {"dockerSecurityOptions": ["apparmor:unconfined"]}, {}),
        ("task-iam-role", {}, {"taskRoleArn": "arn:aws:iam::123456789012:role/a"}),
        ("task-iam-role-network-host", {}, {"taskRoleArn": "arn:aws:iam::123456789012:role/a", "networkMode": "host"}),
        ("ecs.capability.task-eni", {}, {"networkMode": "awsvpc"}),
        ("ecs.capability.task-cpu-mem-limit", {}, {"memory": "512"}),
        ("ecs.capability.task-cpu-mem-limit", {}, {"cpu": "512"}),
        ("ecs.capability.increased-task-cpu-limit", {}, {"cpu": "11 vCPU"}),
        ("ecs.capability.container-ordering", {"dependsOn": [{"containerName": "side", "condition": "START"}]}, {}),
        ("ecs.capability.container-health-check", {"healthCheck": {"command": ["CMD", "true"]}}, {}),
        (
            "ecs.capability.execution-role-awslogs",
            {"logConfiguration": {"logDriver": "awslogs"}},
            {"executionRoleArn": "arn:aws:iam::123456789012:role/e"},
        ),
        ("ecs.capability.pid-ipc-namespace-sharing", {}, {"pidMode": "task"}),
        ("ecs.capability.pid-ipc-namespace-sharing", {}, {"ipcMode": "none"}),
        ("ecs.capability.container-restart-policy", {"restartPolicy": {"enabled": True}}, {}),
        ("ecs.capability.network.container-port-range", {"portMappings": [{"containerPortRange": "80-90"}]}, {}),
        (
            "ecs.capability.docker-plugin.rexray",
            {},
            {"volumes": [{"name": "v", "dockerVolumeConfiguration": {"driver": "rexray"}}]},
        ),
        ("ecs.capability.env-files.s3", {"environmentFiles": [{"type": "s3", "value": "arn:aws:s3:::b/a.env"}]}, {}),
        (
            "ecs.capability.private-registry-authentication.secretsmanager",
            {"repositoryCredentials": {"credentialsParameter": "arn:x"}},
            {},
        ),
        ("ecs.capability.firelens.fluentbit", {"firelensConfiguration": {"type": "fluentbit"}}, {}),
        ("ecs.capability.gmsa", {"credentialSpecs": ["credentialspec:x"]}, {}),
        ("ecs.capability.efs", {}, {"volumes": [{"name": "v", "efsVolumeConfiguration": {"fileSystemId": "fs-1"}}]}),
        (
            "ecs.capability.s3files",
            {},
            {"volumes": [{"name": "v", "s3filesVolumeConfiguration": {"fileSystemArn": "arn:x"}}]},
        ),
        (
            "ecs.capability.fsxWindowsFileServer",
            {},
            {"volumes": [{"name": "v", "fsxWindowsFileServerVolumeConfiguration": {"fileSystemId": "fs-1"}}]},
        ),
        ("ecs.capability.storage.ebs-task-volume-attach", {}, {"volumes": [{"name": "v", "configuredAtLaunch": True}]}),
        ("ecs.capability.aws-appmesh", {}, {"proxyConfiguration": {"containerName": "web"}}),
        ("ecs.capability.task-eia", {}, {"inferenceAccelerators": [{"deviceName": "d", "deviceType": "t"}]}),
        ("ecs.capability.fault-injection", {}, {"enableFaultInjection": True}),
    ],
)
def test_what_a_definition_asks_for_becomes_a_required_attribute(
    attribute: str, container: cases.Json, members: cases.Json
) -> None:
    name = attribute if attribute.startswith(("ecs.", "longshore.")) else DOCKER + attribute
    side = cases.container(name="side")

    assert name in _attributes(cases.task(cases.container(**container), side, **members))
    assert name not in _attributes(cases.task(cases.container(), side))


@pytest.mark.parametrize(
    ("container", "members"),
    [
        ({"privileged": False, "restartPolicy": {"enabled": False}}, {}),
        ({}, {"enableFaultInjection": False, "volumes": [{"name": "v", "configuredAtLaunch": False}]}),
    ],
)
def test_what_is_said_not_to_be_wanted_needs_no_attribute(container: cases.Json, members: cases.Json) -> None:
    assert _attributes(cases.task(cases.container(**container), **members)) == {f"{DOCKER}docker-remote-api.1.17"}
