"""The stack that all conformance tests share, and what was seen of it."""

from collections.abc import Iterator

import pytest

from tests.conformance import world


@pytest.fixture(scope="session")
def stack(tmp_path_factory: pytest.TempPathFactory) -> Iterator[world.World]:
    """A whole Longshore behind its gateway."""
    with world.running(tmp_path_factory.mktemp("conformance")) as made:
        yield made
