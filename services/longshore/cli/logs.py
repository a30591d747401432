"""`longshore logs`: what a task's containers wrote."""

import contextlib
import re
from datetime import UTC, datetime, timedelta
from typing import Annotated

import typer

from longshore.cli import arguments, connection, log_output, output
from longshore.client import client as clients

_UNITS = {"s": 1, "m": 60, "h": 3600, "d": 86_400, "w": 604_800}
_DURATION = re.compile(r"(?:\d+[smhdw])+")
_PART = re.compile(r"(\d+)([smhdw])")


def logs(
    context: typer.Context,
    task: Annotated[str, typer.Argument(help="Id or ARN of the task.")],
    cluster: arguments.Cluster = arguments.DEFAULT_CLUSTER,
    container: Annotated[
        list[str] | None, typer.Option("--container", help="Only of this container; several times.")
    ] = None,
    since: Annotated[str, typer.Option(metavar="10m|TIME", help="Only from then on: a time, or how long ago.")] = "",
    until: Annotated[str, typer.Option(metavar="10m|TIME", help="Only up to then.")] = "",
    tail: Annotated[int | None, typer.Option("--tail", "-n", min=0, help="Only the last lines of each.")] = None,
    *,
    follow: Annotated[bool, typer.Option("--follow", "-f", help="Go on until the task has stopped.")] = False,
    timestamps: Annotated[bool, typer.Option("--timestamps", "-t", help="The time before each line.")] = False,
) -> None:
    """Print what a task's containers wrote, from the first byte: their standard output on ours, their standard error on ours.

    It is read from the task's host, also after the task has stopped, until that has cleaned up; then the last lines are left.
    """
    now = datetime.now(UTC)
    bounds = {name: moment(text, now, f"--{name}") for name, text in (("since", since), ("until", until)) if text}
    printer = log_output.Printer(as_json=connection.options(context).as_json, timestamps=timestamps)
    lost = log_output.Lost()

    async def work(client: clients.Client) -> None:
        several = not (container and len(container) == 1) and await log_output.has_several(client, cluster, task)
        reading = client.logs(
            task,
            cluster=cluster,
            containers=container or (),
            follow=follow,
            since=bounds.get("since"),
            until=bounds.get("until"),
            tail=tail,
            timestamps=timestamps,
            on_lost=lost.say,
        )
        async with contextlib.aclosing(reading) as outputs:
            async for found in outputs:
                lost.found()
                printer.show(found, prefixed=several)
        printer.finish()

    try:
        connection.run(context, work)
    except BrokenPipeError:
        # Whoever read has had enough, as `| head` has.
        output.abandon()


def duration(text: str, option: str) -> int:
    """Seconds of a length of time. Pure."""
    if not _DURATION.fullmatch(text):
        raise typer.BadParameter(f"{text!r} is no length of time (90s, 10m, 1h30m)", param_hint=f"'{option}'")
    return sum(int(number) * _UNITS[unit] for number, unit in _PART.findall(text))


def moment(text: str, now: datetime, option: str) -> datetime:
    """A time, or the time so long before now. Pure."""
    if _DURATION.fullmatch(text):
        return now - timedelta(seconds=duration(text, option))
    try:
        found = datetime.fromisoformat(text)
    except ValueError:
        raise typer.BadParameter(
            f"{text!r} is neither a time (2026-11-28T23:00:00Z) nor how long ago (90s, 10m, 1h30m)",
            param_hint=f"'{option}'",
        ) from None
    return found.astimezone(UTC)
