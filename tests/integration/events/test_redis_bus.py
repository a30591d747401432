"""What Redis adds: it goes away and comes back."""

import asyncio
import time
import uuid
from collections.abc import AsyncIterator, Callable

import pytest
import redis

from longshore.events import bus as buses
from longshore.events import redis_bus
from tests.engines.redis import RedisServer

SOON = 10.0


@pytest.fixture
async def bus(redis_url: str) -> AsyncIterator[buses.Bus]:
    opened = await buses.open_bus(redis_url)
    yield opened
    await opened.close()


@pytest.fixture
def web() -> str:
    return f"web-{uuid.uuid4().hex}"


async def heard_again(bus: buses.Bus, subscription: buses.Subscription, web: str) -> int:
    """Publish until it is heard; how often the subscriber was told to read the log meanwhile."""
    told = 0
    async with asyncio.timeout(SOON):
        while True:
            await bus.publish(web, b"again")
            began = time.monotonic()
            heard = await subscription.next(0.2)
            if heard is not None:
                return told
            told += time.monotonic() - began < 0.15


async def test_a_restart_is_told_to_subscribers_and_publishing_goes_on(
    bus: buses.Bus, redis_server: RedisServer, web: str
) -> None:
    async with bus.subscribe(web) as subscription:
        await bus.publish(web, b"before")
        assert await subscription.next(SOON) == b"before"
        await asyncio.to_thread(redis_server.restart)
        assert await heard_again(bus, subscription, web) >= 1


async def test_nothing_waits_for_a_redis_that_is_down(bus: buses.Bus, redis_server: RedisServer, web: str) -> None:
    async with bus.subscribe(web) as subscription:
        await asyncio.to_thread(redis_server.stop)
        began = time.monotonic()
        for _ in range(10_000):
            await bus.publish(web, b"lost")
        assert time.monotonic() - began < 1
        await asyncio.to_thread(redis_server.start)
        assert await heard_again(bus, subscription, web) >= 1


async def test_a_redis_that_is_frozen_is_given_up_and_heard_again(
    redis_url: str, redis_server: RedisServer, web: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(redis_bus, "PING_INTERVAL", 0.1)
    monkeypatch.setattr(redis_bus, "CONNECT_TIMEOUT", 0.2)
    monkeypatch.setattr(redis_bus, "LONGEST_PAUSE", 0.2)
    bus = await buses.open_bus(redis_url)
    async with bus.subscribe(web) as subscription:
        redis_server.pause()
        began = time.monotonic()
        await bus.publish(web, b"lost")
        assert time.monotonic() - began < 0.1
        assert await subscription.next(SOON) is None
        assert time.monotonic() - began < SOON / 2
        redis_server.resume()
        assert await heard_again(bus, subscription, web) >= 0
    await bus.close()


async def test_a_subscriber_may_come_before_redis_does(free_port: Callable[[], int], web: str) -> None:
    bus = await buses.open_bus(f"redis://127.0.0.1:{free_port()}/0")
    async with bus.subscribe(web) as subscription:
        await bus.publish(web, b"lost")
        assert await subscription.next(0.01) is None
    await bus.close()


async def test_two_databases_of_one_server_are_kept_apart(redis_server: RedisServer, web: str) -> None:
    one, two = [await buses.open_bus(redis_server.fresh_url()) for _ in range(2)]
    async with one.subscribe(web) as first, two.subscribe(web) as second:
        await one.publish(web, b"one")
        await two.publish(web, b"two")
        assert await first.next(SOON) == b"one"
        assert await second.next(SOON) == b"two"
    await one.close()
    await two.close()


async def test_one_process_holds_one_listening_connection_for_all_its_clusters(
    redis_url: str, redis_server: RedisServer, web: str
) -> None:
    bus = await buses.open_bus(redis_url)
    async with bus.subscribe(web), bus.subscribe(web + "2"), bus.subscribe(web + "3"):
        database = redis_url.rpartition("/")[2]
        client = redis.Redis.from_url(redis_server.url())
        listening = [c for c in client.client_list(_type="pubsub") if c["db"] == database]
        client.close()
        assert len(listening) == 1
    await bus.close()


async def test_closing_sends_what_was_published(redis_url: str, bus: buses.Bus, web: str) -> None:
    async with bus.subscribe(web) as subscription:
        other = await buses.open_bus(redis_url)
        for number in range(200):
            await other.publish(web, b"%d" % number)
        await other.close()
        assert [await subscription.next(SOON) for _ in range(200)] == [b"%d" % number for number in range(200)]


async def test_whether_redis_can_be_reached_is_found_out_when_it_is_asked(
    bus: buses.Bus, redis_server: RedisServer
) -> None:
    assert await bus.reachable()
    await asyncio.to_thread(redis_server.pause)
    assert not await bus.reachable()
    await asyncio.to_thread(redis_server.resume)
    async with asyncio.timeout(SOON):
        while not await bus.reachable():
            continue
    await asyncio.to_thread(redis_server.stop)
    assert not await bus.reachable()
