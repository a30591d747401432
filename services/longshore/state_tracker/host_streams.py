"""Streams from agents, each on a connection of its own: asked for in the session, opened by the agent, read by one reader here.

    async with streams.open(live, agent_service_pb2.StreamOrder(logs=…)) as stream:
        async for chunk in stream.chunks():       # bytes, unparsed
            ...
        stream.end                                # what the agent said at the end

A chunk is read from the connection when the reader asks for the next one, and credit goes back to the agent for what was taken. So
nothing gathers here, however slow the reader is. What the chunks mean is between the agent and the reader: docs/design/host-streams.md.
"""

import asyncio
import contextlib
import secrets
from collections.abc import AsyncGenerator, AsyncIterator
from typing import Any, TypeAlias

import grpc
import grpc.aio
import structlog
from google.protobuf import message

from longshore.rpc import errors
from longshore.state_tracker import held, instance_rows, metrics, openings
from longshore.storage.database import Database
from longshore.v1 import agent_service_pb2

# From the order to the agent's opening: it dials anew, perhaps with TLS.
ANSWER_TIMEOUT_S = 10.0
# An agent that opens a stream and does not say which.
OPENING_TIMEOUT_S = 10.0
# What an agent may send ahead of its reader. A round trip's worth at the speed of a fast network.
CREDIT_BYTES = 1024 * 1024
# Credit goes back in portions, not for each chunk.
_PORTION_BYTES = CREDIT_BYTES // 4

Context: TypeAlias = "grpc.aio.ServicerContext[Any, Any]"

_log = structlog.get_logger(__name__)


class HostStream:
    """One stream, from its order to its end. It has one reader."""

    def __init__(self, instance_id: str) -> None:
        self.instance_id = instance_id
        self.stream_id = secrets.token_hex(16)
        self.end = agent_service_pb2.StreamEnd()
        """What the agent said at the end; meaningful once `chunks` has ended by itself."""
        self._context: Context | None = None
        self._connected = asyncio.Event()
        self._over = asyncio.Event()
        self._error: errors.ServiceError | None = None

    @property
    def opened(self) -> bool:
        """Whether the agent has come."""
        return self._context is not None

    def connect(self, context: Context) -> None:
        """The agent has opened it."""
        self._context = context
        self._connected.set()

    def break_off(self, error: errors.ServiceError | None) -> None:
        """It is over; the reader is told why, where it still reads. The first end counts."""
        if not self._over.is_set():
            self._error = error
            self._over.set()
            self._connected.set()

    async def over(self) -> None:
        """Wait until nobody reads any more."""
        await self._over.wait()

    async def wait_until_opened(self) -> None:
        """Wait for the agent. Raises Unavailable where it does not come."""
        try:
            async with asyncio.timeout(ANSWER_TIMEOUT_S):
                await self._connected.wait()
        except TimeoutError:
            raise errors.Unavailable(
                f"The agent of container instance {self.instance_id} has opened no stream within {ANSWER_TIMEOUT_S:g} s."
            ) from None
        self._check()

    async def chunks(self) -> AsyncGenerator[bytes, None]:
        """What the agent sends, until its end. Raises Unavailable where the stream breaks before."""
        owed = CREDIT_BYTES
        over = asyncio.create_task(self._over.wait(), name="stream over")
        try:
            while True:
                if owed >= _PORTION_BYTES:
                    await self._give(owed)
                    owed = 0
                request = await self._next(over)
                if request.HasField("end"):
                    self.end = request.end
                    return
                yield request.chunk
                owed += len(request.chunk)
        finally:
            over.cancel()

    async def _give(self, credit: int) -> None:
        assert self._context is not None  # noqa: S101 - chunks are read after wait_until_opened
        try:
            await self._context.write(agent_service_pb2.StreamResponse(credit=credit).SerializeToString())
        except (grpc.aio.BaseError, asyncio.InvalidStateError) as error:
            raise self._broken() from error

    async def _next(self, over: "asyncio.Task[Any]") -> agent_service_pb2.StreamRequest:
        assert self._context is not None  # noqa: S101 - as above
        reading = asyncio.ensure_future(self._context.read())
        try:
            await asyncio.wait((reading, over), return_when=asyncio.FIRST_COMPLETED)
            if not reading.done():
                self._check()
                raise self._broken()
            raw: Any = reading.result()
        except (grpc.aio.BaseError, asyncio.InvalidStateError) as error:
            raise self._broken() from error
        finally:
            reading.cancel()
        if raw is grpc.aio.EOF:
            self._check()
            raise self._broken()
        return parsed(raw)

    def _check(self) -> None:
        if self._error is not None:
            raise self._error

    def _broken(self) -> errors.ServiceError:
        return self._error or errors.Unavailable(
            f"The stream from container instance {self.instance_id} broke off; resume it."
        )


class HostStreams:
    """All streams that readers of this tracker wait for or read."""

    def __init__(self, database: Database, measured: metrics.Metrics, *, address: str) -> None:
        """`address`: where agents should dial; empty where they find this tracker by themselves."""
        self._database = database
        self._metrics = measured
        self._address = address
        self._streams: dict[str, HostStream] = {}

    @contextlib.asynccontextmanager
    async def open(self, live: held.Live, order: agent_service_pb2.StreamOrder) -> AsyncIterator[HostStream]:
        """Order a stream through a session held here and wait until the agent has opened it. Over with the block."""
        stream = HostStream(live.session.instance_id)
        order.stream_id, order.address = stream.stream_id, self._address
        self._streams[stream.stream_id] = stream
        self._metrics.host_streams += 1
        try:
            live.session.order(agent_service_pb2.SessionResponse(stream_orders=[order]).SerializeToString())
            live.wake.set()
            await stream.wait_until_opened()
            yield stream
        finally:
            del self._streams[stream.stream_id]
            self._metrics.host_streams -= 1
            stream.break_off(None)

    def end_all(self, error: errors.ServiceError) -> None:
        """End every stream: this tracker leaves."""
        for stream in self._streams.values():
            stream.break_off(error)

    async def serve(self, _: Any, context: Context) -> None:
        """AgentService.Stream: hand the connection to whoever waits for it, and hold it until that one is done."""
        opening = await _opening(context)
        stream = self._streams.get(opening.stream_id)
        if stream is None or stream.opened or stream.instance_id != opening.container_instance_id:
            raise errors.ResourceNotFoundException("Nobody waits here for a stream of that id.")
        await self._check_credential(opening)
        if stream.opened:
            raise errors.ResourceNotFoundException("Nobody waits here for a stream of that id.")
        stream.connect(context)
        try:
            await stream.over()
        finally:
            # Where the agent's connection is lost this handler is cancelled, and the reader has to know.
            stream.break_off(
                errors.Unavailable(f"The stream from container instance {stream.instance_id} broke off; resume it.")
            )

    async def _check_credential(self, opening: agent_service_pb2.StreamOpening) -> None:
        instance_id = opening.container_instance_id
        found = await self._database.read(lambda dialect: instance_rows.by_ids(dialect, [instance_id]))
        instance = found.get(instance_id)
        if instance is None or not instance.active:
            raise openings.not_found(instance_id)
        if not openings.credential_matches(opening.instance_credential, instance.credential_hash):
            raise errors.Unauthenticated(f"The credential is not that of container instance {instance_id}.")


async def _opening(context: Context) -> agent_service_pb2.StreamOpening:
    try:
        async with asyncio.timeout(OPENING_TIMEOUT_S):
            raw: Any = await context.read()
    except TimeoutError:
        raise errors.InvalidParameterException(f"No opening came within {OPENING_TIMEOUT_S:g} s.") from None
    request = agent_service_pb2.StreamRequest() if raw is grpc.aio.EOF else parsed(raw)
    if not (request.HasField("opening") and request.opening.container_instance_id and request.opening.stream_id):
        raise errors.InvalidParameterException("The first message of a stream has an opening that names it.")
    if "\0" in request.opening.container_instance_id:
        raise errors.InvalidParameterException("An id contains the character NUL.")
    return request.opening


def parsed(raw: bytes) -> agent_service_pb2.StreamRequest:
    """A message of an agent. Raises InvalidParameterException for what is none."""
    try:
        return agent_service_pb2.StreamRequest.FromString(raw)
    except message.DecodeError:
        raise errors.InvalidParameterException("The message is not a StreamRequest.") from None
