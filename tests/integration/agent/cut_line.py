"""A line to the Docker Engine that a test can cut and mend."""

import asyncio
import contextlib
import os
from pathlib import Path


class CutLine:
    """Forwards a Unix socket of its own to the engine's."""

    def __init__(self, folder: Path, target: str) -> None:
        self._path = str(folder / "line.sock")
        self._target = target.removeprefix("unix://")
        self._server: asyncio.Server | None = None
        self._open: set[asyncio.StreamWriter] = set()

    @property
    def url(self) -> str:
        """The near end."""
        return f"unix://{self._path}"

    async def mend(self) -> None:
        """Let connections through."""
        self._server = await asyncio.start_unix_server(self._forward, self._path)

    async def cut(self) -> None:
        """Break every connection and refuse new ones."""
        assert self._server is not None
        self._server.close()
        os.unlink(self._path)  # noqa: PTH108 - pathlib is held to block a loop, this is not
        for writer in tuple(self._open):
            writer.close()

    async def _forward(self, reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        far_reader, far_writer = await asyncio.open_unix_connection(self._target)
        self._open |= {writer, far_writer}
        try:
            async with asyncio.TaskGroup() as group:
                group.create_task(_copy(reader, far_writer))
                group.create_task(_copy(far_reader, writer))
        finally:
            self._open -= {writer, far_writer}
            writer.close()
            far_writer.close()


async def _copy(source: asyncio.StreamReader, target: asyncio.StreamWriter) -> None:
    with contextlib.suppress(ConnectionError):
        while data := await source.read(65536):
            target.write(data)
            await target.drain()
    target.close()
