"""What a connection may send, hold and leave unread, and what becomes of one that goes beyond."""

import asyncio
import contextlib
import time
from collections.abc import AsyncIterator
from pathlib import Path

import pytest

from longshore.gateway import app, connections, wire
from longshore.metrics import exposition
from tests.rpc.gateway import world

SHORT_S = 0.3
"""A deadline that a test waits for."""


@pytest.fixture
async def gateway(tmp_path: Path) -> AsyncIterator[world.Stack]:
    """With bounds small enough to be reached."""
    bounds = {
        "header_timeout_s": SHORT_S,
        "body_timeout_s": SHORT_S,
        "keep_alive_s": SHORT_S,
        "max_body_bytes": 100_000,
    }
    async with world.stack(tmp_path, max_connections=60, **bounds) as served:
        yield served


def counted(stack: world.Stack, name: str) -> dict[str, float]:
    """A counter of the gateway's, by its label."""
    value = getattr(world.measured(stack.shown), name)
    return dict(value) if isinstance(value, dict) else {"": value}


async def works(stack: world.Stack) -> bool:
    """Whether an ordinary request is answered."""
    return (await stack.call("ListClusters")).status == 200


# ------------------------------------------------------------------------------------------- deadlines


async def test_a_connection_that_says_nothing_is_closed_without_a_word(gateway: world.Stack) -> None:
    peer = await gateway.connect()
    assert await peer.rest() == b""
    assert counted(gateway, "timed_out") == {"head": 1}
    await peer.aclose()


async def test_a_head_that_trickles_in_has_one_deadline(gateway: world.Stack) -> None:
    peer = await gateway.connect()
    began = time.monotonic()

    async def trickle() -> None:
        for byte in b"POST / HTTP/1.1\r\nX-Slow: " + b"a" * 1000:
            await peer.send(bytes([byte]))
            await asyncio.sleep(SHORT_S / 10)

    trickling = asyncio.create_task(trickle())
    assert await peer.rest() == b""
    assert time.monotonic() - began < 10 * SHORT_S
    trickling.cancel()
    with contextlib.suppress(asyncio.CancelledError, ConnectionError):
        await trickling
    await peer.aclose()


async def test_empty_lines_keep_no_connection_open(gateway: world.Stack) -> None:
    peer = await gateway.connect()
    assert (await peer.call("ListClusters")).status == 200
    await peer.send(b"\r\n")
    assert await peer.rest() == b""
    assert counted(gateway, "timed_out") == {"head": 1}
    await peer.aclose()


async def test_a_body_that_does_not_come_is_408(gateway: world.Stack) -> None:
    peer = await gateway.connect()
    await peer.send(world.request("ListClusters", body=b"{", content_length="100"))
    answer = await peer.answer()
    assert (answer.status, answer.reason) == (408, "RequestTimeoutException")
    assert answer.headers["connection"] == "close"
    assert await peer.rest() == b""
    await peer.aclose()


async def test_an_idle_connection_is_closed_and_a_busy_one_is_kept(gateway: world.Stack) -> None:
    peer = await gateway.connect()
    for _ in range(5):
        assert (await peer.call("ListClusters")).status == 200
        await asyncio.sleep(SHORT_S / 3)
    assert await peer.rest() == b""
    assert counted(gateway, "timed_out") == {}
    await peer.aclose()


async def test_a_call_that_takes_longer_than_the_deadlines_of_a_client_is_answered(tmp_path: Path) -> None:
    async with world.stack(tmp_path, header_timeout_s=0.1, body_timeout_s=0.1, call_timeout_s=4 * SHORT_S) as stack:
        assert await works(stack)
        await stack.plane.stop("scheduler")
        peer = await stack.connect()
        answer = await peer.call("RunTask", {"taskDefinition": "app"})
        await peer.aclose()
    assert (answer.status, answer.reason) == (503, "ServiceUnavailableException")


# ------------------------------------------------------------------------------------------- sizes


@pytest.mark.parametrize("size", [100_001, 20_000_000, 10**18])
async def test_a_body_declared_too_large_is_413_before_it_comes(gateway: world.Stack, size: int) -> None:
    peer = await gateway.connect()
    await peer.send(world.request("ListClusters", body=b"", content_length=str(size), expect="100-continue"))
    answer = await peer.answer()
    assert (answer.status, answer.reason) == (413, "RequestEntityTooLargeException")
    assert await peer.rest() == b""
    assert counted(gateway, "malformed") == {"": 1}
    await peer.aclose()


async def test_a_client_that_sends_20_mb_regardless_reads_the_refusal(gateway: world.Stack) -> None:
    peer = await gateway.connect()
    size = 20_000_000
    await peer.send(world.request("ListClusters", body=b"", content_length=str(size)))
    with contextlib.suppress(ConnectionError):
        await peer.send(b" " * size)
    assert (await peer.answer()).status == 413
    await peer.aclose()
    assert await works(gateway)


async def test_a_chunked_body_is_taken_and_counted(gateway: world.Stack) -> None:
    chunked = {"transfer_encoding": "chunked", "content_length": ""}
    peer = await gateway.connect()
    await peer.send(world.request("DescribeClusters", body=b"", **chunked))
    for piece in (b'{"clus', b'ters": ["a"]}', b""):
        await peer.send(b"%x\r\n%s\r\n" % (len(piece), piece))
    assert (await peer.answer()).json["failures"][0]["arn"].endswith("cluster/a")

    await peer.send(world.request("DescribeClusters", body=b"", **chunked))
    with contextlib.suppress(ConnectionError):
        for _ in range(11):
            await peer.send(b"%x\r\n%s\r\n" % (10_000, b" " * 10_000))
    assert (await peer.answer()).status == 413
    assert await peer.rest() == b""
    await peer.aclose()


@pytest.mark.parametrize(
    "head",
    [
        b"POST /" + b"a" * 40_000 + b" HTTP/1.1\r\nhost: 127.0.0.1\r\n\r\n",
        b"POST / HTTP/1.1\r\nhost: 127.0.0.1\r\nx-long: " + b"a" * 40_000 + b"\r\n\r\n",
        b"POST / HTTP/1.1\r\nhost: 127.0.0.1\r\n" + b"x-many: 1\r\n" * 101 + b"\r\n",
    ],
    ids=["target", "header", "headers"],
)
async def test_a_head_too_large_is_431(gateway: world.Stack, head: bytes) -> None:
    peer = await gateway.connect()
    await peer.send(head)
    answer = await peer.answer()
    assert (answer.status, answer.reason) == (431, "RequestHeaderFieldsTooLargeException")
    assert await peer.rest() == b""
    await peer.aclose()


async def test_a_header_without_an_end_is_not_gathered(gateway: world.Stack) -> None:
    peer = await gateway.connect()
    await peer.send(b"POST / HTTP/1.1\r\nx-long: ")
    with contextlib.suppress(ConnectionError):
        for _ in range(100):
            await peer.send(b"a" * 10_000)
    assert (await peer.answer()).status == 431
    await peer.aclose()


async def test_all_bodies_together_are_bounded(gateway: world.Stack, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(connections, "MAX_BUFFERED_BYTES", 150_000)
    first, second = await gateway.connect(), await gateway.connect()
    for peer in (first, second):
        await peer.send(world.request("ListClusters", body=b" " * 90_000, content_length="95000"))
    answers = [await first.answer(), await second.answer()]
    assert sorted(answer.status for answer in answers) == [408, 503]
    assert counted(gateway, "turned_away") == {"": 1}
    await first.aclose()
    await second.aclose()
    big = await gateway.call("ListClusters", body=b"{" + b" " * 90_000 + b"}")
    assert big.status == 200  # what they held was given back


# ------------------------------------------------------------------------------------------- numbers of connections


async def test_connections_beyond_the_bound_are_told_so_and_those_before_still_served(gateway: world.Stack) -> None:
    kept = [await gateway.connect() for _ in range(60)]
    beyond = await gateway.connect()
    answer = await beyond.answer()
    assert (answer.status, answer.reason) == (503, "ServiceUnavailableException")
    assert (await kept[0].call("ListClusters")).status == 200
    for peer in (*kept, beyond):
        await peer.aclose()


async def test_a_flood_of_connections_beyond_the_bound_is_closed_without_a_word(
    gateway: world.Stack, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(connections, "LINGERING", 5)
    kept = [await gateway.connect() for _ in range(60)]
    flood = [await gateway.connect() for _ in range(20)]
    said = [await peer.rest() for peer in flood]
    assert sorted(bool(words) for words in said) == [False] * 15 + [True] * 5
    assert counted(gateway, "turned_away") == {"": 20}
    assert (await kept[0].call("ListClusters")).status == 200


async def test_a_thousand_connections_that_say_nothing_disturb_nobody_and_leave_nothing(tmp_path: Path) -> None:
    async with world.stack(tmp_path, header_timeout_s=3.0) as stack:
        silent = await asyncio.gather(*(stack.connect() for _ in range(1_000)))
        began = time.monotonic()
        assert await works(stack)
        assert time.monotonic() - began < 1.0
        async with asyncio.timeout(world.BOUND_S):
            assert set(await asyncio.gather(*(peer.reader.read() for peer in silent))) == {b""}
        assert counted(stack, "timed_out") == {"head": 1_000}
        for peer in silent:
            await peer.aclose()
        assert counted(stack, "connections")[""] <= 1


async def test_a_client_that_reads_nothing_is_cut_off(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(connections, "READ_TIMEOUT_S", SHORT_S)
    async with world.stack(tmp_path) as stack:
        peer = await stack.connect()
        whole = world.request("DescribeClusters", {"clusters": [f"{'a' * 200}{number}" for number in range(100)]})

        async def send_on() -> None:
            while True:
                await peer.send(whole)

        with pytest.raises(ConnectionError):
            await asyncio.wait_for(send_on(), world.BOUND_S)
        assert counted(stack, "timed_out") == {"reader": 1}
        await peer.aclose()
        assert await works(stack)


# ------------------------------------------------------------------------------------------- HTTP


@pytest.mark.parametrize(
    "sent",
    [
        b"nonsense\r\n\r\n",
        b"\x16\x03\x01\x02\x00\x01\x00\x01\xfc\x03\x03",
        b"POST / HTTP/1.1\r\nhost: 127.0.0.1\r\ncontent-length: -1\r\n\r\n",
        b"POST / HTTP/1.1\r\nhost: 127.0.0.1\r\ncontent-length: 1e3\r\n\r\n",
        b"POST / HTTP/1.1\r\nhost: 127.0.0.1\r\ncontent-length: 2\r\ncontent-length: 3\r\n\r\n{}",
        b"POST / HTTP/1.1\r\nhost: 127.0.0.1\r\ncontent-length: 2\r\ntransfer-encoding: chunked\r\n\r\n{}",
        b"POST / HTTP/1.1\r\nhost: 127.0.0.1\r\ntransfer-encoding: chunked\r\n\r\nzz\r\n",
        b"POST / HTTP/1.1\r\nhost: 127.0.0.1\r\nno colon\r\n\r\n",
        b"POST / HTTP/1.1\r\n\r\n",
        b"POST / HTTP/1.1\r\nhost: a\r\nhost: b\r\n\r\n",
        b"POST / HTTP/9.9\r\nhost: 127.0.0.1\r\n\r\n",
        b"CONNECT 127.0.0.1:22 HTTP/1.1\r\nhost: 127.0.0.1\r\n\r\n",
        b"PRI * HTTP/2.0\r\n\r\nSM\r\n\r\n",
    ],
)
async def test_what_is_no_http_is_400_and_the_end_of_the_connection(gateway: world.Stack, sent: bytes) -> None:
    peer = await gateway.connect()
    await peer.send(sent)
    answer = await peer.answer()
    assert (answer.status, answer.headers["connection"]) == (400, "close")
    assert answer.reason == "ValidationException"
    assert await peer.rest() == b""
    await peer.aclose()
    assert await works(gateway)


async def test_a_request_may_name_its_whole_url(gateway: world.Stack) -> None:
    headers = {
        "host": gateway.address,
        "x-amz-target": wire.PREFIX + "ListClusters",
        **world.JSON,
        "content-length": "2",
    }
    peer = await gateway.connect()
    await peer.send(world.raw("POST", f"{gateway.url}/", headers.items(), b"{}"))
    assert (await peer.answer()).status == 200
    await peer.aclose()


async def test_http_1_0_is_answered_and_closed(gateway: world.Stack) -> None:
    headers = {"x-amz-target": wire.PREFIX + "ListClusters", **world.JSON, "content-length": "2"}
    peer = await gateway.connect()
    await peer.send(world.raw("POST", "/", headers.items(), b"{}", version="1.0"))
    assert (await peer.answer()).json == {"clusterArns": []}
    assert await peer.rest() == b""
    await peer.aclose()


async def test_whoever_expects_100_continue_gets_it_before_sending(gateway: world.Stack) -> None:
    peer = await gateway.connect()
    await peer.send(world.request("ListClusters", body=b"", content_length="2", expect="100-continue"))
    assert (await peer.answer()).status == 100
    await peer.send(b"{}")
    assert (await peer.answer()).status == 200
    await peer.aclose()


async def test_pipelined_requests_are_answered_in_their_order(gateway: world.Stack) -> None:
    names = [f"c{number}" for number in range(20)]
    peer = await gateway.connect()
    await peer.send(b"".join(world.request("DescribeClusters", {"clusters": [name]}) for name in names))
    answers = [(await peer.answer()).json["failures"][0]["arn"] for _ in names]
    assert [arn.rpartition("/")[2] for arn in answers] == names
    await peer.aclose()


@pytest.mark.parametrize(
    ("bad", "status"),
    [
        (b"nonsense\r\n\r\n", 400),
        (world.request("ListClusters", body=b" " * 100_001), 413),
        (world.request("ListClusters", body=b"", content_length="2"), 408),
    ],
    ids=["nonsense", "large", "half"],
)
async def test_what_came_before_a_bad_request_is_answered_first(gateway: world.Stack, bad: bytes, status: int) -> None:
    peer = await gateway.connect()
    good = world.request("ListClusters")
    await peer.send(good + good + bad)
    assert [(await peer.answer()).status for _ in range(3)] == [200, 200, status]
    assert await peer.rest() == b""
    await peer.aclose()


async def test_a_get_may_have_a_body_and_a_head_has_none(gateway: world.Stack) -> None:
    peer = await gateway.connect()
    await peer.send(world.raw("GET", "/healthz", {"host": "127.0.0.1", "content-length": "2"}.items(), b"{}"))
    assert (await peer.answer()).status == 200
    await peer.send(world.raw("HEAD", "/", {"host": "127.0.0.1"}.items()))
    assert (await peer.answer(head=True)).status == 200
    assert (await peer.call("ListClusters")).status == 200
    await peer.aclose()


async def test_a_body_that_nobody_waits_for_any_more_is_no_reason_for_a_second_answer(gateway: world.Stack) -> None:
    peer = await gateway.connect()
    await peer.send(world.raw("GET", "/healthz", {"host": "127.0.0.1", "content-length": "2"}.items()))
    assert (await peer.answer()).status == 200
    assert await peer.rest() == b""  # and no 408


async def test_a_stream_ends_with_its_client_even_where_another_request_waits_behind_it(gateway: world.Stack) -> None:
    await gateway.call("CreateCluster")
    peer = await gateway.connect()
    await peer.send(world.raw("GET", "/events", {"host": "127.0.0.1"}.items()) + world.request("ListClusters"))
    assert b"200 OK" in await peer.reader.readline()
    assert world.measured(gateway.shown).event_streams == 1
    await peer.aclose()
    await world.reached(lambda: world.measured(gateway.shown).event_streams == 0)
    await world.reached(lambda: world.measured(gateway.shown).connections == 0)


# ------------------------------------------------------------------------------------------- the end


async def test_an_idle_connection_and_its_gateway_end_at_once(tmp_path: Path) -> None:
    async with world.control_plane(tmp_path) as plane:
        async with app.serve(world.settings(plane.at), shown=exposition.Sources()) as serving:
            idle = await world.connect(serving.address)
            assert (await idle.call("ListClusters")).status == 200
            silent = await world.connect(serving.address)
            began = time.monotonic()
        assert time.monotonic() - began < 2.0
        assert (await idle.rest(), await silent.rest()) == (b"", b"")
        with pytest.raises(ConnectionError):
            await world.connect(serving.address)
        await idle.aclose()
        await silent.aclose()


async def test_a_request_under_way_is_answered_before_the_end(tmp_path: Path) -> None:
    async with world.control_plane(tmp_path) as plane:
        shown = exposition.Sources()
        async with app.serve(world.settings(plane.at, call_timeout_s=1.0), shown=shown) as serving:
            peer = await world.connect(serving.address)
            assert (await peer.call("ListClusters")).status == 200  # so that keys have been asked for
            await plane.stop("scheduler")
            await peer.send(world.request("RunTask", {"taskDefinition": "app"}))
            await world.reached(lambda: world.measured(shown).under_way == 1)
        answer = await peer.answer()
        assert (answer.status, answer.headers["connection"]) == (503, "close")
        await peer.aclose()
