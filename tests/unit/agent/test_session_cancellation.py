"""An agent that is asked to end leaves its session, whatever becomes of the stream in that moment."""

import asyncio
import random
from collections.abc import Callable
from types import SimpleNamespace
from typing import Any

import pytest

from longshore.agent import session, stored
from longshore.rpc import errors
from longshore.v1 import agent_service_pb2

IDENTITY = stored.Identity("i" * 32, "arn", "web", "secret")
BOUND_S = 10.0


class Torn:
    """A stream that is lost to its writer when its reader is cancelled, as gRPC's is."""

    address = "127.0.0.1:1"
    replicas = 2

    def __init__(self) -> None:
        welcome = agent_service_pb2.Welcome(session_epoch=1, heartbeat_interval_ms=10_000, lease_ms=60_000)
        self._said = [agent_service_pb2.SessionResponse(welcome=welcome)]
        self._lost = asyncio.Event()
        self.reading = asyncio.Event()
        self._greeted = False

    async def write(self, _: Any) -> None:
        """The hello goes through; what follows waits, and fails with the stream."""
        if not self._greeted:
            self._greeted = True
            return
        try:
            await self._lost.wait()
        except asyncio.CancelledError:
            raise errors.Unavailable("the stream is over") from None

    async def read(self) -> Any:
        """A welcome, then nothing."""
        if self._said:
            return self._said.pop()
        self.reading.set()
        return await asyncio.Event().wait()

    def avoid_replica(self) -> None:
        """Nothing to avoid."""

    def cancel(self) -> None:
        """Nothing is under way."""


class Lost(Torn):
    """A stream that is lost for itself, when a test says so."""

    async def read(self) -> Any:
        """A welcome, then the loss."""
        if self._said:
            return self._said.pop()
        self.reading.set()
        await self._lost.wait()
        raise errors.Unavailable("nothing was heard")

    def lose(self) -> None:
        """Now."""
        self._lost.set()


async def test_a_session_that_is_cancelled_ends_although_its_stream_fails_of_that() -> None:
    await ended(Torn(), lambda: None)


async def test_a_session_that_is_cancelled_ends_although_its_stream_was_just_lost() -> None:
    lost = Lost()
    await ended(lost, lost.lose)


@pytest.mark.parametrize("turns", [0, 1, 2, 3, 4, 5])
async def test_however_far_the_loss_has_come(turns: int) -> None:
    lost = Lost()
    await ended(lost, lost.lose, turns)


async def ended(call: Torn, before: Callable[[], None], turns: int = 0) -> None:
    """Hold a session, let something happen to it, and have it ended in the same moment, or some turns of the loop later."""
    told = SimpleNamespace(reopen=lambda _: False, next=lambda _: None, due=False)
    host = SimpleNamespace(
        missed=False, orphans=(), revision=4, lineage=1, reports=told, observe=None, fresh_statistics=lambda: None
    )
    held = session.Sessions(
        stub=SimpleNamespace(Session=lambda: call),
        host=host,  # type: ignore[arg-type]
        due=asyncio.Event(),
        process_id="p",
        agent_version="",
        source=random.Random(1),
        opened=SimpleNamespace(),  # type: ignore[arg-type]
    )
    keeping = asyncio.create_task(held.keep(IDENTITY))
    async with asyncio.timeout(BOUND_S):
        await call.reading.wait()
        await asyncio.sleep(0)  # its writer begins to write
        before()
        for _ in range(turns):
            await asyncio.sleep(0)
        keeping.cancel()
        with pytest.raises(asyncio.CancelledError):
            await keeping
