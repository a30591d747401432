"""Write what is told of the agent's settings anew from the code: the tables of docs/guides/agent.md and deploy/agent/agent.conf."""

import dataclasses
import sys
from collections.abc import Iterator
from pathlib import Path
from typing import Any

from longshore.agent.settings import config, ecs_settings
from longshore.rpc import settings

ROOT = Path(__file__).parents[1]
GUIDE = ROOT / "docs/guides/agent.md"
EXAMPLE = ROOT / "deploy/agent/agent.conf"

_HEAD = """\
# Settings of this host's Longshore agent. docs/guides/agent.md tells more of them.
#
# A setting may be given under ECS's name, with the value as ECS writes it, so the lines of an /etc/ecs/ecs.config can stay as
# they are; where both are given, ours counts. What is in the agent's environment beats this file. `longshore agent --help` lists the same.

# ---- how the service starts the agent

# Image that `docker load` has brought, or the command of an installed package.
#LONGSHORE_AGENT_IMAGE=longshore/agent:latest
#LONGSHORE_AGENT_COMMAND=/opt/longshore/bin/longshore agent
# Further options of `docker run`, with which the image is started.
#LONGSHORE_AGENT_OPTIONS=

# ---- the agent
"""


def tables() -> dict[str, str]:
    """The guide's tables by the names between which they stand."""
    return {"settings": "\n".join(_ours()), "without effect": "\n".join(_without_effect())}


def guide(text: str) -> str:
    """The guide with its tables as they should be."""
    for name, table in tables().items():
        before, mark, rest = text.partition(f"<!-- table: {name} -->\n")
        _, end, after = rest.partition("<!-- end -->")
        if not (mark and end):
            raise ValueError(f"the guide has no table {name!r}")
        text = f"{before}{mark}{table}\n{end}{after}"
    return text


def example() -> str:
    """The commented configuration file."""
    blocks = []
    for field in _fields():
        if field.name == "config_file":
            continue
        ecs = _ecs_name(field.name)
        lines = [
            f"# {_means(field)}{f' ECS: {ecs}.' if ecs else ''}",
            f"#{settings.variable(field.name)}={_default(field)}",
        ]
        blocks.append("\n".join(lines))
    return _HEAD + "\n" + "\n\n".join(blocks) + "\n"


def _ours() -> Iterator[str]:
    yield "| setting | ECS's name | default | means |"
    yield "|---|---|---|---|"
    for field in _fields():
        ecs = _ecs_name(field.name)
        default = _default(field)
        yield (
            f"| `{settings.variable(field.name)}` | {f'`{ecs}`' if ecs else ''} | {f'`{default}`' if default else ''} "
            f"| {_means(field)} |"
        )


def _without_effect() -> Iterator[str]:
    yield "| ECS's name | why it says nothing here |"
    yield "|---|---|"
    for name, why in sorted(ecs_settings.WITHOUT_EFFECT.items()):
        yield f"| `{name}` | {why} |"


def _fields() -> "tuple[dataclasses.Field[Any], ...]":
    return dataclasses.fields(config.Config)


def _ecs_name(ours: str) -> str:
    return next((name for name, rule in ecs_settings.RULES.items() if rule.ours == ours), "")


def _means(field: "dataclasses.Field[Any]") -> str:
    text: str = field.metadata["help"]
    choices = [choice for choice in field.metadata["choices"] if choice]
    said = text[0].upper() + text[1:] + (f": {', '.join(choices)}" if choices else "")
    return said.rstrip(".") + "."


def _default(field: "dataclasses.Field[Any]") -> str:
    value = field.default
    if value is None:
        return ""
    if isinstance(value, bool):
        return str(value).lower()
    return ",".join(value) if isinstance(value, tuple) else str(value)


def main() -> None:
    """Write both files, or with `check` say which are stale."""
    wanted = {GUIDE: guide(GUIDE.read_text()), EXAMPLE: example()}
    stale = [path for path, text in wanted.items() if not path.exists() or path.read_text() != text]
    if sys.argv[1:] == ["check"]:
        for path in stale:
            print(f"{path.relative_to(ROOT)} is not what the settings are now: make settings")
        sys.exit(1 if stale else 0)
    for path in stale:
        path.write_text(wanted[path])


if __name__ == "__main__":
    main()
