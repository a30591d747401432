"""Passing a call on to the state-tracker that holds an instance's session: it alone can ask the agent.

    holder = await forwarding.holder_of(database, instance_id)
    ...
    answer = await forwarder.call(holder.address, "ReadStats", request)                 # one answer
    async for message in forwarder.stream(holder.address, "ReadLogs", request): ...     # bytes, unparsed

A call that was passed on already (`neighbours.was_forwarded`) is answered here or refused with Unavailable, never passed on again.
"""

import asyncio
import contextlib
from collections.abc import AsyncGenerator, Iterator
from dataclasses import dataclass
from typing import Any

import grpc.aio
from google.protobuf.message import Message

from longshore.rpc import errors, neighbours, tls
from longshore.storage import steps
from longshore.storage.database import Database
from longshore.storage.dialect import Dialect
from longshore.v1 import state_tracker_service_pb2_grpc

FORWARD_TIMEOUT_S = 10.0
"""Deadline of a call passed on whose caller gave none: its holder asks an agent, which asks its engine."""

_SERVICE = "/longshore.v1.StateTrackerService/"


@dataclass(frozen=True, slots=True)
class Holder:
    """The tracker that opened an instance's newest session."""

    tracker_id: str
    address: str


class Forwarder:
    """Asks other state-trackers."""

    def __init__(self, files: tls.Files, *, draining: asyncio.Event) -> None:
        """`draining` is set when this tracker leaves: streams that pass through it end then."""
        self._neighbours = neighbours.Neighbours(files)
        self._draining = draining

    async def call(self, address: str, operation: str, request: Message, timeout_s: float | None = None) -> Any:
        """The holder's answer. Raises what it raises, and Unavailable when it cannot be reached."""
        channel = await self._neighbours.channel(address)
        method = getattr(state_tracker_service_pb2_grpc.StateTrackerServiceStub(channel), operation)
        with _named(address):
            return await method(
                request,
                timeout=FORWARD_TIMEOUT_S if timeout_s is None else timeout_s,
                metadata=neighbours.FORWARDED,
            )

    async def stream(self, address: str, operation: str, request: Message) -> AsyncGenerator[bytes, None]:
        """The holder's answers as they come, unparsed. To be closed by who iterates; otherwise as `call`.

        The next one is taken from the connection when the last one was: a slow reader here slows the holder down. Ends with
        Unavailable when this tracker leaves.
        """
        channel = await self._neighbours.channel(address)
        method: Any = channel.unary_stream(_SERVICE + operation, request_serializer=_serialized)
        call = method(request, metadata=neighbours.FORWARDED)
        leaving = asyncio.create_task(self._draining.wait(), name="draining")
        try:
            with _named(address):
                while (answer := await _next(call, leaving)) is not grpc.aio.EOF:
                    yield answer
        finally:
            leaving.cancel()
            call.cancel()

    async def close(self) -> None:
        """Close every channel."""
        await self._neighbours.close()


async def holder_of(database: Database, instance_id: str) -> Holder | None:
    """The tracker that holds, or held last, the instance's session; None while its agent is away, or its tracker is."""
    return await database.read(lambda dialect: _holder(dialect, instance_id))


def _holder(dialect: Dialect, instance_id: str) -> steps.Step[Holder | None]:
    row = yield from steps.fetch_row(
        "SELECT t.tracker_id, t.address FROM instance_sessions s"  # noqa: S608 - the dialect's own
        " JOIN container_instances c ON c.instance_id = s.instance_id JOIN trackers t ON t.tracker_id = s.tracker_id"
        f" WHERE s.instance_id = $1 AND c.connected = 1 AND t.expires_at >= {dialect.now}",
        instance_id,
    )
    return None if row is None else Holder(row["tracker_id"], row["address"])


def _serialized(message: Message) -> bytes:
    return message.SerializeToString()


async def _next(call: Any, leaving: "asyncio.Task[Any]") -> Any:
    reading = asyncio.ensure_future(call.read())
    try:
        await asyncio.wait((reading, leaving), return_when=asyncio.FIRST_COMPLETED)
        if not reading.done():
            raise errors.Unavailable("the state-tracker in between is shutting down; resume at another.")
        return reading.result()
    finally:
        reading.cancel()


@contextlib.contextmanager
def _named(address: str) -> Iterator[None]:
    """Say who could not be reached."""
    try:
        yield
    except errors.Unavailable as error:
        raise errors.Unavailable(
            f"Passed on to the state-tracker at {address}, which holds the agent's session: {error.message}"
        ) from error
