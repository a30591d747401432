"""Containers as the engine describes them, for those who ask about them again and again: each is asked for at most once a second."""

import asyncio
import time
from collections.abc import Iterable

import structlog

from longshore.agent import runtime

_log = structlog.get_logger(__name__)

FRESH_S = 1.0
"""How old a description may be: what changes in between, the agent knows of itself."""
PATIENCE_S = 2.0
"""How long whoever asks waits for the engine, which describes no container while it starts it. Then the answer goes without."""
MAX_KEPT = 256
_AT_ONCE = 4
"""Inspections under way at a time: whoever asks about a full host must not hold up the engine's other work."""


class Inspections:
    """Descriptions of containers. Made inside a running event loop."""

    def __init__(self, engine: runtime.ContainerRuntime) -> None:
        self._engine = engine
        self._kept: dict[str, tuple[float, runtime.ContainerSnapshot]] = {}
        self._slots = asyncio.Semaphore(_AT_ONCE)

    async def of(self, runtime_ids: Iterable[str]) -> dict[str, runtime.ContainerSnapshot]:
        """Descriptions of containers by their ids; those that the engine could not give are missing."""
        asked = [runtime_id for runtime_id in runtime_ids if runtime_id]
        found = await asyncio.gather(*(self._one(runtime_id) for runtime_id in asked))
        return {snapshot.runtime_id: snapshot for snapshot in found if snapshot is not None}

    async def _one(self, runtime_id: str) -> runtime.ContainerSnapshot | None:
        async with self._slots:
            at, known = self._kept.get(runtime_id, (0.0, None))
            if known is not None and time.monotonic() - at < FRESH_S:
                return known
            try:
                async with asyncio.timeout(PATIENCE_S):
                    snapshot = await self._engine.inspect(runtime_id)
            except (runtime.RuntimeFailure, TimeoutError) as error:
                _log.debug("container_not_described", runtime_id=runtime_id, error=str(error))
                self._kept.pop(runtime_id, None)
                return None
            self._keep(runtime_id, snapshot)
            return snapshot

    def _keep(self, runtime_id: str, snapshot: runtime.ContainerSnapshot) -> None:
        now = time.monotonic()
        if len(self._kept) >= MAX_KEPT:
            self._kept = {key: entry for key, entry in self._kept.items() if now - entry[0] < FRESH_S}
        if len(self._kept) < MAX_KEPT:
            self._kept[runtime_id] = now, snapshot
