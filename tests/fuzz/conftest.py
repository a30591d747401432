"""A stack, and what is listened for in its log."""

from collections.abc import AsyncIterator, Iterator
from pathlib import Path

import pytest

from tests.fuzz import campaigns, complaints, target


@pytest.fixture
def heard() -> Iterator[complaints.Complaints]:
    with complaints.listening() as found:
        yield found


@pytest.fixture
async def stack(tmp_path: Path, heard: complaints.Complaints) -> AsyncIterator[target.Target]:
    async with target.running(tmp_path) as made:
        yield made


@pytest.fixture
def plan(request: pytest.FixtureRequest, tmp_path: Path) -> campaigns.Plan:
    """What the command line says: --fuzz-seed, --fuzz-first and --fuzz-requests."""
    option = request.config.getoption
    return campaigns.Plan(option("--fuzz-seed"), option("--fuzz-first"), option("--fuzz-requests"), tmp_path)
