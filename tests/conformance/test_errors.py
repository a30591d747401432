"""Each exception that ECS documents for an operation and that can occur here is provoked: its name, its status, its text."""

from dataclasses import dataclass, field
from typing import Any

import pytest
from botocore import exceptions, xform_name

from tests.conformance import contract, world

NOBODY = "a" * 32
ARN = f"arn:aws:ecs:{world.REGION}:{world.ACCOUNT}"
TAG = [{"key": "team", "value": "web"}]
PLAIN = [{"name": "main", "image": world.IMAGE, "memory": 16}]
RESOURCES = [
    {"name": "CPU", "type": "INTEGER", "integerValue": 16},
    {"name": "MEMORY", "type": "INTEGER", "integerValue": 16},
]

INVALID, CLIENT, NO_CLUSTER = "InvalidParameterException", "ClientException", "ClusterNotFoundException"
CLUSTER_TEXT = "Cluster not found."


@dataclass(frozen=True, slots=True)
class Provoked:
    """A call and what it is refused with. A message that ends with `…` is the beginning of one."""

    operation: str
    code: str
    message: str
    arguments: dict[str, Any] = field(default_factory=dict)


def no_cluster(operation: str, **arguments: Any) -> Provoked:
    return Provoked(operation, NO_CLUSTER, CLUSTER_TEXT, {"cluster": "nope"} | arguments)


TABLE = (
    Provoked(
        "CreateCluster",
        INVALID,
        "Invalid setting for the cluster: clusterName is 'no good!'; it must be at most 255 letters, digits, hyphens and underscores.",
        {"clusterName": "no good!"},
    ),
    Provoked(
        "CreateCluster",
        INVALID,
        "The specified capacity provider 'mine' was not found.",
        {"clusterName": "with-provider", "capacityProviders": ["mine"]},
    ),
    Provoked("DeleteCluster", NO_CLUSTER, CLUSTER_TEXT, {"cluster": "nope"}),
    Provoked("DeleteCluster", INVALID, "Cluster can not be blank.", {"cluster": ""}),
    Provoked(
        "DeleteCluster",
        "ClusterContainsContainerInstancesException",
        "The Cluster cannot be deleted while Container Instances are active or draining.",
        {"cluster": "default"},
    ),
    Provoked(
        "UpdateCluster",
        INVALID,
        "Invalid setting for the cluster: settings[0].name is 'nope'; it must be 'containerInsights'.",
        {"cluster": "empty", "settings": [{"name": "nope", "value": "enabled"}]},
    ),
    no_cluster("UpdateCluster"),
    no_cluster("UpdateClusterSettings", settings=[{"name": "containerInsights", "value": "enabled"}]),
    Provoked(
        "UpdateClusterSettings",
        INVALID,
        "Invalid setting for the cluster: settings[0].value is 'maybe'; it must be 'enabled', 'disabled' or 'enhanced'.",
        {"cluster": "empty", "settings": [{"name": "containerInsights", "value": "maybe"}]},
    ),
    no_cluster("PutClusterCapacityProviders", capacityProviders=[], defaultCapacityProviderStrategy=[]),
    Provoked(
        "PutClusterCapacityProviders",
        INVALID,
        "The specified capacity provider 'mine' was not found.",
        {"cluster": "empty", "capacityProviders": ["mine"], "defaultCapacityProviderStrategy": []},
    ),
    Provoked("DescribeClusters", INVALID, "Clusters cannot be longer than 100 items.", {"clusters": ["x"] * 101}),
    Provoked(
        "ListClusters", INVALID, "nextToken is not valid: it is not one that ListClusters returned.", {"nextToken": "x"}
    ),
    Provoked("ListClusters", INVALID, "maxResults is 101; it must be between 1 and 100.", {"maxResults": 101}),
    Provoked(
        "RegisterTaskDefinition", CLIENT, "Container list cannot be empty.", {"family": "f", "containerDefinitions": []}
    ),
    Provoked(
        "RegisterTaskDefinition",
        CLIENT,
        "Family should not be null or empty.",
        {"family": "", "containerDefinitions": PLAIN},
    ),
    Provoked(
        "RegisterTaskDefinition",
        CLIENT,
        "Container.name should not be null or empty.",
        {"family": "f", "containerDefinitions": [{"image": world.IMAGE, "memory": 16}]},
    ),
    Provoked(
        "RegisterTaskDefinition",
        CLIENT,
        "Invalid setting for container 'main'. At least one of 'memory' or 'memoryReservation' must be specified.",
        {"family": "f", "containerDefinitions": [{"name": "main", "image": world.IMAGE}]},
    ),
    Provoked("DescribeTaskDefinition", CLIENT, "Unable to describe task definition.", {"taskDefinition": "nope"}),
    Provoked("DeregisterTaskDefinition", CLIENT, "Unable to describe task definition.", {"taskDefinition": "nope:1"}),
    Provoked("DeregisterTaskDefinition", CLIENT, "Revision is missing: …", {"taskDefinition": "plain"}),
    Provoked("DeleteTaskDefinitions", CLIENT, "Revision is missing: …", {"taskDefinitions": ["plain"]}),
    Provoked(
        "DeleteTaskDefinitions",
        INVALID,
        "taskDefinitions has 0 items; it must have between 1 and 10.",
        {"taskDefinitions": []},
    ),
    Provoked("ListTaskDefinitions", INVALID, "nextToken is not valid: …", {"nextToken": "x"}),
    Provoked(
        "ListTaskDefinitionFamilies", INVALID, "maxResults is 0; it must be between 1 and 100.", {"maxResults": 0}
    ),
    Provoked("TagResource", NO_CLUSTER, CLUSTER_TEXT, {"resourceArn": f"{ARN}:cluster/nope", "tags": TAG}),
    Provoked("TagResource", INVALID, "Invalid arn syntax: nope", {"resourceArn": "nope", "tags": TAG}),
    Provoked(
        "TagResource",
        "ResourceNotFoundException",
        "The specified resource does not exist: there is no service web.",
        {"resourceArn": f"{ARN}:service/default/web", "tags": TAG},
    ),
    Provoked(
        "TagResource",
        "LimitExceededException",
        "The resource would have 51 tags; it can have 50.",
        {"resourceArn": f"{ARN}:cluster/tagged", "tags": [{"key": "one-more", "value": ""}]},
    ),
    Provoked("UntagResource", NO_CLUSTER, CLUSTER_TEXT, {"resourceArn": f"{ARN}:cluster/nope", "tagKeys": ["a"]}),
    Provoked(
        "UntagResource",
        "ResourceNotFoundException",
        "The task definition nope:1 does not exist.",
        {"resourceArn": f"{ARN}:task-definition/nope:1", "tagKeys": ["a"]},
    ),
    Provoked(
        "UntagResource",
        INVALID,
        "Tag keys can not be empty.",
        {"resourceArn": f"{ARN}:cluster/default", "tagKeys": []},
    ),
    Provoked("ListTagsForResource", NO_CLUSTER, CLUSTER_TEXT, {"resourceArn": f"{ARN}:cluster/nope"}),
    Provoked("ListTagsForResource", INVALID, "Invalid arn syntax: nope", {"resourceArn": "nope"}),
    no_cluster("RunTask", taskDefinition="plain"),
    Provoked("RunTask", CLIENT, "TaskDefinition not found.", {"taskDefinition": "nope"}),
    Provoked("RunTask", CLIENT, "TaskDefinition can not be blank.", {"taskDefinition": ""}),
    Provoked("RunTask", CLIENT, "TaskDefinition is inactive", {"taskDefinition": "inactive:1"}),
    Provoked(
        "RunTask",
        INVALID,
        "No Container Instances were found in your cluster.",
        {"taskDefinition": "plain", "cluster": "empty"},
    ),
    Provoked(
        "RunTask",
        INVALID,
        "Override for container named nope is not a container in the TaskDefinition.",
        {"taskDefinition": "plain", "overrides": {"containerOverrides": [{"name": "nope"}]}},
    ),
    Provoked(
        "RunTask",
        INVALID,
        "Specify either Launch Type or Capacity Provider Strategy, but not both.",
        {
            "taskDefinition": "plain",
            "launchType": "EC2",
            "capacityProviderStrategy": [{"capacityProvider": "FARGATE"}],
        },
    ),
    Provoked(
        "RunTask",
        "UnsupportedFeatureException",
        "launchType MANAGED_INSTANCES is not supported; …",
        {"taskDefinition": "plain", "launchType": "MANAGED_INSTANCES"},
    ),
    Provoked(
        "RunTask",
        "ConflictException",
        "The client token used was used for a different request.",
        {"taskDefinition": "plain", "clientToken": "used", "count": 2},
    ),
    no_cluster("StartTask", taskDefinition="plain", containerInstances=[NOBODY]),
    Provoked(
        "StartTask", CLIENT, "TaskDefinition not found.", {"taskDefinition": "nope", "containerInstances": [NOBODY]}
    ),
    Provoked(
        "StartTask",
        INVALID,
        "Container instances can not be empty.",
        {"taskDefinition": "plain", "containerInstances": []},
    ),
    Provoked(
        "StartTask",
        "UnsupportedFeatureException",
        "volumeConfigurations (EBS volumes configured at launch) are not supported.",
        {"taskDefinition": "plain", "containerInstances": [NOBODY], "volumeConfigurations": [{"name": "data"}]},
    ),
    no_cluster("StopTask", task=NOBODY),
    Provoked("StopTask", INVALID, "The referenced task was not found.", {"task": NOBODY}),
    no_cluster("DescribeTasks", tasks=[NOBODY]),
    Provoked("DescribeTasks", INVALID, "Tasks cannot be empty.", {"tasks": []}),
    Provoked(
        "DescribeTasks",
        INVALID,
        "Invalid identifier: Identifier is for other. Your cluster is default",
        {"tasks": [f"{ARN}:task/other/{NOBODY}"]},
    ),
    no_cluster("ListTasks"),
    Provoked("ListTasks", INVALID, "nextToken is not valid: …", {"nextToken": "x"}),
    Provoked("ListTasks", INVALID, "startedBy goes with no other filter …", {"startedBy": "me", "family": "plain"}),
    no_cluster("RegisterContainerInstance", totalResources=RESOURCES),
    Provoked("RegisterContainerInstance", INVALID, "totalResources: CPU is missing. MEMORY is missing."),
    no_cluster("DeregisterContainerInstance", containerInstance=NOBODY),
    Provoked(
        "DeregisterContainerInstance",
        INVALID,
        "Referenced container instance not found.",
        {"containerInstance": NOBODY},
    ),
    no_cluster("DescribeContainerInstances", containerInstances=[NOBODY]),
    Provoked("DescribeContainerInstances", INVALID, "Container instance cannot be empty.", {"containerInstances": []}),
    no_cluster("ListContainerInstances"),
    Provoked(
        "ListContainerInstances",
        INVALID,
        "filter is no expression of the cluster query language: …",
        {"filter": "agentConnected"},
    ),
    no_cluster("UpdateContainerInstancesState", containerInstances=[NOBODY], status="DRAINING"),
    Provoked(
        "UpdateContainerInstancesState",
        INVALID,
        "Container instances status should be one of [ACTIVE, DRAINING].",
        {"containerInstances": [NOBODY], "status": "REGISTERING"},
    ),
    no_cluster("PutAttributes", attributes=[{"name": "a", "targetId": NOBODY}]),
    Provoked("PutAttributes", INVALID, "attributes cannot be empty.", {"attributes": []}),
    Provoked(
        "PutAttributes",
        "TargetNotFoundException",
        f"There is no container instance {NOBODY} in cluster default, or it was deregistered.",
        {"attributes": [{"name": "a", "targetId": NOBODY}]},
    ),
    Provoked(
        "PutAttributes",
        "AttributeLimitExceededException",
        "A container instance can have 10 custom attributes; this would make 11.",
        {"cluster": "with-tasks", "attributes": [{"name": "one-more", "targetId": "@instance"}]},
    ),
    no_cluster("DeleteAttributes", attributes=[{"name": "a", "targetId": NOBODY}]),
    Provoked("DeleteAttributes", INVALID, "Attribute a needs a targetId.", {"attributes": [{"name": "a"}]}),
    Provoked(
        "DeleteAttributes",
        "TargetNotFoundException",
        f"There is no container instance {NOBODY} in cluster default, or it was deregistered.",
        {"attributes": [{"name": "a", "targetId": NOBODY}]},
    ),
    no_cluster("ListAttributes", targetType="container-instance"),
    Provoked(
        "ListAttributes",
        INVALID,
        "attributeValue goes with attributeName.",
        {"targetType": "container-instance", "attributeValue": "x"},
    ),
    Provoked(
        "SubmitTaskStateChange", CLIENT, "The referenced task was not found.", {"task": NOBODY, "status": "RUNNING"}
    ),
    Provoked("SubmitTaskStateChange", INVALID, "Task can not be empty.", {"status": "RUNNING"}),
    no_cluster("SubmitTaskStateChange", task=NOBODY, status="RUNNING"),
    Provoked(
        "SubmitContainerStateChange",
        CLIENT,
        "The referenced task was not found.",
        {"task": NOBODY, "containerName": "main", "status": "RUNNING"},
    ),
    Provoked(
        "SubmitContainerStateChange", INVALID, "Task can not be empty.", {"containerName": "a", "status": "RUNNING"}
    ),
    no_cluster("SubmitContainerStateChange", task=NOBODY, containerName="main", status="RUNNING"),
    Provoked(
        "SubmitAttachmentStateChanges",
        INVALID,
        "There is no such attachment: nope.",
        {"attachments": [{"attachmentArn": "nope", "status": "ATTACHED"}]},
    ),
    no_cluster("SubmitAttachmentStateChanges", attachments=[{"attachmentArn": "nope", "status": "ATTACHED"}]),
    Provoked(
        "UpdateContainerAgent", INVALID, "Referenced container instance not found.", {"containerInstance": NOBODY}
    ),
    no_cluster("UpdateContainerAgent", containerInstance=NOBODY),
    Provoked(
        "UpdateContainerAgent",
        "MissingVersionException",
        "Container instance …",
        {"cluster": "with-tasks", "containerInstance": "@instance"},
    ),
    Provoked(
        "DescribeCapacityProviders", INVALID, "maxResults is 11; it must be between 1 and 10.", {"maxResults": 11}
    ),
    Provoked(
        "PutAccountSetting",
        INVALID,
        "nope should be one of [awsvpcTrunking,containerInsights,…",
        {"name": "nope", "value": "enabled"},
    ),
    Provoked(
        "PutAccountSettingDefault",
        INVALID,
        "maybe should be one of [enabled,disabled,enhanced]",
        {"name": "containerInsights", "value": "maybe"},
    ),
    Provoked(
        "ListAccountSettings",
        INVALID,
        "You must also specify an account setting name to list the settings with a value.",
        {"value": "enabled"},
    ),
    Provoked(
        "DeleteAccountSetting", INVALID, "nope should be one of [awsvpcTrunking,containerInsights,…", {"name": "nope"}
    ),
)

NEVER = {
    "AccessDeniedException": "a role that is too small; tests/rpc/gateway provokes it, here nobody has a key",
    "ServerException": "a fault of ours, which nobody can ask for",
    "BlockedException": "accounts are never blocked",
    "NamespaceNotFoundException": "namespaces are kept as they are given; nothing looks them up yet",
    "PlatformUnknownException": "platform versions are Fargate's",
    "PlatformTaskDefinitionIncompatibilityException": "platform versions are Fargate's",
    "ClusterContainsServicesException": "there are no services yet",
    "ClusterContainsCapacityProviderException": "the providers of a cluster go with it",
    "ServiceNotFoundException": "there are no services yet, and none of their tasks to list",
    "UpdateInProgressException": "every change is done when it is answered",
    "ResourceInUseException": "a provider is never in use: tasks are placed on any instance",
}
"""Exceptions that no operation answers here, and why."""

NEVER_OF = {
    ("RegisterTaskDefinition", "LimitExceededException"): "after a million revisions of a family",
    ("DeleteCluster", "ClusterContainsTasksException"): "tests/rpc/registry: a task ends with its instance",
    ("DescribeCapacityProviders", "ClusterNotFoundException"): "tests/rpc/registry",
    ("DescribeCapacityProviders", "UnsupportedFeatureException"): "the filter by cluster is there",
    ("UpdateContainerAgent", "NoUpdateAvailableException"): "below, by an agent of this release's own version",
}
"""The same for one operation."""

ALL_HAVE = {"InvalidParameterException", "ClientException"}
"""ECS documents both for every operation; most have use for one of them."""


@pytest.fixture(scope="module")
def prepared(stack: world.World) -> str:
    """What the table's calls need; gives the id of an instance that has all the attributes it may have."""
    ecs = stack.ecs
    for name in ("empty", "with-tasks"):
        ecs.create_cluster(clusterName=name)
    ecs.create_cluster(clusterName="tagged", tags=[{"key": f"k{number}", "value": ""} for number in range(50)])
    for family in ("plain", "inactive"):
        ecs.register_task_definition(family=family, containerDefinitions=PLAIN)
    ecs.deregister_task_definition(taskDefinition="inactive:1")
    ecs.run_task(taskDefinition="plain", clientToken="used")
    answer = ecs.register_container_instance(
        cluster="with-tasks",
        totalResources=RESOURCES,
        attributes=[{"name": f"a{number}", "value": "1"} for number in range(10)],
    )
    arn: str = answer["containerInstance"]["containerInstanceArn"]
    return arn


@pytest.fixture(scope="module")
def unchecked(stack: world.World) -> Any:
    """A client that sends whatever it is given."""
    return world.client(stack.url, parameter_validation=False)


def _filled(value: Any, instance: str) -> Any:
    if isinstance(value, dict):
        return {name: _filled(item, instance) for name, item in value.items()}
    if isinstance(value, list):
        return [_filled(item, instance) for item in value]
    return instance if value == "@instance" else value


@pytest.mark.parametrize("row", TABLE, ids=lambda row: f"{row.operation}-{row.code}")
def test_a_refusal_has_ecs_name_status_and_text(prepared: str, unchecked: Any, row: Provoked) -> None:
    call = getattr(unchecked, xform_name(row.operation))
    with pytest.raises(exceptions.ClientError) as caught:
        call(**_filled(row.arguments, prepared))
    answer = caught.value.response
    message = answer["Error"]["Message"]
    assert (answer["Error"]["Code"], answer["ResponseMetadata"]["HTTPStatusCode"]) == (row.code, 400), message
    begin, cut, _ = row.message.partition("…")
    assert message.startswith(begin) if cut else message == row.message, message
    documented = {shape.name for shape in contract.ecs().operation_model(row.operation).error_shapes}
    assert row.code in documented


@pytest.mark.parametrize("operation", contract.offered())
def test_every_exception_that_ecs_documents_is_provoked_or_cannot_occur(operation: str) -> None:
    documented = {shape.name for shape in contract.ecs().operation_model(operation).error_shapes}
    provoked = {row.code for row in TABLE if row.operation == operation}
    never = {name for name in documented if name in NEVER or (operation, name) in NEVER_OF}
    if provoked & ALL_HAVE or operation in {"DescribeTaskDefinition", "DiscoverPollEndpoint", "DescribeClusters"}:
        never |= ALL_HAVE
    assert documented - provoked - never == set()
    assert not {name for name in provoked if name in NEVER}


def test_a_refusal_is_written_as_ecs_writes_it(stack: world.World) -> None:
    with pytest.raises(exceptions.ClientError):
        stack.ecs.describe_tasks(cluster="nope", tasks=[NOBODY])
    assert stack.seen.last["body"] == {"__type": "ClusterNotFoundException", "message": CLUSTER_TEXT}
    assert stack.seen.last["headers"]["content-type"] == "application/x-amz-json-1.1"
    assert stack.seen.last["headers"]["x-amzn-requestid"]


@pytest.mark.parametrize("operation", sorted(set(contract.operations()) - set(contract.offered())))
def test_an_operation_that_is_not_there_is_refused_by_its_name(unchecked: Any, operation: str) -> None:
    with pytest.raises(exceptions.ClientError) as caught:
        getattr(unchecked, xform_name(operation))()
    assert caught.value.response["Error"]["Code"] == "UnknownOperationException"
    assert operation in caught.value.response["Error"]["Message"]
