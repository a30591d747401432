"""The loop that measures outlives whatever it is given to read."""

import asyncio
from typing import Any

import pytest

from longshore.agent.metadata import sampling


async def test_an_answer_that_nobody_expected_ends_no_loop(monkeypatch: pytest.MonkeyPatch) -> None:
    host: Any = None
    sampled = sampling.Sampling(host, lambda _: None, memory_bytes=1, every_s=0.0)
    passes, enough = [], asyncio.Event()

    async def pass_once() -> None:
        passes.append(1)
        if len(passes) == 3:
            enough.set()
        raise TypeError("int() argument must be a string, not None")

    monkeypatch.setattr(sampled, "pass_once", pass_once)
    running = asyncio.create_task(sampled.run())
    try:
        async with asyncio.timeout(10):
            await enough.wait()
        assert not running.done()
    finally:
        running.cancel()
