"""A connection: uvicorn's HTTP protocol, with bounds on what a client may send, hold and leave unread.

uvicorn parses, pipelines and answers; what is added here is what it leaves to a proxy in front. A request that breaks a bound never
reaches the application, or is taken from it (as if the client had gone): it is answered here, and the connection closed once
the client had the time to read that. A client that pipelines gets the answers to its earlier requests first.

| bound | then |
|---|---|
| nothing, or half a head, for `header_timeout_s` | closed |
| a body not whole `body_timeout_s` after its head | 408 |
| a body, declared or received, above `max_body_bytes` | 413 |
| a head above MAX_HEAD_BYTES or MAX_HEADERS | 431 |
| more than `max_connections`, or MAX_BUFFERED_BYTES in all of them | 503 |
| an answer not read for READ_TIMEOUT_S | closed |
| no HTTP | 400 |
"""

import asyncio
import enum
import uuid
from collections import deque
from dataclasses import dataclass, field
from typing import Any

import uvicorn
from uvicorn.protocols.http import httptools_impl
from uvicorn.server import ServerState

from longshore.gateway import config, joined, metrics, refusals, wire
from longshore.rpc import errors

MAX_HEAD_BYTES = 32 * 1024
"""Well above what a signed request with a session token has, and a presigned URL."""

MAX_HEADERS = 100

MAX_BUFFERED_BYTES = 64 * 1024 * 1024
"""Bodies under way in all connections together: what slow bodies can cost in memory."""

READ_TIMEOUT_S = 30.0
"""How long a client may leave an answer unread once the socket's buffer is full."""

LINGER_S = 2.0
"""How long a refused client may go on sending until the connection is closed: closed at once, with its data unread, the refusal itself
would be lost to it."""

LINGERING = 200
"""Connections beyond the bound that are told so at a time; any more are closed without a word."""


@dataclass(slots=True)
class Shared:
    """What the connections of one gateway have in common."""

    bounds: config.Config
    measured: metrics.Metrics
    open: set["Connection"] = field(default_factory=set)
    _empty: asyncio.Event = field(default_factory=asyncio.Event)

    def add(self, connection: "Connection") -> None:
        """A connection is open."""
        self.open.add(connection)
        self.measured.connections = len(self.open)
        self._empty.clear()

    def discard(self, connection: "Connection") -> None:
        """A connection is closed."""
        self.open.discard(connection)
        self.measured.connections = len(self.open)
        if not self.open:
            self._empty.set()

    async def emptied(self) -> None:
        """Wait until no connection is open."""
        if self.open:
            await self._empty.wait()


class _Awaiting(enum.Enum):
    """What a connection is waiting for from its client."""

    NOTHING = ""
    HEAD = "head"
    BODY = "body"


@dataclass(slots=True)
class _Unanswered:
    """A request whose head is whole and whose answer is not."""

    cycle: httptools_impl.RequestResponseCycle
    held: int = 0
    """Bytes of its body."""


class _RefusedError(Exception):
    """Ends the parsing of a connection that was refused; caught where uvicorn handles what it could not parse."""


class Connection(httptools_impl.HttpToolsProtocol):
    """One connection of a client."""

    def __init__(
        self,
        uvicorn_config: uvicorn.Config,
        server_state: ServerState,
        app_state: dict[str, Any],
        *,
        shared: Shared,
    ) -> None:
        """As uvicorn makes it; `shared` is common to all of a gateway."""
        super().__init__(config=uvicorn_config, server_state=server_state, app_state=app_state)
        self._shared = shared
        self._bounds = shared.bounds
        self._awaiting = _Awaiting.HEAD
        self._requests = 0
        """Requests begun: tells a deadline of one from that of the next."""
        self._deadline: asyncio.TimerHandle | None = None
        self._deadline_of: tuple[int, _Awaiting] | None = None
        self._unread: asyncio.TimerHandle | None = None
        self._unparsed = 0
        """Bytes received of a head that is not whole, at most."""
        self._head_bytes = 0
        self._body_bytes = 0
        self._unanswered: deque[_Unanswered] = deque()
        """Requests in their order: the first is being answered, the others wait for their turn."""
        self._over = False
        """Whether what the client sends is thrown away."""
        self._last_word: bytes | None = None
        """A refusal that waits for earlier answers."""

    # --------------------------------------------------------------------------------------- transport

    def connection_made(self, transport: asyncio.Transport) -> None:  # type: ignore[override]  # as uvicorn has it
        """Begin to wait for a head, or turn the client away."""
        super().connection_made(transport)
        self.transport = joined.JoinedTransport(transport, self.loop)
        shared = self._shared
        shared.add(self)
        if len(shared.open) <= self._bounds.max_connections:
            self._time()
            return
        shared.measured.turned_away += 1
        if len(shared.open) > self._bounds.max_connections + LINGERING:
            self._over = True
            transport.abort()
            return
        self._refuse(refusals.ServiceUnavailableException("Too many connections are open."))

    def connection_lost(self, exc: Exception | None) -> None:
        """Forget everything about the connection."""
        self._shared.discard(self)
        self._over = True
        # uvicorn tells the latest request alone: an earlier one would answer, or stream, for ever.
        while self._unanswered:
            cycle = self._answered_oldest()
            cycle.disconnected = True
            cycle.message_event.set()
        self._untime()
        self._unset_unread()
        self._unset_keepalive_if_required()
        self.pipeline.clear()
        super().connection_lost(exc)

    def data_received(self, data: bytes) -> None:
        """Parse, unless the connection is over."""
        if not self._over:
            self._parse(data)

    def _parse(self, data: bytes) -> None:
        if self._awaiting is _Awaiting.HEAD:
            self._unparsed += len(data)
        super().data_received(data)
        if self._over:
            return
        # A header is told when it is whole: one that never ends would only be seen here.
        if self._unparsed > MAX_HEAD_BYTES:
            self._refuse_head()
            return
        self._time()

    def pause_writing(self) -> None:
        """The client does not read: bound for how long."""
        super().pause_writing()
        self._unread = self.loop.call_later(READ_TIMEOUT_S, self._left_unread)

    def resume_writing(self) -> None:
        """The client reads again."""
        self._unset_unread()
        super().resume_writing()

    def send_400_response(self, msg: str) -> None:
        """Refuse what uvicorn could not parse, or do nothing more where it was refused from within the parsing."""
        if not self._over:
            self._shared.measured.malformed += 1
            self._refuse(refusals.ValidationException(msg))

    # --------------------------------------------------------------------------------------- parsing

    def on_message_begin(self) -> None:
        """A request begins."""
        super().on_message_begin()
        self._awaiting = _Awaiting.HEAD
        self._requests += 1
        self._head_bytes = self._body_bytes = 0

    def on_url(self, url: bytes) -> None:
        """Take in a piece of the target."""
        self._take_head(len(url))
        super().on_url(url)

    def on_header(self, name: bytes, value: bytes) -> None:
        """Take in a header."""
        self._take_head(len(name) + len(value))
        if len(self.headers) >= MAX_HEADERS:
            self._refuse_head()
            raise _RefusedError
        super().on_header(name, value)

    def on_headers_complete(self) -> None:
        """Refuse by the head where that is enough, else hand the request to the application."""
        hosts = 0
        for name, value in self.headers:
            if name == b"content-length" and int(value) > self._bounds.max_body_bytes:
                self._refuse_size()
                raise _RefusedError
            hosts += name == b"host"
        if hosts > 1 or (hosts == 0 and self.parser.get_http_version() == "1.1"):
            raise ValueError("not one Host header")
        self._unparsed = 0
        super().on_headers_complete()
        self._awaiting = _Awaiting.BODY
        self._unanswered.append(_Unanswered(self.cycle))

    def on_body(self, body: bytes) -> None:
        """Take in a piece of the body."""
        self._body_bytes += len(body)
        if self._body_bytes > self._bounds.max_body_bytes:
            self._refuse_size()
            raise _RefusedError
        if not self.cycle.response_complete:
            self._hold(len(body))
        super().on_body(body)

    def on_message_complete(self) -> None:
        """The request is whole."""
        self._awaiting = _Awaiting.NOTHING
        super().on_message_complete()

    def on_response_complete(self) -> None:
        """Go on with the next request, or say the last word."""
        if self._unanswered:  # none where the connection was lost meanwhile
            self._answered_oldest()
        super().on_response_complete()
        if self._last_word is not None and not self._unanswered:
            self._say(self._last_word)
        elif not self._over:
            self._time()

    # --------------------------------------------------------------------------------------- deadlines

    def _time(self) -> None:
        """See that whatever is awaited has a deadline: one for each head and each body, however it trickles in."""
        awaiting = self._awaited()
        if awaiting is _Awaiting.NOTHING:
            self._untime()
            return
        if self._deadline_of == (self._requests, awaiting):
            return
        self._untime()
        limit_s = self._bounds.header_timeout_s if awaiting is _Awaiting.HEAD else self._bounds.body_timeout_s
        self._deadline_of = (self._requests, awaiting)
        self._deadline = self.loop.call_later(limit_s, self._expired)

    def _awaited(self) -> _Awaiting:
        """What the client owes: nothing while its requests are answered, or while it may stay idle."""
        if self.pipeline:
            return _Awaiting.NOTHING  # it is we who do not read, until the requests before are answered
        if self._awaiting is not _Awaiting.NOTHING:
            return self._awaiting
        # uvicorn's own timer covers an idle connection, until its first byte: which need not begin a request.
        idle = self._unanswered or self.timeout_keep_alive_task is not None
        return _Awaiting.NOTHING if idle else _Awaiting.HEAD

    def _expired(self) -> None:
        awaiting = self._deadline_of[1] if self._deadline_of else _Awaiting.NOTHING
        self._untime()
        self._shared.measured.timed_out[awaiting.value] += 1
        if awaiting is _Awaiting.BODY:
            limit_s = self._bounds.body_timeout_s
            self._refuse(refusals.RequestTimeoutException(f"The body did not arrive within {limit_s:g} seconds."))
        elif self._unanswered:
            # What came whole is answered; after that the connection ends.
            self._over = True
            self._unanswered[-1].cycle.keep_alive = False
        else:
            self._over = True
            self.transport.close()

    def _untime(self) -> None:
        if self._deadline is not None:
            self._deadline.cancel()
        self._deadline = self._deadline_of = None

    def _left_unread(self) -> None:
        self._shared.measured.timed_out["reader"] += 1
        self.transport.abort()

    def _unset_unread(self) -> None:
        if self._unread is not None:
            self._unread.cancel()
            self._unread = None

    # --------------------------------------------------------------------------------------- refusals

    def _take_head(self, size: int) -> None:
        self._head_bytes += size
        if self._head_bytes > MAX_HEAD_BYTES:
            self._refuse_head()
            raise _RefusedError

    def _refuse_head(self) -> None:
        self._shared.measured.malformed += 1
        self._refuse(refusals.RequestHeaderFieldsTooLargeException("The head of the request is too large."))

    def _refuse_size(self) -> None:
        self._shared.measured.malformed += 1
        limit = self._bounds.max_body_bytes
        self._refuse(refusals.RequestEntityTooLargeException(f"The body is larger than {limit} bytes."))

    def _refuse(self, error: errors.ServiceError) -> None:
        """Answer the request that is being received, after those before it, and read no more."""
        self._over = True
        self._untime()
        word = _raw(error)
        # From the end of its head on a request is the application's, which waits for its body, or its turn.
        begun = self._awaiting is _Awaiting.BODY
        if begun and not self._unanswered:
            self.transport.close()  # it was answered without its body: nobody waits for another answer
            return
        if begun:
            self._take_back()
        if self._unanswered:
            self._last_word = word
        else:
            self._say(word)

    def _take_back(self) -> None:
        """Take the latest request from the application, which is told that its client has gone."""
        latest = self._unanswered.pop()
        self._shared.measured.buffered -= latest.held
        if self._unanswered:
            self.pipeline.remove((latest.cycle, self.app))
            return
        latest.cycle.disconnected = True
        latest.cycle.message_event.set()
        if latest.cycle.response_started:
            self.transport.close()

    def _answered_oldest(self) -> httptools_impl.RequestResponseCycle:
        """Forget the oldest request, and give back what its body took of the common bound."""
        oldest = self._unanswered.popleft()
        self._shared.measured.buffered -= oldest.held
        return oldest.cycle

    def _say(self, word: bytes) -> None:
        """Send the refusal, and close once the client had the time to read it."""
        self._last_word = None
        self._unset_keepalive_if_required()
        if self.transport.is_closing():
            return
        self.flow.resume_reading()
        self.transport.write(word)
        if self.transport.can_write_eof():
            self.transport.write_eof()
        self._deadline = self.loop.call_later(LINGER_S, self.transport.abort)

    def _hold(self, size: int) -> None:
        """Count a piece of a body against what all connections may hold."""
        self._unanswered[-1].held += size
        self._shared.measured.buffered += size
        if self._shared.measured.buffered > MAX_BUFFERED_BYTES:
            self._shared.measured.turned_away += 1
            self._refuse(refusals.ServiceUnavailableException("Too many requests are being received."))
            raise _RefusedError


def _raw(error: errors.ServiceError) -> bytes:
    """A refusal as it goes over the wire, for a request that has no application."""
    answer = wire.refused(error, str(uuid.uuid4()))
    lines = [httptools_impl.STATUS_LINE[answer.status]]
    lines += [name + b": " + value + b"\r\n" for name, value in answer.headers()]
    return b"".join([*lines, b"connection: close\r\n\r\n", answer.body])
