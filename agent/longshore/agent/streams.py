"""Streams that the control plane asks for in the session, each answered by a call of its own on a second connection.

What a stream carries is its source's business; here it gets as many bytes as its reader gave credit for, and the rest waits where it is.
A stream that breaks is not begun again: whoever read it asks anew.
"""

import asyncio
import contextlib
from collections.abc import AsyncGenerator
from typing import Any, NoReturn, Protocol

import grpc.aio
import structlog

from longshore.agent import effects, engine, stored
from longshore.agent.logs import log_reading
from longshore.rpc import channels, errors, tls
from longshore.v1 import agent_service_pb2, agent_service_pb2_grpc

_log = structlog.get_logger(__name__)

MAX_STREAMS = 200
"""Streams at a time. Each may hold some hundred kilobytes."""
SMALL_BYTES = 32 * 1024
GATHER_S = 0.005
"""After a chunk smaller than that, what comes gathers for so long: a message costs more than what is in it."""


class Source(Protocol):
    """What is sent on a stream."""

    ended: log_reading.Ended

    def chunks(self) -> AsyncGenerator[bytes, None]:
        """The chunks. Raises ServiceError, which the reader is told."""


class Streams:
    """The streams of this agent."""

    def __init__(self, *, host: engine.TaskEngine, calls: effects.Effects, files: tls.Files) -> None:
        self._host = host
        self._calls = calls
        self._files = files
        self._count = 0

    def open(self, order: agent_service_pb2.StreamOrder, identity: stored.Identity, *, session_at: str) -> None:
        """Begin a stream. `session_at`: the address of the session that the order came in."""
        self._calls.spawn(f"stream {order.stream_id}", self._run(order, identity, order.address or session_at))

    async def _run(self, order: agent_service_pb2.StreamOrder, identity: stored.Identity, address: str) -> None:
        self._count += 1
        try:
            async with channels.connect(address, files=self._files) as channel:
                await self._serve(agent_service_pb2_grpc.AgentServiceStub(channel), order, identity)
        except errors.ServiceError as error:
            # Its reader is gone, or is told by the tracker; either way there is nobody to tell here.
            _log.info("stream_ended", stream_id=order.stream_id, error_reason=error.reason, error=error.message)
        except Exception:  # noqa: BLE001 - one stream is not worth the agent
            _log.exception("stream_failed", stream_id=order.stream_id)
        finally:
            self._count -= 1

    async def _serve(
        self,
        stub: "agent_service_pb2_grpc.AgentServiceAsyncStub",
        order: agent_service_pb2.StreamOrder,
        identity: stored.Identity,
    ) -> None:
        call: Any = stub.Stream()  # Any: gRPC types what it reads as message or EOF, which cannot be told apart
        try:
            opening = agent_service_pb2.StreamOpening(
                container_instance_id=identity.instance_id,
                instance_credential=identity.credential,
                stream_id=order.stream_id,
            )
            await call.write(agent_service_pb2.StreamRequest(opening=opening))
            await _Sending(call, self._source(order)).run()
        finally:
            call.cancel()

    def _source(self, order: agent_service_pb2.StreamOrder) -> Source:
        if self._count > MAX_STREAMS:
            return _Refusal(errors.Unavailable(f"The agent serves {MAX_STREAMS} streams already; try again."))
        if order.HasField("logs"):
            try:
                return log_reading.TaskLogs(self._host, order.logs)
            except errors.ServiceError as error:
                return _Refusal(error)
        return _Refusal(errors.UnsupportedFeatureException("The agent is older than what it is asked for."))


class _Refusal:
    """A source that has nothing but a reason."""

    def __init__(self, error: errors.ServiceError) -> None:
        self._error = error
        self.ended = log_reading.Ended([])

    async def chunks(self) -> AsyncGenerator[bytes, None]:
        """Nothing."""
        for reason in (self._error,):
            raise reason
        yield b""


class _Sending:
    """One stream: a source on one side, credit on the other."""

    def __init__(self, call: Any, source: Source) -> None:
        self._call = call
        self._source = source
        self._credit = 0
        self._granted = asyncio.Event()

    async def run(self) -> None:
        """Send to the end. Raises what breaks the stream."""
        try:
            async with asyncio.TaskGroup() as group:
                hearing = group.create_task(self._hear(), name="stream credit")
                end = await self._send()
                await self._call.write(agent_service_pb2.StreamRequest(end=end))
                await self._call.done_writing()
                # The tracker ends the stream once the reader has had everything.
                with contextlib.suppress(_ReaderGone):
                    await hearing
        except BaseExceptionGroup as failures:
            first = failures.exceptions[0]
            if not isinstance(first, _ReaderGone):
                raise first from None

    async def _hear(self) -> NoReturn:
        while True:
            message = await self._call.read()
            if message is grpc.aio.EOF:
                raise _ReaderGone
            self._credit += message.credit
            if self._credit > 0:
                self._granted.set()

    async def _send(self) -> agent_service_pb2.StreamEnd:
        try:
            async with contextlib.aclosing(self._source.chunks()) as chunks:
                async for chunk in chunks:
                    await self._send_chunk(chunk)
        except errors.ServiceError as error:
            return agent_service_pb2.StreamEnd(reason=error.reason, message=error.message)
        return agent_service_pb2.StreamEnd(gone=self._source.ended.gone)

    async def _send_chunk(self, chunk: bytes) -> None:
        await self._granted.wait()
        self._credit -= len(chunk)
        if self._credit <= 0:
            self._granted.clear()
        await self._call.write(agent_service_pb2.StreamRequest(chunk=chunk))
        if len(chunk) < SMALL_BYTES:
            await asyncio.sleep(GATHER_S)


class _ReaderGone(Exception):  # noqa: N818 - it is no error
    """Nobody reads the stream any more."""
