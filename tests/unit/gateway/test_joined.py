"""What is written in one turn of the event loop leaves in one piece."""

import asyncio

import pytest

from longshore.gateway import joined


class Recorder(asyncio.Transport):
    """A transport that remembers what was done with it."""

    def __init__(self) -> None:
        super().__init__()
        self.done: list[object] = []

    def write(self, data: bytes | bytearray | memoryview) -> None:
        self.done.append(bytes(data))

    def write_eof(self) -> None:
        self.done.append("eof")

    def close(self) -> None:
        self.done.append("closed")

    def abort(self) -> None:
        self.done.append("aborted")

    def is_closing(self) -> bool:
        return "closed" in self.done or "aborted" in self.done


@pytest.fixture
def below() -> Recorder:
    return Recorder()


@pytest.fixture
async def transport(below: Recorder) -> joined.JoinedTransport:
    return joined.JoinedTransport(below, asyncio.get_running_loop())


async def test_what_is_written_in_one_turn_is_sent_in_one_piece(
    transport: joined.JoinedTransport, below: Recorder
) -> None:
    transport.write(b"head")
    transport.write(b"body")
    assert below.done == []
    await asyncio.sleep(0)
    assert below.done == [b"headbody"]
    transport.write(b"more")
    await asyncio.sleep(0)
    assert below.done == [b"headbody", b"more"]


@pytest.mark.parametrize(("end", "ended"), [("close", "closed"), ("write_eof", "eof")])
async def test_what_was_written_is_sent_before_the_end(
    transport: joined.JoinedTransport, below: Recorder, end: str, ended: str
) -> None:
    transport.write(b"last")
    getattr(transport, end)()
    await asyncio.sleep(0)
    assert below.done == [b"last", ended]


async def test_nothing_is_sent_after_an_abort_or_on_a_connection_that_is_gone(
    transport: joined.JoinedTransport, below: Recorder
) -> None:
    transport.write(b"lost")
    transport.abort()
    transport.write(b"late")
    await asyncio.sleep(0)
    assert below.done == ["aborted"]
