"""Members that make clusters and container instances do what docs/conformance.md says of them."""

import json
from collections.abc import Mapping
from typing import Any

import pytest
from botocore import exceptions, xform_name

from tests.conformance import contract, specimens, tour, world

CLUSTER = "resource-members"
MACHINE = "i-0123456789abcdef0"
VALUES: dict[str, Any] = specimens.VALUES | {
    "CapacityProviderStrategyItem.capacityProvider": "FARGATE",
    "ClusterSetting.name": "containerInsights",
    "ClusterSetting.value": "enhanced",
    "CreateClusterRequest.capacityProviders": ["FARGATE"],
    "CreateClusterRequest.clusterName": CLUSTER,
    "ExecuteCommandConfiguration.logging": "NONE",
    "PutClusterCapacityProvidersRequest.capacityProviders": ["FARGATE_SPOT", "FARGATE"],
    "RegisterContainerInstanceRequest.cluster": CLUSTER,
    "RegisterContainerInstanceRequest.instanceIdentityDocument": json.dumps({"instanceId": MACHINE}),
    "RegisterContainerInstanceRequest.totalResources": tour.RESOURCES,
    "Resource.name": "CPU",
    "Attribute.targetType": "container-instance",
}
NEEDED: Mapping[str, Mapping[str, Any]] = {
    "CreateCluster": {"clusterName": CLUSTER, "capacityProviders": ["FARGATE"]},
    "UpdateCluster": {"cluster": CLUSTER},
    "UpdateClusterSettings": {"cluster": CLUSTER, "settings": [{"name": "containerInsights", "value": "enabled"}]},
    "PutClusterCapacityProviders": {
        "cluster": CLUSTER,
        "capacityProviders": ["FARGATE"],
        "defaultCapacityProviderStrategy": [],
    },
    "RegisterContainerInstance": {"cluster": CLUSTER, "totalResources": tour.RESOURCES},
}
"""What goes with any other member of the operation."""

NOT_SHOWN = {"cluster", "clusterName", "containerInstanceArn"}
"""They name what is made; the tests below go by them."""

ELSEWHERE = {"totalResources": "registeredResources"}

MEMBERS = [
    member
    for operation in NEEDED
    for member in contract.members(operation)
    if member.in_request
    and member.path.partition("[")[0].partition(".")[0] not in NOT_SHOWN
    and not member.path.startswith(("attributes[].target", "totalResources[]."))
]


def places(*handlings: contract.Handling) -> list[tuple[str, str]]:
    return [(member.operation, member.path) for member in MEMBERS if member.handling in handlings]


@pytest.fixture
def cluster(stack: world.World) -> str:
    """The cluster, made anew."""
    existing = stack.ecs.list_container_instances(cluster=CLUSTER) if _is_active(stack) else {}
    for arn in existing.get("containerInstanceArns", ()):
        stack.ecs.deregister_container_instance(cluster=CLUSTER, containerInstance=arn)
    if existing:
        stack.ecs.delete_cluster(cluster=CLUSTER)
    return CLUSTER


def _is_active(stack: world.World) -> bool:
    found = stack.ecs.describe_clusters(clusters=[CLUSTER])["clusters"]
    return bool(found) and found[0]["status"] == "ACTIVE"


def call(stack: world.World, operation: str, path: str) -> tuple[dict[str, Any], dict[str, Any]]:
    """Ask for it; gives what was asked and what is shown of the cluster or the instance."""
    given = {**NEEDED[operation], **specimens.arguments(f"{operation}Request", path, VALUES)}
    if operation != "CreateCluster":
        stack.ecs.create_cluster(clusterName=CLUSTER, capacityProviders=["FARGATE"])
    answer = getattr(stack.ecs, xform_name(operation))(**given)
    if operation == "RegisterContainerInstance":
        arn = answer["containerInstance"]["containerInstanceArn"]
        found = stack.ecs.describe_container_instances(cluster=CLUSTER, containerInstances=[arn], include=["TAGS"])
        shown: dict[str, Any] = found["containerInstances"][0]
    else:
        include = ["CONFIGURATIONS", "SETTINGS", "TAGS"]
        shown = stack.ecs.describe_clusters(clusters=[CLUSTER], include=include)["clusters"][0]
    return given, shown


@pytest.mark.parametrize(("operation", "path"), places(contract.SUPPORTED, contract.STORED))
def test_what_is_taken_is_shown(stack: world.World, cluster: str, operation: str, path: str) -> None:
    given, shown = call(stack, operation, path)
    first = specimens.top(path)[0]
    if first == "instanceIdentityDocument":
        assert shown["ec2InstanceId"] == MACHINE
    else:
        assert _holds(shown[ELSEWHERE.get(first, first)], given[first])


def _holds(shown: Any, given: Any) -> bool:
    if isinstance(given, dict) and isinstance(shown, dict):
        return all(name in shown and _holds(shown[name], value) for name, value in given.items())
    if isinstance(given, list) and isinstance(shown, list):
        return len(given) == len(shown) and all(map(_holds, shown, given))
    return bool(shown == given)


@pytest.mark.parametrize(("operation", "path"), places(contract.IGNORED))
def test_what_is_ignored_is_taken_and_not_shown(stack: world.World, cluster: str, operation: str, path: str) -> None:
    _, shown = call(stack, operation, path)
    assert specimens.top(path)[0] not in shown


def test_nothing_of_a_cluster_or_an_instance_is_refused_without_a_test_of_it() -> None:
    assert places(contract.REFUSED, contract.UNPLACEABLE) == []


@pytest.mark.parametrize(
    ("operation", "member", "value", "named"),
    [
        ("ListTasks", "daemonName", "watcher", "daemonName"),
    ],
)
def test_what_is_refused_of_a_list_is_refused_by_its_name(
    stack: world.World, operation: str, member: str, value: str, named: str
) -> None:
    found = [each for each in contract.members(operation) if each.in_request and each.handling == contract.REFUSED]
    assert [each.name for each in found] == [member]
    with pytest.raises(exceptions.ClientError, match=named):
        getattr(stack.ecs, xform_name(operation))(**{member: value})


COVERED = {
    *NEEDED,
    "ListContainerInstances",
    "ListTasks",
    "RegisterTaskDefinition",
    "RunTask",
    "StartTask",
    "SubmitAttachmentStateChanges",
    "SubmitTaskStateChange",
}
"""Operations whose members some test here takes one by one."""


def test_an_attachment_is_refused_by_its_name(stack: world.World) -> None:
    with pytest.raises(stack.ecs.exceptions.InvalidParameterException, match="attachment: nope"):
        stack.ecs.submit_attachment_state_changes(attachments=[{"attachmentArn": "nope", "status": "ATTACHED"}])


def test_every_member_of_a_request_that_is_not_supported_is_held_to_its_word_somewhere() -> None:
    told = {
        member.operation
        for operation in contract.offered()
        for member in contract.members(operation)
        if member.in_request and member.handling != contract.SUPPORTED
    }
    assert told - COVERED == set()
