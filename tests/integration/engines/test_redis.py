"""The Redis that tests are given is real, isolated, restartable."""

import pytest
from redis import asyncio as redis_client
from redis import exceptions

from tests.engines import redis as engine


async def test_each_test_gets_an_empty_database_of_its_own(redis_server: engine.RedisServer, redis_url: str) -> None:
    async with redis_client.from_url(redis_url) as ours, redis_client.from_url(redis_server.fresh_url()) as other:
        await ours.set("boat", "a")

        assert await ours.dbsize() == 1
        assert await other.dbsize() == 0


async def test_a_stopped_server_refuses_and_a_started_one_answers_on_the_same_url(
    redis_server: engine.RedisServer, redis_url: str
) -> None:
    redis_server.stop()
    async with redis_client.from_url(redis_url) as client:
        with pytest.raises(exceptions.ConnectionError):
            await client.ping()

    redis_server.start()
    async with redis_client.from_url(redis_url) as client:
        assert await client.ping()


async def test_a_frozen_server_accepts_and_does_not_answer(redis_server: engine.RedisServer, redis_url: str) -> None:
    redis_server.pause()

    async with redis_client.from_url(redis_url, socket_timeout=0.2) as client:
        with pytest.raises(exceptions.TimeoutError):
            await client.ping()
        redis_server.resume()
        assert await client.ping()
