"""What happens when an engine is not on this machine."""

import os
from typing import NoReturn

import pytest


def missing(reason: str) -> NoReturn:
    """Skip the test with the reason; in CI everything must be there, so fail it."""
    message = f"{reason} (`make engines` installs and starts what the tests need)"
    if os.environ.get("CI") == "true":
        pytest.fail(message, pytrace=False)
    pytest.skip(message)
