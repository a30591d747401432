"""What holds for every test: the engines' fixtures, and marks by folder and by engine."""

from collections.abc import Iterator
from pathlib import Path

import pytest

from longshore.rpc import declared

pytest_plugins = ["tests.engines.fixtures"]

_FOLDERS = frozenset({"unit", "property", "rpc", "conformance", "fuzz", "integration", "e2e", "chaos", "clients"})
_ENGINES = {
    "postgres_session": "postgres",
    "make_postgres": "postgres",
    "redis_session": "redis",
    "docker_engine": "docker",
    "private_docker": "docker",
}


def pytest_addoption(parser: pytest.Parser) -> None:
    """What the campaigns of tests/fuzz shoot."""
    group = parser.getgroup("fuzz")
    group.addoption("--fuzz-requests", type=int, default=10_000, help="requests of each campaign")
    group.addoption("--fuzz-seed", type=int, default=1, help="what they are made of")
    group.addoption("--fuzz-first", type=int, default=0, help="number of the first, to repeat one that failed")


def pytest_collection_modifyitems(config: pytest.Config, items: list[pytest.Item]) -> None:
    """Mark each test by its folder and by the engines that its fixtures start, so that nobody marks by hand."""
    root = config.rootpath / "tests"
    for item in items:
        for folder in _FOLDERS.intersection(_parts_below(root, item.path)[:1]):
            item.add_marker(folder)
        names: list[str] = getattr(item, "fixturenames", [])
        for fixture in _ENGINES.keys() & set(names):
            item.add_marker(_ENGINES[fixture])


@pytest.fixture(autouse=True)
def errors_are_declared(request: pytest.FixtureRequest) -> Iterator[None]:
    """No server in this process gives an error that its RPC does not declare: the reference of the API is made of those."""
    declared.forget()
    yield
    noticed = declared.forget()
    if request.node.get_closest_marker("invented_errors"):
        return
    undeclared = sorted(f"{method} gave {reason}" for method, reason in noticed)
    assert undeclared == [], "each needs a line `option (errors)` in its proto, or should not be given"


def _parts_below(root: Path, path: Path) -> tuple[str, ...]:
    return path.relative_to(root).parts if path.is_relative_to(root) else ()
