"""What docs/scheduling.md shows is so: its expressions can be read, its commands print what stands below them."""

import re
from pathlib import Path

import pytest
from typer import testing

from longshore.cli import application
from longshore.query import evaluation
from tests.conformance import world

ROOT = Path(__file__).parents[2]
GUIDE = (ROOT / "docs/scheduling.md").read_text()
QUERIES = [line for block in re.findall(r"```query\n(.*?)```", GUIDE, re.DOTALL) for line in block.splitlines()]
CONSOLES = re.findall(r"```console\n(.*?)```", GUIDE, re.DOTALL)
EXAMPLES = [
    (command, shown)
    for block in CONSOLES
    for command, shown in re.findall(r"^\$ longshore (.*?)\n(.*?)(?=^\$ |\Z)", block, re.DOTALL | re.MULTILINE)
]


@pytest.mark.parametrize("text", QUERIES)
def test_every_expression_of_the_guide_can_be_read(text: str) -> None:
    assert evaluation.compiled(text).text == text


@pytest.mark.parametrize(("command", "shown"), EXAMPLES)
def test_every_command_of_the_guide_prints_what_it_shows(
    stack: world.World, command: str, shown: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    """`…` stands for anything."""
    monkeypatch.chdir(ROOT)
    names = {
        "registry": "LONGSHORE_REGISTRY",
        "scheduler": "LONGSHORE_SCHEDULER",
        "state_tracker": "LONGSHORE_STATE_TRACKER",
    }
    done = testing.CliRunner().invoke(
        application.app, _words(command), env={variable: stack.at[name] for name, variable in names.items()}
    )
    # What the stack in this process logs is no answer of the command.
    lines = [line.rstrip() for line in done.output.splitlines() if not re.match(r"\d{4}-\d\d-\d\d ", line)]
    told = "\n".join(lines).strip()
    pattern = re.escape(shown.strip()).replace("…", ".*").replace(r"\ ", " +").replace("\\\n", "\n")
    assert re.fullmatch(pattern, told, re.DOTALL), told


def _words(command: str) -> list[str]:
    return [quoted or plain for quoted, plain in re.findall(r"'([^']*)'|(\S+)", command)]


def test_the_guide_has_examples() -> None:
    assert len(QUERIES) > 5
    assert len(EXAMPLES) > 4
