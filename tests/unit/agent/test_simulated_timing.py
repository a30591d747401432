"""Distributions as a setting writes them, and the wheel of time that all simulated hosts share."""

import asyncio
import random
import statistics

import pytest

from longshore.agent.simulated import simulated_timing

DRAWS = 2_000


@pytest.mark.parametrize(
    ("text", "least", "middle", "most"),
    [
        ("0.2", 0.2, 0.2, 0.2),
        ("0.1-0.3", 0.1, 0.2, 0.3),
        ("exponential:0.2", 0.0, 0.2, 20.0),
        ("lognormal:0.2,0", 0.2, 0.2, 0.2),
        ("0", 0.0, 0.0, 0.0),
        ("exponential:0", 0.0, 0.0, 0.0),
    ],
)
def test_a_distribution_is_drawn_from_as_it_is_written(text: str, least: float, middle: float, most: float) -> None:
    spread, source = simulated_timing.parse(text), random.Random(1)
    drawn = [spread.draw(source) for _ in range(DRAWS)]
    assert least - 1e-9 <= min(drawn) <= max(drawn) <= most + 1e-9
    assert statistics.fmean(drawn) == pytest.approx(middle, rel=0.1, abs=1e-9)


@pytest.mark.parametrize("text", ["", "soon", "3-1", "1-2-3", "-1", "normal:1", "lognormal:1", "exponential:", "nan"])
def test_what_is_no_distribution_says_what_one_is(text: str) -> None:
    with pytest.raises(ValueError, match="exponential:MEAN"):
        simulated_timing.parse(text)


async def test_what_is_due_happens_in_order_and_never_too_early() -> None:
    loop, wheel = asyncio.get_running_loop(), simulated_timing.Wheel()
    happened: list[tuple[str, float]] = []
    began = loop.time()
    for name, seconds in (("late", 0.08), ("soon", 0.02), ("between", 0.05)):
        wheel.call_later(seconds, lambda name=name: happened.append((name, loop.time() - began)))
    await wheel.sleep(0.1)
    assert [name for name, _ in happened] == ["soon", "between", "late"]
    assert all(at >= due for (_, at), due in zip(happened, (0.02, 0.05, 0.08), strict=True))


async def test_what_was_cancelled_does_not_happen() -> None:
    wheel = simulated_timing.Wheel()
    happened: list[int] = []
    entry = wheel.call_later(0.01, happened.append, 1)
    wheel.call_later(0.01, happened.append, 2)
    entry.cancel()
    await wheel.sleep(0.03)
    assert happened == [2]


async def test_something_sooner_is_not_held_up_by_what_waits_already() -> None:
    wheel = simulated_timing.Wheel()
    far = wheel.call_later(3600, lambda: None)
    async with asyncio.timeout(5):
        await wheel.sleep(0.01)
    far.cancel()
