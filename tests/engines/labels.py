"""Labels that tell one test's containers from everybody else's."""

import secrets


def unique() -> str:
    """A Docker label that nothing else carries."""
    return f"io.longshore.test={secrets.token_hex(8)}"
