"""Every member of a report (SubmitTaskStateChange, SubmitContainerStateChange) does what docs/conformance.md says of it.

Reports are taken of hosts whose agents have gone; each is made of a task of its own.
"""

import datetime as dt
import re
from collections.abc import Iterator
from typing import Any

import pytest
from botocore import exceptions, xform_name

from tests.conformance import contract, specimens, world
from tests.conformance.contract import Member

CLUSTER = "report-members"
MOMENT = dt.datetime(2026, 1, 2, 3, 4, 5, tzinfo=dt.UTC)
VALUES: dict[str, Any] = specimens.VALUES | {
    "ContainerStateChange.containerName": "main",
    "ContainerStateChange.status": "STOPPED",
    "NetworkBinding.bindIP": "10.0.0.1",
    "NetworkBinding.containerPortRange": "9000-9001",
    "NetworkBinding.hostPort": 49_200,
    "NetworkBinding.hostPortRange": "49300-49301",
    "NetworkBinding.protocol": "udp",
    "SubmitContainerStateChangeRequest.containerName": "main",
    "SubmitContainerStateChangeRequest.status": "STOPPED",
    "SubmitTaskStateChangeRequest.status": "STOPPED",
    **{
        f"SubmitTaskStateChangeRequest.{name}": MOMENT
        for name in ("pullStartedAt", "pullStoppedAt", "executionStoppedAt")
    },
}
BINDING = {"containerPort": 8080, "hostPort": 49_100}
OPERATIONS = ("SubmitTaskStateChange", "SubmitContainerStateChange")
WHERE = frozenset({"cluster", "task"})
"""They say of which task the report is: each report below does."""

MEMBERS = [
    member
    for operation in OPERATIONS
    for member in contract.members(operation)
    if member.in_request and member.path not in WHERE
]


@pytest.fixture(scope="module")
def tasks(stack: world.World, tmp_path_factory: pytest.TempPathFactory) -> Iterator[str]:
    """Tasks that run on a host whose agent has gone, one for each member."""
    ecs = stack.ecs
    ecs.create_cluster(clusterName=CLUSTER)
    ecs.register_task_definition(
        family=CLUSTER, containerDefinitions=[{"name": "main", "image": world.IMAGE, "memory": 16}]
    )
    made: list[str] = []
    with stack.host(tmp_path_factory.mktemp("reported"), CLUSTER):
        while len(made) < len(MEMBERS):
            answer = ecs.run_task(cluster=CLUSTER, taskDefinition=CLUSTER, count=10)
            made += [task["taskArn"] for task in answer["tasks"]]
        for arn in made:
            stack.running(arn, CLUSTER)
    return iter(made)


def places(*handlings: contract.Handling) -> list[Member]:
    return [member for member in MEMBERS if member.handling in handlings]


def report(stack: world.World, tasks: Iterator[str], member: Member) -> tuple[dict[str, Any], str]:
    """Make the report with the member in it; gives what was said, and the task."""
    task = next(tasks)
    said: dict[str, Any] = {"cluster": CLUSTER, "task": task, "status": "STOPPED"}
    if member.operation == "SubmitContainerStateChange":
        said["containerName"] = "main"
    said |= specimens.arguments(f"{member.operation}Request", member.path, VALUES)
    for change in (said, *said.get("containers", ())):
        for binding in change.get("networkBindings", ()):
            binding |= {name: value for name, value in BINDING.items() if name not in binding}
    getattr(stack.ecs, xform_name(member.operation))(**said)
    return said, task


@pytest.mark.parametrize("member", places(contract.SUPPORTED, contract.STORED), ids=lambda m: f"{m.operation}-{m.path}")
def test_what_is_reported_is_shown(stack: world.World, tasks: Iterator[str], member: Member) -> None:
    said, arn = report(stack, tasks, member)
    (task,) = stack.ecs.describe_tasks(cluster=CLUSTER, tasks=[arn])["tasks"]
    (container,) = task["containers"]
    if member.operation == "SubmitContainerStateChange":
        assert _shows(container, said)
        return
    assert task["lastStatus"] == "STOPPED"
    assert task["stoppedReason"] == said.get("reason", "Essential container in task exited")
    assert {name: task[name] for name in said if name.endswith("At")} == {
        name: value for name, value in said.items() if name.endswith("At")
    }
    for change in said.get("containers", ()):
        assert _shows(container, change)


def _shows(container: dict[str, Any], change: dict[str, Any]) -> bool:
    """Whether a container shows what was said of it."""
    same = all(
        container[name] == change[name] for name in ("exitCode", "imageDigest", "reason", "runtimeId") if name in change
    )
    bindings = all(
        any(binding.items() <= shown.items() for shown in container["networkBindings"])
        for binding in change.get("networkBindings", ())
    )
    return same and bindings and container["lastStatus"] == change["status"] and container["name"] == "main"


@pytest.mark.parametrize("member", places(contract.REFUSED), ids=lambda m: f"{m.operation}-{m.path}")
def test_what_is_refused_is_refused_by_its_name(stack: world.World, tasks: Iterator[str], member: Member) -> None:
    top = next(each for each in MEMBERS if each.path == member.path.partition("[")[0])
    (named,) = re.findall(r"`([^`]+)`", top.note)
    with pytest.raises(exceptions.ClientError, match=named):
        report(stack, tasks, member)
