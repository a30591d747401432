"""Programs that use the library are checked against its types: each package of a namespace has to say so by itself (PEP 561)."""

from importlib import resources

import pytest


@pytest.mark.parametrize("package", ["longshore.client", "longshore.rpc", "longshore.v1"])
def test_a_public_package_says_that_it_is_typed(package: str) -> None:
    assert (resources.files(package) / "py.typed").is_file()
