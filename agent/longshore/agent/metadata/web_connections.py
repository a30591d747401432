"""Connections of containers to an HTTP server of the agent: so many at a time, and no more.

A container may open as many as it likes and say nothing on them. The agent's own files and sockets must not run out by that, nor may the
others be kept out: the connection that has been open for longest makes room for the one that comes.
"""

import asyncio
import socket

from aiohttp import web

MAX_CONNECTIONS = 256
"""A question is answered within seconds, so whoever asks is not among the oldest of so many."""


class Connections:
    """The listening sockets of a runner that is set up."""

    def __init__(self, runner: web.AppRunner, *, most: int = MAX_CONNECTIONS) -> None:
        self._runner = runner
        self._most = most
        self._servers: list[asyncio.Server] = []

    async def serve(self, listening: socket.socket) -> None:
        """Take connections from a socket that listens."""
        self._servers.append(await asyncio.get_running_loop().create_server(self._accept, sock=listening))

    @property
    def addresses(self) -> list[tuple[str, int]]:
        """Where connections are taken."""
        return [made.getsockname()[:2] for server in self._servers for made in server.sockets]

    def close(self) -> None:
        """Take no more."""
        for server in self._servers:
            server.close()

    def _accept(self) -> asyncio.BaseProtocol:
        server = self._runner.server
        assert server is not None  # noqa: S101 - there is one between setup and cleanup
        open_ones = [found for found in server.connections if found.transport is not None]
        if len(open_ones) >= self._most:
            open_ones[0].force_close()
        return server()
