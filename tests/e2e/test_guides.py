"""What the guides show as a program runs as it stands."""

import re
import subprocess
import sys
from pathlib import Path

from tests.e2e import stacks

ROOT = Path(__file__).parents[2]
PROGRAM = re.compile(r"^```python\n(.*?)^```$", re.MULTILINE | re.DOTALL)
BOUND_S = 60.0


def test_the_python_guide_s_program_runs_a_task_to_its_exit_code(stack: stacks.Stack) -> None:
    """It finds the control plane by the environment, and prints the container's exit code and why the task ended."""
    (program,) = PROGRAM.findall((ROOT / "docs/guides/python-client.md").read_text())
    done = subprocess.run(
        [sys.executable, "-c", program],
        env=stacks.environment() | stack.variables,
        cwd=ROOT,
        capture_output=True,
        text=True,
        timeout=BOUND_S,
        check=False,
    )
    assert (done.stdout, done.stderr, done.returncode) == ("7 Essential container in task exited\n", "", 0)
