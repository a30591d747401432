"""Whatever bytes come in whatever pieces, every connection ends, and nothing of it is left."""

import asyncio
import contextlib
import random
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest

from longshore.gateway import connections
from tests.rpc.gateway import world

CONNECTIONS = 300
AT_A_TIME = 20
SHORT_S = 0.3

Maker = Callable[[random.Random], bytes]

CHUNKED = {"transfer_encoding": "chunked", "content_length": ""}
CHUNKS = (b"2\r\n{}\r\n0\r\n\r\n", b"zz\r\n", b"2\r\n{}\r\n", b"5;x=1\r\n{   }\r\n0\r\nA: b\r\n\r\n")

MAKERS: tuple[Maker, ...] = (
    lambda source: world.request(source.choice(("ListClusters", "Nope", "DescribeClusters"))),
    lambda source: world.raw(
        source.choice(("GET", "HEAD", "PUT", "CONNECT", "POST")),
        source.choice(("/", "/healthz", "*", "http://a/", "//", "/%ff", "?")),
        [("host", "127.0.0.1"), ("content-length", source.choice(("", "3", "0")))],
    ),
    lambda source: world.request("ListClusters", body=b"", **CHUNKED) + source.choice(CHUNKS),
    lambda source: world.request("ListClusters", body=b"{" + b" " * source.randint(0, 120_000) + b"}"),
    lambda source: world.request("ListClusters", content_length=str(source.randint(0, 100))),
    lambda source: world.request("ListClusters", connection="upgrade", upgrade=source.choice(("h2c", "websocket"))),
    lambda source: source.randbytes(source.randint(0, 200)),
)


def nonsense(source: random.Random) -> bytes:
    """A few requests in a row, most of them disturbed somewhere."""
    return b"".join(
        disturbed(source, source.choice(MAKERS)(source)) if source.random() < 0.6 else source.choice(MAKERS)(source)
        for _ in range(source.randint(1, 5))
    )


def disturbed(source: random.Random, request: bytes) -> bytes:
    """With bytes changed, lost or added."""
    kept = bytearray(request)
    for _ in range(source.randint(1, 5)):
        at = source.randrange(len(kept) + 1)
        kept[at : at + source.choice((0, 1, 10))] = source.randbytes(source.choice((0, 1, 5)))
    return bytes(kept)


async def sent(stack: world.Stack, source: random.Random) -> bytes:
    """Send nonsense in pieces of any size, stay or leave, and tell what was answered."""
    peer = await stack.connect()
    data = nonsense(source)
    reading = asyncio.create_task(peer.rest())
    with contextlib.suppress(ConnectionError):
        while data:
            size = source.choice((1, 7, 100, 5_000, 1_000_000) if len(data) < 3_000 else (3_000, 1_000_000))
            await peer.send(data[:size])
            data = data[size:]
    if source.random() < 0.3:
        await peer.aclose()
    answered = await reading
    await peer.aclose()
    return answered


@pytest.mark.parametrize("seed", [1, 2])
async def test_it_ends_without_a_fault_and_nothing_is_left(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, seed: int
) -> None:
    monkeypatch.setattr(connections, "LINGER_S", SHORT_S)
    broken: list[dict[str, Any]] = []
    asyncio.get_running_loop().set_exception_handler(lambda _, context: broken.append(context))
    short = {"header_timeout_s": SHORT_S, "body_timeout_s": SHORT_S, "keep_alive_s": SHORT_S}
    async with world.stack(tmp_path, max_body_bytes=100_000, **short) as stack:
        turn = asyncio.Semaphore(AT_A_TIME)

        async def one(number: int) -> bytes:
            async with turn:
                return await sent(stack, random.Random(seed * 1_000_003 + number))

        answers = await asyncio.gather(*(one(number) for number in range(CONNECTIONS)))
        measured = world.measured(stack.shown)
        await world.reached(lambda: measured.connections == 0)
        assert (measured.under_way, measured.buffered) == (0, 0)
        assert measured.requests["ListClusters", "200"] > 10
        assert measured.malformed > 10
        assert (await stack.call("ListClusters")).status == 200
    assert [answer for answer in answers if b" 500 " in answer] == []
    assert broken == []
