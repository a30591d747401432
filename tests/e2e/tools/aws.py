"""The aws cli and boto3, as a user has them, pointed at a stack."""

import functools
import json
import subprocess
import sys
from collections.abc import Mapping
from pathlib import Path
from typing import Any

import boto3
from botocore.config import Config

from longshore.gateway import operations
from tests.e2e import stacks

BIN = Path(sys.executable).parent
CLI_BOUND_S = 60.0
CLIENT_TIMEOUT_S = 30.0

SERVICE_REFUSED = (255, 254)
"""How version 1 and version 2 of the cli end when the service refused."""


def environ(stack: stacks.Stack, **others: str) -> dict[str, str]:
    """The environment of somebody who works with a stack, this project's tools first on the path."""
    found = stacks.environment() | stack.variables
    return found | {"PATH": f"{BIN}:{found['PATH']}", "AWS_PAGER": ""} | others


def cli(
    stack: stacks.Stack, *words: str, check: bool = True, env: Mapping[str, str] | None = None
) -> subprocess.CompletedProcess[str]:
    """Run `aws WORDS…`, in `env` instead of the stack's environment where one is given."""
    done = subprocess.run(
        [BIN / "aws", *words],
        env=dict(env) if env is not None else environ(stack),
        capture_output=True,
        text=True,
        timeout=CLI_BOUND_S,
        check=False,
    )
    if check and done.returncode:
        raise AssertionError(f"aws {' '.join(words)} ended with {done.returncode}:\n{done.stdout}{done.stderr}")
    return done


def answer(stack: stacks.Stack, *words: str) -> Any:
    """What `aws ecs WORDS…` prints, read as the JSON that it is; None where it prints nothing."""
    printed = cli(stack, "ecs", *words, "--output", "json").stdout
    return json.loads(printed) if printed.strip() else None


def access_key(stack: stacks.Stack, name: str, role: str) -> stacks.Credentials:
    """Make an access key by the command, as a person does."""
    made = json.loads(stack.command("access-key", "create", name, "--role", role, "--output", "json").stdout)
    return stacks.Credentials(made["accessKey"]["accessKeyId"], made["secretAccessKey"])


def signing(credentials: stacks.Credentials) -> dict[str, str]:
    """The variables that a tool takes credentials from."""
    return {
        "AWS_ACCESS_KEY_ID": credentials.access_key_id,
        "AWS_SECRET_ACCESS_KEY": credentials.secret_access_key,
    }


@functools.cache
def is_version_2() -> bool:
    """Whether the cli is of version 2."""
    said = subprocess.run([BIN / "aws", "--version"], capture_output=True, text=True, timeout=CLI_BOUND_S, check=True)
    return said.stdout.startswith("aws-cli/2")


def client(stack: stacks.Stack, **settings: Any) -> Any:
    """A boto3 client of a stack; `settings` are those of botocore's Config."""
    return client_at(stack.gateway, stack.credentials, **settings)


def client_at(url: str, credentials: stacks.Credentials, *, region: str = stacks.REGION, **settings: Any) -> Any:
    """A boto3 client of whatever is at a URL."""
    session = boto3.Session(
        aws_access_key_id=credentials.access_key_id,
        aws_secret_access_key=credentials.secret_access_key,
        region_name=region,
    )
    chosen = {"connect_timeout": CLIENT_TIMEOUT_S, "read_timeout": CLIENT_TIMEOUT_S} | settings
    return session.client("ecs", endpoint_url=url, config=Config(**chosen))


def offered() -> frozenset[str]:
    """The operations of ECS's API that a gateway answers."""
    return frozenset(operations.of_services())


def container(name: str = "main", *command: str, **members: Any) -> dict[str, Any]:
    """A container definition of ECS's API: small, and quickly gone when it is stopped."""
    return {
        "name": name,
        "image": "busybox",
        "cpu": 16,
        "memory": 16,
        "command": list(command or ("sleep", "600")),
        "stopTimeout": 1,
        **members,
    }
