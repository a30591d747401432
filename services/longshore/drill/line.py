"""The line between the agent and the state-tracker: a TCP proxy that can be cut, and that can swallow everything."""

import asyncio
import contextlib

_CHUNK = 65536


class Line:
    """Forwards connections on a port of its own to `target`."""

    def __init__(self, target: tuple[str, int]) -> None:
        self._target = target
        self._server: asyncio.Server | None = None
        self._open: set[asyncio.StreamWriter] = set()
        self._ends: set[asyncio.Task[None]] = set()
        self._passing = asyncio.Event()
        self._passing.set()
        self.port = 0

    async def mend(self) -> None:
        """Let connections through; the port stays the same."""
        self._passing.set()
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
        self._passing.clear()

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
            await self._passing.wait()
            far_reader, far_writer = await asyncio.open_connection(*self._target)
            self._open.add(far_writer)
            try:
                await asyncio.gather(self._copy(reader, far_writer), self._copy(far_reader, writer))
            finally:
                self._open.discard(far_writer)
                far_writer.transport.abort()
        except OSError:
            pass  # the other end is away: so is this connection
        finally:
            self._open.discard(writer)
            self._ends.discard(task)
            writer.transport.abort()

    async def _copy(self, source: asyncio.StreamReader, target: asyncio.StreamWriter) -> None:
        with contextlib.suppress(OSError):
            while data := await source.read(_CHUNK):
                await self._passing.wait()
                target.write(data)
                await target.drain()
        target.transport.abort()
