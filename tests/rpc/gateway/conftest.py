"""A gateway in front of a whole control plane, as most tests here want it."""

from collections.abc import AsyncIterator
from pathlib import Path

import pytest

from tests.rpc.gateway import world


@pytest.fixture
async def stack(tmp_path: Path) -> AsyncIterator[world.Stack]:
    async with world.stack(tmp_path) as served:
        yield served
