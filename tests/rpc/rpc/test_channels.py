"""What our own channels make of servers that answer, refuse, hang, end and die."""

import asyncio
import contextlib
import random
import socket
from collections.abc import AsyncIterator, Iterator
from typing import Any

import grpc
import grpc.aio
import pytest

from longshore.rpc import caller, calls, channels, errors, server
from tests.rpc.rpc import tiny

pytestmark = pytest.mark.invented_errors


@contextlib.contextmanager
def silence() -> Iterator[str]:
    """An address that takes connections and never says a word."""
    with socket.socket() as listener:
        listener.bind(("127.0.0.1", 0))
        listener.listen()
        yield f"127.0.0.1:{listener.getsockname()[1]}"


def unused() -> str:
    """An address that refuses connections."""
    with socket.socket() as taken:
        taken.bind(("127.0.0.1", 0))
        return f"127.0.0.1:{taken.getsockname()[1]}"


async def everything(stream: Any) -> list[str]:
    return [response.cursor async for response in stream]


async def name_of(stub: Any) -> str:
    answer = await stub.ListClusters(tiny.ask())
    return str(answer.next_token)


async def next_answer(stub: Any) -> tuple[str, int]:
    """The next answer, and how many calls were Unavailable before it."""
    lost = 0
    while True:
        try:
            return await name_of(stub), lost
        except errors.Unavailable:
            lost += 1


@pytest.mark.parametrize("kind", tiny.KINDS)
async def test_each_error_arrives_as_its_own_class(kind: type[errors.ServiceError]) -> None:
    behaviour = tiny.Behaviour()
    behaviour.raises(kind("No such thing: ä.", cluster="web"))
    async with tiny.running(behaviour) as serving, channels.connect(serving.address) as channel:
        with pytest.raises(kind) as unary:
            await tiny.registry(channel).ListClusters(tiny.ask())
        stream = tiny.tracker(channel).WatchEvents(tiny.watch())
        assert [(await stream.read()).cursor for _ in range(2)] == ["1", "2"]
        with pytest.raises(kind) as streamed:
            await stream.read()
        with pytest.raises(kind):
            await everything(tiny.tracker(channel).WatchEvents(tiny.watch()))
    for caught in (unary, streamed):
        assert (type(caught.value), caught.value.message, caught.value.metadata) == (
            kind,
            "No such thing: ä.",
            {"cluster": "web"},
        )


async def test_a_method_the_server_does_not_have_is_an_unsupported_feature() -> None:
    async with tiny.running(tiny.Behaviour()) as serving, channels.connect(serving.address) as channel:
        fly: Any = channel.unary_unary("/longshore.v1.RegistryService/Fly")
        with pytest.raises(errors.UnsupportedFeatureException):
            await fly(b"")


async def test_a_long_error_arrives_and_says_that_it_was_cut() -> None:
    behaviour = tiny.Behaviour()
    behaviour.raises(errors.ClientException("fault; " * 10_000))
    async with tiny.running(behaviour) as serving, channels.connect(serving.address) as channel:
        with pytest.raises(errors.ClientException, match=r"more characters\)$"):
            await tiny.registry(channel).ListClusters(tiny.ask())


async def test_a_call_without_a_deadline_gets_the_channels() -> None:
    behaviour = tiny.Behaviour(hang=True)
    async with tiny.running(behaviour) as serving, channels.connect(serving.address, timeout_s=0.2) as channel:
        with pytest.raises(errors.DeadlineExceeded):
            await tiny.registry(channel).ListClusters(tiny.ask())
        await behaviour.cancelled.wait()


async def test_a_calls_own_deadline_beats_the_channels() -> None:
    behaviour = tiny.Behaviour(hang=True)
    async with tiny.running(behaviour) as serving, channels.connect(serving.address) as channel:
        with pytest.raises(errors.DeadlineExceeded):
            await tiny.registry(channel).ListClusters(tiny.ask(), timeout=0.2)


async def test_cancelling_the_awaiting_task_cancels_the_call() -> None:
    behaviour = tiny.Behaviour(hang=True)
    async with tiny.running(behaviour) as serving, channels.connect(serving.address) as channel:
        calling = asyncio.ensure_future(name_of(tiny.registry(channel)))
        await behaviour.hanging.wait()
        calling.cancel()
        with pytest.raises(asyncio.CancelledError):
            await calling
        await behaviour.cancelled.wait()


async def test_leaving_an_iteration_ends_the_stream() -> None:
    behaviour = tiny.Behaviour(hang=True)
    async with tiny.running(behaviour) as serving, channels.connect(serving.address) as channel:
        async with contextlib.aclosing(tiny.tracker(channel).WatchEvents(tiny.watch()).__aiter__()) as responses:
            async for response in responses:
                assert response.cursor == "1"
                await behaviour.hanging.wait()
                break
        await behaviour.cancelled.wait()


async def test_the_caller_is_sent_on_with_every_kind_of_call() -> None:
    behaviour = tiny.Behaviour()
    ada = caller.Caller("ada", "r-1", "eu-west-1")
    async with tiny.running(behaviour, "--any-region") as serving, channels.connect(serving.address) as channel:
        with caller.acting_as(ada):
            await name_of(tiny.registry(channel))
            assert await everything(tiny.tracker(channel).WatchEvents(tiny.watch())) == ["1", "2"]
        await name_of(tiny.registry(channel))
    assert behaviour.seen[:2] == [ada, ada]
    assert behaviour.seen[2].principal == "local-admin"


async def test_metadata_of_the_channel_goes_with_every_call() -> None:
    behaviour = tiny.Behaviour()
    metadata = ((caller.REGION_KEY, "eu-west-1"),)
    async with (
        tiny.running(behaviour, "--any-region") as serving,
        channels.connect(serving.address, metadata=metadata) as channel,
    ):
        await name_of(tiny.registry(channel))
    assert behaviour.seen[0].region == "eu-west-1"


async def echo(requests: AsyncIterator[bytes], context: Any) -> AsyncIterator[bytes]:
    async for request in requests:
        if request == b"fail":
            raise errors.Aborted("a newer session has begun")
        if request == b"end":
            return
        yield request


ECHO = server.handlers("test.Bytes", {"Session": grpc.stream_stream_rpc_method_handler(echo)})


async def session_of(channel: grpc.aio.Channel) -> calls.Call:
    call: Any = channel.stream_stream("/test.Bytes/Session")
    started: calls.Call = call()
    return started


@pytest.mark.parametrize("replicas", [1, 2])
async def test_a_session_is_written_and_read_at_once(replicas: int) -> None:
    async with tiny.running(tiny.Behaviour(), more=(ECHO,)) as serving:
        addresses = (unused(), serving.address)[2 - replicas :]
        async with channels.connect(addresses) as channel:
            call = await session_of(channel)
            reading = asyncio.ensure_future(call.read())
            await call.write(b"a")
            assert await reading == b"a"
            assert not call.done()
            await call.done_writing()
            assert await call.read() is grpc.aio.EOF
            assert await call.code() is grpc.StatusCode.OK
            assert call.done()


async def test_the_error_of_a_session_reaches_reader_and_writer() -> None:
    async with tiny.running(tiny.Behaviour(), more=(ECHO,)) as serving, channels.connect(serving.address) as channel:
        call = await session_of(channel)
        await call.write(b"fail")
        with pytest.raises(errors.Aborted, match="a newer session has begun"):
            await call.read()
        with pytest.raises(errors.Aborted, match="a newer session has begun"):
            await call.write(b"more")


async def test_writing_on_a_session_that_the_other_side_ended_is_aborted() -> None:
    async with tiny.running(tiny.Behaviour(), more=(ECHO,)) as serving, channels.connect(serving.address) as channel:
        call = await session_of(channel)
        await call.write(b"end")
        assert await call.read() is grpc.aio.EOF
        with pytest.raises(errors.Aborted, match="ended the stream"):
            await call.write(b"more")


async def test_a_session_is_unavailable_when_its_server_goes_away() -> None:
    async with contextlib.AsyncExitStack() as stack:
        serving = await stack.enter_async_context(tiny.running(tiny.Behaviour(), more=(ECHO,), grace_s=0.0))
        channel = await stack.enter_async_context(channels.connect(serving.address))
        call = await session_of(channel)
        await call.write(b"a")
        assert await call.read() == b"a"
        reading = asyncio.ensure_future(call.read())
        await asyncio.sleep(0)
        serving.stop()
        await stack.pop_all().aclose()
        with pytest.raises((errors.Unavailable, errors.Cancelled, asyncio.CancelledError)):
            await reading


async def test_one_address_that_refuses_is_unavailable_at_once() -> None:
    async with channels.connect(unused()) as channel:
        async with asyncio.timeout(2):
            with pytest.raises(errors.Unavailable):
                await name_of(tiny.registry(channel))


async def test_no_replica_that_answers_is_unavailable_and_names_them() -> None:
    addresses = (unused(), unused())
    async with channels.connect(addresses) as channel:
        async with asyncio.timeout(2):
            with pytest.raises(errors.Unavailable, match=f"None of {addresses[0]}, {addresses[1]} can be reached"):
                await name_of(tiny.registry(channel))


async def test_a_replica_that_is_away_costs_no_call() -> None:
    async with tiny.running(tiny.Behaviour()) as serving, channels.connect((unused(), serving.address)) as channel:
        names = await asyncio.gather(*(name_of(tiny.registry(channel)) for _ in range(20)))
    assert names == ["one"] * 20


async def test_a_replica_that_is_silent_costs_no_call_either() -> None:
    with silence() as silent:
        async with tiny.running(tiny.Behaviour()) as serving, channels.connect((silent, serving.address)) as channel:
            async with asyncio.timeout(2):
                assert await name_of(tiny.registry(channel)) == "one"


async def test_silence_everywhere_ends_with_the_deadline() -> None:
    with silence() as one, silence() as other:
        async with channels.connect((one, other)) as channel, asyncio.timeout(2):
            with pytest.raises(errors.Unavailable, match="could be reached in time"):
                await tiny.registry(channel).ListClusters(tiny.ask(), timeout=0.1)


async def test_one_silent_address_ends_with_the_time_to_connect(monkeypatch: pytest.MonkeyPatch) -> None:
    quick = tuple((key, 200 if key == "grpc.min_reconnect_backoff_ms" else value) for key, value in channels.OPTIONS)
    monkeypatch.setattr(channels, "OPTIONS", quick)
    with silence() as silent:
        async with channels.connect(silent) as channel, asyncio.timeout(5):
            with pytest.raises(errors.Unavailable):
                await name_of(tiny.registry(channel))


async def test_calls_stay_with_one_replica_and_go_to_the_other_once_it_has_ended() -> None:
    async with contextlib.AsyncExitStack() as stack:
        second = await stack.enter_async_context(tiny.running(tiny.Behaviour(name="second")))
        ending = contextlib.AsyncExitStack()
        first = await ending.enter_async_context(tiny.running(tiny.Behaviour(name="first"), grace_s=0.0))
        channel = await stack.enter_async_context(channels.connect((first.address, second.address)))
        stub = tiny.registry(channel)
        chosen = await name_of(stub)
        assert {await name_of(stub) for _ in range(10)} == {chosen}
        await ending.aclose()
        async with asyncio.timeout(2):
            answered, lost = await next_answer(stub)
        # Only a call that caught the connection in the moment of its end may be lost; none is after that.
        assert lost <= 1
        assert answered == "second"
        assert {await name_of(stub) for _ in range(10)} == {"second"}


class Relay:
    """Passes bytes on to a server until it is frozen: then its connections stay up and nothing moves any more."""

    def __init__(self, target: str) -> None:
        self._host, _, port = target.rpartition(":")
        self._port = int(port)
        self._thawed = asyncio.Event()
        self._thawed.set()

    def freeze(self) -> None:
        """From now on nothing is passed on."""
        self._thawed.clear()

    @contextlib.asynccontextmanager
    async def listening(self) -> AsyncIterator[str]:
        """The relay's address."""
        async with asyncio.TaskGroup() as group:
            ends: list[asyncio.StreamWriter] = []

            async def accept(reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
                onward, back = await asyncio.open_connection(self._host, self._port)
                ends.extend((writer, back))
                group.create_task(self._pass(reader, back))
                group.create_task(self._pass(onward, writer))

            listener = await asyncio.start_server(accept, "127.0.0.1", 0)
            try:
                yield f"127.0.0.1:{listener.sockets[0].getsockname()[1]}"
            finally:
                listener.close()
                self._thawed.set()
                for writer in ends:
                    writer.close()

    async def _pass(self, reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        with contextlib.suppress(ConnectionError):
            while data := await reader.read(65_536):
                await self._thawed.wait()
                writer.write(data)
                await writer.drain()
        writer.close()


async def test_a_replica_that_freezes_is_given_up_and_the_other_takes_its_calls(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    sooner = {"grpc.keepalive_time_ms": 200, "grpc.keepalive_timeout_ms": 800, "grpc.http2.ping_timeout_ms": 800}
    assert sooner.keys() <= dict(channels.OPTIONS).keys()
    monkeypatch.setattr(channels, "OPTIONS", tuple({**dict(channels.OPTIONS), **sooner}.items()))
    later = unused()
    async with tiny.running(tiny.Behaviour(name="frozen")) as first:
        relay = Relay(first.address)
        async with relay.listening() as relayed, channels.connect((relayed, later)) as channel:
            stub = tiny.registry(channel)
            assert await name_of(stub) == "frozen"
            async with tiny.running(tiny.Behaviour(name="other"), "--listen", later), asyncio.timeout(15):
                relay.freeze()
                with pytest.raises(errors.Unavailable):
                    await name_of(stub)
                answered, _ = await next_answer(stub)
                assert answered == "other"


async def test_a_replica_that_comes_back_is_found_again() -> None:
    address = unused()
    async with channels.connect(address) as channel:
        with pytest.raises(errors.Unavailable):
            await name_of(tiny.registry(channel))
        async with tiny.running(tiny.Behaviour(), "--listen", address):
            async with asyncio.timeout(5):
                await channel.channel_ready()
                assert await name_of(tiny.registry(channel)) == "one"


async def test_a_call_given_up_before_any_replica_answered_is_never_sent() -> None:
    with silence() as one, silence() as other:
        async with channels.connect((one, other)) as channel:
            call: calls.Call = tiny.registry(channel).ListClusters(tiny.ask())
            assert call.cancel()
            assert not call.cancel()
            assert call.cancelled()
            assert call.done()
            with pytest.raises(asyncio.CancelledError):
                await call


async def test_names_of_hosts_work_in_a_list() -> None:
    async with tiny.running(tiny.Behaviour()) as serving:
        port = serving.address.rpartition(":")[2]
        async with channels.connect(f"no-such-host.invalid:1, localhost:{port}") as channel:
            async with asyncio.timeout(5):
                assert await name_of(tiny.registry(channel)) == "one"


@pytest.mark.parametrize("addresses", ["", " , ", "host", "a:1,b", ()])
async def test_what_is_no_list_of_addresses_is_refused(addresses: str | tuple[str, ...]) -> None:
    with pytest.raises(ValueError, match=r"no address given|is not host:port"):
        async with channels.connect(addresses):
            pass


async def test_many_clients_spread_over_the_replicas() -> None:
    addresses = ("a:1", "b:2", "c:3")
    firsts = set()
    for seed in range(20):
        async with channels.connect(addresses, shuffle=random.Random(seed)) as channel:
            assert isinstance(channel, calls.NamedErrorChannel)
            firsts.add(channel.addresses[0])
    assert firsts == set(addresses)


async def test_a_replica_that_is_to_be_avoided_is_left_for_another_and_taken_where_there_is_none() -> None:
    async with contextlib.AsyncExitStack() as stack:
        first = await stack.enter_async_context(tiny.running(tiny.Behaviour(), more=(ECHO,)))
        second = await stack.enter_async_context(tiny.running(tiny.Behaviour(), more=(ECHO,)))
        channel = await stack.enter_async_context(channels.connect((first.address, unused(), second.address)))
        call = await session_of(channel)
        await call.write(b"a")
        assert call.address == first.address
        call.avoid_replica()
        again = await session_of(channel)
        await again.write(b"a")
        assert again.address == second.address
        alone = await stack.enter_async_context(channels.connect((first.address, unused())))
        for _ in range(2):
            call = await session_of(alone)
            await call.write(b"a")
            assert call.address == first.address
            call.avoid_replica()


async def test_only_the_replica_in_use_is_dialled_while_it_answers() -> None:
    async with (
        tiny.running(tiny.Behaviour(), more=(ECHO,)) as first,
        tiny.running(tiny.Behaviour(), more=(ECHO,)) as second,
        channels.connect((first.address, second.address)) as channel,
    ):
        call = await session_of(channel)
        await call.write(b"a")
        pool = channel._pool  # type: ignore[attr-defined]
        states = [pool.state(index) for index in range(2)]
        assert states == [grpc.ChannelConnectivity.READY, grpc.ChannelConnectivity.IDLE]
