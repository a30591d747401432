"""Pauses grow, are capped, jittered, and end early."""

import asyncio
import random

import pytest
from hypothesis import given
from hypothesis import strategies as st

from longshore.rpc import backoff


class Highest(random.Random):
    """Draws the upper end, so that a test sees the ceilings."""

    def uniform(self, a: float, b: float) -> float:
        del a
        return b


def test_the_ceiling_doubles_up_to_the_cap_and_begins_again_after_a_success() -> None:
    pauses = backoff.Backoff(first=0.5, cap=3.0, source=Highest())
    assert [pauses.next() for _ in range(5)] == [0.5, 1.0, 2.0, 3.0, 3.0]
    pauses.reset()
    assert pauses.next() == 0.5


@given(st.integers())
def test_jitter_is_full(seed: int) -> None:
    pauses = backoff.Backoff(first=1.0, cap=8.0, source=random.Random(seed))
    ceilings = [1.0, 2.0, 4.0, 8.0, 8.0]
    drawn = [pauses.next() for _ in ceilings]
    assert all(0.0 <= pause <= ceiling for pause, ceiling in zip(drawn, ceilings, strict=True))


def test_jitter_reaches_both_ends() -> None:
    source = random.Random(1)
    first = [backoff.Backoff(first=1.0, cap=1.0, source=source).next() for _ in range(200)]
    assert min(first) < 0.1
    assert max(first) > 0.9


@pytest.mark.parametrize(("first", "cap", "factor"), [(0.0, 1.0, 2.0), (2.0, 1.0, 2.0), (1.0, 2.0, 0.5)])
def test_senseless_figures_are_refused(first: float, cap: float, factor: float) -> None:
    with pytest.raises(ValueError, match="must be"):
        backoff.Backoff(first=first, cap=cap, factor=factor)


async def test_a_pause_ends_when_the_event_is_set() -> None:
    event = asyncio.Event()
    pauses = backoff.Backoff(first=3_600.0, cap=3_600.0, source=Highest())
    sleeping = asyncio.ensure_future(pauses.sleep(event))
    await asyncio.sleep(0)
    event.set()
    assert await sleeping is True


async def test_a_pause_that_nothing_interrupts_says_so() -> None:
    assert await backoff.Backoff(first=0.001, cap=0.001).sleep(asyncio.Event()) is False
    assert await backoff.Backoff(first=0.001, cap=0.001).sleep() is False
