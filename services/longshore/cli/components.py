"""Commands that become a component: `up`, `down`, `agent`, `registry`, `scheduler`, `state-tracker`.

Each replaces this process by `python -m longshore.<component>`, so that a component never loads what the command needs, and says
which extra is missing where its packages are not installed.
"""

import importlib.util
import os
import sys
from collections.abc import Callable
from dataclasses import dataclass

import typer

from longshore.cli import exits, output

PASS_ON = {"allow_extra_args": True, "ignore_unknown_options": True, "help_option_names": []}
"""Options belong to the component: --help too shows the component's."""


@dataclass(frozen=True, slots=True)
class Component:
    """A component as the command knows it."""

    module: str
    arguments: tuple[str, ...]
    needs: tuple[str, ...]
    extra: str
    help: str


CONTROL_PLANE = ("asyncpg", "redis")

COMPONENTS = {
    "up": Component(
        "longshore.embedded", ("up",), (*CONTROL_PLANE, "numpy"), "services", "Start Longshore on this machine."
    ),
    "down": Component(
        "longshore.embedded",
        ("down",),
        CONTROL_PLANE,
        "services",
        "Stop what `up` started; tasks go on unless told so.",
    ),
    "agent": Component("longshore.agent", (), ("aiodocker",), "agent", "Join this host to a cluster."),
    "registry": Component("longshore.registry", (), CONTROL_PLANE, "services", "Serve clusters and task definitions."),
    "scheduler": Component(
        "longshore.scheduler", (), (*CONTROL_PLANE, "numpy"), "services", "Serve RunTask, StartTask and StopTask."
    ),
    "state-tracker": Component(
        "longshore.state_tracker", (), CONTROL_PLANE, "services", "Serve agents, descriptions and events."
    ),
}


def add_to(app: typer.Typer) -> None:
    """Add a command for each component."""
    for name, component in COMPONENTS.items():
        app.command(name, help=component.help, context_settings=PASS_ON)(_command(component))


def _command(component: Component) -> Callable[[typer.Context], None]:
    def command(context: typer.Context) -> None:
        become(component, context.args)

    return command


def become(component: Component, arguments: list[str]) -> None:
    """Replace this process by the component; end with MISSING_EXTRA where its packages are not there."""
    absent = missing(component)
    if absent:
        output.err.print(
            f"{component.module} needs {', '.join(absent)}, which is not installed. "
            f"Install it with: pip install 'longshore[{component.extra}]'",
            markup=False,
        )
        raise typer.Exit(exits.MISSING_EXTRA)
    command = [sys.executable, "-m", component.module, *component.arguments, *arguments]
    sys.stdout.flush()
    os.execv(sys.executable, command)  # noqa: S606 - our own interpreter, no shell


def missing(component: Component) -> list[str]:
    """What a component needs and is not installed: its packages, and the component itself where a part of Longshore is left out."""
    return [package for package in (component.module, *component.needs) if not _is_installed(package)]


def _is_installed(package: str) -> bool:
    try:
        return importlib.util.find_spec(package) is not None
    except ModuleNotFoundError:  # of the package that it lies in
        return False
