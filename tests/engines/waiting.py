"""Waiting, within a bound, for what cannot tell by itself: other people's programs inside containers."""

import time
from collections.abc import Callable

_POLL_S = 0.1


def until(holds: Callable[[], bool], *, within_s: float, what: str) -> None:
    """Return once ``holds()`` does; fail, naming ``what``, when it does not in time."""
    deadline = time.monotonic() + within_s
    while not holds():
        assert time.monotonic() < deadline, f"not within {within_s:.0f} s: {what}"
        time.sleep(_POLL_S)
