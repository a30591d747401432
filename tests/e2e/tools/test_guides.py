"""What the guides for other people's tools show runs as it stands, from a machine on which nothing runs yet."""

import re
import subprocess
import sys
from pathlib import Path

import pytest

from tests.e2e import machines
from tests.e2e.tools import aws

GUIDES = Path(__file__).parents[3] / "docs/guides"
SHOWN_GATEWAY = "http://127.0.0.1:8700"
BOUND_S = 90.0

pytestmark = [pytest.mark.timeout(110)]


def blocks(guide: str, language: str, machine: machines.Machine) -> str:
    """All blocks of a language, one after the other, with the address of this machine's gateway."""
    found: list[str] = re.findall(
        rf"^```{language}\n(.*?)^```$", (GUIDES / guide).read_text(), re.MULTILINE | re.DOTALL
    )
    assert found, f"{guide} shows no {language}"
    return "".join(found).replace(SHOWN_GATEWAY, machine.gateway)


def run(machine: machines.Machine, *command: str) -> list[str]:
    """Run a program in the environment of a person at that machine, who has set no variable of AWS; the lines it printed."""
    environ = {name: value for name, value in aws.environ(machine).items() if not name.startswith("AWS_")}
    done = subprocess.run(command, env=environ, capture_output=True, text=True, timeout=BOUND_S, check=False)
    assert done.returncode == 0, done.stdout + done.stderr
    return done.stdout.splitlines()


def test_the_commands_of_the_aws_cli_s_guide(machine: machines.Machine) -> None:
    """From `up` to the exit code, and on with a key that may run tasks."""
    script = "set -euo pipefail\n" + blocks("aws-cli.md", "sh", machine)
    printed = run(machine, "bash", "-c", script)
    assert "main\t3" in printed
    assert any(re.search(r"\bci\b.*\brun\b", line) for line in printed), printed


def test_the_programs_of_the_boto3_guide(machine: machines.Machine) -> None:
    """The exit code of a task, and the first event of another."""
    machine.command("up", "--detach")
    printed = run(machine, sys.executable, "-c", blocks("boto3.md", "python", machine))
    assert printed == ["[3]", "event: task"]


def test_the_profile_of_the_guide_is_one_that_the_cli_reads(machine: machines.Machine, tmp_path: Path) -> None:
    """It names the stack, the region and the credentials, and nothing else is needed."""
    machine.command("up", "--detach", "--no-agent")
    file = tmp_path / "config"
    file.write_text(blocks("aws-cli.md", "ini", machine))
    printed = run(
        machine,
        "env",
        f"AWS_CONFIG_FILE={file}",
        "AWS_PROFILE=longshore",
        "aws",
        "ecs",
        "list-clusters",
        "--output",
        "text",
    )
    assert printed == ["CLUSTERARNS\tarn:aws:ecs:us-east-1:123456789012:cluster/default"]
