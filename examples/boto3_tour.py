"""A tour of Longshore with boto3, as it comes.

    longshore up --detach
    python examples/boto3_tour.py

Only the endpoint differs from a program for Amazon ECS, and boto3 takes that from the environment too: with AWS_ENDPOINT_URL_ECS
set, `boto3.client("ecs")` is enough. The tour works in the cluster `default` (another: LONGSHORE_CLUSTER), removes what it made
when it ends, however it ends, and can be run again.
"""

import contextlib
import os
import uuid
from collections.abc import Iterator
from typing import Any

import boto3
from botocore.config import Config
from botocore.exceptions import ClientError, WaiterError

CLUSTER = os.environ.get("LONGSHORE_CLUSTER", "default")
NAME = f"boto3-tour-{uuid.uuid4().hex[:8]}"


def connect() -> Any:
    """An ECS client of Longshore."""
    signing = {}
    if not {"AWS_ACCESS_KEY_ID", "AWS_PROFILE"} & os.environ.keys():
        # A stack on loopback without access keys verifies no signature, but boto3 wants something to sign with.
        signing = {"aws_access_key_id": "local", "aws_secret_access_key": "local"}
    return boto3.client(
        "ecs",
        endpoint_url=os.environ.get("AWS_ENDPOINT_URL_ECS") or "http://127.0.0.1:8700",
        # A stack on loopback answers in whatever region it is asked.
        region_name=os.environ.get("AWS_REGION") or os.environ.get("AWS_DEFAULT_REGION") or "us-east-1",
        # 503 and ThrottlingException are repeated by boto3 itself, RunTask under one client token: nothing is placed twice.
        config=Config(retries={"mode": "standard", "total_max_attempts": 5}, connect_timeout=5, read_timeout=60),
        **signing,
    )


@contextlib.contextmanager
def cluster(ecs: Any, name: str) -> Iterator[str]:
    """A cluster of our own, gone at the end; its ARN."""
    made = ecs.create_cluster(
        clusterName=name,
        settings=[{"name": "containerInsights", "value": "enabled"}],
        tags=[{"key": "made-by", "value": "boto3-tour"}],
    )["cluster"]
    try:
        yield made["clusterArn"]
    finally:
        ecs.delete_cluster(cluster=name)


@contextlib.contextmanager
def definition(ecs: Any, family: str, *command: str) -> Iterator[str]:
    """A task definition of one small container, gone at the end; its ARN."""
    made = ecs.register_task_definition(
        family=family,
        containerDefinitions=[
            {
                "name": "main",
                "image": "busybox",
                "cpu": 64,
                "memory": 32,
                "command": list(command),
                "environment": [{"name": "GREETING", "value": "hello"}],
                "stopTimeout": 2,
            }
        ],
    )["taskDefinition"]
    arn = made["taskDefinitionArn"]
    try:
        yield arn
    finally:
        ecs.deregister_task_definition(taskDefinition=arn)
        ecs.delete_task_definitions(taskDefinitions=[arn])


def clusters(ecs: Any) -> None:
    """Make a cluster, find it among all by a paginator, and see what ECS says once it is gone."""
    with cluster(ecs, NAME) as arn:
        (described,) = ecs.describe_clusters(clusters=[NAME], include=["SETTINGS", "TAGS"])["clusters"]
        print("cluster  ", described["clusterName"], described["status"], described["settings"], described["tags"])
        pages = ecs.get_paginator("list_clusters").paginate(PaginationConfig={"PageSize": 2})
        assert arn in [found for page in pages for found in page["clusterArns"]]
    try:
        ecs.list_tasks(cluster=f"{NAME}-never-made")
    except ecs.exceptions.ClusterNotFoundException as refused:
        print("refused  ", refused.response["Error"]["Code"], "-", refused.response["Error"]["Message"])


def run_to_the_end(ecs: Any) -> None:
    """Run a task, wait for its end, and read the container's own exit code."""
    with definition(ecs, f"{NAME}-job", "sh", "-c", 'echo "$GREETING"; exit $CODE') as arn:
        answer = ecs.run_task(
            cluster=CLUSTER,
            taskDefinition=arn,
            startedBy=NAME,
            overrides={"containerOverrides": [{"name": "main", "environment": [{"name": "CODE", "value": "3"}]}]},
        )
        if not answer["tasks"]:  # what cannot be placed is no exception: the answer says why, for each instance
            raise SystemExit(f"nothing was placed: {answer['failures']}")
        (task,) = answer["tasks"]
        ecs.get_waiter("tasks_stopped").wait(
            cluster=CLUSTER, tasks=[task["taskArn"]], WaiterConfig={"Delay": 1, "MaxAttempts": 60}
        )
        (task,) = ecs.describe_tasks(cluster=CLUSTER, tasks=[task["taskArn"]])["tasks"]
        (container,) = task["containers"]
        print("ended    ", task["stopCode"], "-", task["stoppedReason"], "- exit code", container["exitCode"])
        print("took     ", task["stoppedAt"] - task["createdAt"])


def run_a_group(ecs: Any) -> None:
    """Run three tasks, wait until all run, find them by a paginator, tag one, stop them."""
    with definition(ecs, f"{NAME}-group", "sleep", "600") as arn:
        answer = ecs.run_task(cluster=CLUSTER, taskDefinition=arn, count=3, startedBy=NAME, clientToken=NAME)
        tasks = [task["taskArn"] for task in answer["tasks"]]
        # The same token again places nothing: it is answered with the same tasks.
        again = ecs.run_task(cluster=CLUSTER, taskDefinition=arn, count=3, startedBy=NAME, clientToken=NAME)
        assert [task["taskArn"] for task in again["tasks"]] == tasks
        try:
            ecs.get_waiter("tasks_running").wait(
                cluster=CLUSTER, tasks=tasks, WaiterConfig={"Delay": 1, "MaxAttempts": 60}
            )
            pages = ecs.get_paginator("list_tasks").paginate(
                cluster=CLUSTER, startedBy=NAME, PaginationConfig={"PageSize": 2}
            )
            found = [arn for page in pages for arn in page["taskArns"]]
            assert sorted(found) == sorted(tasks)
            ecs.tag_resource(resourceArn=tasks[0], tags=[{"key": "colour", "value": "red"}])
            (tagged,) = ecs.describe_tasks(cluster=CLUSTER, tasks=tasks[:1], include=["TAGS"])["tasks"]
            print("running  ", len(found), "tasks; the first has the tags", tagged["tags"])
        finally:
            for task in tasks:
                ecs.stop_task(cluster=CLUSTER, task=task, reason="seen enough")
        ecs.get_waiter("tasks_stopped").wait(cluster=CLUSTER, tasks=tasks, WaiterConfig={"Delay": 1, "MaxAttempts": 60})
        described = ecs.describe_tasks(cluster=CLUSTER, tasks=tasks)["tasks"]
        print("stopped  ", {task["stopCode"] for task in described}, {task["stoppedReason"] for task in described})


def refusals(ecs: Any) -> None:
    """What goes wrong has ECS's codes; a waiter says which of its conditions cannot be met any more."""
    missing = ecs.describe_tasks(cluster=CLUSTER, tasks=["0" * 32])
    print("missing  ", [failure["reason"] for failure in missing["failures"]])
    try:
        ecs.describe_task_definition(taskDefinition=f"{NAME}-never-registered")
    except ClientError as refused:
        print("refused  ", refused.response["Error"]["Code"], "-", refused.response["Error"]["Message"])
    try:
        ecs.get_waiter("tasks_running").wait(cluster=CLUSTER, tasks=["0" * 32])
    except WaiterError as ended:
        print("waiter   ", ended)


def main() -> None:
    """All of it."""
    ecs = connect()
    clusters(ecs)
    run_to_the_end(ecs)
    run_a_group(ecs)
    refusals(ecs)


if __name__ == "__main__":
    main()
