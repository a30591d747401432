"""The clients of each language: what its toolchain is, and which programs `scripts/clients` has built of it."""

import shutil
import subprocess
import sys
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path

from tests.e2e import stacks
from tests.engines.missing import missing

ROOT = Path(__file__).parents[2]
BUILT = ROOT / ".build" / "clients"
PROGRAM_BOUND_S = 120.0
"""A program of a test that has not ended by then never will; a JVM on a busy machine takes seconds to begin."""


@dataclass(frozen=True, slots=True)
class Language:
    """A language with a client."""

    name: str
    tools: Sequence[str]
    """Programs that it is built with."""
    programs: Mapping[str, Sequence[str]]
    """How each program starts, by its name."""

    def absent(self) -> str:
        """Why nothing of this language can be run; empty where it can."""
        lacking = [tool for tool in self.tools if shutil.which(tool) is None]
        if lacking:
            return f"there is no {' and no '.join(lacking)} here"
        return "" if not self.tools or (BUILT / f"{self.name}.inputs").exists() else "it is not built"

    def command(self, program: str, *words: str) -> list[str]:
        """How to start a program. Skips the test where the toolchain is not here; in CI it fails."""
        why = self.absent()
        if why:
            missing(
                f"no client in {self.name}: {why}", remedy="install the toolchain; `make engines` builds the client"
            )
        return [*self.programs[program], *words]

    def run(self, program: str, stack: stacks.Stack, *words: str, stdin: str = "") -> str:
        """Run a program against a stack to its end, which must be a good one, and return what it printed."""
        done = subprocess.run(
            self.command(program, *words),
            env=environment(stack),
            input=stdin,
            capture_output=True,
            text=True,
            timeout=PROGRAM_BOUND_S,
            check=False,
        )
        assert done.returncode == 0, f"{self.name}, {program}:\n{done.stdout}\n{done.stderr}"
        return done.stdout


def environment(stack: stacks.Stack) -> dict[str, str]:
    """What a program needs to find a stack, and no more of this process's than the machine's own."""
    return stacks.environment() | stack.components | {"PYTHONPATH": str(ROOT)}


GO = Language("go", ("go",), {name: [str(BUILT / "go" / name)] for name in ("story", "ten-lines", "cases", "measure")})
_SCRIPTS = ROOT / "clients" / "typescript" / "dist"
TYPESCRIPT = Language(
    "typescript",
    ("node", "npm"),
    {
        "story": ["node", str(_SCRIPTS / "examples" / "story.js")],
        "ten-lines": ["node", str(_SCRIPTS / "examples" / "ten-lines.js")],
        "cases": ["node", str(_SCRIPTS / "internal" / "cases.js")],
        "measure": ["node", str(_SCRIPTS / "internal" / "measure.js")],
    },
)
_JAVA = ROOT / "clients" / "java" / "examples" / "target"
_JVM = [
    "java",
    # Programs of a second or two: what a JVM does for those of an hour would only slow them down.
    "-XX:+UseSerialGC",
    "-XX:TieredStopAtLevel=1",
    "-cp",
    f"{_JAVA / 'classes'}:{_JAVA / 'lib'}/*",
]
JAVA = Language(
    "java",
    ("javac", "mvn"),
    {
        "story": [*_JVM, "io.longshore.examples.Story"],
        "ten-lines": [*_JVM, "io.longshore.examples.TenLines"],
        "cases": [*_JVM, "io.longshore.examples.internal.Cases"],
        "measure": [*_JVM, "io.longshore.examples.internal.Measure"],
    },
)
PYTHON = Language(
    "python",
    (),
    {
        "cases": [sys.executable, "-m", "tests.clients.python_cases"],
        "story": [sys.executable, str(ROOT / "examples/story.py")],
        "ten-lines": [sys.executable, str(ROOT / "examples/ten_lines.py")],
    },
)

ALL = (PYTHON, GO, TYPESCRIPT, JAVA)


def ids() -> list[str]:
    """The languages' names, for pytest."""
    return [language.name for language in ALL]
