"""make is the one entry: what it names exists, and CI calls nothing else."""

import os
import re
import subprocess
from pathlib import Path

_ROOT = Path(__file__).parents[3]
_MAKEFILE = (_ROOT / "Makefile").read_text()


def test_help_lists_every_target() -> None:
    targets = set(re.findall(r"^\.PHONY: ([a-z-]+)$", _MAKEFILE, re.MULTILINE))
    environment = {key: value for key, value in os.environ.items() if not key.startswith("MAKE")}
    help_text = subprocess.run(
        ["make", "-C", str(_ROOT), "help"], capture_output=True, text=True, timeout=30, check=True, env=environment
    ).stdout

    listed = dict(re.findall(r"^ *(?:\x1b\[36m)?([a-z-]+) *(?:\x1b\[0m)? (\w.*)$", help_text, re.MULTILINE))

    assert targets
    assert listed.keys() == targets


def test_every_script_that_make_or_a_script_calls_is_there_and_executable() -> None:
    texts = [_MAKEFILE, *(path.read_text() for path in (_ROOT / "scripts").iterdir() if path.is_file())]
    called = {match for text in texts for match in re.findall(r"^\s*@?(scripts/[a-z-]+)", text, re.MULTILINE)}

    assert "scripts/setup" in called
    assert {name for name in called if not os.access(_ROOT / name, os.X_OK)} == set()


def test_ci_checks_and_tests_by_make_alone() -> None:
    lines = (_ROOT / ".ci/run").read_text().splitlines()

    assert [line for line in lines if line.startswith("make")] == ["make check", "make test"]
    assert "set -euo pipefail" in lines
