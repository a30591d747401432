"""What tests with boto3 share: a client of the embedded stack, and a name of their own that goes away afterwards."""

import uuid
from collections.abc import Iterator
from typing import Any

import pytest

from tests.e2e import stacks
from tests.e2e.tools import aws, families


@pytest.fixture(scope="session")
def ecs(embedded: stacks.Stack) -> Any:
    """A client of the embedded stack."""
    return aws.client(embedded, max_pool_connections=families.THREADS)


@pytest.fixture
def family(ecs: Any) -> Iterator[str]:
    """A name of this test's own; its tasks are stopped and its revisions removed afterwards."""
    name = f"boto3-{uuid.uuid4().hex[:8]}"
    yield name
    families.remove(ecs, name)
