"""A proxy before a PostgreSQL server that cuts or stalls a connection at the moment its client says COMMIT."""

import asyncio
import contextlib
from collections.abc import AsyncIterator
from dataclasses import dataclass, field
from enum import Enum, auto
from urllib import parse


class At(Enum):
    """What happens to the next COMMIT."""

    NOTHING = auto()
    LOSE_REQUEST = auto()
    LOSE_ANSWER = auto()
    STALL = auto()


@dataclass
class Proxy:
    """One proxy. `fault` is what the next COMMIT meets; it happens once, but a stalled connection stays stalled."""

    server_port: int
    url: str = ""
    fault: At = At.NOTHING
    _writers: list[asyncio.StreamWriter] = field(default_factory=list)
    _tasks: set[asyncio.Task[None]] = field(default_factory=set)

    async def serve(self, reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        server_reader, server_writer = await asyncio.open_connection("127.0.0.1", self.server_port)
        self._writers += [writer, server_writer]
        answers = asyncio.ensure_future(self._pump(server_reader, writer))
        self._tasks.add(answers)
        with contextlib.suppress(ConnectionError):
            while data := await reader.read(65536):
                fault = At.NOTHING
                if b"COMMIT\x00" in data:  # BEGIN … READ COMMITTED is another word
                    fault, self.fault = self.fault, At.NOTHING
                if fault is At.LOSE_REQUEST:
                    break
                if fault in {At.LOSE_ANSWER, At.STALL}:
                    answers.cancel()
                    await asyncio.wait([answers])
                server_writer.write(data)
                if fault is At.LOSE_ANSWER:
                    await server_reader.read(1)  # it has answered, so it has committed
                    break
                if fault is At.STALL:
                    await asyncio.Event().wait()
        answers.cancel()
        for end in (writer, server_writer):
            end.transport.abort()

    async def _pump(self, reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        with contextlib.suppress(ConnectionError):
            while data := await reader.read(65536):
                writer.write(data)
            writer.transport.abort()

    def close(self) -> None:
        for task in self._tasks:
            task.cancel()
        for writer in self._writers:
            writer.transport.abort()


@contextlib.asynccontextmanager
async def before(url: str) -> AsyncIterator[Proxy]:
    """A proxy before the server of this URL; `proxy.url` goes through it."""
    parts = parse.urlsplit(url)
    assert parts.port is not None
    proxy = Proxy(parts.port)
    connections: set[asyncio.Task[None]] = set()

    def accept(reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        connections.add(asyncio.ensure_future(proxy.serve(reader, writer)))

    server = await asyncio.start_server(accept, "127.0.0.1", 0)
    port = server.sockets[0].getsockname()[1]
    proxy.url = parts._replace(netloc=f"{parts.username}@127.0.0.1:{port}").geturl()
    try:
        yield proxy
    finally:
        server.close()
        proxy.close()
        for connection in connections:
            connection.cancel()
        await asyncio.gather(*connections, return_exceptions=True)
