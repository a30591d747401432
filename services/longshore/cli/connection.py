"""From a command to the control plane and back: one client, one event loop, and errors a person can act on."""

import asyncio
from collections.abc import Awaitable, Callable
from dataclasses import dataclass
from typing import TypeVar

import typer

from longshore.cli import output
from longshore.client import client as clients
from longshore.rpc import errors

T = TypeVar("T")

FAILED = 1
"""Exit status for a call that was refused or could not be made."""

INTERRUPTED = 130


@dataclass(frozen=True, slots=True)
class Options:
    """What the options before the command said."""

    server: str | None
    format: output.Format


def options(context: typer.Context) -> Options:
    """The options before the command."""
    found = context.find_root().obj
    assert isinstance(found, Options)  # noqa: S101 - set by the root callback, before any command
    return found


def run(context: typer.Context, work: Callable[[clients.Client], Awaitable[T]]) -> T:
    """Run a command's work with a client; end the command with a clear error where a call fails."""

    async def with_client() -> T:
        async with clients.Client(options(context).server) as client:
            return await work(client)

    try:
        return asyncio.run(with_client())
    except errors.ServiceError as error:
        output.err.print(f"[bold red]{error.reason}[/]: ", end="")
        output.err.print(str(error), markup=False)
        hint = _hint(error)
        if hint:
            output.err.print(hint, style="dim")
        raise typer.Exit(FAILED) from None
    except KeyboardInterrupt:
        raise typer.Exit(INTERRUPTED) from None


def _hint(error: errors.ServiceError) -> str:
    """What to do next, where that is known."""
    if isinstance(error, errors.Unavailable):
        return (
            "Is Longshore running? Start it with `longshore up`, or say where it is: --server HOST or LONGSHORE_SERVER."
        )
    if isinstance(error, errors.ClusterNotFoundException):
        return "`longshore cluster list` shows the clusters; `longshore cluster create NAME` makes one."
    return ""
