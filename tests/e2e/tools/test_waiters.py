"""boto3's waiters: they succeed on what happened, and fail on what cannot happen any more."""

from typing import Any

import pytest
from botocore.exceptions import WaiterError

from tests.e2e.tools import aws, families

UNKNOWN = "0" * 32

pytestmark = [pytest.mark.timeout(110)]


def test_every_waiter_of_the_model_whose_operation_is_there_is_tried(ecs: Any) -> None:
    """Whoever adds DescribeServices adds its waiters here."""
    waiters = {name for name in ecs.waiter_names if ecs.get_waiter(name).config.operation in aws.offered()}
    assert waiters == {"tasks_running", "tasks_stopped"}


def test_the_waiters_of_tasks(ecs: Any, family: str) -> None:
    """They succeed on what happened, and fail at once on what cannot happen any more."""
    patient = {"Delay": 1, "MaxAttempts": 60}
    (task,) = ecs.run_task(taskDefinition=families.register(ecs, family))["tasks"]
    tasks = [task["taskArn"]]
    ecs.get_waiter("tasks_running").wait(tasks=tasks, WaiterConfig=patient)
    with pytest.raises(WaiterError, match="Max attempts exceeded"):
        ecs.get_waiter("tasks_stopped").wait(tasks=tasks, WaiterConfig={"Delay": 0, "MaxAttempts": 2})
    ecs.stop_task(task=tasks[0])
    ecs.get_waiter("tasks_stopped").wait(tasks=tasks, WaiterConfig=patient)
    for missed in (tasks, [UNKNOWN]):
        with pytest.raises(WaiterError, match="terminal failure state"):
            ecs.get_waiter("tasks_running").wait(tasks=missed, WaiterConfig=patient)
