"""Every member of RunTask and StartTask does what docs/conformance.md says of it."""

import re
from collections.abc import Callable, Mapping
from typing import Any

import pytest
from botocore import exceptions, xform_name

from tests.conformance import contract, specimens, world

FAMILY = "run-members"
WITH_ADDRESS = "run-members-awsvpc"
MEMBERS = [
    member for operation in ("RunTask", "StartTask") for member in contract.members(operation) if member.in_request
]
BY_PLACE = {(member.operation, member.path): member for member in MEMBERS}

VALUES: dict[str, Any] = specimens.VALUES | {
    "CapacityProviderStrategyItem.capacityProvider": "FARGATE",
    "CapacityProviderStrategyItem.weight": 1,
    "CapacityProviderStrategyItem.base": 1,
    "ContainerOverride.name": "main",
    "ContainerOverride.memory": 128,
    "ContainerOverride.memoryReservation": 8,
    "PlacementConstraint.type": "distinctInstance",
    "PlacementConstraint.expression": "attribute:ecs.os-type == linux",
    "PlacementStrategy.type": "binpack",
    "PlacementStrategy.field": "memory",
    "RunTaskRequest.cluster": world.CLUSTER,
    "RunTaskRequest.count": 2,
    "RunTaskRequest.taskDefinition": FAMILY,
    "StartTaskRequest.cluster": world.CLUSTER,
    "StartTaskRequest.taskDefinition": FAMILY,
    "TaskOverride.cpu": "512",
    "TaskOverride.memory": "512",
    **{f"{operation}.propagateTags": "TASK_DEFINITION" for operation in ("RunTaskRequest", "StartTaskRequest")},
}

Task = Mapping[str, Any]
Shown = Callable[[Task, Mapping[str, Any]], bool]


def tags(task: Task) -> dict[str, str]:
    return {tag["key"]: tag["value"] for tag in task["tags"]}


SHOWN: Mapping[str, Shown] = {
    "capacityProviderStrategy": lambda task, given: (
        task["capacityProviderName"] == given["capacityProviderStrategy"][0]["capacityProvider"]
    ),
    "cluster": lambda task, given: task["clusterArn"].endswith(f"/{given['cluster']}"),
    "containerInstances": lambda task, given: task["containerInstanceArn"] in given["containerInstances"],
    "enableECSManagedTags": lambda task, given: tags(task)["aws:ecs:clusterName"] == world.CLUSTER,
    "enableExecuteCommand": lambda task, given: task["enableExecuteCommand"] is True,
    "group": lambda task, given: task["group"] == given["group"],
    "launchType": lambda task, given: task["launchType"] == given["launchType"],
    "networkConfiguration": lambda task, given: (
        {"name": "subnetId", "value": given["networkConfiguration"]["awsvpcConfiguration"]["subnets"][0]}
        in task["attachments"][0]["details"]
    ),
    "platformVersion": lambda task, given: task["platformVersion"] == given["platformVersion"],
    "propagateTags": lambda task, given: tags(task)["of"] == "definition",
    "startedBy": lambda task, given: task["startedBy"] == given["startedBy"],
    "tags": lambda task, given: task["tags"] == given["tags"],
    "taskDefinition": lambda task, given: f"/{given['taskDefinition']}:" in task["taskDefinitionArn"],
}
"""How a task shows what it was asked for. Overrides show under their own names."""

NOT_SHOWN = frozenset({"clientToken", "count", "placementConstraints", "placementStrategy", "referenceId"})
"""Members that ECS shows nowhere. Those that have an effect have a test of it below."""


def places(*handlings: contract.Handling) -> list[tuple[str, str]]:
    return [(member.operation, member.path) for member in MEMBERS if member.handling in handlings]


def arguments(stack: world.World, operation: str, path: str) -> dict[str, Any]:
    own: dict[str, Any] = {"StartTaskRequest.containerInstances": [stack.instance()]}
    given = specimens.arguments(f"{operation}Request", path, {**VALUES, **own})
    if path.startswith("networkConfiguration"):
        given["taskDefinition"] = WITH_ADDRESS
    if path.endswith("expression"):
        given["placementConstraints"][0]["type"] = "memberOf"
    if path.startswith("placementConstraints"):
        given["group"] = "-".join(
            specimens.top(path)
        )  # tasks of the tests before may not have stopped yet, and would be in the way
    return given


@pytest.fixture(autouse=True, scope="module")
def definition(stack: world.World) -> None:
    container = {"name": "main", "image": world.IMAGE, "memory": 16}
    # Without a default, so that other tests' tasks show none.
    stack.ecs.put_cluster_capacity_providers(
        cluster=world.CLUSTER, capacityProviders=["FARGATE", "FARGATE_SPOT"], defaultCapacityProviderStrategy=[]
    )
    stack.ecs.register_task_definition(
        family=WITH_ADDRESS,
        networkMode="awsvpc",
        cpu="256",
        memory="512",
        requiresCompatibilities=["FARGATE"],
        containerDefinitions=[{"name": "main", "image": world.IMAGE}],
    )
    stack.ecs.register_task_definition(
        family=FAMILY, containerDefinitions=[container], tags=[{"key": "of", "value": "definition"}]
    )


def call(stack: world.World, operation: str, given: Mapping[str, Any]) -> dict[str, Any]:
    answer: dict[str, Any] = getattr(stack.ecs, xform_name(operation))(**given)
    for task in answer["tasks"]:
        stack.ecs.stop_task(task=task["taskArn"])
    return answer


@pytest.mark.parametrize(("operation", "path"), places(contract.SUPPORTED, contract.STORED))
def test_what_is_taken_is_shown_by_the_task(stack: world.World, operation: str, path: str) -> None:
    given = arguments(stack, operation, path)
    answer = call(stack, operation, given)
    assert answer["failures"] == []
    arns = [task["taskArn"] for task in answer["tasks"]]
    (task, *_) = stack.ecs.describe_tasks(tasks=arns, include=["TAGS"])["tasks"]
    first = specimens.top(path)[0]
    if first == "overrides":
        assert _covers(task["overrides"], given["overrides"])
    elif first in NOT_SHOWN:
        assert first not in task
    else:
        assert SHOWN[first](task, given)


def _covers(shown: Any, given: Any) -> bool:
    if isinstance(given, dict):
        return all(name in shown and _covers(shown[name], value) for name, value in given.items())
    if isinstance(given, list) and all(isinstance(item, dict) for item in given):
        return all(any(_covers(found, item) for found in shown) for item in given)
    return bool(shown == given)


@pytest.mark.parametrize(("operation", "path"), places(contract.REFUSED, contract.UNPLACEABLE))
def test_what_is_refused_is_refused_by_its_name(stack: world.World, operation: str, path: str) -> None:
    given = arguments(stack, operation, path)
    named = reasons(operation, path)
    try:
        answer = call(stack, operation, given)
    except exceptions.ClientError as error:
        assert BY_PLACE[operation, path].handling == contract.REFUSED
        told = error.response["Error"]["Message"]
    else:
        assert BY_PLACE[operation, path].handling == contract.UNPLACEABLE
        assert (answer["tasks"], {failure["reason"] for failure in answer["failures"]}) == ([], {"ATTRIBUTE"})
        told = " ".join(failure["detail"] for failure in answer["failures"])
    assert all(name.lower() in told.lower() for name in named), told


def reasons(operation: str, path: str) -> list[str]:
    while True:
        note = BY_PLACE[operation, path].note
        if "`" in note:
            return re.findall(r"`([^`]+)`", note)
        path = path.rpartition(".")[0].removesuffix("[]")


# ------------------------------------------------------------------------------------------- what shows nowhere


def test_a_count_is_the_number_of_tasks(stack: world.World) -> None:
    assert len(call(stack, "RunTask", {"taskDefinition": FAMILY, "count": 3})["tasks"]) == 3


def test_a_token_gets_the_same_tasks_again_and_another_request_under_it_is_refused(stack: world.World) -> None:
    first = call(stack, "RunTask", {"taskDefinition": FAMILY, "clientToken": "run-members"})
    again = call(stack, "RunTask", {"taskDefinition": FAMILY, "clientToken": "run-members"})
    assert [task["taskArn"] for task in again["tasks"]] == [task["taskArn"] for task in first["tasks"]]
    with pytest.raises(stack.ecs.exceptions.ConflictException) as caught:
        call(stack, "RunTask", {"taskDefinition": FAMILY, "clientToken": "run-members", "startedBy": "other"})
    assert caught.value.response["resourceIds"] == [task["taskArn"] for task in first["tasks"]]


def test_distinct_instances_take_one_task_each_and_the_rest_are_failures(stack: world.World) -> None:
    given = {"taskDefinition": FAMILY, "count": 3, "placementConstraints": [{"type": "distinctInstance"}]}
    answer = call(stack, "RunTask", given | {"group": "distinct"})
    assert len({task["containerInstanceArn"] for task in answer["tasks"]}) == len(answer["tasks"]) == 2
    assert {failure["reason"] for failure in answer["failures"]} == {
        "DistinctInstance placement constraint unsatisfied."
    }


@pytest.mark.parametrize(("strategy", "instances"), [("binpack", 1), ("spread", 2)])
def test_a_strategy_chooses_the_instances(stack: world.World, strategy: str, instances: int) -> None:
    fields = {"binpack": "memory", "spread": "instanceId"}
    placement = [{"type": strategy, "field": fields[strategy]}]
    given = {"taskDefinition": FAMILY, "count": 4, "group": f"by-{strategy}", "placementStrategy": placement}
    answer = call(stack, "RunTask", given)
    assert len({task["containerInstanceArn"] for task in answer["tasks"]}) == instances


def test_a_member_of_constraint_chooses_the_instances_and_refuses_the_others(stack: world.World) -> None:
    def run(expression: str) -> dict[str, Any]:
        constraint = {"type": "memberOf", "expression": expression}
        return call(stack, "RunTask", {"taskDefinition": FAMILY, "placementConstraints": [constraint], "count": 3})

    there = run("attribute:ecs.availability-zone == zone-b")["tasks"]
    assert {task["availabilityZone"] for task in there} == {"zone-b"}
    failures = run("attribute:ecs.availability-zone == zone-c")["failures"]
    assert {failure["reason"] for failure in failures} == {"MemberOf placement constraint unsatisfied."}
    with pytest.raises(stack.ecs.exceptions.InvalidParameterException, match=r"column 13"):
        run("attribute:a = b")


def test_constraints_of_request_and_definition_count_together(stack: world.World) -> None:
    constraints = [{"type": "memberOf", "expression": f"attribute:ecs.os-type != {each}"} for each in "abcdef"]
    container = {"name": "main", "image": world.IMAGE, "memory": 16}
    stack.ecs.register_task_definition(
        family="constrained", containerDefinitions=[container], placementConstraints=constraints
    )
    assert call(stack, "RunTask", {"taskDefinition": "constrained", "placementConstraints": constraints[:4]})["tasks"]
    with pytest.raises(stack.ecs.exceptions.InvalidParameterException, match="11 placement constraints"):
        stack.ecs.run_task(taskDefinition="constrained", placementConstraints=constraints[:5])


def test_a_launch_type_that_is_not_there_is_refused_by_its_name(stack: world.World) -> None:
    with pytest.raises(stack.ecs.exceptions.UnsupportedFeatureException, match="launchType MANAGED_INSTANCES"):
        stack.ecs.run_task(taskDefinition=FAMILY, launchType="MANAGED_INSTANCES")


def test_a_definition_for_fargate_runs_as_it_is_with_an_address_of_its_own(stack: world.World) -> None:
    network = {
        "awsvpcConfiguration": {"subnets": ["subnet-1"], "securityGroups": ["sg-1"], "assignPublicIp": "ENABLED"}
    }
    asked = {"taskDefinition": WITH_ADDRESS, "launchType": "FARGATE", "networkConfiguration": network}
    (placed,) = stack.ecs.run_task(**asked)["tasks"]
    (attachment,) = placed["attachments"]
    assert (attachment["type"], attachment["status"]) == ("ElasticNetworkInterface", "PRECREATED")
    task = stack.running(placed["taskArn"])
    assert task["launchType"] == "FARGATE"
    assert task["attachments"][0] | {"details": []} == attachment | {"status": "ATTACHED", "details": []}
    details = {pair["name"]: pair["value"] for pair in task["attachments"][0]["details"]}
    assert sorted(details) == ["macAddress", "networkInterfaceId", "privateIPv4Address", "subnetId"]
    (container,) = task["containers"]
    assert container["networkInterfaces"] == [
        {"attachmentId": attachment["id"], "privateIpv4Address": details["privateIPv4Address"]}
    ]
    assert container["networkBindings"] == []
    stack.ecs.stop_task(task=placed["taskArn"])
    assert stack.ended(placed["taskArn"])["attachments"][0]["status"] == "DELETED"


@pytest.mark.parametrize(
    ("family", "given", "says"),
    [
        (WITH_ADDRESS, {}, "Network Configuration must be provided when networkMode 'awsvpc' is specified."),
        (
            FAMILY,
            {"networkConfiguration": {"awsvpcConfiguration": {"subnets": ["subnet-1"]}}},
            "Network Configuration is not valid for the given networkMode of this task definition.",
        ),
        (FAMILY, {"launchType": "FARGATE"}, "Task definition does not support launch_type FARGATE."),
    ],
)
def test_network_and_launch_type_go_with_the_definition(
    stack: world.World, family: str, given: dict[str, Any], says: str
) -> None:
    with pytest.raises(stack.ecs.exceptions.InvalidParameterException) as caught:
        stack.ecs.run_task(taskDefinition=family, **given)
    assert caught.value.response["Error"]["Message"] == says


def test_a_task_shows_the_launch_type_that_it_was_asked_for(stack: world.World) -> None:
    stack.ecs.register_task_definition(
        family="external", containerDefinitions=[{"name": "main", "image": world.IMAGE, "memory": 16}]
    )
    (task,) = call(stack, "RunTask", {"taskDefinition": "external", "launchType": "EXTERNAL"})["tasks"]
    assert task["launchType"] == "EXTERNAL"
