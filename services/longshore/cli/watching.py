"""`longshore events`: the cluster's event log, as it grows."""

import asyncio
import contextlib
from typing import Annotated

import typer

from longshore.cli import arguments, connection, output
from longshore.client import client as clients
from longshore.rpc import errors
from longshore.v1 import container_instance_pb2, event_pb2, task_pb2

QUIET_S = 1.0
"""Without --follow the command ends when nothing has come for this long: a cursor cannot be compared with the log's end."""


def events(
    context: typer.Context,
    cluster: arguments.Cluster = arguments.DEFAULT_CLUSTER,
    cursor: Annotated[
        str, typer.Option(help="Start after this cursor, as an earlier run printed it; else from now on.")
    ] = "",
    family: Annotated[str, typer.Option(help="Only tasks of this family.")] = "",
    *,
    follow: Annotated[
        bool, typer.Option("--follow", "-f", help="Go on until interrupted; else end at what is there.")
    ] = False,
) -> None:
    """Print a cluster's events, a line each; with --output json an object a line. At the end, the cursor to go on from."""
    as_json = connection.options(context).as_json

    async def work(client: clients.Client) -> None:
        reached = cursor
        watch = client.watch(cluster=cluster, cursor=cursor, family=family, on_lost=_say_lost)
        try:
            async with contextlib.aclosing(watch) as batches:
                batch: clients.Batch | None = await anext(batches)
                while batch is not None:
                    for event in batch.events:
                        _print(event, as_json=as_json)
                    reached = batch.cursor
                    batch = await _next(batches, patient=follow) if follow or cursor else None
        finally:  # also at Ctrl-C
            if reached:
                output.notice(f"Go on from here with: longshore events --cursor {reached}")

    connection.run(context, work)


async def _next(batches: clients.Watching, *, patient: bool) -> clients.Batch | None:
    """The next batch; None when there has been none for a while and nobody wants to wait."""
    try:
        async with asyncio.timeout(None if patient else QUIET_S):
            return await anext(batches)
    except TimeoutError:
        return None


def _say_lost(error: errors.Unavailable) -> None:
    output.notice(f"The event stream is away ({error.message}); looking for it.")


def _print(event: event_pb2.Event, *, as_json: bool) -> None:
    if as_json:
        output.print_json(event, indent=None, longshore_only=True)
    else:
        output.say(f"{output.when(event.at)}  {event.sequence:>6}  {sentence(event)}")


def sentence(event: event_pb2.Event) -> str:
    """An event in words."""
    if event.HasField("task"):
        return _task(event.task)
    instance = event.container_instance
    status = arguments.spelled(container_instance_pb2.ContainerInstanceStatus, instance.status)
    connected = "connected" if instance.agent_connected else "away"
    why = f": {instance.status_reason}" if instance.status_reason else ""
    return f"instance {instance.container_instance_id}  {status}, agent {connected}{why}"


def _task(task: event_pb2.TaskEvent) -> str:
    status = arguments.spelled(task_pb2.TaskStatus, task.last_status)
    codes = [f"{c.name} exit code {c.exit_code}" for c in task.containers if c.HasField("exit_code")]
    details = [task.stopped_reason, *codes, "released" if task.released else ""]
    why = "; ".join(detail for detail in details if detail)
    return f"task {task.task_id}  {task.family}:{task.revision}  {status}" + (f": {why}" if why else "")
