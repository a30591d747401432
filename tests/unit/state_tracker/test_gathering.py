import asyncio

from longshore.rpc import loops
from longshore.state_tracker import gathering


async def test_what_comes_while_a_batch_is_under_way_goes_together_and_keys_do_not_wait_for_each_other() -> None:
    batches: list[tuple[str, list[int]]] = []
    gate = asyncio.Event()
    all_done = asyncio.Event()

    async def flush(key: str, items: list[int]) -> None:
        batches.append((key, items))
        if key == "slow":
            await gate.wait()
        if 4 in items:
            all_done.set()

    async with loops.supervised() as supervisor:
        gatherer: gathering.Gatherer[str, int] = gathering.Gatherer("test", flush, supervisor=supervisor, limit=10)
        gatherer.put("slow", 1)
        await asyncio.sleep(0)
        for item in (2, 3):
            gatherer.put("slow", item)
        gatherer.put("quick", 9)
        await asyncio.sleep(0)
        assert batches == [("slow", [1]), ("quick", [9])]
        assert gatherer.waiting() == 2
        gatherer.put("slow", 4)
        gate.set()
        await all_done.wait()
        assert batches[2:] == [("slow", [2, 3, 4])]
        gatherer.put("slow", 4)  # a worker that has ended begins again
        await asyncio.sleep(0)
        assert batches[3:] == [("slow", [4])]


async def test_batches_are_bounded_by_weight_and_never_empty() -> None:
    batches: list[list[int]] = []
    done = asyncio.Event()

    async def flush(_: str, items: list[int]) -> None:
        batches.append(items)
        if 1 in items:
            done.set()

    async with loops.supervised() as supervisor:
        gatherer: gathering.Gatherer[str, int] = gathering.Gatherer(
            "test", flush, supervisor=supervisor, limit=5, weigh=lambda item: item
        )
        for item in (9, 3, 2, 4, 1):
            gatherer.put("k", item)
        await done.wait()
    assert batches == [[9], [3, 2], [4, 1]]
