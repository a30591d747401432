"""Task metadata in ECS's JSON, member by member."""

from dataclasses import replace
from typing import Any

import pytest

from longshore.agent import container_names, runtime, states, task_events, task_record, task_state
from longshore.agent.metadata import task_metadata
from longshore.rpc import arns
from longshore.v1 import agent_service_pb2, common_pb2
from longshore.v1 import task_definition_pb2 as definition_pb2

TASK_ID = "a" * 32
PREFIX = "arn:aws:ecs:us-east-1:123456789012"
OWNER = container_names.Owner("i" * 32, f"{PREFIX}:container-instance/default/{'i' * 32}", "home")
SECOND = 1_000_000
NAME = container_names.container_name(container_names.TaskNames(TASK_ID, "default", "web", 3), "app")
SEEN = runtime.ContainerSnapshot(
    runtime_id="d" * 64,
    name=NAME,
    found=task_events.Found.RUNNING,
    labels={"image": "yes", "mine": "yes"},
    image_id="sha256:1",
    created_at=SECOND,
    started_at=2 * SECOND,
    addresses=(runtime.NetworkAddress("bridge", "172.17.0.2", 16, "172.17.0.1", "02:42:ac:11:00:02"),),
    mounts=(runtime.Mount("data", "/var/lib/docker/volumes/data/_data", "/data"), runtime.Mount("", "/srv", "/srv")),
    checks=(runtime.Check(SECOND, 1, "no"), runtime.Check(5 * SECOND, 0), runtime.Check(9 * SECOND, 0, "x" * 2000)),
    log_driver="json-file",
    log_options={"max-size": "1m"},
)


def record(*, group: str = "family:web", **state: Any) -> task_record.TaskRecord:
    """A running task of one container."""
    message = definition_pb2.TaskDefinition(
        family="web",
        revision=3,
        cpu="512",
        memory="256",
        container_definitions=[
            definition_pb2.ContainerDefinition(
                name="app",
                image="web:1",
                memory=128,
                health_check=definition_pb2.HealthCheck(command=["CMD", "true"]),
                restart_policy=definition_pb2.ContainerRestartPolicy(enabled=True),
                docker_labels={"mine": "yes"},
            )
        ],
    )
    definition = task_record.definition_of(
        message, stop_timeout_s=30, privileged=True, limits_tasks=True, pulls_upfront=True
    )
    assigned = agent_service_pb2.AssignedTask(task_id=TASK_ID, definition_key="web:3", cluster="default", group=group)
    container = task_state.ContainerState(
        phase=states.ContainerPhase.RUNNING,
        runtime_id="d" * 64,
        ran=True,
        image_id="sha256:1",
        bindings=(task_state.Binding(80, 32768, "tcp", "0.0.0.0", 2),),
        health=task_state.Health.HEALTHY,
        restarts=2,
        created_at=SECOND,
        started_at=2 * SECOND,
    )
    made = task_state.TaskState(
        TASK_ID, definition.plans, (container,), phase=states.TaskPhase.RUNNING, pull_started_at=SECOND
    )
    return task_record.TaskRecord(assigned, definition, task_record.names_of(assigned), replace(made, **state))


def test_a_container_in_version_4_has_every_member_of_ecss() -> None:
    found = task_metadata.container(OWNER, record(), "app", SEEN, version=4)
    assert found == {
        "DockerId": "d" * 64,
        "Name": "app",
        "DockerName": NAME,
        "Image": "web:1",
        "ImageID": "sha256:1",
        "Ports": [
            {"ContainerPort": 80, "Protocol": "tcp", "HostPort": 32768, "HostIp": "0.0.0.0"},
            {"ContainerPort": 81, "Protocol": "tcp", "HostPort": 32769, "HostIp": "0.0.0.0"},
        ],
        "Labels": {"image": "yes", "mine": "yes"},
        "DesiredStatus": "RUNNING",
        "KnownStatus": "RUNNING",
        "Limits": {"CPU": 2, "Memory": 128},
        "CreatedAt": "1970-01-01T00:00:01Z",
        "StartedAt": "1970-01-01T00:00:02Z",
        "Type": "NORMAL",
        "Networks": [{"NetworkMode": "bridge", "IPv4Addresses": ["172.17.0.2"]}],
        "Health": {"status": "HEALTHY", "statusSince": "1970-01-01T00:00:05Z", "output": "x" * 1024},
        "Volumes": [
            {"DockerName": "data", "Source": "/var/lib/docker/volumes/data/_data", "Destination": "/data"},
            {"Source": "/srv", "Destination": "/srv"},
        ],
        "LogDriver": "json-file",
        "LogOptions": {"max-size": "1m"},
        "ContainerARN": f"{PREFIX}:container/default/{TASK_ID}/{arns.container_id(TASK_ID, 'app')}",
        "RestartCount": 2,
    }


def test_version_3_lacks_what_came_with_version_4() -> None:
    newer = task_metadata.container(OWNER, record(), "app", SEEN, version=4)
    older = task_metadata.container(OWNER, record(), "app", SEEN, version=3)
    assert set(newer) - set(older) == {"LogDriver", "LogOptions", "ContainerARN", "RestartCount"}


def test_a_task_has_its_limits_its_times_and_the_service_it_belongs_to() -> None:
    found = task_metadata.task(OWNER, record(group="service:shop"), {SEEN.runtime_id: SEEN}, version=4, zone="z-1")
    containers = found.pop("Containers")
    assert [container["DockerId"] for container in containers] == ["d" * 64]
    assert found == {
        "Cluster": "default",
        "TaskARN": f"{PREFIX}:task/default/{TASK_ID}",
        "Family": "web",
        "Revision": "3",
        "DesiredStatus": "RUNNING",
        "KnownStatus": "RUNNING",
        "Limits": {"CPU": 0.5, "Memory": 256},
        "PullStartedAt": "1970-01-01T00:00:01Z",
        "AvailabilityZone": "z-1",
        "LaunchType": "EC2",
        "Group": "service:shop",
        "ServiceName": "shop",
        "FaultInjectionEnabled": False,
    }


@pytest.mark.parametrize(
    ("told", "shown"),
    [
        (common_pb2.LAUNCH_TYPE_FARGATE, "FARGATE"),
        (common_pb2.LAUNCH_TYPE_EXTERNAL, "EXTERNAL"),
        (common_pb2.LAUNCH_TYPE_EC2, "EC2"),
        (common_pb2.LAUNCH_TYPE_UNSPECIFIED, "EC2"),
    ],
)
def test_a_task_is_told_the_launch_type_that_it_was_asked_to_have(
    told: common_pb2.LaunchType.ValueType, shown: str
) -> None:
    asked = record()
    asked.assigned.launch_type = told
    assert task_metadata.task(OWNER, asked, {}, version=4)["LaunchType"] == shown
    assert "LaunchType" not in task_metadata.task(OWNER, asked, {}, version=3)


def test_what_only_the_engine_knows_is_left_out_where_it_cannot_be_asked() -> None:
    found = task_metadata.container(OWNER, record(), "app", None, version=4)
    assert not {"Networks", "Volumes", "LogDriver", "LogOptions"} & set(found)
    assert found["Health"] == {"status": "HEALTHY"}
    assert found["Labels"] == container_names.labels(OWNER, record().names, "app", {"mine": "yes"})
    assert found["StartedAt"] == "1970-01-01T00:00:02Z"


def test_a_task_that_stops_says_so_before_it_has() -> None:
    stopping = record(stop_cause=task_state.StopCause(task_state.StopCode.REQUESTED, ""))
    found = task_metadata.task(OWNER, stopping, {}, version=4)
    assert (found["DesiredStatus"], found["KnownStatus"]) == ("STOPPED", "RUNNING")
    assert found["Containers"][0]["DesiredStatus"] == "STOPPED"


def test_a_failed_check_shows_its_exit_code_and_when_the_failing_began() -> None:
    unhealthy = replace(SEEN, checks=(runtime.Check(SECOND, 0), runtime.Check(5 * SECOND, 1, "down")))
    found = task_metadata.container(OWNER, record(), "app", unhealthy, version=3)
    assert found["Health"] == {
        "status": "HEALTHY",
        "statusSince": "1970-01-01T00:00:05Z",
        "exitCode": 1,
        "output": "down",
    }
