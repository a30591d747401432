"""An agent that is asked to end leaves its session, whatever becomes of the stream in that moment."""

import asyncio
import random
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


async def test_a_session_that_is_cancelled_ends_although_its_stream_fails_in_that_moment() -> None:
    call = Torn()
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
        keeping.cancel()
        with pytest.raises(asyncio.CancelledError):
            await keeping
