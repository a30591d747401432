"""One Longshore for all clients: embedded, with an agent on this machine's Docker."""

from collections.abc import Iterator

import pytest

from tests.e2e import stacks
from tests.engines import docker


@pytest.fixture(scope="session")
def live(tmp_path_factory: pytest.TempPathFactory, docker_engine: docker.DockerEngine) -> Iterator[stacks.Stack]:
    """`longshore up`."""
    with stacks.running(stacks.embedded(tmp_path_factory.mktemp("live"), docker_engine)) as made:
        yield made
