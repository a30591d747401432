"""The README's tour, as it is written: every command runs, ends as the README says, and prints what it shows."""

import os
import shlex
import subprocess
import sys
from pathlib import Path
from typing import Self

import pytest

from longshore.embedded import config
from tests.e2e import machines, stacks, tour

ROOT = Path(__file__).parents[2]
README = (ROOT / "README.md").read_text()
STATUS = "echo $?"
SHELL_BOUND_S = 10.0
MARK = "--tour-step-ended--"

pytestmark = [pytest.mark.timeout(420)]


class Shell:
    """One bash, as the reader has one: what a command sets is there for the next, `$?` included."""

    def __init__(self, environ: dict[str, str], cwd: Path) -> None:
        self._process = subprocess.Popen(
            ["bash", "--norc"],
            cwd=cwd,
            env=environ,
            stdin=subprocess.PIPE,
            stdout=subprocess.PIPE,
            stderr=subprocess.STDOUT,
            text=True,
        )

    def __enter__(self) -> Self:
        """The shell itself."""
        return self

    def __exit__(self, *_: object) -> None:
        """End it."""
        self._process.communicate("exit\n", timeout=SHELL_BOUND_S)

    def run(self, command: str) -> tuple[str, int]:
        """What a command printed, and its exit status."""
        assert self._process.stdin is not None
        assert self._process.stdout is not None
        self._process.stdin.write(f"{command}\nstatus=$?; printf '%s%s\\n' {MARK} $status; (exit $status)\n")
        self._process.stdin.flush()
        printed = ""
        for line in self._process.stdout:
            before, mark, status = line.partition(MARK)
            printed += before
            if mark:
                return printed, int(status)
        raise AssertionError(f"the shell ended in {command!r}:\n{printed}")


def test_the_tour_goes_as_the_readme_shows_it(machine: machines.Machine) -> None:
    """Ids and ports of the README stand for those of this run; folders and ports come from the environment."""
    environ = stacks.environment() | machine.variables
    environ["PATH"] = f"{Path(sys.executable).parent}{os.pathsep}{environ['PATH']}"
    listed = list(tour.steps(README))
    names = tour.Names()
    with Shell(environ, ROOT) as shell:
        for step, following in zip(listed, [*listed[1:], tour.Step("", "")], strict=True):
            printed, status = shell.run(names.in_command(step.command))
            names.learn(step.expected, printed)
            assert tour.normalised(printed) == tour.normalised(names.in_output(step.expected)), step.command
            if following.command != STATUS:
                assert status == 0, f"{step.command} ended with {status}"
    assert not machine.folders.state.exists()


def test_the_tour_is_the_readme_s() -> None:
    """It has the commands that a newcomer needs, and nobody has hidden one from the test in another kind of block."""
    commands = [step.command for step in tour.steps(README)]
    assert len(commands) >= 12
    for tool in ("aws", "python"):
        assert any(shlex.split(command)[0] == tool for command in commands), tool
    for word in ("up", "run", "task", "instance", "stop", "status", "down"):
        assert any(shlex.split(command)[:2] == ["longshore", word] for command in commands), word
    assert README.count(f"\n{tour.PROMPT}") == len(commands)
    assert config.DEFAULT_PORT_BASE == 8700, "the README shows ports 8700 to 8703"
