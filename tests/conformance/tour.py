"""Every operation that is there, called once with as much in its answer as there can be."""

import json
from pathlib import Path
from typing import Any

from tests.conformance import contract, specimens, world

CLUSTER = "toured"
FAMILY = "toured"
REPORTED = "reported"
RESOURCES = [
    {"name": "CPU", "type": "INTEGER", "integerValue": 1024},
    {"name": "MEMORY", "type": "INTEGER", "integerValue": 1024},
    {"name": "PORTS", "type": "STRINGSET", "stringSetValue": ["22"]},
    {"name": "DISK", "type": "LONG", "longValue": 2**40},
    {"name": "LOAD", "type": "DOUBLE", "doubleValue": 0.5},
]
TAGS = [{"key": "team", "value": "web"}]
EVERY_CLUSTER_FIELD = ["ATTACHMENTS", "CONFIGURATIONS", "SETTINGS", "STATISTICS", "TAGS"]
STRATEGY = [{"capacityProvider": "FARGATE", "weight": 1, "base": 2}]
CONFIGURATION = {
    "executeCommandConfiguration": {
        "kmsKeyId": "key",
        "logging": "OVERRIDE",
        "logConfiguration": {
            "cloudWatchLogGroupName": "group",
            "cloudWatchEncryptionEnabled": True,
            "s3BucketName": "bucket",
            "s3EncryptionEnabled": True,
            "s3KeyPrefix": "prefix",
        },
    },
    "managedStorageConfiguration": {"kmsKeyId": "key", "fargateEphemeralStorageKmsKeyId": "key"},
}


def take(stack: world.World, folder: Path) -> None:
    """Call them all. `folder` is for the state of one more host."""
    _settings(stack.ecs)
    _cluster(stack.ecs)
    _definitions(stack.ecs)
    _instances(stack)
    _tasks(stack, folder)
    stack.ecs.delete_cluster(cluster=CLUSTER)


def _settings(ecs: Any) -> None:
    ecs.put_account_setting(name="containerInsights", value="enabled")
    ecs.put_account_setting_default(name="containerInsights", value="enabled")
    first = ecs.list_account_settings(effectiveSettings=True, maxResults=3)
    ecs.list_account_settings(effectiveSettings=True, maxResults=10, nextToken=first["nextToken"])
    ecs.delete_account_setting(name="containerInsights")
    ecs.put_account_setting_default(name="containerInsights", value="disabled")


def _cluster(ecs: Any) -> None:
    ecs.create_cluster(
        clusterName=CLUSTER,
        tags=TAGS,
        settings=[{"name": "containerInsights", "value": "enhanced"}],
        configuration=CONFIGURATION,
        capacityProviders=["FARGATE"],
        defaultCapacityProviderStrategy=STRATEGY,
        serviceConnectDefaults={"namespace": "names"},
    )
    ecs.describe_clusters(clusters=[CLUSTER, "nope"], include=EVERY_CLUSTER_FIELD)
    ecs.list_clusters(maxResults=1)
    ecs.update_cluster(cluster=CLUSTER, configuration=CONFIGURATION, serviceConnectDefaults={"namespace": "others"})
    ecs.update_cluster_settings(cluster=CLUSTER, settings=[{"name": "containerInsights", "value": "enabled"}])
    ecs.put_cluster_capacity_providers(
        cluster=CLUSTER, capacityProviders=["FARGATE"], defaultCapacityProviderStrategy=STRATEGY
    )
    ecs.describe_capacity_providers(capacityProviders=["FARGATE", "nope"], include=["TAGS"])
    ecs.describe_capacity_providers(maxResults=1)
    arn = f"arn:aws:ecs:{world.REGION}:{world.ACCOUNT}:cluster/{CLUSTER}"
    ecs.tag_resource(resourceArn=arn, tags=[{"key": "more", "value": ""}])
    ecs.list_tags_for_resource(resourceArn=arn)
    ecs.untag_resource(resourceArn=arn, tagKeys=["more"])


def _definitions(ecs: Any) -> None:
    """One definition with each member that is kept, so that each shows."""
    for number, member in enumerate(contract.members("RegisterTaskDefinition")):
        if member.in_request and member.handling != contract.REFUSED:
            ecs.register_task_definition(**specimens.request(f"{FAMILY}-{number % 7}", member.path))
            ecs.describe_task_definition(taskDefinition=f"{FAMILY}-{number % 7}", include=["TAGS"])
    ecs.register_task_definition(**specimens.request(FAMILY), tags=TAGS)
    ecs.register_task_definition(**specimens.request(FAMILY))
    ecs.list_task_definitions(maxResults=1)
    ecs.list_task_definition_families(maxResults=1)
    ecs.deregister_task_definition(taskDefinition=f"{FAMILY}-0:1")
    ecs.delete_task_definitions(taskDefinitions=[f"{FAMILY}-0:1", f"{FAMILY}:1"])


def _instances(stack: world.World) -> None:
    ecs = stack.ecs
    versions = {"agentVersion": "0.0.1", "agentHash": "abcdef", "dockerVersion": "DockerVersion: 27.3.1"}
    arns = [
        ecs.register_container_instance(
            cluster=CLUSTER,
            instanceIdentityDocument=json.dumps({"instanceId": "i-0123456789abcdef0"}),
            totalResources=RESOURCES,
            attributes=[{"name": "rack", "value": "1"}],
            versionInfo=versions,
            tags=TAGS,
        )["containerInstance"]["containerInstanceArn"]
        for _ in range(2)
    ]
    include = ["TAGS", "CONTAINER_INSTANCE_HEALTH"]
    ecs.describe_container_instances(cluster=CLUSTER, containerInstances=[*arns, "a" * 32], include=include)
    ecs.describe_container_instances(containerInstances=[stack.instance()], include=include)
    ecs.list_container_instances(cluster=CLUSTER, maxResults=1)
    ecs.put_attributes(cluster=CLUSTER, attributes=[{"name": "disk", "value": "ssd", "targetId": arns[0]}])
    ecs.list_attributes(cluster=CLUSTER, targetType="container-instance", maxResults=1)
    ecs.delete_attributes(cluster=CLUSTER, attributes=[{"name": "disk", "targetId": arns[0]}])
    ecs.update_container_instances_state(cluster=CLUSTER, containerInstances=[*arns, "a" * 32], status="DRAINING")
    ecs.discover_poll_endpoint(cluster=CLUSTER, containerInstance=arns[0])
    _refused(ecs, lambda: ecs.update_container_agent(cluster=CLUSTER, containerInstance=arns[0]))
    for arn in arns:
        ecs.deregister_container_instance(cluster=CLUSTER, containerInstance=arn, force=True)


def _tasks(stack: world.World, folder: Path) -> None:
    ecs = stack.ecs
    main = {
        "name": "main",
        "image": world.IMAGE,
        "cpu": 1,
        "memory": 16,
        "memoryReservation": 8,
        "portMappings": [{"containerPort": 80}],
    }
    ecs.register_task_definition(family="toured-task", containerDefinitions=[main], tags=TAGS)
    asked = {
        "taskDefinition": "toured-task",
        "startedBy": "tour",
        "platformVersion": "1.4.0",
        "tags": TAGS,
        "overrides": {
            "executionRoleArn": "role",
            "containerOverrides": [
                {
                    "name": "main",
                    "command": ["serve"],
                    "environment": [{"name": "A", "value": "1"}],
                    "cpu": 2,
                    "memory": 32,
                    "memoryReservation": 9,
                    "resourceRequirements": [{"type": "GPU", "value": "1"}],
                }
            ],
        },
    }
    arn = ecs.run_task(**asked)["tasks"][0]["taskArn"]
    ecs.run_task(taskDefinition="toured-task", overrides={"cpu": "196608"})
    whole = {"cpu": "256", "memory": "64", "taskRoleArn": "role", "ephemeralStorage": {"sizeInGiB": 30}}
    (limited,) = ecs.run_task(taskDefinition="toured-task", overrides=whole)["tasks"]
    ecs.stop_task(task=limited["taskArn"])
    ecs.put_cluster_capacity_providers(
        cluster=world.CLUSTER, capacityProviders=["FARGATE"], defaultCapacityProviderStrategy=[]
    )
    (spread,) = ecs.run_task(taskDefinition="toured-task", capacityProviderStrategy=STRATEGY)["tasks"]
    ecs.stop_task(task=spread["taskArn"])
    (other,) = ecs.start_task(taskDefinition="toured-task", containerInstances=[stack.instance(), "a" * 32])["tasks"]
    stack.running(arn)
    ecs.list_tasks(maxResults=1)
    ecs.describe_tasks(tasks=[arn, "a" * 32], include=["TAGS"])
    ecs.stop_task(task=arn, reason="the tour is over")
    stack.ended(arn)
    ecs.stop_task(task=arn)
    ecs.stop_task(task=other["taskArn"])
    failing = {"containerOverrides": [{"name": "main", "command": ["exit", "3"]}]}
    failed = ecs.run_task(taskDefinition="toured-task", overrides=failing)["tasks"][0]["taskArn"]
    stack.ended(failed)
    ecs.register_task_definition(family="toured-address", networkMode="awsvpc", containerDefinitions=[main])
    network = {"awsvpcConfiguration": {"subnets": ["subnet-1"]}}
    asked = {"taskDefinition": "toured-address", "networkConfiguration": network}
    arn = ecs.run_task(**asked)["tasks"][0]["taskArn"]
    ecs.start_task(**asked, containerInstances=[stack.instance()])
    stack.running(arn)
    ecs.stop_task(task=arn)
    for image in (world.PULLED_IMAGE, world.MISSING_IMAGE):
        ecs.register_task_definition(family="toured-image", containerDefinitions=[main | {"image": image}])
        arn = ecs.run_task(taskDefinition="toured-image")["tasks"][0]["taskArn"]
        (stack.running if image == world.PULLED_IMAGE else stack.ended)(arn)
        ecs.stop_task(task=arn)
    _reports(stack, folder)


def _reports(stack: world.World, folder: Path) -> None:
    """Reports of a task whose agent has gone: by nobody else are they taken."""
    ecs = stack.ecs
    ecs.create_cluster(clusterName=REPORTED)
    with stack.host(folder, REPORTED):
        task = ecs.run_task(cluster=REPORTED, taskDefinition="toured-task")["tasks"][0]["taskArn"]
        stack.running(task, REPORTED)
        said = {"cluster": REPORTED, "task": task, "status": "STOPPED"}
        _refused(ecs, lambda: ecs.submit_task_state_change(**said))
    ranges = {"containerPortRange": "9000-9001", "hostPortRange": "49300-49301", "protocol": "tcp"}
    ecs.submit_container_state_change(
        **said, containerName="main", exitCode=5, runtimeId="b" * 64, networkBindings=[ranges]
    )
    ecs.submit_task_state_change(**said, reason="the host went home")
    assert stack.ended(task, REPORTED)["containers"][0]["exitCode"] == 5
    change = {"attachmentArn": "none", "status": "ATTACHED"}
    _refused(ecs, lambda: ecs.submit_attachment_state_changes(attachments=[change]))


def _refused(ecs: Any, call: Any) -> None:
    """A call that is answered with a refusal here."""
    try:
        call()
    except ecs.exceptions.ClientError:
        return
    raise AssertionError("it was to be refused")
