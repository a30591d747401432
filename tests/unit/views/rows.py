"""Rows of both halves with defaults, for tests of what is shown of them."""

from typing import Any

from longshore.storage import tasks
from longshore.v1 import agent_service_pb2, common_pb2, task_pb2

TASK_ID = "a" * 32
INSTANCE_ID = "b" * 32


def intent(**fields: Any) -> tasks.Intent:
    values: dict[str, Any] = {
        "task_id": TASK_ID,
        "cluster": "web",
        "instance_id": INSTANCE_ID,
        "family": "app",
        "definition_revision": 3,
        "group_name": "family:app",
        "started_by": "",
        "launch_type": common_pb2.LAUNCH_TYPE_EC2,
        "desired_status": task_pb2.DESIRED_STATUS_RUNNING,
        "stop_code": 0,
        "stopped_reason": "",
        "created_at": 1_000_000,
        "stopping_at": None,
        "revision": 1,
        "assignment_revision": 1,
        "settled": False,
        "cpu": 256,
        "memory": 128,
        "ports": None,
        "body": b"",
    }
    return tasks.Intent(**(values | fields))


def observation(**fields: Any) -> tasks.Observation:
    values: dict[str, Any] = {
        "task_id": TASK_ID,
        "cluster": "web",
        "instance_id": INSTANCE_ID,
        "last_status": task_pb2.TASK_STATUS_PENDING,
        "stop_code": 0,
        "stopped_reason": "",
        "stop_cause_at": None,
        "started_at": None,
        "stopped_at": None,
        "released": False,
        "revision": 1,
        "body": agent_service_pb2.TaskObservation().SerializeToString(),
    }
    return tasks.Observation(**(values | fields))
