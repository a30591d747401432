"""`longshore instance drain --wait`: until nothing runs on the instances any more, told by the event stream."""

import asyncio
import contextlib
from collections.abc import Awaitable, Callable, Sequence

from longshore.cli import output
from longshore.client import client as clients
from longshore.rpc import errors
from longshore.v1 import container_instance_pb2, state_tracker_service_pb2

Describe = Callable[
    [clients.Client, str, Sequence[str]], Awaitable[state_tracker_service_pb2.DescribeContainerInstancesResponse]
]
"""Describes instances of a cluster."""

STOPPING_HINT = "They go on until they end by themselves, a service replaces them, or `longshore stop` stops them."


def tasks(instance: container_instance_pb2.ContainerInstance) -> int:
    """How many tasks are on an instance."""
    return instance.running_tasks_count + instance.pending_tasks_count


def sentence(instance: container_instance_pb2.ContainerInstance) -> str:
    """How far the draining of an instance is."""
    name = output.short(instance.container_instance_arn)
    away = "" if instance.agent_connected else "; its agent is away, so nothing is heard of them"
    match tasks(instance):
        case 0:
            return f"{name}  nothing runs here any more"
        case 1:
            return f"{name}  1 task is left{away}"
        case left:
            return f"{name}  {left} tasks are left{away}"


async def until_empty(client: clients.Client, cluster: str, arns: Sequence[str], describe: Describe) -> None:
    """Return when no task is on any of the instances; told on the way. Ended early, the instances stay as they are."""
    told: dict[str, int] = {}
    cursor = ""
    try:
        while True:
            try:
                watch = client.watch(cluster=cluster, cursor=cursor, container_instances=arns, on_lost=_say_lost)
                async with contextlib.aclosing(watch) as batches:
                    async for batch in batches:
                        cursor = batch.cursor
                        found = (await describe(client, cluster, arns)).container_instances
                        _tell(found, told)
                        if not any(map(tasks, found)):
                            return
            except errors.OutOfRange:
                cursor = ""
    except asyncio.CancelledError:  # Ctrl-C
        output.notice("The instances stay DRAINING. `longshore instance activate` takes tasks again.")
        raise


def _tell(found: Sequence[container_instance_pb2.ContainerInstance], told: dict[str, int]) -> None:
    first = not told
    for instance in found:
        if told.get(instance.container_instance_arn) != tasks(instance):
            output.notice(sentence(instance))
            told[instance.container_instance_arn] = tasks(instance)
    if first and any(told.values()):
        output.notice(STOPPING_HINT)


def _say_lost(error: errors.Unavailable) -> None:
    output.notice(f"The event stream is away ({error.message}); looking for it.")
