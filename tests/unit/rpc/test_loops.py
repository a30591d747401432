"""A loop that ends or dies is noticed; everything a supervisor started ends with it."""

import asyncio

import pytest
from structlog.testing import capture_logs

from longshore.rpc import loops


async def forever() -> None:
    await asyncio.Event().wait()


async def dying() -> None:
    raise KeyError("boom")


async def ending() -> None:
    await asyncio.sleep(0)


async def test_a_loop_that_returns_is_an_error() -> None:
    with capture_logs() as logged, pytest.raises(loops.LoopFailedError, match="loop reaper ended"):
        await loops.guarded("reaper", ending)
    assert [(entry["event"], entry["loop"]) for entry in logged] == [("loop_ended", "reaper")]


async def test_a_loop_that_dies_is_logged_and_its_cause_is_kept() -> None:
    with capture_logs() as logged, pytest.raises(loops.LoopFailedError, match="loop reaper died of KeyError") as caught:
        await loops.guarded("reaper", dying)
    assert isinstance(caught.value.__cause__, KeyError)
    assert [(entry["event"], entry["log_level"]) for entry in logged] == [("loop_died", "error")]


async def test_cancelling_a_guarded_loop_is_no_failure() -> None:
    task = asyncio.ensure_future(loops.guarded("reaper", forever))
    await asyncio.sleep(0)
    task.cancel()
    with pytest.raises(asyncio.CancelledError):
        await task


async def test_the_supervisor_tells_the_first_failure() -> None:
    async with loops.supervised() as supervisor:
        supervisor.start("quiet", forever)
        supervisor.start("reaper", dying)
        with pytest.raises(loops.LoopFailedError, match="reaper"):
            await supervisor.failed()
        assert supervisor.failure is not None


async def test_work_may_end_but_not_die() -> None:
    async with loops.supervised() as supervisor:
        await supervisor.spawn("once", ending())
        assert supervisor.failure is None
        supervisor.spawn("broken", dying())
        with pytest.raises(loops.LoopFailedError, match="broken"):
            await supervisor.failed()


async def test_leaving_cancels_and_awaits_everything() -> None:
    cleaned = asyncio.Event()

    async def careful() -> None:
        try:
            await forever()
        finally:
            await asyncio.sleep(0)
            cleaned.set()

    async with loops.supervised() as supervisor:
        task = supervisor.start("careful", careful)
        await asyncio.sleep(0)
    assert cleaned.is_set()
    assert task.cancelled()


async def test_a_loop_that_resists_is_named_and_left(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(loops, "STOP_TIMEOUT_S", 0.01)
    release = asyncio.Event()

    async def stubborn() -> None:
        try:
            await forever()
        except asyncio.CancelledError:
            await release.wait()

    with capture_logs() as logged:
        async with loops.supervised() as supervisor:
            task = supervisor.start("stubborn", stubborn)
            await asyncio.sleep(0)
    assert [(entry["event"], entry["loop"]) for entry in logged] == [("loop_did_not_stop", "stubborn")]
    release.set()
    await asyncio.wait((task,))
    assert isinstance(task.exception(), loops.LoopFailedError)


async def test_nothing_starts_while_the_supervisor_closes() -> None:
    async with loops.supervised() as supervisor:
        pass
    with pytest.raises(RuntimeError, match="late was started while its supervisor was closing"):
        supervisor.start("late", forever)


async def test_sleep_ends_with_the_event_or_the_time() -> None:
    event = asyncio.Event()
    assert await loops.sleep_until_event(event, 0.001) is False
    event.set()
    assert await loops.sleep_until_event(event, 3_600) is True
