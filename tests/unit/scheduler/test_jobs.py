import asyncio
from typing import Any

import pytest

from longshore.rpc import errors
from longshore.scheduler import jobs, metrics, work
from longshore.v1 import task_pb2


def job(name: str, size: int = 1) -> jobs.StopJob:
    stop = work.Stop(name, task_pb2.TASK_STOP_CODE_USER_INITIATED, "", work.Cause("p", "r"))
    future: asyncio.Future[Any] = asyncio.get_running_loop().create_future()
    return jobs.StopJob(stop, future, accepted=0.0, size=size)


def names(taken: list[jobs.Job]) -> list[str]:
    return [one.stop.task_id for one in taken if isinstance(one, jobs.StopJob)]


async def test_jobs_leave_in_their_order_up_to_the_limit_and_at_least_one() -> None:
    queue = jobs.Queue()
    for name, size in (("a", 3), ("b", 3), ("c", 9)):
        queue.put(job(name, size))
    assert names(queue.take(7)) == ["a", "b"]
    assert names(queue.take(7)) == ["c"]
    assert queue.take(7) == []
    assert queue.size == 0


async def test_what_is_beyond_the_limit_is_refused_with_a_delay_and_nothing_accepted_is_dropped() -> None:
    queue = jobs.Queue(limit=4)
    queue.put(job("a", 4))
    with pytest.raises(errors.ResourceExhausted, match="4 tasks wait for placement, 4 may") as refused:
        queue.put(job("b"))
    assert refused.value.metadata["retry_after_ms"] == str(jobs.RETRY_AFTER_MS)
    assert names(queue.take(10)) == ["a"]


async def test_what_is_put_back_comes_first_and_needs_no_room() -> None:
    queue = jobs.Queue(limit=2)
    queue.put(job("c", 2))
    queue.put_back([job("a"), job("b")])
    assert names(queue.take(10)) == ["a", "b", "c"]


async def test_a_job_whose_caller_has_gone_is_dropped() -> None:
    queue = jobs.Queue()
    gone = job("gone")
    queue.put(gone)
    queue.put(job("here"))
    gone.future.cancel()
    assert names(queue.take(10)) == ["here"]


async def test_waiting_ends_with_a_job_and_begins_again_without_one() -> None:
    queue = jobs.Queue()
    waiting = asyncio.ensure_future(queue.wait())
    await asyncio.sleep(0)
    assert not waiting.done()
    queue.put(job("a"))
    await waiting
    queue.take(1)
    again = asyncio.ensure_future(queue.wait())
    await asyncio.sleep(0)
    assert not again.done()
    again.cancel()


async def test_a_closed_queue_refuses_what_waits_what_comes_and_what_comes_back() -> None:
    queue = jobs.Queue()
    waiting, returning = job("a"), job("b")
    queue.put(waiting)
    queue.close(errors.Unavailable("over"))
    queue.put_back([returning])
    for one in (waiting, returning):
        assert isinstance(one.future.exception(), errors.Unavailable)
    with pytest.raises(errors.Unavailable, match="over"):
        queue.put(job("c"))


async def test_the_depth_shown_is_that_of_all_queues_of_the_process() -> None:
    measured = metrics.Metrics()
    one, other = jobs.Queue(measured=measured), jobs.Queue(measured=measured)
    one.put(job("a", 3))
    other.put(job("b", 4))
    waiting = measured.queued
    (taken,) = one.take(10)
    one.put_back([taken])
    again = measured.queued
    other.close(errors.Unavailable("deposed"))
    closed = measured.queued
    one.take(10)
    assert (waiting, again, closed, measured.queued) == (7, 7, 3, 0)
