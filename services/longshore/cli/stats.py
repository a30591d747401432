"""`longshore stats`: what containers use."""

import asyncio
import sys
from collections.abc import Iterator
from datetime import UTC, datetime
from typing import Annotated

import typer

from longshore.cli import arguments, connection, output
from longshore.client import client as clients
from longshore.v1 import state_tracker_service_pb2, statistics_pb2

INTERVAL_S = 10.0
"""As often as agents measure unless told otherwise: asking more often shows the same."""

_COLUMNS = (
    "TASK",
    "CONTAINER",
    "CPU %",
    "MEMORY",
    "LIMIT",
    "MEM %",
    "NET IN",
    "NET OUT",
    "READ",
    "WRITTEN",
    "PIDS",
    "AGE",
)
_CLEAR = "\x1b[H\x1b[2J"
_UNITS = ("B", "KiB", "MiB", "GiB", "TiB", "PiB")
_STEP = 1024
_NONE = "-"


def stats(
    context: typer.Context,
    tasks: Annotated[list[str] | None, typer.Argument(help="Ids or ARNs of tasks; all of the cluster without.")] = None,
    cluster: arguments.Cluster = arguments.DEFAULT_CLUSTER,
    instance: Annotated[
        list[str] | None, typer.Option("--instance", help="Only tasks on this container instance; several times.")
    ] = None,
    interval: Annotated[float, typer.Option(min=1.0, help="Seconds between two looks, with --follow.")] = INTERVAL_S,
    *,
    follow: Annotated[bool, typer.Option("--follow", "-f", help="Look again and again, until interrupted.")] = False,
) -> None:
    """Print what containers use: processor, memory, network, disk, processes; with --output json an object for each look, a line each.

    Agents measure every ten seconds unless told otherwise; the age says how old a line is. CPU is in percent of one core.
    """
    as_json = connection.options(context).as_json
    asked = state_tracker_service_pb2.GetTaskStatisticsRequest(
        cluster=cluster, tasks=tasks or (), container_instances=instance or ()
    )

    async def work(client: clients.Client) -> None:
        while True:
            answer = await client.call(client.state_tracker.GetTaskStatistics, asked)
            if as_json:
                output.print_json(answer, indent=None, longshore_only=True)
            else:
                _show(answer, clear=follow and sys.stdout.isatty())
            if not follow:
                return
            await asyncio.sleep(interval)

    try:
        connection.run(context, work)
    except BrokenPipeError:
        output.abandon()


def _show(answer: state_tracker_service_pb2.GetTaskStatisticsResponse, *, clear: bool) -> None:
    if clear:
        sys.stdout.write(_CLEAR)
    now = datetime.now(UTC)
    rows = [row for task in answer.tasks for row in lines(task, now)]
    output.print_table(_COLUMNS, rows, empty="" if answer.failures else "No container has been measured.")
    for failure in answer.failures:
        output.notice(f"{output.short(failure.arn)}: {failure.detail or failure.reason}")


def lines(task: statistics_pb2.TaskStatistics, now: datetime) -> Iterator[tuple[str, ...]]:
    """A row for each container of a task. Pure."""
    age = max(0, round(now.timestamp() - task.sampled_at.seconds))
    for used in task.containers:
        has_network = used.HasField("network_rx_bytes")
        yield (
            output.short(task.task),
            used.name,
            f"{used.cpu_percent:.2f}",
            amount(used.memory_used_bytes),
            amount(used.memory_limit_bytes) if used.memory_limit_bytes else _NONE,
            f"{100 * used.memory_used_bytes / used.memory_limit_bytes:.1f}" if used.memory_limit_bytes else _NONE,
            amount(used.network_rx_bytes) if has_network else _NONE,
            amount(used.network_tx_bytes) if has_network else _NONE,
            amount(used.block_read_bytes),
            amount(used.block_write_bytes),
            str(used.pids),
            f"{age}s",
        )


def amount(count: int) -> str:
    """Bytes as a person reads them, three digits or so. Pure."""
    value = float(count)
    for unit in _UNITS:
        if value < _STEP or unit == _UNITS[-1]:
            return f"{value:.0f} {unit}" if unit == _UNITS[0] or value >= 100 else f"{value:.1f} {unit}"
        value /= _STEP
    raise AssertionError(count)
