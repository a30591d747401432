"""From a command to the control plane and back: one client, one event loop, and errors a person can act on."""

import asyncio
from collections.abc import Awaitable, Callable
from dataclasses import dataclass
from typing import TypeVar

import typer

from longshore.cli import exits, output
from longshore.client import addresses
from longshore.client import client as clients
from longshore.rpc import errors

T = TypeVar("T")


DEADLINE_S = 10.0
"""How long a command tries while a component is away: a change of leader or a restart passes, and a person still waits."""


@dataclass(frozen=True, slots=True)
class Options:
    """What the options before the command said."""

    server: str | None
    format: output.Format

    @property
    def as_json(self) -> bool:
        """Whether the answer is for a program."""
        return self.format is output.Format.JSON


def options(context: typer.Context) -> Options:
    """The options before the command."""
    found = context.find_root().obj
    assert isinstance(found, Options)  # noqa: S101 - set by the root callback, before any command
    return found


def run(context: typer.Context, work: Callable[[clients.Client], Awaitable[T]]) -> T:
    """Run a command's work with a client; end the command with a clear error where a call fails."""
    said: set[str] = set()

    def say_away(error: errors.Unavailable) -> None:
        if not said:
            output.notice(f"{error.message}\nTrying again for {DEADLINE_S:.0f} s.")
        said.add(error.message)

    async def with_client() -> T:
        server = options(context).server
        async with clients.Client(server, deadline_s=DEADLINE_S, on_retry=say_away) as client:
            return await work(client)

    try:
        return asyncio.run(with_client())
    except errors.ServiceError as error:
        fail(error)
    except (addresses.AddressError, addresses.TlsError) as error:
        output.err.print(str(error), markup=False)
    except KeyboardInterrupt:
        raise typer.Exit(exits.INTERRUPTED) from None
    raise typer.Exit(exits.FAILED)


def fail(error: errors.ServiceError) -> None:
    """Print a refusal: its name, what it says, and what to do next where that is known."""
    output.err.print(error.reason, style="bold red", end=": ")
    output.err.print(error.message, markup=False)
    hint = hint_for(error)
    if hint:
        output.notice(hint)


def hint_for(error: errors.ServiceError) -> str:
    """What to do next, where that is known."""
    if isinstance(error, errors.Unavailable | errors.DeadlineExceeded):
        return (
            "Is Longshore running? Start it with `longshore up`, or say where it is: --server HOST or LONGSHORE_SERVER."
        )
    if isinstance(error, errors.ClusterNotFoundException):
        return "`longshore cluster list` shows the clusters; `longshore cluster create NAME` makes one."
    if isinstance(error, errors.ResourceNotFoundException) and "access_key_id" in error.metadata:
        return "`longshore access-key list` shows the access keys."
    return ""
