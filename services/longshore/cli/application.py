"""The `longshore` command, put together."""

from collections.abc import Callable
from typing import Annotated

import typer

from longshore.cli import (
    access_keys,
    clusters,
    components,
    connection,
    explaining,
    hoisting,
    instances,
    logs,
    output,
    running,
    stats,
    status,
    task_definitions,
    tasks,
    watching,
)

HELP = """Longshore: an open, self-hosted Amazon ECS.

Exit status: 0 done; 1 refused, or something is away; 2 wrong usage; 3 packages are missing; 130 Ctrl-C. With --wait, `run` and
`start` end with the container's exit code, or with 125 where it never ran.
"""

app = typer.Typer(no_args_is_help=True, add_completion=False, pretty_exceptions_enable=False, help=HELP)


PASS_ON = {"allow_extra_args": True, "ignore_unknown_options": True, "help_option_names": []}
"""Options belong to the component: --help too shows the component's."""


def _starting(component: components.Component) -> Callable[[typer.Context], None]:
    """A component's command. `__main__` has been past here already, unless an option stood before the command."""

    def start(context: typer.Context) -> None:
        components.become(component, context.args)

    return start


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
    """Keep what the options before the command said."""
    context.obj = connection.Options(server=server, format=output_format)


root.__doc__ = HELP
for name, component in components.COMPONENTS.items():
    app.command(name, help=component.help, context_settings=PASS_ON)(_starting(component))
app.add_typer(access_keys.app, name="access-key")
app.add_typer(clusters.app, name="cluster")
app.add_typer(task_definitions.app, name="task-definition")
app.command()(running.run)
app.command()(running.start)
app.command()(explaining.explain)
app.command()(tasks.stop)
app.add_typer(tasks.app, name="task")
app.add_typer(instances.app, name="instance")
app.command()(logs.logs)
app.command()(stats.stats)
app.command()(watching.events)
app.command()(status.status)


def main(argv: list[str]) -> None:
    """Run the command with these arguments."""
    app(args=hoisting.hoisted(argv, components.COMPONENTS), prog_name="longshore")
