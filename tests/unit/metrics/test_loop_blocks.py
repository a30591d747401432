"""How long the event loop was kept."""

import asyncio
import time

from longshore.metrics import instruments, loop_blocks


def test_a_block_of_the_event_loop_is_measured_and_waiting_is_not() -> None:
    seen: list[loop_blocks.LoopBlocks] = []

    async def main(blocks: loop_blocks.LoopBlocks) -> None:
        seen.append(blocks)
        await asyncio.sleep(0.2)  # nobody is kept from anything
        idle = blocks.longest.value
        assert idle < 0.1
        time.sleep(0.12)  # noqa: ASYNC251 - the very thing that is measured
        await asyncio.sleep(0)
        assert 0.12 <= blocks.longest.value < 10.0
        assert blocks.longest_work.value < 0.1  # it slept
        _compute(0.1)
        await asyncio.sleep(0)
        assert 0.1 <= blocks.longest_work.value < 10.0

    loop_blocks.run(main)

    assert seen[0].over_limit >= 1


def _compute(seconds: float) -> None:
    """Take that much of the processor."""
    end = time.thread_time() + seconds
    while time.thread_time() < end:
        pass


def test_turns_within_the_limit_are_not_counted() -> None:
    blocks = loop_blocks.LoopBlocks()
    blocks.turned(0.004, 0.0, 1.0)
    blocks.turned(0.005, 0.0, 2.0)
    within = blocks.over_limit
    blocks.turned(0.006, 0.0, 3.0)
    assert (within, blocks.over_limit) == (0, 1)


def test_only_what_lies_between_two_looks_is_a_turn() -> None:
    blocks = loop_blocks.LoopBlocks()
    # first look: began, woken; second look: began, woken.
    times = iter((100.0, 107.0, 107.25, 120.0))
    worked = iter((3.0, 3.125, 4.0))
    selector = loop_blocks.TimedSelector(blocks, clock=lambda: next(times), processor=lambda: next(worked))
    blocks.longest, blocks.longest_work = (instruments.Maximum(clock=lambda: 120.0) for _ in range(2))
    try:
        selector.select(0)
        selector.select(0)
    finally:
        selector.close()
    assert (blocks.longest.value, blocks.longest_work.value) == (0.25, 0.125)
