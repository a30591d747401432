"""An instance made by ECS's RegisterContainerInstance alone: taken over by an agent, and spoken for by calls once that agent is dead."""

import asyncio
import json
import uuid
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest

from longshore.v1 import state_tracker_service_pb2
from tests.e2e import stacks
from tests.e2e.tools import aws, families

BOUND_S = 60.0
RESOURCES = [
    {"name": "CPU", "type": "INTEGER", "integerValue": 1024},
    {"name": "MEMORY", "type": "INTEGER", "integerValue": 1024},
    {"name": "PORTS", "type": "STRINGSET", "stringSetValue": ["22"]},
]


@pytest.fixture
def cluster(stack: stacks.Stack) -> Iterator[str]:
    """A cluster of the test's own, without instances at its beginning and end."""
    ecs = aws.client(stack)
    name = f"taken-{uuid.uuid4().hex[:8]}"
    ecs.create_cluster(clusterName=name)
    yield name
    for arn in ecs.list_container_instances(cluster=name)["containerInstanceArns"]:
        ecs.deregister_container_instance(cluster=name, containerInstance=arn, force=True)
    ecs.delete_cluster(cluster=name)


def registered(stack: stacks.Stack, cluster: str) -> tuple[str, str]:
    """ARN and credential of a new instance; the second is answered to those who ask for more than ECS has."""
    ecs = aws.client(stack)
    bodies: list[dict[str, Any]] = []

    def ask(request: Any, **_: Any) -> None:
        request.headers["X-Longshore-Extensions"] = "true"

    ecs.meta.events.register("before-sign.ecs.RegisterContainerInstance", ask)
    ecs.meta.events.register(
        "before-parse.ecs", lambda response_dict, **_: bodies.append(json.loads(response_dict["body"]))
    )
    made = ecs.register_container_instance(
        cluster=cluster, totalResources=RESOURCES, attributes=[{"name": "stack", "value": "blue"}]
    )
    return made["containerInstance"]["containerInstanceArn"], bodies[0]["instanceCredential"]


def until_connected(stack: stacks.Stack, cluster: str, arn: str, *, connected: bool) -> None:
    """Return when the instance's agent is connected, or is not."""
    request = state_tracker_service_pb2.DescribeContainerInstancesRequest(cluster=cluster, container_instances=[arn])

    async def follow() -> None:
        async with stack.client() as client, asyncio.timeout(BOUND_S):
            async for _ in client.watch(cluster=cluster):
                found = await client.call(client.state_tracker.DescribeContainerInstances, request)
                if found.container_instances[0].agent_connected is connected:
                    return

    asyncio.run(follow())


@pytest.mark.timeout(170)
def test_an_agent_takes_it_over_and_calls_speak_for_it_when_the_agent_is_dead(
    stack: stacks.Stack, cluster: str, tmp_path: Path
) -> None:
    ecs = aws.client(stack)
    arn, credential = registered(stack, cluster)
    definition = families.register(ecs, cluster)
    (failure,) = ecs.run_task(cluster=cluster, taskDefinition=definition)["failures"]
    assert (failure["arn"], failure["reason"]) == (arn, "AGENT")
    file = tmp_path / "credential"
    file.write_text(f"{credential}\n", encoding="ascii")
    name = f"agent-{cluster}"
    told = {
        "LONGSHORE_CLUSTER": cluster,
        "LONGSHORE_CONTAINER_INSTANCE_ARN": arn,
        "LONGSHORE_INSTANCE_CREDENTIAL_FILE": str(file),
    }
    stacks.add_agent(stack, name, environ=told)
    try:
        stack.start(name)
        until_connected(stack, cluster, arn, connected=True)
        (task,) = ecs.run_task(cluster=cluster, taskDefinition=definition)["tasks"]
        assert task["containerInstanceArn"] == arn
        waiting: dict[str, Any] = {"cluster": cluster, "tasks": [task["taskArn"]]}
        ecs.get_waiter("tasks_running").wait(**waiting, WaiterConfig={"Delay": 1, "MaxAttempts": 60})
        said = {"cluster": cluster, "task": task["taskArn"], "status": "STOPPED", "reason": "the host burnt down"}
        with pytest.raises(ecs.exceptions.ClientError) as refused:
            ecs.submit_task_state_change(**said)
        assert refused.value.response["Error"]["Code"] == "ClientException"
        stack.processes[name].kill()
        until_connected(stack, cluster, arn, connected=False)
        assert ecs.submit_task_state_change(**said)["acknowledgment"] == "ACK"
        (shown,) = ecs.describe_tasks(**waiting)["tasks"]
        assert (shown["lastStatus"], shown["stoppedReason"]) == ("STOPPED", "the host burnt down")
        ecs.deregister_container_instance(cluster=cluster, containerInstance=arn)
    finally:
        stack.processes[name].stop()
        del stack.processes[name]
    families.remove(ecs, cluster)
