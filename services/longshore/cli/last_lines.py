"""The last lines of containers that failed, as `task describe` shows them: the evidence beside the verdict."""

import asyncio
from collections.abc import Iterable, Iterator
from typing import TypeAlias

from longshore.cli import output
from longshore.client import client as clients
from longshore.rpc import errors
from longshore.v1 import task_pb2

SHOWN = 10
"""Lines of each."""
AT_MOST = 10
"""Containers that are looked at: who describes a hundred tasks wants a table."""
PATIENCE_S = 5.0
"""A host that has just gone is noticed within that; its last lines are then in the control plane."""

Lines: TypeAlias = dict[tuple[str, str], str]
"""By task and container."""


async def of_failed(client: clients.Client, cluster: str, tasks: Iterable[task_pb2.Task]) -> Lines:
    """What can be had of the containers that failed. One that wrote nothing, or whose log cannot be read, is left out."""
    wanted = [(task.task_arn, container.name) for task in tasks for container in failed(task)][:AT_MOST]
    found = await asyncio.gather(*(_read(client, cluster, *key) for key in wanted))
    return {key: text for key, text in zip(wanted, found, strict=True) if text}


def failed(task: task_pb2.Task) -> Iterator[task_pb2.Container]:
    """The containers of a task that have ended, and not well. Pure."""
    for container in task.containers:
        ended = container.last_status == task_pb2.CONTAINER_STATUS_STOPPED
        if ended and container.HasField("exit_code") and container.exit_code:
            yield container


async def _read(client: clients.Client, cluster: str, task: str, container: str) -> str:
    data = b""
    try:
        async with asyncio.timeout(PATIENCE_S):
            async for found in client.logs(task, cluster=cluster, containers=[container], tail=SHOWN):
                data += b"".join(piece.data for piece in found.pieces)
    except (errors.ServiceError, TimeoutError) as error:
        output.notice(
            f"The last lines of container {container} cannot be shown: {str(error) or 'its host does not answer'}"
        )
    return data.decode(errors="replace")


def show(task: task_pb2.Task, lines: Lines) -> None:
    """Print those of a task."""
    for container in task.containers:
        text = lines.get((task.task_arn, container.name))
        if text:
            output.say(f"\nLast lines of {container.name}:")
            output.say(text.removesuffix("\n"))
