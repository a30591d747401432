"""The examples run exactly as they stand, on both kinds of stack, and leave nothing behind."""

import re
import subprocess
import sys
from pathlib import Path

import pytest

from tests.e2e import stacks
from tests.e2e.tools import aws

EXAMPLES = Path(__file__).parents[3] / "examples"
BOUND_S = 100.0

pytestmark = [pytest.mark.timeout(110)]


def run(stack: stacks.Stack, *command: str | Path, **environ: str) -> subprocess.CompletedProcess[str]:
    """Run a program of the examples in the environment of somebody who works with a stack."""
    return subprocess.run(
        command,
        env=aws.environ(stack, **environ),
        cwd="/",
        stdout=subprocess.PIPE,
        stderr=subprocess.STDOUT,
        text=True,
        timeout=BOUND_S,
        check=False,
    )


def left_behind(stack: stacks.Stack, prefix: str) -> list[str]:
    """ARNs of clusters, ACTIVE revisions and running tasks that carry a name of a tour."""
    ecs = aws.client(stack)
    found = ecs.list_clusters()["clusterArns"] + ecs.list_task_definitions()["taskDefinitionArns"]
    families = ecs.list_task_definition_families(familyPrefix=prefix, status="ACTIVE")["families"]
    running = [arn for family in families for arn in ecs.list_tasks(family=family)["taskArns"]]
    return [arn for arn in found if prefix in arn] + running


def test_the_tour_with_the_aws_cli(embedded: stacks.Stack) -> None:
    """It tells its story to the end: an exit code of 7, a task that was stopped, a refusal, and all is gone again."""
    done = run(embedded, "bash", EXAMPLES / "aws-cli.sh")
    assert done.returncode == 0, done.stdout
    assert re.search(
        r"^STOPPED\s+EssentialContainerExited\s+Essential container in task exited\s+7$", done.stdout, re.MULTILINE
    )
    assert re.search(r"^UserInitiated\s+seen enough$", done.stdout, re.MULTILINE), done.stdout
    assert "An error occurred (ClusterNotFoundException) when calling the DescribeTasks operation" in done.stdout
    assert done.stdout.endswith("== Cleaning up\nDone.\n"), done.stdout
    assert left_behind(embedded, "aws-cli-tour") == []


def test_a_tour_that_ends_early_cleans_up_and_says_so(embedded: stacks.Stack) -> None:
    """An address where nobody is, given by the flag, beats the environment; the status is not 0."""
    done = run(embedded, "bash", EXAMPLES / "aws-cli.sh", "--endpoint-url", "http://127.0.0.1:1", AWS_MAX_ATTEMPTS="1")
    assert done.returncode != 0
    assert 'Could not connect to the endpoint URL: "http://127.0.0.1:1/"' in done.stdout
    assert done.stdout.endswith(f"Ended early, with status {done.returncode}.\n"), done.stdout


def test_the_tour_with_boto3(stack: stacks.Stack) -> None:
    """Every line of it is there, and nothing is left."""
    done = run(stack, sys.executable, EXAMPLES / "boto3_tour.py")
    assert done.returncode == 0, done.stdout
    lines = [line.partition(" ")[0] for line in done.stdout.splitlines()]
    assert lines == ["cluster", "refused", "ended", "took", "running", "stopped", "missing", "refused", "waiter"]
    assert "ended     EssentialContainerExited - Essential container in task exited - exit code 3\n" in done.stdout
    assert "stopped   {'UserInitiated'} {'seen enough'}\n" in done.stdout
    assert left_behind(stack, "boto3-tour") == []
