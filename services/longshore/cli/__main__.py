"""The `longshore` command."""

import itertools
import sys
from typing import Annotated

import typer

from longshore.cli import (
    clusters,
    components,
    connection,
    instances,
    output,
    running,
    status,
    task_definitions,
    tasks,
    watching,
)

app = typer.Typer(
    no_args_is_help=True,
    add_completion=False,
    pretty_exceptions_enable=False,
    help="Longshore: an open, self-hosted Amazon ECS.",
)


@app.callback()
def root(
    context: typer.Context,
    server: Annotated[
        str | None, typer.Option(help="Host of the control plane; else the LONGSHORE_* variables.")
    ] = None,
    output_format: Annotated[
        output.Format, typer.Option("--output", "-o", help="Tables to read or JSON to pipe.")
    ] = output.Format.TABLE,
) -> None:
    """Longshore: an open, self-hosted Amazon ECS."""
    context.obj = connection.Options(server=server, format=output_format)


components.add_to(app)
app.add_typer(clusters.app, name="cluster")
app.add_typer(task_definitions.app, name="task-definition")
app.command()(running.run)
app.command()(running.start)
app.command()(tasks.stop)
app.add_typer(tasks.app, name="task")
app.add_typer(instances.app, name="instance")
app.command()(watching.events)
app.command()(status.status)


def main() -> None:
    """Run the command."""
    app(args=hoisted(sys.argv[1:]))


GLOBAL = frozenset({"--output", "-o", "--server"})
"""Options before the command that people write after it, as the aws cli takes them."""


def hoisted(argv: list[str]) -> list[str]:
    """The arguments with global options moved to the front; those of a component, which has its own, stay."""
    if next((word for word in argv if not word.startswith("-")), "") in components.COMPONENTS:
        return argv
    front: list[str] = []
    rest: list[str] = []
    words = iter(argv)
    for word in words:
        if word == "--":
            rest += [word, *words]
        elif word in GLOBAL:
            front += [word, *itertools.islice(words, 1)]
        elif word.partition("=")[0] in GLOBAL:
            front.append(word)
        else:
            rest.append(word)
    return front + rest


if __name__ == "__main__":
    main()
