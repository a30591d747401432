"""What both buses must do."""

import asyncio
import uuid
from collections.abc import AsyncIterator

import pytest

from longshore.events import bus as buses

# Long enough for a busy machine; nothing waits for it unless the test fails.
SOON = 5.0


@pytest.fixture(params=["memory", pytest.param("redis", marks=pytest.mark.redis)])
async def bus(request: pytest.FixtureRequest) -> AsyncIterator[buses.Bus]:
    """An open bus of either kind."""
    url = "memory://" if request.param == "memory" else request.getfixturevalue("redis_url")
    opened = await buses.open_bus(url)
    yield opened
    await opened.close()


@pytest.fixture
def web() -> str:
    """A cluster of this test's own: channels are shared by all databases of a server."""
    return f"web-{uuid.uuid4().hex}"


async def test_a_subscriber_hears_what_is_published_in_order(bus: buses.Bus, web: str) -> None:
    async with bus.subscribe(web) as subscription:
        for number in range(100):
            await bus.publish(web, b"%d" % number)
        assert [await subscription.next(SOON) for _ in range(100)] == [b"%d" % number for number in range(100)]


async def test_every_subscriber_of_a_cluster_hears_and_no_other(bus: buses.Bus, web: str) -> None:
    async with bus.subscribe(web) as one, bus.subscribe(web) as two, bus.subscribe(web + "-other") as other:
        await bus.publish(web, b"a")
        await bus.publish(web + "-other", b"b")
        assert await one.next(SOON) == b"a"
        assert await two.next(SOON) == b"a"
        assert await other.next(SOON) == b"b"


async def test_binary_payloads_of_every_size_come_whole(bus: buses.Bus, web: str) -> None:
    payloads = [b"", bytes(range(256)), b"\r\n$5\r\n", bytes(3_000_000)]
    async with bus.subscribe(web) as subscription:
        for payload in payloads:
            await bus.publish(web, payload)
        assert [await subscription.next(SOON) for _ in payloads] == payloads


async def test_names_of_clusters_may_be_anything(bus: buses.Bus, web: str) -> None:
    names = [web, web + " ä*?[x]", web + "/a"]
    async with bus.subscribe(names[1]) as subscription:
        for name in names:
            await bus.publish(name, name.encode())
        assert await subscription.next(SOON) == names[1].encode()
        assert await subscription.next(0.05) is None


async def test_silence_is_none(bus: buses.Bus, web: str) -> None:
    async with bus.subscribe(web) as subscription:
        assert await subscription.next(0.02) is None


async def test_who_left_hears_nothing_and_who_stays_hears_on(bus: buses.Bus, web: str) -> None:
    async with bus.subscribe(web) as stays:
        async with bus.subscribe(web) as leaves:
            pass
        await bus.publish(web, b"a")
        assert await stays.next(SOON) == b"a"
        assert await leaves.next(0.02) is None


async def test_who_comes_again_hears_again(bus: buses.Bus, web: str) -> None:
    for number in range(3):
        async with bus.subscribe(web) as subscription:
            await bus.publish(web, b"%d" % number)
            assert await subscription.next(SOON) == b"%d" % number


async def test_an_interrupted_subscriber_answers_none_at_once(bus: buses.Bus, web: str) -> None:
    async with bus.subscribe(web) as subscription:
        waiting = asyncio.ensure_future(subscription.next(60))
        await asyncio.sleep(0)
        subscription.interrupt()
        assert await asyncio.wait_for(waiting, SOON) is None


async def test_a_subscriber_that_does_not_keep_up_is_told_and_goes_on(
    bus: buses.Bus, web: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(
        "longshore.events.inbox.Inbox.__init__.__kwdefaults__", {"max_payloads": 10, "max_bytes": 1_000}
    )
    async with bus.subscribe(web) as slow, bus.subscribe(web) as last:
        for number in range(15):
            await bus.publish(web, b"%d" % number)
        while await last.next(SOON) != b"14":
            pass
        heard = [await slow.next(SOON) for _ in range(5)]
        assert heard == [None, b"11", b"12", b"13", b"14"]


async def test_publishing_to_nobody_is_no_error(bus: buses.Bus, web: str) -> None:
    await bus.publish(web, b"a")


@pytest.mark.parametrize("url", ["kafka://h", "", "postgresql://h/d"])
async def test_other_urls_are_refused(url: str) -> None:
    with pytest.raises(ValueError, match="neither memory:// nor redis://"):
        await buses.open_bus(url)
