import asyncio
from collections.abc import AsyncIterator

import pytest

from longshore.rpc import errors, loops
from longshore.scheduler import answers, claims, tokens
from longshore.v1 import scheduler_service_pb2, task_pb2

KEY = tokens.Key("p", "RunTask", "web", "t")
PLACED = scheduler_service_pb2.RunTaskResponse(tasks=[task_pb2.Task(task_arn="arn:1")])
NOTHING = scheduler_service_pb2.RunTaskResponse()


class Work:
    """Work that ends when it is told to."""

    def __init__(self, result: answers.PlacingResponse | Exception) -> None:
        self.started = 0
        self.go_on = asyncio.Event()
        self._result = result

    async def __call__(self) -> answers.PlacingResponse:
        self.started += 1
        await self.go_on.wait()
        if isinstance(self._result, Exception):
            raise self._result
        return self._result


@pytest.fixture
async def in_flight() -> AsyncIterator[claims.Claims]:
    async with loops.supervised() as supervisor:
        yield claims.Claims(supervisor.spawn)
        assert supervisor.failure is None


async def turn() -> None:
    for _ in range(3):
        await asyncio.sleep(0)


async def test_the_same_request_joins_the_one_that_is_under_way(in_flight: claims.Claims) -> None:
    work = Work(PLACED)
    callers = [asyncio.ensure_future(in_flight.once(KEY, b"f", work)) for _ in range(3)]
    await turn()
    work.go_on.set()
    assert await asyncio.gather(*callers) == [PLACED] * 3
    assert work.started == 1


async def test_it_goes_on_when_its_first_caller_gives_up(in_flight: claims.Claims) -> None:
    work = Work(PLACED)
    first = asyncio.ensure_future(in_flight.once(KEY, b"f", work))
    await turn()
    first.cancel()
    second = asyncio.ensure_future(in_flight.once(KEY, b"f", work))
    await turn()
    work.go_on.set()
    assert await second == PLACED
    assert work.started == 1


async def test_a_different_request_conflicts_with_one_that_placed_something(in_flight: claims.Claims) -> None:
    work, other = Work(PLACED), Work(PLACED)
    first = asyncio.ensure_future(in_flight.once(KEY, b"f", work))
    second = asyncio.ensure_future(in_flight.once(KEY, b"g", other))
    await turn()
    work.go_on.set()
    with pytest.raises(errors.ConflictException) as conflict:
        await second
    assert conflict.value.metadata == {"resourceIds": "arn:1"}
    assert (await first, other.started) == (PLACED, 0)


@pytest.mark.parametrize("result", [NOTHING, errors.Unavailable("away")])
async def test_a_different_request_has_its_turn_after_one_that_placed_nothing(
    in_flight: claims.Claims, result: answers.PlacingResponse | Exception
) -> None:
    work, other = Work(result), Work(PLACED)
    first = asyncio.ensure_future(in_flight.once(KEY, b"f", work))
    second = asyncio.ensure_future(in_flight.once(KEY, b"g", other))
    await turn()
    work.go_on.set()
    other.go_on.set()
    assert await second == PLACED
    (outcome,) = await asyncio.gather(first, return_exceptions=True)
    assert outcome is result


async def test_all_who_joined_are_told_what_went_wrong_and_the_next_one_begins_anew(in_flight: claims.Claims) -> None:
    failing = Work(errors.Unavailable("away"))
    callers = [asyncio.ensure_future(in_flight.once(KEY, b"f", failing)) for _ in range(2)]
    await turn()
    failing.go_on.set()
    for caller in callers:
        with pytest.raises(errors.Unavailable, match="away"):
            await caller
    working = Work(PLACED)
    working.go_on.set()
    assert await in_flight.once(KEY, b"f", working) == PLACED
