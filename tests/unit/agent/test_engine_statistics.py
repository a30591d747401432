"""What takes two samples, made of two answers of the engine that give one each."""

import asyncio
from typing import Any

import pytest

from longshore.agent import runtime
from longshore.agent.metadata import engine_statistics


def sample(second: int, cpu: int, received: int) -> dict[str, object]:
    """An answer of the engine."""
    return {
        "read": f"2026-01-01T00:00:{second:02d}.5Z",
        "preread": "0001-01-01T00:00:00Z",
        "cpu_stats": {"cpu_usage": {"total_usage": cpu}},
        "precpu_stats": {"cpu_usage": {"total_usage": 0}},
        "networks": {"eth0": {"rx_bytes": received, "tx_bytes": 7}, "eth1": {"rx_bytes": received, "tx_bytes": 7}},
    }


def test_the_first_answer_stands_as_it_is() -> None:
    assert engine_statistics.joined(None, sample(1, 10, 0)) == sample(1, 10, 0)


def test_the_one_before_gives_the_earlier_cpu_and_the_rates_of_the_network() -> None:
    found = engine_statistics.joined(sample(1, 10, 0), sample(5, 30, 100))
    assert found["preread"] == "2026-01-01T00:00:01.5Z"
    assert found["precpu_stats"] == {"cpu_usage": {"total_usage": 10}}
    assert found["network_rate_stats"] == {"rx_bytes_per_sec": 50.0, "tx_bytes_per_sec": 0.0}


def test_a_counter_that_began_anew_gives_no_negative_rate() -> None:
    found = engine_statistics.joined(sample(1, 10, 500), sample(5, 30, 100))
    assert found["network_rate_stats"]["rx_bytes_per_sec"] == 0.0


async def test_many_who_ask_at_once_ask_the_engine_once() -> None:
    asked = []

    class Engine:
        async def statistics(self, runtime_id: str) -> dict[str, object]:
            asked.append(runtime_id)
            await asyncio.sleep(0.01)
            if runtime_id == "gone":
                raise runtime.ContainerMissing("No container")
            return sample(1, 10, 0)

    engine: Any = Engine()
    statistics = engine_statistics.EngineStatistics(engine)
    found = await asyncio.gather(*(statistics.of("id") for _ in range(60)))
    assert (asked, found) == (["id"], [sample(1, 10, 0)] * 60)
    with pytest.raises(runtime.ContainerMissing):
        await statistics.of("gone")
