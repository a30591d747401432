import asyncio

from longshore.agent import slots


async def held(queue: slots.Slots, name: str, order: list[str], *, first: bool) -> None:
    async with queue.held(first=first):
        order.append(name)
        await asyncio.sleep(0)


async def test_a_slot_let_go_goes_to_the_first_queue() -> None:
    queue = slots.Slots(1)
    order: list[str] = []
    release = asyncio.Event()

    async def holder() -> None:
        async with queue.held(first=False):
            await release.wait()

    async with asyncio.TaskGroup() as group:
        group.create_task(holder())
        await asyncio.sleep(0)
        group.create_task(held(queue, "create", order, first=False))
        await asyncio.sleep(0)
        group.create_task(held(queue, "start", order, first=True))
        await asyncio.sleep(0)
        release.set()
    assert order == ["start", "create"]


async def test_no_more_than_the_limit_are_under_way() -> None:
    queue = slots.Slots(3)
    now = most = 0

    async def work() -> None:
        nonlocal now, most
        async with queue.held(first=False):
            now += 1
            most = max(most, now)
            await asyncio.sleep(0)
            now -= 1

    async with asyncio.TaskGroup() as group:
        for _ in range(20):
            group.create_task(work())
    assert most == 3


async def test_whoever_gives_up_waiting_passes_its_turn_on() -> None:
    queue = slots.Slots(1)
    order: list[str] = []
    async with queue.held(first=False):
        gives_up = asyncio.ensure_future(held(queue, "gone", order, first=False))
        waits = asyncio.ensure_future(held(queue, "next", order, first=False))
        await asyncio.sleep(0)
    # The turn has been handed to the first, which is cancelled before it can take it.
    gives_up.cancel()
    await waits
    assert order == ["next"]
    async with asyncio.timeout(1), queue.held(first=True):
        order.append("free")
    assert order == ["next", "free"]
