"""The calls that Longshore and the emulator are both asked, in this order. `$name` stands for what an earlier answer held."""

from collections.abc import Mapping
from dataclasses import dataclass, field
from typing import Any

from tests.conformance import world

NOBODY = "a" * 32
ARN = f"arn:aws:ecs:{world.REGION}:{world.ACCOUNT}"
TAGS = [{"key": "team", "value": "web"}]
MAIN = {
    "name": "main",
    "image": world.IMAGE,
    "cpu": 64,
    "memory": 64,
    "essential": True,
    "portMappings": [{"containerPort": 80}],
    "environment": [{"name": "A", "value": "1"}],
}


@dataclass(frozen=True, slots=True)
class Step:
    """One call. `keep` takes values from its answer, by their paths."""

    name: str
    operation: str
    arguments: Mapping[str, Any] = field(default_factory=dict)
    keep: Mapping[str, str] = field(default_factory=dict)


def _definitions() -> tuple[Step, ...]:
    describe = "DescribeTaskDefinition"
    return (
        Step(
            "register",
            "RegisterTaskDefinition",
            {"family": "web", "containerDefinitions": [MAIN], "tags": TAGS, "volumes": [{"name": "data"}]},
        ),
        Step("register again", "RegisterTaskDefinition", {"family": "web", "containerDefinitions": [MAIN]}),
        Step("register another", "RegisterTaskDefinition", {"family": "api", "containerDefinitions": [MAIN]}),
        Step(
            "register for the host's network",
            "RegisterTaskDefinition",
            {"family": "host", "networkMode": "host", "containerDefinitions": [MAIN]},
        ),
        Step(
            "register for Fargate",
            "RegisterTaskDefinition",
            {"family": "f", "containerDefinitions": [MAIN], "requiresCompatibilities": ["FARGATE"]},
        ),
        Step("register without containers", "RegisterTaskDefinition", {"family": "none", "containerDefinitions": []}),
        Step(
            "register without an image",
            "RegisterTaskDefinition",
            {"family": "x", "containerDefinitions": [{"name": "a", "memory": 9}]},
        ),
        Step(
            "register without a name",
            "RegisterTaskDefinition",
            {"family": "x", "containerDefinitions": [{"image": "a", "memory": 9}]},
        ),
        Step(
            "register without memory",
            "RegisterTaskDefinition",
            {"family": "x", "containerDefinitions": [{"name": "a", "image": "b"}]},
        ),
        Step("describe the latest", describe, {"taskDefinition": "web"}),
        Step("describe a revision", describe, {"taskDefinition": "web:1", "include": ["TAGS"]}),
        Step("describe by ARN", describe, {"taskDefinition": f"{ARN}:task-definition/web:1"}),
        Step("describe an unknown definition", describe, {"taskDefinition": "nope"}),
        Step("list definitions", "ListTaskDefinitions"),
        Step("list definitions backwards", "ListTaskDefinitions", {"sort": "DESC", "familyPrefix": "web"}),
        Step("list a page of definitions", "ListTaskDefinitions", {"maxResults": 1}),
        Step("list families", "ListTaskDefinitionFamilies", {"familyPrefix": "we"}),
        Step("deregister", "DeregisterTaskDefinition", {"taskDefinition": "web:1"}),
        Step("deregister again", "DeregisterTaskDefinition", {"taskDefinition": "web:1"}),
        Step("deregister an unknown definition", "DeregisterTaskDefinition", {"taskDefinition": "nope:1"}),
        Step("deregister a family", "DeregisterTaskDefinition", {"taskDefinition": "web"}),
        Step("list inactive definitions", "ListTaskDefinitions", {"status": "INACTIVE"}),
        Step("delete an active definition", "DeleteTaskDefinitions", {"taskDefinitions": ["web:2"]}),
        Step("delete an inactive definition", "DeleteTaskDefinitions", {"taskDefinitions": ["web:1"]}),
    )


def _clusters() -> tuple[Step, ...]:
    every = ["ATTACHMENTS", "CONFIGURATIONS", "SETTINGS", "STATISTICS", "TAGS"]
    return (
        Step("create a cluster", "CreateCluster", {"clusterName": "blue", "tags": TAGS}),
        Step("create it again", "CreateCluster", {"clusterName": "blue"}),
        Step("describe clusters", "DescribeClusters", {"clusters": ["blue", "nope"]}),
        Step(
            "describe a cluster by ARN with everything",
            "DescribeClusters",
            {"clusters": [f"{ARN}:cluster/blue"], "include": every},
        ),
        Step("list clusters", "ListClusters"),
        Step("list a page of clusters", "ListClusters", {"maxResults": 1}),
        Step(
            "update a cluster",
            "UpdateCluster",
            {"cluster": "blue", "settings": [{"name": "containerInsights", "value": "enabled"}]},
        ),
        Step("update an unknown cluster", "UpdateCluster", {"cluster": "nope"}),
        Step(
            "put capacity providers",
            "PutClusterCapacityProviders",
            {
                "cluster": "blue",
                "capacityProviders": ["FARGATE"],
                "defaultCapacityProviderStrategy": [{"capacityProvider": "FARGATE", "weight": 1}],
            },
        ),
        Step("describe capacity providers", "DescribeCapacityProviders"),
        Step("describe an unknown capacity provider", "DescribeCapacityProviders", {"capacityProviders": ["nope"]}),
        Step(
            "tag a cluster",
            "TagResource",
            {"resourceArn": f"{ARN}:cluster/blue", "tags": [{"key": "more", "value": "1"}]},
        ),
        Step("list its tags", "ListTagsForResource", {"resourceArn": f"{ARN}:cluster/blue"}),
        Step("untag it", "UntagResource", {"resourceArn": f"{ARN}:cluster/blue", "tagKeys": ["more"]}),
        Step("list the tags of an unknown cluster", "ListTagsForResource", {"resourceArn": f"{ARN}:cluster/nope"}),
        Step("list the tags of no ARN", "ListTagsForResource", {"resourceArn": "nope"}),
        Step("delete a cluster", "DeleteCluster", {"cluster": "blue"}),
        Step("describe a deleted cluster", "DescribeClusters", {"clusters": ["blue"]}),
        Step("delete an unknown cluster", "DeleteCluster", {"cluster": "nope"}),
        Step("delete a cluster with instances", "DeleteCluster", {"cluster": "default"}),
        Step("put an account setting", "PutAccountSetting", {"name": "containerInsights", "value": "enabled"}),
        Step("list account settings", "ListAccountSettings"),
        Step("list an account setting", "ListAccountSettings", {"name": "containerInsights"}),
        Step("put an unknown account setting", "PutAccountSetting", {"name": "nope", "value": "enabled"}),
        Step("delete an account setting", "DeleteAccountSetting", {"name": "containerInsights"}),
    )


def _instances() -> tuple[Step, ...]:
    describe = "DescribeContainerInstances"
    target = {"targetId": "$instance"}
    return (
        Step("list instances", "ListContainerInstances", {}, {"instance": "containerInstanceArns.0"}),
        Step("list instances of an unknown cluster", "ListContainerInstances", {"cluster": "nope"}),
        Step("describe an instance", describe, {"containerInstances": ["$instance"]}),
        Step("describe an unknown instance", describe, {"containerInstances": [NOBODY]}),
        Step("describe no instance", describe, {"containerInstances": []}),
        Step(
            "drain an instance",
            "UpdateContainerInstancesState",
            {"containerInstances": ["$instance"], "status": "DRAINING"},
        ),
        Step("list draining instances", "ListContainerInstances", {"status": "DRAINING"}),
        Step("put it back", "UpdateContainerInstancesState", {"containerInstances": ["$instance"], "status": "ACTIVE"}),
        Step(
            "set another state",
            "UpdateContainerInstancesState",
            {"containerInstances": ["$instance"], "status": "REGISTERING"},
        ),
        Step(
            "put an attribute",
            "PutAttributes",
            {
                "attributes": [
                    {"name": "rack", "value": "1", "targetType": "container-instance", "targetId": "$instance"}
                ]
            },
        ),
        Step("list an attribute", "ListAttributes", {"targetType": "container-instance", "attributeName": "rack"}),
        Step(
            "delete an attribute",
            "DeleteAttributes",
            {"attributes": [{"name": "rack", "targetType": "container-instance", **target}]},
        ),
        Step(
            "put an attribute of an unknown instance",
            "PutAttributes",
            {"attributes": [{"name": "a", "value": "1", "targetType": "container-instance", "targetId": NOBODY}]},
        ),
        Step("deregister an unknown instance", "DeregisterContainerInstance", {"containerInstance": NOBODY}),
    )


def _tasks() -> tuple[Step, ...]:
    overrides = {"containerOverrides": [{"name": "main", "command": ["serve"]}]}
    return (
        Step(
            "run",
            "RunTask",
            {"taskDefinition": "web", "startedBy": "me", "tags": TAGS, "overrides": overrides},
            {"task": "tasks.0.taskArn"},
        ),
        Step(
            "start",
            "StartTask",
            {"taskDefinition": "api", "containerInstances": ["$instance"]},
            {"other": "tasks.0.taskArn"},
        ),
        Step("run an unknown definition", "RunTask", {"taskDefinition": "nope"}),
        Step("run in an unknown cluster", "RunTask", {"taskDefinition": "web", "cluster": "nope"}),
        Step(
            "run with both kinds of capacity",
            "RunTask",
            {
                "taskDefinition": "web",
                "launchType": "EC2",
                "capacityProviderStrategy": [{"capacityProvider": "FARGATE"}],
            },
        ),
        Step("run more than ten", "RunTask", {"taskDefinition": "web", "count": 11}),
        Step("describe tasks", "DescribeTasks", {"tasks": ["$task", NOBODY]}),
        Step("describe tasks with tags", "DescribeTasks", {"tasks": ["$task"], "include": ["TAGS"]}),
        Step("describe no task", "DescribeTasks", {"tasks": []}),
        Step("describe tasks of an unknown cluster", "DescribeTasks", {"cluster": "nope", "tasks": [NOBODY]}),
        Step("list tasks of an unknown cluster", "ListTasks", {"cluster": "nope"}),
        Step("list tasks of a family", "ListTasks", {"family": "web"}),
        Step("list tasks by who started them", "ListTasks", {"startedBy": "me"}),
        Step("list stopped tasks", "ListTasks", {"desiredStatus": "STOPPED"}),
        Step("tag a task", "TagResource", {"resourceArn": "$task", "tags": [{"key": "more", "value": "1"}]}),
        Step("list a task's tags", "ListTagsForResource", {"resourceArn": "$task"}),
        Step("stop", "StopTask", {"task": "$task", "reason": "enough"}),
        Step("stop an unknown task", "StopTask", {"task": NOBODY}),
        Step("list stopped tasks afterwards", "ListTasks", {"desiredStatus": "STOPPED"}),
        Step("stop the other", "StopTask", {"task": "$other"}),
        Step("discover", "DiscoverPollEndpoint"),
    )


STEPS: tuple[Step, ...] = (*_definitions(), *_clusters(), *_instances(), *_tasks())
