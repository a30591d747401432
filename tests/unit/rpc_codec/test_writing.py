"""What the codec writes."""

import math
import time

import pytest
from google.protobuf import descriptor_pool
from google.protobuf.timestamp_pb2 import Timestamp

from longshore.rpc import codec, codec_writing
from longshore.v1 import (
    cluster_pb2,
    common_pb2,
    container_instance_pb2,
    registry_service_pb2,
    scheduler_service_pb2,
    state_tracker_service_pb2,
    task_definition_pb2,
    task_pb2,
)

pytestmark = pytest.mark.unit

BUDGET_S = 50e-6
"""A task takes 20 us on the machine this was written on; describe writes a hundred of them in one answer."""


def running_task() -> task_pb2.Task:
    at = Timestamp(seconds=1_763_835_890, nanos=123_456_789)
    return task_pb2.Task(
        task_arn="arn:aws:ecs:local:000000000000:task/default/0199e5b2f5d07c0c8d4f5a8a8c4b9e21",
        cluster_arn="arn:aws:ecs:local:000000000000:cluster/default",
        container_instance_arn="arn:aws:ecs:local:000000000000:container-instance/default/0199e5b2f5d07c0c8d4f5a8a8c4b9e22",
        task_definition_arn="arn:aws:ecs:local:000000000000:task-definition/web:3",
        containers=[
            task_pb2.Container(
                name="app",
                image="nginx:1.27",
                last_status=task_pb2.CONTAINER_STATUS_RUNNING,
                health_status=common_pb2.HEALTH_STATUS_UNKNOWN,
                exit_code=0,
                network_bindings=[
                    task_pb2.NetworkBinding(
                        bind_ip="0.0.0.0",
                        container_port=80,
                        host_port=32768,
                        protocol=task_definition_pb2.TRANSPORT_PROTOCOL_TCP,
                    )
                ],
                cpu="0",
            )
        ],
        cpu="256",
        memory="512",
        created_at=at,
        started_at=at,
        connectivity=task_pb2.CONNECTIVITY_CONNECTED,
        desired_status=task_pb2.DESIRED_STATUS_RUNNING,
        last_status=task_pb2.TASK_STATUS_RUNNING,
        stop_code=task_pb2.TASK_STOP_CODE_ESSENTIAL_CONTAINER_EXITED,
        launch_type=common_pb2.LAUNCH_TYPE_EC2,
        overrides=task_pb2.TaskOverride(
            container_overrides=[task_pb2.ContainerOverride(name="app", command=common_pb2.StringList())]
        ),
        tags=[common_pb2.Tag(key="a", value="")],
        version=2**53 + 1,
        enable_execute_command=False,
    )


def test_a_number_that_json_does_not_have_is_left_out() -> None:
    resources = [common_pb2.Resource(name="gauge", double_value=value) for value in (math.nan, math.inf, 0.5)]
    written = codec.to_json(container_instance_pb2.ContainerInstance(registered_resources=resources))
    assert written["registeredResources"] == [
        {"name": "gauge"},
        {"name": "gauge"},
        {"name": "gauge", "doubleValue": 0.5},
    ]
    codec.dumps(written)


def test_a_task_is_written_as_ecs_writes_it() -> None:
    assert codec.to_json(running_task()) == {
        "attachments": [],
        "attributes": [],
        "clusterArn": "arn:aws:ecs:local:000000000000:cluster/default",
        "connectivity": "CONNECTED",
        "containerInstanceArn": "arn:aws:ecs:local:000000000000:container-instance/default/0199e5b2f5d07c0c8d4f5a8a8c4b9e22",
        "containers": [
            {
                "name": "app",
                "image": "nginx:1.27",
                "lastStatus": "RUNNING",
                "exitCode": 0,
                "networkBindings": [{"bindIP": "0.0.0.0", "containerPort": 80, "hostPort": 32768, "protocol": "tcp"}],
                "networkInterfaces": [],
                "healthStatus": "UNKNOWN",
                "cpu": "0",
            }
        ],
        "cpu": "256",
        "createdAt": 1_763_835_890.123456,
        "desiredStatus": "RUNNING",
        "enableExecuteCommand": False,
        "lastStatus": "RUNNING",
        "launchType": "EC2",
        "memory": "512",
        "overrides": {
            "containerOverrides": [{"name": "app", "command": []}],
            "inferenceAcceleratorOverrides": [],
        },
        "startedAt": 1_763_835_890.123456,
        "stopCode": "EssentialContainerExited",
        "tags": [{"key": "a", "value": ""}],
        "taskArn": "arn:aws:ecs:local:000000000000:task/default/0199e5b2f5d07c0c8d4f5a8a8c4b9e21",
        "taskDefinitionArn": "arn:aws:ecs:local:000000000000:task-definition/web:3",
        "version": 2**53 + 1,
    }


def test_numbers_stay_numbers_in_text() -> None:
    task = task_pb2.Task(version=2**53 + 1, started_at=Timestamp(seconds=1_763_835_890, nanos=1_000))
    written = codec.dumps(codec.to_json(task))
    assert '"version":9007199254740993' in written
    assert '"startedAt":1763835890.000001' in written


def test_lists_at_the_top_of_an_answer_are_always_there() -> None:
    assert codec.to_json(scheduler_service_pb2.RunTaskResponse()) == {"tasks": [], "failures": []}
    assert codec.to_json(registry_service_pb2.ListClustersResponse()) == {"clusterArns": []}
    assert codec.to_json(scheduler_service_pb2.RunTaskRequest()) == {}


def test_lists_that_ecs_always_shows_are_there_and_others_are_not() -> None:
    assert codec.to_json(cluster_pb2.Cluster(cluster_name="a")) == {
        "clusterName": "a",
        "statistics": [],
        "tags": [],
        "settings": [],
        "capacityProviders": [],
        "defaultCapacityProviderStrategy": [],
    }
    assert codec.to_json(task_definition_pb2.ContainerDefinition(name="a")) == {
        "name": "a",
        "portMappings": [],
        "environment": [],
        "mountPoints": [],
        "volumesFrom": [],
        "systemControls": [],
    }
    assert codec.to_json(common_pb2.Resource(name="CPU")) == {"name": "CPU"}


def test_every_list_said_to_be_always_there_exists() -> None:
    pool = descriptor_pool.Default()
    for message, names in codec_writing.ALWAYS_LISTED.items():
        fields = pool.FindMessageTypeByName(message).fields_by_name
        assert [name for name in names if name not in fields or not fields[name].is_repeated] == []


def test_each_object_gets_empty_lists_of_its_own() -> None:
    first = codec.to_json(scheduler_service_pb2.RunTaskResponse())
    first["failures"].append("x")
    assert codec.to_json(scheduler_service_pb2.RunTaskResponse()) == {"tasks": [], "failures": []}


def test_what_ecs_does_not_have_is_left_out_unless_asked_for() -> None:
    answer = state_tracker_service_pb2.RegisterContainerInstanceResponse(
        container_instance=container_instance_pb2.ContainerInstance(version=1), instance_credential="hidden"
    )
    assert "instanceCredential" not in codec.to_json(answer)
    assert codec.to_json(answer, longshore_only=True)["instanceCredential"] == "hidden"


def test_an_enum_value_of_a_newer_release_is_absent() -> None:
    newer = cluster_pb2.Cluster(cluster_name="a")
    newer.status = 999  # type: ignore[assignment]
    assert "status" not in codec.to_json(newer)
    fields = registry_service_pb2.DescribeClustersRequest(include=[registry_service_pb2.CLUSTER_FIELD_TAGS])
    fields.include.append(999)  # type: ignore[arg-type]
    assert codec.to_json(fields) == {"include": ["TAGS"]}


def test_absent_is_kept_apart_from_zero_and_from_empty() -> None:
    zero = task_definition_pb2.HealthCheck(interval=0)
    assert codec.to_json(zero) == {"interval": 0}
    container = task_pb2.ContainerOverride(command=common_pb2.StringList())
    assert codec.to_json(container) == {"command": []}
    assert codec.to_json(task_pb2.ContainerOverride()) == {}


def test_map_keys_are_left_alone() -> None:
    labels = {"snake_key": "a", "camelKey": "b", "": "c", "a.b/c": "d"}
    written = codec.to_json(task_definition_pb2.ContainerDefinition(docker_labels=labels))
    assert written["dockerLabels"] == labels


def test_a_task_is_written_within_its_budget() -> None:
    task = running_task()
    codec.to_json(task)
    rounds = 200

    def one_batch() -> float:
        begun = time.perf_counter()
        for _ in range(rounds):
            codec.to_json(task)
        return (time.perf_counter() - begun) / rounds

    # The best of several batches: what the code costs, not what else the machine does.
    assert min(one_batch() for _ in range(20)) < BUDGET_S
