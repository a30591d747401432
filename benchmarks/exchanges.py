"""ECS's wire with as little client around it as there can be: what is measured is who answers.

A request is made once, as bytes; of an answer only the head's first line and lengths are read. The same client asks both sides.
"""

import asyncio
import json
from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any

ANSWER_BOUND_S = 30.0

CREDENTIAL = (
    "AWS4-HMAC-SHA256 Credential=AKIDEXAMPLE/20261122/us-east-1/ecs/aws4_request, SignedHeaders=host, Signature=0"
)
"""The emulator picks the service by its scope; neither side verifies the signature."""


@dataclass(frozen=True, slots=True)
class Answer:
    """A status and a body."""

    status: int
    body: bytes

    def document(self) -> Any:
        """The answer, which must be one. Raises RuntimeError for a refusal."""
        if self.status != 200:
            raise RuntimeError(f"{self.status}: {self.body[:500]!r}")
        return json.loads(self.body)


def request(operation: str, document: Mapping[str, Any], *, port: int) -> bytes:
    """A request as the aws cli writes it."""
    body = json.dumps(document).encode()
    head = (
        f"POST / HTTP/1.1\r\nHost: 127.0.0.1:{port}\r\nX-Amz-Target: AmazonEC2ContainerServiceV20141113.{operation}\r\n"
        f"Content-Type: application/x-amz-json-1.1\r\nAuthorization: {CREDENTIAL}\r\nContent-Length: {len(body)}\r\n\r\n"
    )
    return head.encode() + body


class Connection:
    """One connection, kept for as long as the other side keeps it."""

    def __init__(self, port: int) -> None:
        self._port = port
        self._streams: tuple[asyncio.StreamReader, asyncio.StreamWriter] | None = None

    async def ask(self, asked: bytes) -> Answer:
        """Send a request and read its answer whole."""
        async with asyncio.timeout(ANSWER_BOUND_S):
            if self._streams is None:
                self._streams = await asyncio.open_connection("127.0.0.1", self._port, limit=2**20)
            reader, writer = self._streams
            writer.write(asked)
            head = (await reader.readuntil(b"\r\n\r\n")).lower()
            length = int(head.partition(b"content-length:")[2].partition(b"\r\n")[0])
            body = await reader.readexactly(length)
            if b"connection: close" in head:
                self.close()
        return Answer(int(head[9:12]), body)

    def close(self) -> None:
        """Close it."""
        if self._streams is not None:
            self._streams[1].transport.abort()
            self._streams = None
