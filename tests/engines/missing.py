"""What happens when an engine is not on this machine."""

import os
from typing import NoReturn

import pytest

REMEDY = "`make engines` installs and starts what the tests need"


def missing(reason: str, *, remedy: str = REMEDY) -> NoReturn:
    """Skip the test with the reason and what would mend it; in CI everything must be there, so fail it."""
    message = f"{reason} ({remedy})"
    if os.environ.get("CI") == "true":
        pytest.fail(message, pytrace=False)
    pytest.skip(message)
