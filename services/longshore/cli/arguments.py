"""Options and arguments that several commands share, and how their values become messages and back."""

from collections.abc import Iterable, Sequence
from typing import Annotated

import typer

from longshore.cli import exits, output
from longshore.client import results
from longshore.v1 import common_pb2

Cluster = Annotated[
    str,
    typer.Option("--cluster", "-c", envvar="LONGSHORE_CLUSTER", help="Name or ARN of the cluster.", show_default=True),
]
DEFAULT_CLUSTER = "default"

Tags = Annotated[
    list[str] | None, typer.Option("--tag", metavar="KEY=VALUE", help="A tag; may be given several times.")
]

Quiet = Annotated[bool, typer.Option("--quiet", "-q", help="Ids alone, a line each.")]


def pair(text: str, option: str) -> tuple[str, str]:
    """Split NAME=VALUE; the value may hold further equals signs."""
    name, equals, value = text.partition("=")
    if not equals or not name:
        raise typer.BadParameter(f"{option} takes NAME=VALUE, not {text!r}")
    return name, value


def tags(given: Iterable[str] | None) -> list[common_pb2.Tag]:
    """The tags that --tag options gave."""
    return [common_pb2.Tag(key=key, value=value) for key, value in (pair(text, "--tag") for text in given or ())]


spelled = results.word
"""ECS's spelling of an enum's value, for tables."""


def fail_on(failures: Sequence[common_pb2.Failure]) -> None:
    """Print failures, if any, and end the command with a status that says so."""
    for failure in failures:
        output.err.print(failure.reason, style="bold red", end=" ")
        output.err.print(failure.arn + (f": {failure.detail}" if failure.detail else ""), markup=False)
    if failures:
        raise typer.Exit(exits.FAILED)
