"""How full the file systems are that containers and this agent's state are on."""

import asyncio
import os
from collections.abc import Callable, Iterable
from pathlib import Path

CHECK_S = 30.0
"""A disk does not fill much in half a minute, and asking costs a system call."""
CALL_TIMEOUT_S = 10.0
"""A file system that does not answer, one of a network for example, is not waited for."""
NEVER = 100


class Gauge:
    """Whether one of some file systems is fuller than it should be."""

    def __init__(
        self, paths: Iterable[Path], watermark: int, *, used: Callable[[Path], float | None] | None = None
    ) -> None:
        """`watermark` in percent; NEVER for a gauge that is not looked at."""
        self._paths = tuple(paths)
        self._watermark = watermark
        self._used = used or used_percent
        self._looking: asyncio.Task[list[float | None]] | None = None

    async def pressed(self) -> bool:
        """Whether it is now."""
        if self._watermark >= NEVER:
            return False
        # A look that is not answered occupies its thread for ever: there is never more than one.
        if self._looking is None or self._looking.done():
            self._looking = asyncio.create_task(asyncio.to_thread(self._look), name="disk gauge")
        try:
            async with asyncio.timeout(CALL_TIMEOUT_S):
                found = await asyncio.shield(self._looking)
        except TimeoutError:
            return False
        return any(percent is not None and percent > self._watermark for percent in found)

    def _look(self) -> list[float | None]:
        return [self._used(path) for path in self._paths]


def used_percent(path: Path) -> float | None:
    """Percent of a file system that is used, as df tells it; None where there is none that can be seen from here."""
    try:
        found = os.statvfs(path)
    except OSError:
        return None
    used = found.f_blocks - found.f_bfree
    usable = used + found.f_bavail
    return 100.0 * used / usable if usable else None
