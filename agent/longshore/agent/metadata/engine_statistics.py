"""A container's statistics in Docker's own shape, as ECS's metadata answers them: asked for on demand, at most once a second.

The engine is asked for one sample, which it gives within a second. What belongs to two samples (`precpu_stats`, the network's rates) is made of
this one and the one that was asked for before, where there is one.
"""

import asyncio
import time
import weakref
from collections.abc import Mapping
from typing import Any

from longshore.agent import runtime
from longshore.agent.docker import docker_values

FRESH_S = 1.0
MAX_KEPT = 64
OF_THE_NETWORK = ("networks", "network_rate_stats")
"""What the engine counts where a network namespace was made: at the hidden container, for tasks with an address."""
_MICROSECONDS = 1_000_000
_COUNTERS = ("rx_bytes", "tx_bytes")


class EngineStatistics:
    """Last answers of the engine."""

    def __init__(self, engine: runtime.ContainerRuntime) -> None:
        self._engine = engine
        self._last: dict[str, tuple[float, Mapping[str, Any]]] = {}
        self._asking: weakref.WeakValueDictionary[str, asyncio.Lock] = weakref.WeakValueDictionary()

    async def of(self, runtime_id: str) -> Mapping[str, Any]:
        """A container's statistics. Raises RuntimeFailure. Who asks while the engine is being asked waits for the same answer."""
        lock = self._asking.get(runtime_id)
        if lock is None:
            lock = self._asking[runtime_id] = asyncio.Lock()
        async with lock:
            return await self._asked(runtime_id)

    async def _asked(self, runtime_id: str) -> Mapping[str, Any]:
        at, last = self._last.get(runtime_id, (0.0, None))
        if last is not None and time.monotonic() - at < FRESH_S:
            return last
        try:
            found = await self._engine.statistics(runtime_id)
        except runtime.RuntimeFailure:
            self._last.pop(runtime_id, None)
            raise
        answer = joined(last, found)
        self._last.pop(runtime_id, None)
        self._last[runtime_id] = time.monotonic(), answer
        if len(self._last) > MAX_KEPT:
            del self._last[next(iter(self._last))]
        return answer


def joined(before: Mapping[str, Any] | None, now: Mapping[str, Any]) -> Mapping[str, Any]:
    """A sample, with what it takes two for. Pure."""
    answer = dict(now)
    if before is None:
        return answer
    answer["preread"] = before.get("read", "")
    answer["precpu_stats"] = before.get("cpu_stats", {})
    elapsed = docker_values.microseconds(str(now.get("read", ""))) - docker_values.microseconds(
        str(before.get("read", ""))
    )
    if elapsed > 0 and now.get("networks"):
        grown = {name: _total(now, name) - _total(before, name) for name in _COUNTERS}
        answer["network_rate_stats"] = {
            f"{name}_per_sec": max(0, difference) * _MICROSECONDS / elapsed for name, difference in grown.items()
        }
    return answer


def _total(sample: Mapping[str, Any], counter: str) -> int:
    return sum(int(network.get(counter, 0)) for network in (sample.get("networks") or {}).values())
