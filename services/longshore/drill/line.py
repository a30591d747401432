"""A line between two: a TCP proxy that can be cut, that can swallow everything, or only what comes back."""

import asyncio
import contextlib
from collections.abc import Callable

_CHUNK = 65536


Filter = Callable[[bytes], bytes]
"""What becomes of what is sent; it may hold back what is not whole yet."""


class Line:
    """Forwards connections on a port of its own to `target`. `filtering` makes a filter for each connection, of what goes to the target."""

    def __init__(
        self, target: tuple[str, int], *, port: int = 0, filtering: Callable[[], Filter] = lambda: lambda data: data
    ) -> None:
        self._target = target
        self._filtering = filtering
        self._server: asyncio.Server | None = None
        self._open: set[asyncio.StreamWriter] = set()
        self._ends: set[asyncio.Task[None]] = set()
        self._forth, self._back = asyncio.Event(), asyncio.Event()
        self._forth.set()
        self._back.set()
        self.port = port

    async def mend(self) -> None:
        """Let connections through; the port stays the same."""
        self._forth.set()
        self._back.set()
        if self._server is None:
            self._server = await asyncio.start_server(self._accept, "127.0.0.1", self.port)
            self.port = self._server.sockets[0].getsockname()[1]

    async def cut(self) -> None:
        """Break every connection, and refuse new ones until it is mended."""
        if self._server is not None:
            self._server.close()
            self._server = None
        self._break()

    def swallow(self) -> None:
        """Keep every connection open, take new ones, and pass nothing on. What comes meanwhile is passed on when it is mended."""
        self._forth.clear()
        self._back.clear()

    def deafen(self) -> None:
        """Pass on what goes to the target, and nothing of what it answers, until it is mended."""
        self._back.clear()

    async def close(self) -> None:
        """End it all."""
        await self.cut()
        for end in tuple(self._ends):
            end.cancel()
        await asyncio.gather(*self._ends, return_exceptions=True)

    def _break(self) -> None:
        for writer in tuple(self._open):
            writer.transport.abort()

    async def _accept(self, reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        task = asyncio.current_task()
        assert task is not None  # noqa: S101 - a coroutine of a server runs in a task
        self._ends.add(task)
        self._open.add(writer)
        try:
            await self._forth.wait()
            far_reader, far_writer = await asyncio.open_connection(*self._target)
            self._open.add(far_writer)
            try:
                await asyncio.gather(
                    self._copy(reader, far_writer, self._forth, self._filtering()),
                    self._copy(far_reader, writer, self._back, lambda data: data),
                )
            finally:
                self._open.discard(far_writer)
                far_writer.transport.abort()
        except OSError:
            pass  # the other end is away: so is this connection
        finally:
            self._open.discard(writer)
            self._ends.discard(task)
            writer.transport.abort()

    @staticmethod
    async def _copy(
        source: asyncio.StreamReader, target: asyncio.StreamWriter, passing: asyncio.Event, filtered: Filter
    ) -> None:
        with contextlib.suppress(OSError):
            while data := await source.read(_CHUNK):
                await passing.wait()
                target.write(filtered(data))
                await target.drain()
        target.transport.abort()
