"""The listening side: a socket, TLS, a server of connections, and its orderly end.

uvicorn's own Server is left out: it takes the process's signals, ends the process where a port is taken, wakes ten times a second,
and gives a TLS handshake no deadline of ours. What answers is uvicorn's protocol, with its configuration and state.
"""

import asyncio
import contextlib
import email.utils
import functools
import ssl
import time
from collections.abc import AsyncIterator, Callable
from typing import Any

import uvicorn
from uvicorn.server import ServerState

from longshore.gateway import connections
from longshore.rpc import server, tls

BACKLOG = 2048
"""Connections that wait to be accepted: as many as may be served, and a burst is not turned away by the kernel."""

HANDSHAKE_TIMEOUT_S = 10.0
"""A TLS handshake in silence is a silent connection."""

GRACE_S = 5.0
"""How long requests under way may take once the end has begun; then their connections are closed."""

Application = Callable[..., Any]


class _State(ServerState):
    """uvicorn's state of a server, whose Date header is made when it is needed and not by a clock that ticks."""

    def __init__(self) -> None:
        self._second = 0
        self._headers: list[tuple[bytes, bytes]] = []
        super().__init__()

    @property
    def default_headers(self) -> list[tuple[bytes, bytes]]:
        """The headers of every answer."""
        second = int(time.time())
        if second != self._second:
            self._second = second
            self._headers = [(b"date", email.utils.formatdate(second, usegmt=True).encode())]
        return self._headers

    @default_headers.setter
    def default_headers(self, _: list[tuple[bytes, bytes]]) -> None:
        """Made here alone."""


@contextlib.asynccontextmanager
async def listening(
    application: Application,
    address: tls.HostPort,
    files: tls.Files,
    shared: connections.Shared,
    *,
    draining: asyncio.Event,
) -> AsyncIterator[tls.HostPort]:
    """Serve an ASGI application inside the block, at the address that is yielded.

    On the way out: nothing new is accepted, `draining` is set (streams end themselves), idle connections are closed, those under
    way get GRACE_S. Raises server.BindError and tls.TlsError.
    """
    context = _tls_context(files)
    settings = uvicorn.Config(
        application,
        http=connections.Connection,
        ws="none",
        lifespan="off",
        interface="asgi3",
        log_config=None,
        log_level="critical",  # what a client sends is counted, and what fails is logged where it is answered
        access_log=False,
        proxy_headers=False,
        server_header=False,
        timeout_keep_alive=shared.bounds.keep_alive_s,  # type: ignore[arg-type]  # any number of seconds
    )
    settings.load()
    state = _State()
    factory = functools.partial(connections.Connection, settings, state, {}, shared=shared)
    listener = await _bound(factory, address, context)
    port = listener.sockets[0].getsockname()[1]
    try:
        yield tls.HostPort(address.host, port)
    finally:
        draining.set()
        await _leave(listener, state, shared)


async def _bound(
    factory: Callable[[], connections.Connection], address: tls.HostPort, context: ssl.SSLContext | None
) -> asyncio.Server:
    try:
        return await asyncio.get_running_loop().create_server(
            factory,
            address.host,
            address.port,
            ssl=context,
            ssl_handshake_timeout=HANDSHAKE_TIMEOUT_S if context else None,
            backlog=BACKLOG,
        )
    except OSError as error:
        raise server.BindError(
            f"cannot listen on {address}: the port is taken, or the address is not one of this machine's."
        ) from error


async def _leave(listener: asyncio.Server, state: ServerState, shared: connections.Shared) -> None:
    listener.close()
    for connection in list(shared.open):
        connection.shutdown()
    with contextlib.suppress(TimeoutError):
        async with asyncio.timeout(GRACE_S):
            await shared.emptied()
    for connection in list(shared.open):
        connection.transport.abort()
    for task in list(state.tasks):
        task.cancel()
    await asyncio.gather(*state.tasks, return_exceptions=True)
    await listener.wait_closed()


def _tls_context(files: tls.Files) -> ssl.SSLContext | None:
    """TLS as a server. Clients prove who they are by signatures; the authority is that of the components behind us."""
    if not files.cert or not files.key:
        return None
    context = ssl.SSLContext(ssl.PROTOCOL_TLS_SERVER)
    context.minimum_version = ssl.TLSVersion.TLSv1_2
    context.set_alpn_protocols(["http/1.1"])
    try:
        context.load_cert_chain(files.cert, files.key)
    except (OSError, ssl.SSLError) as error:
        raise tls.TlsError(f"cannot use {files.cert} and {files.key} for TLS: {error}") from error
    return context
