"""A replica that is frozen is left for another; one that is slow is not."""

import asyncio
import contextlib
import signal
import sys
from collections.abc import AsyncIterator

import pytest

from longshore.rpc import channels, errors, silence
from tests.rpc.rpc import tiny

PATIENCE_S = 30.0

FROZEN = """
import asyncio
from tests.rpc.rpc import tiny

async def main():
    async with tiny.running(tiny.Behaviour(name="frozen")) as serving:
        print(serving.address, flush=True)
        await asyncio.Event().wait()

asyncio.run(main())
"""


@pytest.fixture(autouse=True)
def _impatient(monkeypatch: pytest.MonkeyPatch) -> None:
    """What is slow here is slow at once. How long a health check may take stays: the machine may be busy."""
    for name in ("SILENCE_S", "LOOK_S", "TRUSTED_S"):
        monkeypatch.setattr(silence, name, 0.05)


@contextlib.asynccontextmanager
async def another_process() -> AsyncIterator[tuple[str, "asyncio.subprocess.Process"]]:
    """The address of a server in a process that can be frozen."""
    process = await asyncio.create_subprocess_exec(sys.executable, "-c", FROZEN, stdout=asyncio.subprocess.PIPE)
    assert process.stdout is not None
    try:
        async for line in process.stdout:
            if line.startswith(b"127.0.0.1:"):
                break
        yield line.decode().strip(), process
    finally:
        process.kill()
        await process.wait()


async def name_of(channel: object, timeout_s: float = PATIENCE_S) -> str:
    answer = await tiny.registry(channel).ListClusters(tiny.ask(), timeout=timeout_s)
    return str(answer.next_token)


async def test_a_frozen_replica_loses_its_calls_and_the_next_ones_go_to_another() -> None:
    async with (
        another_process() as (frozen, process),
        tiny.running(tiny.Behaviour()) as other,
        channels.connect((frozen, other.address)) as channel,
    ):
        assert await name_of(channel) == "frozen"
        process.send_signal(signal.SIGSTOP)
        lost = await asyncio.gather(*(name_of(channel) for _ in range(3)), return_exceptions=True)
        assert [type(one) for one in lost] == [errors.Unavailable] * 3
        assert "does not answer, and another replica does" in str(lost[0])
        assert await name_of(channel) == "one"
        process.send_signal(signal.SIGCONT)
        assert await name_of(channel) == "one"


async def test_a_frozen_replica_is_waited_for_where_no_other_answers() -> None:
    async with another_process() as (frozen, process), channels.connect((frozen, "127.0.0.1:1")) as channel:
        assert await name_of(channel) == "frozen"
        process.send_signal(signal.SIGSTOP)
        waiting = asyncio.create_task(name_of(channel))
        done, _ = await asyncio.wait((waiting,), timeout=3 * silence.PROBE_TIMEOUT_S)
        assert not done
        process.send_signal(signal.SIGCONT)
        assert await waiting == "frozen"


async def test_a_slow_call_at_a_replica_that_is_well_is_left_alone() -> None:
    slow = tiny.Behaviour(name="slow", hang=True)
    async with (
        tiny.running(slow) as first,
        tiny.running(tiny.Behaviour()) as second,
        channels.connect((first.address, second.address)) as channel,
    ):
        with pytest.raises(errors.DeadlineExceeded):
            await name_of(channel, timeout_s=1.0)
        await slow.cancelled.wait()


async def test_whoever_cancels_a_call_hears_of_nothing_else() -> None:
    slow = tiny.Behaviour(name="slow", hang=True)
    async with (
        tiny.running(slow) as first,
        tiny.running(tiny.Behaviour()) as second,
        channels.connect((first.address, second.address)) as channel,
    ):
        calling = asyncio.create_task(name_of(channel))
        await slow.hanging.wait()
        calling.cancel()
        with pytest.raises(asyncio.CancelledError):
            await calling
        await slow.cancelled.wait()
