"""Commands that become a component: `up`, `down`, `agent`, `registry`, `scheduler`, `state-tracker`, `gateway`; `simulate`, `seal-key` and `drill`.

Each replaces this process by `python -m longshore.<component>`, so that a component never loads what the command needs, and says
which extra is missing where its packages are not installed. Nothing beyond Python itself is imported here: a component starts as fast,
and with as little installed, as if it had been started without the command.
"""

import importlib.util
import os
import sys
from typing import NamedTuple, NoReturn

from longshore.cli import exits


class Component(NamedTuple):
    """A component as the command knows it."""

    module: str
    arguments: tuple[str, ...]
    needs: tuple[str, ...]
    extra: str
    help: str


CONTROL_PLANE = ("asyncpg", "redis")
HTTP = ("httptools", "starlette", "uvicorn")

COMPONENTS = {
    "up": Component(
        "longshore.embedded",
        ("up",),
        (*CONTROL_PLANE, *HTTP, "numpy"),
        "services",
        "Start Longshore on this machine.",
    ),
    "down": Component(
        "longshore.embedded",
        ("down",),
        CONTROL_PLANE,
        "services",
        "Stop what `up` started; tasks go on unless told so.",
    ),
    "agent": Component("longshore.agent", (), ("aiodocker",), "agent", "Join this host to a cluster."),
    "simulate": Component(
        "longshore.agent.simulated",
        (),
        ("aiodocker",),
        "agent",
        "Join simulated instances to a cluster: agents without containers, by thousands.",
    ),
    "registry": Component("longshore.registry", (), CONTROL_PLANE, "services", "Serve clusters and task definitions."),
    "scheduler": Component(
        "longshore.scheduler", (), (*CONTROL_PLANE, "numpy"), "services", "Serve RunTask, StartTask and StopTask."
    ),
    "state-tracker": Component(
        "longshore.state_tracker", (), CONTROL_PLANE, "services", "Serve agents, descriptions and events."
    ),
    "gateway": Component(
        "longshore.gateway", (), HTTP, "services", "Serve ECS's own API to aws cli, boto3, Terraform."
    ),
    "seal-key": Component(
        "longshore.registry.seal_key", (), (), "services", "Make the key that access keys are sealed under."
    ),
    "drill": Component(
        "longshore.drill",
        (),
        (*CONTROL_PLANE, *HTTP, "numpy", "aiodocker"),
        "services,agent",
        "Let things go wrong on purpose, in a world of its own: `drill agent`, `drill control-plane`.",
    ),
}


PLANNING = Component("longshore.planning", (), (*CONTROL_PLANE, "numpy"), "services", "Say what would fit where.")
"""What `simulate --plan FILE` becomes: it needs the scheduler's decisions, and no agent."""


def meant(component: Component, arguments: list[str]) -> Component:
    """The component that the arguments are for."""
    plans = any(word.partition("=")[0] == "--plan" for word in arguments)
    return PLANNING if plans and component == COMPONENTS["simulate"] else component


def become(component: Component, arguments: list[str]) -> NoReturn:
    """Replace this process by the component; end with MISSING_EXTRA where its packages are not there."""
    component = meant(component, arguments)
    absent = missing(component)
    if absent:
        sys.stderr.write(
            f"{component.module} needs {', '.join(absent)}, which is not installed. "
            f"Install it with: pip install 'longshore[{component.extra}]'\n"
        )
        sys.exit(exits.MISSING_EXTRA)
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
