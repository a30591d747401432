"""A client in any language needs no file of ours: what the servers tell by reflection is enough to run a task and to see it."""

import pytest

from tests.e2e import reflecting, stacks, waits

PACKAGE = "longshore.v1"

pytestmark = [pytest.mark.timeout(300)]  # the first time grpcurl is built


@pytest.fixture(scope="module", params=[reflecting.Generic, reflecting.Grpcurl], ids=["generic", "grpcurl"])
def client(request: pytest.FixtureRequest) -> reflecting.ReflectingClient:
    made: reflecting.ReflectingClient = request.param()
    return made


def test_run_task_and_describe_tasks_are_called_by_reflection_alone(
    distributed: stacks.Stack, client: reflecting.ReflectingClient
) -> None:
    """RunTask, then DescribeTasks of what it answered."""
    container = '[{"name": "main", "image": "busybox", "memory": 16, "command": ["sh", "-c", "exit 3"]}]'
    distributed.command("task-definition", "register", "-", "--family", "reflected", stdin=container)
    scheduler, tracker = distributed.addresses.scheduler[0], distributed.addresses.state_tracker[0]
    request = {"taskDefinition": "reflected", "count": 1, "startedBy": "reflection"}
    placed = client.call(scheduler, f"{PACKAGE}.SchedulerService", "RunTask", request)
    (arn,) = [reflecting.member(task, "task_arn") for task in placed["tasks"]]
    described = client.call(tracker, f"{PACKAGE}.StateTrackerService", "DescribeTasks", {"tasks": [arn]})
    (task,) = described["tasks"]
    assert (reflecting.member(task, "task_arn"), reflecting.member(task, "started_by")) == (arn, "reflection")
    waits.until_stopped(distributed, [arn])
    described = client.call(tracker, f"{PACKAGE}.StateTrackerService", "DescribeTasks", {"tasks": [arn]})
    (task,) = described["tasks"]
    assert [reflecting.member(found, "exit_code") for found in task["containers"]] == [3]


@pytest.mark.parametrize(
    ("component", "services"),
    [
        ("registry", {"RegistryService"}),
        ("scheduler", {"SchedulerService"}),
        ("state_tracker", {"StateTrackerService", "AgentService"}),
    ],
)
def test_every_port_tells_its_services_and_health(
    distributed: stacks.Stack, client: reflecting.ReflectingClient, component: str, services: set[str]
) -> None:
    """Reflection and the standard health service are on every port, of every replica."""
    for address in getattr(distributed.addresses, component):
        assert client.services(address) == {
            *(f"{PACKAGE}.{service}" for service in services),
            "grpc.health.v1.Health",
            "grpc.reflection.v1alpha.ServerReflection",
        }
        assert client.call(address, "grpc.health.v1.Health", "Check", {}) == {"status": "SERVING"}
