"""Many threads of one program over one client of boto3."""

import concurrent.futures
from typing import Any

import pytest

from tests.e2e.tools import families

MANY = 250

pytestmark = [pytest.mark.timeout(110)]


def test_many_revisions_registered_by_many_threads_come_back_in_whole_pages(ecs: Any, family: str) -> None:
    """250 from 32 threads over one client: each its own number, listed in pages of 100, 100 and 50, both ways."""
    with concurrent.futures.ThreadPoolExecutor(families.THREADS) as pool:
        made = set(pool.map(lambda _: families.register(ecs, family), range(MANY)))
    assert len(made) == MANY
    paginator = ecs.get_paginator("list_task_definitions")
    for order in ("ASC", "DESC"):
        pages = [page["taskDefinitionArns"] for page in paginator.paginate(familyPrefix=family, sort=order)]
        assert [len(page) for page in pages] == [100, 100, 50]
        revisions = [int(arn.rpartition(":")[2]) for page in pages for arn in page]
        assert revisions == sorted(range(1, MANY + 1), reverse=order == "DESC")
    assert {arn for page in paginator.paginate(familyPrefix=family) for arn in page["taskDefinitionArns"]} == made


def test_threads_that_run_and_stop_do_not_disturb_each_other(ecs: Any, family: str) -> None:
    """Each of 32 sees its own task, at once after it was answered, and its own stop."""
    definition = families.register(ecs, family, "true")

    def one(number: int) -> tuple[str, str]:
        (task,) = ecs.run_task(taskDefinition=definition, startedBy=f"thread-{number}")["tasks"]
        arn = task["taskArn"]
        (described,) = ecs.describe_tasks(tasks=[arn])["tasks"]
        ecs.stop_task(task=arn, reason=f"thread {number}")
        return arn, described["startedBy"]

    with concurrent.futures.ThreadPoolExecutor(families.THREADS) as pool:
        answers = list(pool.map(one, range(families.THREADS)))
    assert [started_by for _, started_by in answers] == [f"thread-{number}" for number in range(families.THREADS)]
    arns = [arn for arn, _ in answers]
    assert len(set(arns)) == families.THREADS
    ecs.get_waiter("tasks_stopped").wait(tasks=arns, WaiterConfig={"Delay": 1, "MaxAttempts": 60})
    assert {task["taskArn"] for task in ecs.describe_tasks(tasks=arns)["tasks"]} == set(arns)
