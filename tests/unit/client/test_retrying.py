import asyncio
import random

import pytest

from longshore.client import retrying
from longshore.rpc import errors
from longshore.v1 import scheduler_service_pb2


class Attempts:
    """Fails some times with UNAVAILABLE, then answers; keeps the deadlines it was given."""

    def __init__(self, failures: int) -> None:
        self.failures = failures
        self.deadlines: list[float] = []

    async def __call__(self, left_s: float) -> str:
        self.deadlines.append(left_s)
        if len(self.deadlines) <= self.failures:
            raise errors.Unavailable("away")
        return "answer"


async def test_unavailable_is_repeated_with_a_deadline_that_shrinks() -> None:
    attempts = Attempts(3)
    told: list[errors.Unavailable] = []
    assert await retrying.until(10.0, attempts, source=random.Random(1), on_retry=told.append) == "answer"
    assert attempts.deadlines == sorted(attempts.deadlines, reverse=True)
    assert 9.0 < attempts.deadlines[0] <= 10.0
    assert len(told) == 3


async def test_the_overall_deadline_ends_it_with_the_last_refusal() -> None:
    attempts = Attempts(1_000)
    began = asyncio.get_running_loop().time()
    with pytest.raises(errors.Unavailable, match="away"):
        await retrying.until(0.2, attempts, source=random.Random(1))
    assert asyncio.get_running_loop().time() - began <= 0.2
    assert min(attempts.deadlines) > 0


async def test_an_attempt_whose_time_runs_out_raises_what_an_earlier_one_knew() -> None:
    failures: list[errors.ServiceError] = [errors.Unavailable("away"), errors.DeadlineExceeded("late")]

    async def fail(_: float) -> None:
        raise failures.pop(0)

    with pytest.raises(errors.Unavailable, match="away"):
        await retrying.until(10.0, fail, source=random.Random(1))
    failures = [errors.DeadlineExceeded("late")]
    with pytest.raises(errors.DeadlineExceeded, match="late"):
        await retrying.until(10.0, fail)


async def test_any_other_error_is_not_repeated() -> None:
    calls = 0

    async def refuse(_: float) -> None:
        nonlocal calls
        calls += 1
        raise errors.ClientException("no")

    with pytest.raises(errors.ClientException):
        await retrying.until(10.0, refuse)
    assert calls == 1


def test_a_request_with_a_token_field_gets_one_and_the_caller_s_is_kept() -> None:
    request = scheduler_service_pb2.RunTaskRequest(task_definition="web")
    tokened = retrying.with_token(request, lambda: "t")
    assert (tokened.client_token, tokened.task_definition, request.client_token) == ("t", "web", "")
    assert retrying.with_token(tokened, lambda: "other").client_token == "t"


def test_a_request_without_a_token_field_stays_as_it_is() -> None:
    request = scheduler_service_pb2.StopTaskRequest(task="a")
    assert retrying.with_token(request, lambda: "t") is request


async def test_who_says_when_to_try_again_is_not_asked_before() -> None:
    asked: list[float] = []
    loop = asyncio.get_running_loop()

    async def full(_: float) -> None:
        asked.append(loop.time())
        if len(asked) == 1:
            raise errors.Unavailable("later", **{errors.RETRY_AFTER_MS: 300})

    await retrying.until(10.0, full, source=random.Random(1))
    assert asked[1] - asked[0] >= 0.3

    with pytest.raises(errors.Unavailable, match="much later"):
        await retrying.until(10.0, _much_later)


async def _much_later(_: float) -> None:
    raise errors.Unavailable("much later", **{errors.RETRY_AFTER_MS: 60_000})
