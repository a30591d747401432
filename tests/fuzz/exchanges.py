"""A client that says whatever bytes it is told to, reads what comes back, and judges it.

It uses no HTTP library: one that is right would not send what is wrong, nor take note of what is wrong in an answer.
"""

import asyncio
import contextlib
import json
from collections.abc import Mapping
from dataclasses import dataclass

from tests.fuzz import wires

ANSWER_BOUND_S = 20.0
"""Within which a whole request is answered on a machine that is busy with other tests; most take a millisecond."""

PATIENCE_S = 0.15
"""How long an answer to what may be no whole request is waited for before the client ends its side."""

HEAD_LIMIT = 64 * 1024


class Broken(AssertionError):  # noqa: N818 - it reads as what it says of the server
    """The server broke a promise."""


@dataclass(frozen=True, slots=True)
class Answer:
    """An answer as it was read."""

    status: int
    headers: Mapping[str, str]
    body: bytes

    @property
    def closes(self) -> bool:
        """Whether the connection ends with it."""
        return self.headers.get("connection", "").lower() == "close"


class Connection:
    """A connection to the gateway, made when it is needed and again when it was closed."""

    def __init__(self, host: str, port: int) -> None:
        self._host = host
        self._port = port
        self._streams: tuple[asyncio.StreamReader, asyncio.StreamWriter] | None = None

    async def ask(self, mutant: wires.Mutant) -> list[Answer]:
        """Everything that is answered to the bytes of a mutant. Raises Broken where they are not answered as they should be."""
        try:
            async with asyncio.timeout(ANSWER_BOUND_S):
                if mutant.well_framed:
                    return [await self._whole(mutant)]
                return await self._odd(mutant)
        except TimeoutError:
            self.close()
            raise Broken(f"no end within {ANSWER_BOUND_S:g} s") from None

    def close(self) -> None:
        """Close it, at once."""
        if self._streams is not None:
            self._streams[1].transport.abort()
            self._streams = None

    async def _open(self) -> tuple[asyncio.StreamReader, asyncio.StreamWriter]:
        if self._streams is None or self._streams[0].at_eof() or self._streams[1].is_closing():
            self.close()
            self._streams = await asyncio.open_connection(self._host, self._port, limit=HEAD_LIMIT)
        return self._streams

    async def _whole(self, mutant: wires.Mutant) -> Answer:
        reader, writer = await self._open()
        await _write(writer, mutant)
        try:
            answer = await _read(reader)
        except (asyncio.IncompleteReadError, ConnectionError):
            raise Broken("the connection ended without an answer") from None
        if answer.closes:
            self.close()
        return answer

    async def _odd(self, mutant: wires.Mutant) -> list[Answer]:
        self.close()
        reader, writer = await self._open()
        found: list[Answer] = []
        with contextlib.suppress(ConnectionError, asyncio.IncompleteReadError):
            await _write(writer, mutant)
            reading = asyncio.ensure_future(_read(reader))
            await asyncio.wait((reading,), timeout=PATIENCE_S)
            if writer.can_write_eof():
                writer.write_eof()
            found.append(await reading)
            while True:
                found.append(await _read(reader))
        self.close()
        return found


async def _write(writer: asyncio.StreamWriter, mutant: wires.Mutant) -> None:
    with contextlib.suppress(ConnectionError):  # refused before it had all been sent: the answer tells
        for piece in mutant.pieces:
            writer.write(piece)
            await writer.drain()


async def _read(reader: asyncio.StreamReader) -> Answer:
    """The next answer, interim ones passed over. Raises IncompleteReadError at the end, Broken for what is no HTTP."""
    while True:
        head = (await reader.readuntil(b"\r\n\r\n")).decode("latin-1")
        start, *lines = head[:-4].split("\r\n")
        version, _, rest = start.partition(" ")
        if version not in {"HTTP/1.1", "HTTP/1.0"} or not rest[:3].isdigit():
            raise Broken(f"no HTTP: {start!r}")
        headers = {name.strip().lower(): value.strip() for name, _, value in (line.partition(":") for line in lines)}
        status = int(rest[:3])
        if status >= 200:
            return Answer(status, headers, await _body(reader, headers))


async def _body(reader: asyncio.StreamReader, headers: Mapping[str, str]) -> bytes:
    if headers.get("transfer-encoding") == "chunked":
        body = b""
        while size := int((await reader.readuntil(b"\r\n"))[:-2], 16):
            body += (await reader.readexactly(size + 2))[:-2]
        await reader.readuntil(b"\r\n")
        return body
    return await reader.readexactly(int(headers.get("content-length", "0")))


# ------------------------------------------------------------------------------------------- judgement


def judge(answer: Answer) -> None:
    """Hold an answer to what every answer has. Raises Broken."""
    if answer.status >= 500 and answer.status != 503:
        raise Broken(f"status {answer.status}: {answer.body[:500]!r}")
    if answer.status < 400 and "x-amz-json" not in answer.headers.get("content-type", ""):
        return  # a page for people or for a monitor
    if answer.status >= 400 and not answer.body and "content-length" in answer.headers:
        raise Broken(f"status {answer.status} without a word")
    if not answer.headers.get("x-amzn-requestid"):
        raise Broken(f"no request id: {answer.headers}")
    try:
        document = json.loads(answer.body)
    except ValueError:
        raise Broken(f"no JSON: {answer.body[:500]!r}") from None
    if not isinstance(document, dict):
        raise Broken(f"no object: {answer.body[:500]!r}")
    if answer.status >= 400:
        _judge_refusal(answer, document)


def _judge_refusal(answer: Answer, document: Mapping[str, object]) -> None:
    kind, message = document.get("__type"), document.get("message")
    if not (isinstance(kind, str) and kind.isidentifier() and isinstance(message, str) and message):
        raise Broken(f"a refusal without name or message: {answer.body[:500]!r}")
    if answer.status == 503 and kind != "ServiceUnavailableException":
        raise Broken(f"a 503 that is no ServiceUnavailableException: {kind}")
    if "Traceback" in message or "longshore." in message.lower().replace("longshore.v1", ""):
        raise Broken(f"a message that tells of the inside: {message[:500]!r}")
