"""Options and arguments that several commands share, and how their values become messages."""

from collections.abc import Iterable, Sequence
from typing import Annotated, Any

import typer
from google.protobuf.message import Message

from longshore.cli import connection, output
from longshore.v1 import common_pb2

Answer = Message

Cluster = Annotated[
    str,
    typer.Option("--cluster", "-c", envvar="LONGSHORE_CLUSTER", help="Name or ARN of the cluster.", show_default=True),
]
DEFAULT_CLUSTER = "default"

Tags = Annotated[Sequence[str], typer.Option("--tag", metavar="KEY=VALUE", help="A tag; may be given several times.")]


def pair(text: str, option: str) -> tuple[str, str]:
    """Split NAME=VALUE; the value may hold further equals signs."""
    name, equals, value = text.partition("=")
    if not equals or not name:
        message = f"{option} takes NAME=VALUE, not {text!r}"
        raise typer.BadParameter(message)
    return name, value


def tags(given: Iterable[str]) -> list[common_pb2.Tag]:
    """The tags that --tag options gave."""
    return [common_pb2.Tag(key=key, value=value) for key, value in (pair(text, "--tag") for text in given)]


def spelled(enum: Any, number: int) -> str:
    """ECS's spelling of an enum's value, for tables; empty for the unspecified one."""
    value = enum.DESCRIPTOR.values_by_number[number]
    prefix = enum.DESCRIPTOR.values_by_number[0].name.removesuffix("UNSPECIFIED")
    return "" if number == 0 else str(value.name.removeprefix(prefix))


def fail_on(failures: Sequence[common_pb2.Failure]) -> None:
    """Print failures, if any, and end the command with a status that says so."""
    for failure in failures:
        detail = f": {failure.detail}" if failure.detail else ""
        output.err.print(f"[bold red]{failure.reason}[/] ", end="")
        output.err.print(f"{failure.arn}{detail}", markup=False)
    if failures:
        raise typer.Exit(connection.FAILED)
