"""GET /events: a cluster's log as server-sent events, for a browser or curl.

Whatever is wrong is answered before the stream begins: who asks, what for, from where. After that the stream goes on while the
control plane comes and goes, and ends with the client, with the gateway, or with the access key that it was opened with.

A stream holds one batch. It asks for the next one when the client has taken this one, so a slow client is slowed down by gRPC and, in
the end, read from the tables; `connections` closes it when it reads nothing at all.
"""

import asyncio
import contextlib
from collections.abc import AsyncIterator, Awaitable, Callable, Iterator

import structlog
from starlette import routing

from longshore.client import client as clients
from longshore.gateway import (
    answering,
    authentication,
    event_messages,
    metrics,
    operations,
    origins,
    refusals,
    routes,
)
from longshore.rpc import arns, caller, errors
from longshore.v1 import options_pb2, state_tracker_service_pb2

_log = structlog.get_logger(__name__)

PATH = "/events"

HEARTBEAT_S = 15.0
"""Silence after which a comment is sent: below the minute after which proxies close what is silent."""

RECHECK_S = 10.0
"""How often it is asked whether whoever opened the stream may still see it; as long as a signing key is believed."""

FIRST_TIMEOUT_S = 10.0
"""How long a state-tracker may take to open the log; a client repeats what is answered 503."""

LAST_WORD_S = 1.0
"""How long the end of a stream may take to be written; the connection is closed in any case."""

MAX_STREAMS = 500
"""A quarter of the connections that a gateway serves: streams must not keep operations out."""

WATCHING = operations.Operation(
    name="WatchEvents",
    stub="state_tracker",
    request=state_tracker_service_pb2.WatchEventsRequest,
    role=options_pb2.ROLE_READ_ONLY,
)
"""What a caller needs to be allowed."""

HEADERS = (
    (b"content-type", b"text/event-stream; charset=utf-8"),
    (b"cache-control", b"no-store"),
    # nginx would gather the stream into blocks.
    (b"x-accel-buffering", b"no"),
)


class Events:
    """Serves the streams of one gateway: an ASGI application."""

    def __init__(
        self,
        *,
        client: clients.Client,
        authenticator: authentication.Authenticator,
        account: str,
        measured: metrics.Metrics,
        draining: asyncio.Event,
        new_id: Callable[[], str],
        heartbeat_s: float = HEARTBEAT_S,
        recheck_s: float = RECHECK_S,
        most: int = MAX_STREAMS,
    ) -> None:
        """Prepare.

        Args:
            client: watches.
            authenticator: tells who asks.
            account: of the ARNs.
            measured: is kept up to date.
            draining: set when the gateway is about to end.
            new_id: makes ids of requests.
            heartbeat_s: silence after which a comment is sent.
            recheck_s: how often it is asked whether the caller is still let in.
            most: streams that are served at a time.
        """
        self._client = client
        self._authenticator = authenticator
        self._account = account
        self._measured = measured
        self._draining = draining
        self._new_id = new_id
        self._heartbeat_s = heartbeat_s
        self._recheck_s = recheck_s
        self._most = most

    def route(self) -> routing.Route:
        """The route to be served."""
        return routing.Route(PATH, self, methods=["GET"])

    async def __call__(self, scope: routes.Scope, receive: routes.Receive, send: routes.Send) -> None:
        """Serve one stream, or raise the ServiceError that it is refused with."""
        if scope["method"] != "GET":  # Starlette takes HEAD for GET
            raise refusals.MethodNotAllowedException(f"{PATH} is not served by {scope['method']}, but by GET.")
        body = await routes.read_body(receive)
        if body is None:
            return
        request = routes.asked(scope, body)
        identity = await self._authenticator.authenticate(request)
        origins.check(request, identity.principal)
        answering.check_role(identity, WATCHING)
        wanted = event_messages.asked(request)
        request_id = self._new_id()
        who = caller.Caller(identity.principal, request_id, identity.region)
        place = arns.Place(account=self._account, region=identity.region)
        with self._counted():
            async with _opened(self._client, wanted, who) as (first, batches):
                _log.debug("event_stream_opened", request_id=request_id, principal=identity.principal)
                stream = _Stream(send, wanted, place, self._heartbeat_s)
                try:
                    async with asyncio.TaskGroup() as group:
                        group.create_task(stream.write(first, batches, who), name="events: write")
                        group.create_task(stream.beat(), name="events: beat")
                        group.create_task(_ending(_gone(receive)), name="events: client")
                        group.create_task(_ending(self._draining.wait()), name="events: gateway")
                        group.create_task(_ending(self._shut_out(identity)), name="events: access")
                except* _Ended:
                    pass
                await stream.end()
        _log.debug("event_stream_ended", request_id=request_id)

    @contextlib.contextmanager
    def _counted(self) -> Iterator[None]:
        """Count a stream, if there may be one more."""
        if self._measured.event_streams >= self._most:
            raise refusals.ServiceUnavailableException(f"{self._most} event streams are open already.")
        self._measured.event_streams += 1
        try:
            yield
        finally:
            self._measured.event_streams -= 1

    async def _shut_out(self, identity: authentication.Identity) -> None:
        """Wait until whoever opened the stream would not be let in any more."""
        while True:
            await asyncio.sleep(self._recheck_s)
            # While nobody can tell, who was let in stays: a new stream is refused then.
            with contextlib.suppress(errors.ServiceError):
                if not await self._authenticator.still(identity):
                    return


class _Ended(Exception):  # noqa: N818 - not an error: one of the ways in which every stream ends
    """A stream has come to its end."""


class _Stream:
    """The writing side of one stream."""

    def __init__(self, send: routes.Send, wanted: event_messages.Asked, place: arns.Place, heartbeat_s: float) -> None:
        self._send = send
        self._wanted = wanted
        self._cluster = arns.cluster(wanted.cluster).name
        self._place = place
        self._heartbeat_s = heartbeat_s
        self._last = asyncio.get_running_loop().time()
        # Held by whoever writes: a heartbeat must not come between the pieces of a message, nor queue up behind one.
        self._writing = asyncio.Lock()

    async def write(self, first: clients.Batch, batches: clients.Watching, who: caller.Caller) -> None:
        """Write batch after batch, until the log cannot be followed any more."""
        caller.set_current(who)
        position = self._wanted.position
        await self._begin(event_messages.Position(position.cursor or first.cursor, position.number), who.request_id)
        try:
            position = await self._batch(first, position)
            async for batch in batches:
                position = await self._batch(batch, position)
        except errors.ServiceError as error:
            # The answer has begun: who connects again is told.
            _log.info("event_stream_broken", request_id=who.request_id, reason=error.reason, message=error.message)
        raise _Ended

    async def beat(self) -> None:
        """Write a comment whenever nothing was written for a while."""
        loop = asyncio.get_running_loop()
        while True:
            await asyncio.sleep(max(0.0, self._last + self._heartbeat_s - loop.time()))
            if not self._writing.locked() and self._last + self._heartbeat_s <= loop.time():
                await self._piece(event_messages.HEARTBEAT)

    async def end(self) -> None:
        """Close the answer; nothing happens where the client has gone."""
        with contextlib.suppress(TimeoutError):
            async with asyncio.timeout(LAST_WORD_S):
                await self._send({"type": "http.response.body", "body": b"", "more_body": False})

    async def _begin(self, position: event_messages.Position, request_id: str) -> None:
        headers = [*HEADERS, (b"x-amzn-requestid", request_id.encode())]
        await self._send({"type": "http.response.start", "status": 200, "headers": headers})
        await self._piece(event_messages.greeting(position))

    async def _batch(self, batch: clients.Batch, before: event_messages.Position) -> event_messages.Position:
        for message in event_messages.messages(batch, before, cluster=self._cluster, place=self._place):
            await self._piece(message)
        return event_messages.after(batch, before)

    async def _piece(self, data: bytes) -> None:
        """Write, and wait while the client does not read."""
        async with self._writing:
            await self._send({"type": "http.response.body", "body": data, "more_body": True})
            self._last = asyncio.get_running_loop().time()


@contextlib.asynccontextmanager
async def _opened(
    client: clients.Client, wanted: event_messages.Asked, who: caller.Caller
) -> AsyncIterator[tuple[clients.Batch, clients.Watching]]:
    """The log from where it is wanted: the first batch, and the rest. Raises the refusal of a client that asks for what is not there."""
    watching = client.watch(
        cluster=wanted.cluster,
        cursor=wanted.position.cursor,
        tasks=wanted.tasks,
        container_instances=wanted.container_instances,
        family=wanted.family,
    )
    async with contextlib.aclosing(watching) as batches:
        try:
            with caller.acting_as(who):
                async with asyncio.timeout(FIRST_TIMEOUT_S):
                    first = await anext(batches)
        except TimeoutError:
            raise refusals.ServiceUnavailableException("No state-tracker opens the event log now.") from None
        except errors.OutOfRange as error:
            raise refusals.PrunedPositionException(error.message, **error.metadata) from error
        yield first, batches


async def _ending(wait: Awaitable[object]) -> None:
    """Wait, then end the stream."""
    await wait
    raise _Ended


async def _gone(receive: routes.Receive) -> None:
    """Wait until the client has hung up."""
    while (await receive())["type"] != "http.disconnect":
        pass
