"""`longshore events`: the cluster's event log, as it grows."""

import json
import sys
from typing import Annotated

import typer

from longshore.cli import arguments, connection, output
from longshore.client import client as clients
from longshore.rpc import codec
from longshore.v1 import container_instance_pb2, event_pb2, task_pb2


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
    """Print a cluster's events, a line each; with --output json an object a line."""
    as_json = connection.options(context).format is output.Format.JSON

    async def work(client: clients.Client) -> None:
        async for batch in client.watch(cluster=cluster, cursor=cursor, family=family):
            for event in batch.events:
                _print(event, as_json=as_json)
            if not batch.events and not follow:
                output.notice(f"next: --cursor {batch.cursor}")
                return

    connection.run(context, work)


def _print(event: event_pb2.Event, *, as_json: bool) -> None:
    if as_json:
        body = codec.to_json(event, longshore_only=True)
        json.dump(body, sys.stdout, ensure_ascii=False)
        sys.stdout.write("\n")
        sys.stdout.flush()
        return
    output.out.print(f"{output.when(event.at)}  {event.sequence:>6}  {_sentence(event)}", markup=False)


def _sentence(event: event_pb2.Event) -> str:
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
