"""Access keys as a person makes and uses them: from the command to the signature that a gateway takes or refuses."""

import re
from collections.abc import Mapping

import pytest

from tests.e2e import machines, stacks
from tests.e2e.tools import aws
from tests.engines import waiting

pytestmark = [pytest.mark.timeout(110)]

LISTING = ("ecs", "list-clusters", "--query", "clusterArns[]", "--output", "text")


def refused(machine: machines.Machine, key: Mapping[str, str], *words: str) -> str:
    """The exception that a command is refused with."""
    done = aws.cli(machine, *words, check=False, env=aws.environ(machine, **key))
    assert done.returncode in aws.SERVICE_REFUSED, done
    found = re.search(r"An error occurred \((\w+)\)", done.stderr)
    assert found, done.stderr
    return found[1]


def test_from_the_first_key_on_signatures_are_verified(machine: machines.Machine) -> None:
    """Before it anybody's credentials do; afterwards a right secret alone does, within what its role may do."""
    machine.command("up", "--detach", "--no-agent")
    aws.cli(machine, *LISTING)
    admin = aws.signing(aws.access_key(machine, "ops", "admin"))
    assert "cluster/default" in aws.cli(machine, *LISTING, env=aws.environ(machine, **admin)).stdout
    # A gateway believes for a moment longer that there is no key.
    waiting.until(
        lambda: aws.cli(machine, *LISTING, check=False).returncode != 0, within_s=10.0, what="strangers are refused"
    )
    stranger = aws.signing(stacks.Credentials("AKIAIOSFODNN7EXAMPLE", "guessed"))
    assert refused(machine, admin | {"AWS_SECRET_ACCESS_KEY": "guessed"}, *LISTING) == "InvalidSignatureException"
    assert refused(machine, stranger, *LISTING) == "UnrecognizedClientException"
    assert refused(machine, stranger, *LISTING, "--no-sign-request") == "MissingAuthenticationTokenException"
    reader = aws.signing(aws.access_key(machine, "dashboard", "read-only"))
    assert "cluster/default" in aws.cli(machine, *LISTING, env=aws.environ(machine, **reader)).stdout
    creation = ("ecs", "create-cluster", "--cluster-name", "second")
    assert refused(machine, reader, *creation) == "AccessDeniedException"
    aws.cli(machine, *creation, env=aws.environ(machine, **admin))
    aws.cli(machine, *LISTING, "--endpoint-url", machine.gateway, env=aws.environ(machine, **admin))


def test_a_distributed_gateway_takes_its_own_region_alone(distributed: stacks.Stack) -> None:
    """Another region is refused as ECS refuses a scope that is not its own."""
    assert "us-east-1" in aws.cli(distributed, *LISTING).stdout
    done = aws.cli(distributed, *LISTING, "--region", "eu-west-1", check=False)
    assert done.returncode in aws.SERVICE_REFUSED
    assert "(InvalidSignatureException)" in done.stderr
    assert "Credential should be scoped to a valid region." in done.stderr
