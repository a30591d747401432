"""A scheduler of your own: one task of a definition on every container instance that has an attribute, and on no other.

    longshore up --detach
    longshore task-definition register examples/sleep360.json
    python examples/own_scheduler.py sleep360 rack

It looks at what is there whenever the cluster's log has grown, and starts and stops what differs. So nothing depends on what it
remembers, nor on an event that it missed: started again, on another machine, or after a lost connection, it goes on. The guide
docs/guides/own-scheduler.md tells more. The cluster is `default`; another: LONGSHORE_CLUSTER.
"""

import asyncio
import contextlib
import os
import sys

from longshore.client import client as clients
from longshore.rpc import errors
from longshore.v1 import container_instance_pb2, scheduler_service_pb2, state_tracker_service_pb2

CLUSTER = os.environ.get("LONGSHORE_CLUSTER", "default")
ACTIVE = container_instance_pb2.CONTAINER_INSTANCE_STATUS_ACTIVE
PAUSE_S = 1.0

Instances = state_tracker_service_pb2.ListContainerInstancesRequest
Tasks = state_tracker_service_pb2.ListTasksRequest
Described = state_tracker_service_pb2.DescribeTasksRequest
Start = scheduler_service_pb2.StartTaskRequest
Stop = scheduler_service_pb2.StopTaskRequest


async def keep(longshore: clients.Client, definition: str, attribute: str) -> None:
    """One round after another, for ever: the first at once, each other when something has happened."""
    while True:
        with contextlib.suppress(errors.Unavailable, errors.OutOfRange):  # what is there counts, not what was missed
            async with contextlib.aclosing(longshore.watch(cluster=CLUSTER)) as changes:
                async for _ in changes:
                    await even_out(longshore, definition, attribute)
        await asyncio.sleep(PAUSE_S)


async def even_out(longshore: clients.Client, definition: str, attribute: str) -> None:
    """One round: stop what should not be there, or is there twice, and start what is missing."""
    tracker, scheduler, ours = longshore.state_tracker, longshore.scheduler, f"own-scheduler/{attribute}"
    matching = Instances(cluster=CLUSTER, filter=f"attribute:{attribute} exists", status=ACTIVE)
    missing = {
        arn
        async for page in longshore.pages(tracker.ListContainerInstances, matching)
        for arn in page.container_instance_arns
    }
    async for page in longshore.pages(tracker.ListTasks, Tasks(cluster=CLUSTER, started_by=ours)):
        if page.task_arns:
            described = await longshore.call(tracker.DescribeTasks, Described(cluster=CLUSTER, tasks=page.task_arns))
            for task in described.tasks:
                if task.container_instance_arn in missing:
                    missing.remove(task.container_instance_arn)
                else:
                    await longshore.call(scheduler.StopTask, Stop(cluster=CLUSTER, task=task.task_arn, reason=ours))
    for instance in sorted(missing):
        start = Start(cluster=CLUSTER, task_definition=definition, container_instances=[instance], started_by=ours)
        for refused in (await longshore.call(scheduler.StartTask, start)).failures:
            print(f"{refused.arn}: {refused.reason} {refused.detail}", flush=True)


async def main() -> None:
    """Connect to the control plane that the environment tells of."""
    async with clients.Client() as longshore:
        await keep(longshore, *sys.argv[1:3])


if __name__ == "__main__":
    asyncio.run(main())
