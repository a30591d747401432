"""A gRPC channel whose calls raise `ServiceError`, carry the caller and have a deadline.

Wrapped around the channel rather than built of gRPC's client interceptors: those put a queue and a task between a stream and its
caller, and cannot wait for a replica before they choose a channel.
"""

import asyncio
import contextlib
from collections.abc import AsyncIterator, Callable, Generator, Iterator
from types import TracebackType
from typing import Any, Self

import grpc
import grpc.aio

from longshore.rpc import caller, errors, replicas, silence, status


class NamedErrorChannel(grpc.aio.Channel):
    """What `channels.connect` yields. Made for generated stubs."""

    def __init__(self, pool: replicas.Replicas, *, timeout_s: float, metadata: tuple[tuple[str, str], ...]) -> None:
        self._pool = pool
        self._timeout_s = timeout_s
        self._metadata = metadata
        self._silence = silence.Silence(pool) if len(pool.addresses) > 1 else None

    @property
    def addresses(self) -> tuple[str, ...]:
        """host:port of every replica."""
        return self._pool.addresses

    def unary_unary(self, method: str, *args: Any, **kwargs: Any) -> Any:
        """A method with one request and one answer."""
        return self._callable("unary_unary", method, self._timeout_s, args, kwargs)

    def unary_stream(self, method: str, *args: Any, **kwargs: Any) -> Any:
        """A method with one request and a stream of answers."""
        return self._callable("unary_stream", method, None, args, kwargs)

    def stream_unary(self, method: str, *args: Any, **kwargs: Any) -> Any:
        """A method with a stream of requests and one answer."""
        return self._callable("stream_unary", method, None, args, kwargs)

    def stream_stream(self, method: str, *args: Any, **kwargs: Any) -> Any:
        """A method with a stream in each direction."""
        return self._callable("stream_stream", method, None, args, kwargs)

    def _callable(self, kind: str, method: str, timeout_s: float | None, args: Any, kwargs: Any) -> "Method":
        def make(channel: grpc.aio.Channel) -> Callable[..., Any]:
            made: Callable[..., Any] = getattr(channel, kind)(method, *args, **kwargs)
            return made

        watched = self._silence if kind == "unary_unary" else None
        return Method(self._pool, make, path=method, timeout_s=timeout_s, metadata=self._metadata, watched=watched)

    def get_state(self, try_to_connect: bool = False) -> grpc.ChannelConnectivity:  # noqa: FBT001, FBT002 - gRPC's signature
        """READY where any replica is connected, else the state of the first."""
        everyone = range(len(self._pool.addresses))
        if try_to_connect:
            states = [self._pool.channel(index).get_state(try_to_connect=True) for index in everyone]
        else:
            states = [self._pool.state(index) for index in everyone]
        return grpc.ChannelConnectivity.READY if grpc.ChannelConnectivity.READY in states else states[0]

    async def wait_for_state_change(self, last_observed_state: grpc.ChannelConnectivity) -> None:
        """Wait until `get_state()` may tell something else."""
        if self.get_state() is last_observed_state:
            await self._pool.changed([self._pool.state(index) for index in range(len(self._pool.addresses))])

    async def channel_ready(self) -> None:
        """Wait until a replica is connected, however long it takes."""
        while (state := self.get_state(try_to_connect=True)) is not grpc.ChannelConnectivity.READY:
            await self.wait_for_state_change(state)

    async def close(self, grace: float | None = None) -> None:
        """Close all connections; calls under way are cancelled."""
        del grace  # our users close when nothing of theirs is under way
        if self._silence is not None:
            await self._silence.close()
        await self._pool.close()

    async def __aenter__(self) -> Self:
        """The channel itself."""
        return self

    async def __aexit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        """Close."""
        await self.close()


class Method:
    """One method of a stub; calling it begins a call on a replica."""

    __slots__ = ("_made", "_make", "_metadata", "_pool", "_timeout_s", "_watched", "path")

    def __init__(
        self,
        pool: replicas.Replicas,
        make: Callable[[grpc.aio.Channel], Callable[..., Any]],
        *,
        path: str,
        timeout_s: float | None,
        metadata: tuple[tuple[str, str], ...],
        watched: silence.Silence | None,
    ) -> None:
        self._watched = watched
        self.path = path
        """Full name, `/longshore.v1.RegistryService/ListClusters`."""
        self._pool = pool
        self._make = make
        self._made: tuple[grpc.aio.Channel, Callable[..., Any]] | None = None
        self._timeout_s = timeout_s
        self._metadata = metadata

    def __call__(
        self, request: Any = None, *, timeout: float | None = None, metadata: Any = None, **options: Any
    ) -> "Call":
        """Begin. A call for which no replica is connected yet is sent when it is first awaited."""
        limit = self._timeout_s if timeout is None else timeout
        sent = (*self._metadata, *caller.metadata(caller.current()), *(metadata or ()))

        def begin(index: int, left_s: float | None) -> Any:
            return self._of(self._pool.channel(index))(request, timeout=left_s, metadata=sent, **options)

        return Call(self._pool, begin, limit, self._watched)

    def _of(self, channel: grpc.aio.Channel) -> Callable[..., Any]:
        """The method on a channel: made once for the one in use, and anew where another is."""
        if self._made is None or self._made[0] is not channel:
            self._made = (channel, self._make(channel))
        return self._made[1]


class Call:
    """A call under way: awaitable where there is one answer, else to be iterated, read and written.

    As gRPC's own call objects, except that failures are ServiceErrors.
    """

    __slots__ = ("_begin", "_cancelled", "_end", "_given_up", "_index", "_inner", "_pool", "_starting", "_watched")

    def __init__(
        self,
        pool: replicas.Replicas,
        begin: Callable[[int, float | None], Any],
        timeout_s: float | None,
        watched: silence.Silence | None = None,
    ) -> None:
        self._watched = watched
        self._given_up = False
        self._pool = pool
        self._begin = begin
        self._cancelled = False
        self._starting: asyncio.Task[None] | None = None
        self._end = None if timeout_s is None else asyncio.get_running_loop().time() + timeout_s
        self._index = pool.now()
        self._inner: Any = None if self._index is None else begin(self._index, timeout_s)

    @property
    def address(self) -> str:
        """host:port of the replica that it goes to; empty while none was found."""
        return "" if self._index is None else self._pool.addresses[self._index]

    @property
    def replicas(self) -> int:
        """How many replicas it could have gone to."""
        return len(self._pool.addresses)

    def avoid_replica(self) -> None:
        """Have later calls of the channel go to another replica than this one did, if another can be reached."""
        if self._index is not None:
            self._pool.avoid(self._index)

    def __await__(self) -> Generator[Any, None, Any]:
        """The answer."""
        return self._answer().__await__()

    async def __aiter__(self) -> AsyncIterator[Any]:
        """The answers of a stream."""
        inner = await self._started()
        try:
            with _named():
                async for message in inner:
                    yield message
        finally:
            # Whoever stops iterating is done with the stream; without this it would live until garbage collection.
            inner.cancel()

    async def read(self) -> Any:
        """The next answer, or `grpc.aio.EOF` after the last."""
        inner = await self._started()
        with _named():
            return await inner.read()

    async def write(self, request: Any) -> None:
        """Send on a stream. After the stream has failed this raises its error."""
        inner = await self._started()
        await self._sending(inner, inner.write(request))

    async def done_writing(self) -> None:
        """Say that nothing more will be sent."""
        inner = await self._started()
        await self._sending(inner, inner.done_writing())

    def cancel(self) -> bool:
        """Give up. False when it was over already."""
        if self._inner is not None:
            return bool(self._inner.cancel())
        first, self._cancelled = not self._cancelled, True
        if self._starting is not None:
            self._starting.cancel()
        return first

    def cancelled(self) -> bool:
        """Whether it was given up."""
        return self._cancelled or (self._inner is not None and bool(self._inner.cancelled()))

    def done(self) -> bool:
        """Whether it is over."""
        return self._cancelled or (self._inner is not None and bool(self._inner.done()))

    async def code(self) -> grpc.StatusCode:
        """The status code, once it is over."""
        code: grpc.StatusCode = await (await self._started()).code()
        return code

    async def initial_metadata(self) -> Any:
        """What the server sent first."""
        inner = await self._started()
        with _named():
            return await inner.initial_metadata()

    async def wait_for_connection(self) -> None:
        """Wait until the call is under way on a connection."""
        inner = await self._started()
        with _named():
            await inner.wait_for_connection()

    async def _answer(self) -> Any:
        try:
            inner = await self._started()
        except asyncio.CancelledError:
            self.cancel()
            raise
        if self._watched is None or self._index is None:
            with _named():
                return await inner
        self._watched.begin(self, self._index)
        try:
            with _named():
                return await inner
        except asyncio.CancelledError:
            task = asyncio.current_task()
            if not self._given_up or (task is not None and task.cancelling()):
                raise
            raise errors.Unavailable(f"{self.address} does not answer, and another replica does.") from None
        finally:
            self._watched.end(self)

    def give_up(self) -> None:
        """End it as one that was lost with its connection: the replica is frozen."""
        if self._inner is not None:
            self._given_up = True
            self._inner.cancel()

    async def _started(self) -> Any:
        """The call of gRPC, begun as soon as a replica is connected."""
        if self._inner is not None:
            return self._inner
        if self._cancelled:
            raise asyncio.CancelledError
        if self._starting is None:
            self._starting = asyncio.create_task(self._start(), name="find replica")
        # Shared by reader and writer of one stream: the cancellation of one must not take the other's call away.
        await asyncio.shield(self._starting)
        return self._inner

    async def _start(self) -> None:
        try:
            async with asyncio.timeout_at(self._end):
                self._index = index = await self._pool.found()
        except TimeoutError as error:
            raise errors.Unavailable(f"None of {', '.join(self._pool.addresses)} could be reached in time.") from error
        left_s = None if self._end is None else max(0.0, self._end - asyncio.get_running_loop().time())
        self._inner = self._begin(index, left_s)

    async def _sending(self, inner: Any, sending: Any) -> None:
        try:
            with _named():
                await sending
        except asyncio.InvalidStateError as error:
            # gRPC says so, instead of the status, to whoever writes on a stream that is over.
            code = await inner.code()
            message = await inner.details() or "the stream is over"
            if code is grpc.StatusCode.OK:
                raise errors.Aborted("The other side has ended the stream.") from error
            failure = grpc.aio.AioRpcError(code, trailing_metadata=await inner.trailing_metadata(), details=message)
            raise status.from_rpc_error(failure) from error


@contextlib.contextmanager
def _named() -> Iterator[None]:
    """Turn gRPC's error into ours."""
    try:
        yield
    except grpc.aio.AioRpcError as error:
        raise status.from_rpc_error(error) from error
