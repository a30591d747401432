"""Families of task definitions that a test makes and removes by boto3."""

import concurrent.futures
from typing import Any

from tests.e2e.tools import aws

THREADS = 32
AT_ONCE = 10
"""Revisions that DeleteTaskDefinitions takes."""


def register(ecs: Any, family: str, *command: str) -> str:
    """Register one revision; its ARN."""
    made = ecs.register_task_definition(family=family, containerDefinitions=[aws.container("main", *command)])
    return str(made["taskDefinition"]["taskDefinitionArn"])


def remove(ecs: Any, family: str) -> None:
    """Stop a family's tasks, deregister and delete its revisions."""
    for page in ecs.get_paginator("list_tasks").paginate(family=family):
        for task in page["taskArns"]:
            ecs.stop_task(task=task)
    pages = ecs.get_paginator("list_task_definitions").paginate(familyPrefix=family)
    arns = [arn for page in pages for arn in page["taskDefinitionArns"]]
    with concurrent.futures.ThreadPoolExecutor(THREADS) as pool:
        list(pool.map(lambda arn: ecs.deregister_task_definition(taskDefinition=arn), arns))
    for start in range(0, len(arns), AT_ONCE):
        ecs.delete_task_definitions(taskDefinitions=arns[start : start + AT_ONCE])
